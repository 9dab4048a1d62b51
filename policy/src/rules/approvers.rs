//! Who has to say yes where a rule asks, and whether they have.
//!
//! Promises: a yes counts when it was signed with the key that the policy names for that person,
//! over this very intent and the epochs it is judged by, not longer ago than the rule says. A
//! person counts once, however often it signs, and the agent's own key never counts. One signed
//! no by anybody who was asked refuses; it does not expire.
//!
//! Does not protect against: a courier that withholds what people said: nothing is approved then,
//! and a no that it keeps back is not heard. An agent that dates its intent back, by less than
//! the hour for which an intent can live: those to whom it escalates may then decide at once.
//! People who misdate what they say: the order of a sequence is that of their own clocks.

use std::collections::BTreeSet;
use std::fmt;

use crate::approval::{APPROVALS_MAX, Approval};
use crate::decision::Outcome;
use crate::document::Ed25519PublicKey;
use crate::intent::CLOCK_SKEW_SECONDS_MAX;
use crate::rules::{Length, View};
use crate::time::UnixSeconds;

/// Most people in a policy.
pub const PEOPLE_MAX: usize = 64;
/// Most roles of one person.
pub const ROLES_MAX: usize = 16;
/// How long a yes holds where the policy does not say.
pub const APPROVAL_LENGTH_DEFAULT: Length = Length::of_seconds(1_800);

/// A person that a policy names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Its name in the policy.
    pub name: String,
    /// The key that signs what it says.
    pub key: Ed25519PublicKey,
}

/// Who has to say yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approvers {
    /// Who is asked first.
    pub asked: Quorum,
    /// How long a yes holds.
    pub expires: Length,
    /// Who else may say yes when it takes long.
    pub escalation: Option<Escalation>,
}

/// Enough people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quorum {
    /// So many of these, in any order.
    Any {
        /// How many.
        needed: usize,
        /// Of whom.
        of: Vec<Person>,
        /// The role they have, where they are named by one.
        role: Option<String>,
    },
    /// All of these, each not before the one in front of it.
    Sequence(Vec<Person>),
}

/// Who may decide instead when it takes long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// How long after the agent made the intent.
    pub after: Length,
    /// Who.
    pub to: Quorum,
}

/// What people made of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) outcome: Outcome,
    pub(crate) approvers: String,
    pub(crate) approved_by: Vec<String>,
}

impl Approvers {
    /// Everybody who is asked or may be.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        let later = self.escalation.iter().flat_map(|escalation| escalation.to.people());
        self.asked.people().iter().chain(later)
    }

    pub(crate) fn judge(&self, view: &View<'_>) -> Answer {
        let said = Said::of(view);
        let denied = self.people().any(|person| said.no.contains(&person.key));
        let in_time = |at: &UnixSeconds| view.now() < at.plus(self.expires.seconds());
        let first = self.asked.approved(&said, &in_time);
        let due = |escalation: &&Escalation| {
            view.now() >= view.ask.created_at.plus(escalation.after.seconds())
        };
        let then = self.escalation.as_ref().filter(due);
        let then = then.map(|escalation| escalation.to.approved(&said, &in_time));
        let enough = |quorum: &Approved| quorum.enough;
        let outcome = match () {
            () if denied => Outcome::Refuses,
            () if enough(&first) || then.as_ref().is_some_and(enough) => Outcome::Kept,
            () => Outcome::Asks,
        };
        let mut approved_by = first.by;
        let more = then.map(|then| then.by).unwrap_or_default();
        approved_by.extend(more.into_iter().filter(|name| !first_has(&self.asked, name)));
        Answer { outcome, approvers: self.to_string(), approved_by }
    }
}

fn first_has(quorum: &Quorum, name: &str) -> bool {
    quorum.people().iter().any(|person| person.name == name)
}

/// What the keys said to this very payment, without the agent's own.
struct Said<'a> {
    yes: Vec<(Ed25519PublicKey, &'a Approval)>,
    no: BTreeSet<Ed25519PublicKey>,
}

impl<'a> Said<'a> {
    fn of(view: &View<'a>) -> Self {
        let (mut yes, mut no) = (Vec::new(), BTreeSet::new());
        // Where nothing is signed there is nothing that could have been approved.
        let Some(signed) = view.ask.signed else { return Self { yes, no } };
        let latest = view.now().plus(CLOCK_SKEW_SECONDS_MAX);
        for said in view.facts.approvals.iter().take(APPROVALS_MAX) {
            let approval = said.approval();
            let named = (approval.intent, approval.content_hash, approval.policies);
            let is_of_this = named == (signed.intent, signed.content_hash, view.facts.epochs);
            if !is_of_this || said.key() == signed.key {
                continue;
            }
            if !approval.approves {
                no.insert(said.key());
            } else if approval.at <= latest {
                yes.push((said.key(), approval));
            }
        }
        yes.sort_by_key(|(key, approval)| (approval.at, *key));
        Self { yes, no }
    }

    /// When this key first said yes, at `since` or later, and in time.
    fn yes_since(
        &self,
        key: Ed25519PublicKey,
        since: UnixSeconds,
        in_time: &impl Fn(&UnixSeconds) -> bool,
    ) -> Option<UnixSeconds> {
        let moments = self.yes.iter().filter(|(by, _)| *by == key).map(|(_, said)| said.at);
        moments.filter(|at| *at >= since).find(in_time)
    }
}

struct Approved {
    enough: bool,
    by: Vec<String>,
}

impl Quorum {
    /// Everybody in it.
    #[must_use]
    pub fn people(&self) -> &[Person] {
        match self {
            Self::Any { of, .. } => of,
            Self::Sequence(people) => people,
        }
    }

    /// How many have to say yes.
    #[must_use]
    pub const fn needed(&self) -> usize {
        match self {
            Self::Any { needed, .. } => *needed,
            Self::Sequence(people) => people.len(),
        }
    }

    fn approved(&self, said: &Said<'_>, in_time: &impl Fn(&UnixSeconds) -> bool) -> Approved {
        let mut by = Vec::new();
        let mut since = UnixSeconds::default();
        for person in self.people() {
            match (said.yes_since(person.key, since, in_time), self) {
                (Some(_), Self::Any { .. }) => by.push(person.name.clone()),
                (Some(at), Self::Sequence(_)) => {
                    since = at;
                    by.push(person.name.clone());
                }
                (None, Self::Any { .. }) => {}
                // Whoever comes later has to wait for this one.
                (None, Self::Sequence(_)) => break,
            }
        }
        Approved { enough: by.len() >= self.needed(), by }
    }
}

impl fmt::Display for Quorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.people().iter().map(|person| person.name.as_str()).collect();
        match self {
            Self::Any { needed, role: Some(role), .. } => {
                write!(f, "{needed} of {role} ({})", names.join(", "))
            }
            Self::Any { needed, .. } => write!(f, "{needed} of {}", names.join(", ")),
            Self::Sequence(_) => write!(f, "{}", names.join(", then ")),
        }
    }
}

impl fmt::Display for Approvers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} within {}", self.asked, self.expires)?;
        match &self.escalation {
            Some(Escalation { after, to }) => write!(f, ", or after {after} {to}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
