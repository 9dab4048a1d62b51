//! Rules that do not do what they seem to: found by reading a policy, without asking it.
//!
//! Promises: a rule that is called idle decides nothing: whatever breaks it breaks another rule,
//! with no less following. One that is said never to fire is broken by no payment that the policy
//! would let through without it.
//!
//! Does not protect against: a policy that is foolish in another way. No warning is no praise.

mod fires;
mod float;
mod lists;
mod times;

use serde::{Deserialize, Serialize};

use crate::compare::{allows_at_most, covers};
use crate::rules::{
    Allow, AskWhen, GrantsNothing, MaxAmount, Mode, Money, Policy, Rule, RuleKind, Then,
};
use crate::subject::Subject;
use crate::time::UnixSeconds;

/// What is known beside the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// What the wallet holds, where that is to be compared.
    pub float: Option<Money>,
    /// Our time.
    pub now: UnixSeconds,
}

/// The sorts of warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// Another rule says all that this one says.
    Idle,
    /// It stops nothing: nothing breaks it, or only what is refused anyway.
    NeverFires,
    /// Rules that no payment can keep together.
    Contradiction,
    /// An entry of an `allow` that a `block` stops.
    BlockedEntry,
    /// There is no moment at which it lets anything through, any more or at all.
    NeverOpen,
    /// More can be spent than the wallet holds.
    AboveFloat,
    /// The policy grants nothing.
    GrantsNothing,
}

/// Something to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warning {
    /// Line in the file, from 1; 0 where it is about the whole.
    pub line: u64,
    /// The rule's kind, or `policy`.
    pub kind: String,
    /// Which sort.
    pub code: Code,
    /// What is wrong, for people.
    pub reason: String,
}

/// Everything worth a look, in the order of the file.
#[must_use]
pub fn lint(policy: &Policy, given: &Given) -> Vec<Warning> {
    let mut warnings: Vec<_> = whole(policy).into_iter().collect();
    warnings.extend(idle(policy));
    warnings.extend(fires::lint(policy, given.now));
    warnings.extend(lists::lint(policy));
    warnings.extend(times::lint(policy, given.now));
    warnings.extend(given.float.into_iter().flat_map(|float| float::lint(policy, float)));
    warnings.sort_by_key(|warning| (warning.line, warning.code));
    warnings
}

fn whole(policy: &Policy) -> Option<Warning> {
    let (line, kind) = (0, "policy".to_owned());
    let warning = |reason: String| Warning { line, kind, code: Code::GrantsNothing, reason };
    // What only restricts is of use where another policy grants.
    let restricts = !matches!(policy.subject(), Subject::Agent(_));
    match (policy.grants_nothing(), policy.mode()) {
        (Some(GrantsNothing::NoAllowRule), Mode::Enforce) if restricts => None,
        (Some(why), _) => Some(warning(why.to_string())),
        (None, Mode::Warn) => {
            Some(warning("mode is warn: it grants nothing, and refuses nothing".to_owned()))
        }
        (None, Mode::Enforce) => None,
    }
}

/// A warning about a rule.
fn about(rule: &Rule, code: Code, reason: String) -> Warning {
    Warning { line: rule.line(), kind: rule.kind().word().to_owned(), code, reason }
}

/// Rules that another rule makes idle. Of two that say the same, the later one is.
fn idle(policy: &Policy) -> Vec<Warning> {
    let rules = policy.rules();
    let mut warnings = Vec::new();
    for (place, rule) in rules.iter().enumerate() {
        let others = rules.iter().enumerate().filter(|(other, _)| *other != place);
        let mut stronger = others.filter(|(other, strict)| {
            says_all_of(strict, rule) && (!says_all_of(rule, strict) || *other < place)
        });
        if let Some((_, strict)) = stronger.next() {
            let reason = format!(
                "it decides nothing: whatever it stops, {} in line {} stops",
                strict.kind().word(),
                strict.line()
            );
            let granting = format!("it grants nothing beyond the rule in line {}", strict.line());
            let reason = if is_granting(rule) { granting } else { reason };
            warnings.push(about(rule, Code::Idle, reason));
        }
    }
    warnings
}

/// Whether `mild` could be left away beside `strict`.
fn says_all_of(strict: &Rule, mild: &Rule) -> bool {
    match (strict.as_allow(), mild.as_allow()) {
        (Some(wide), Some(narrow)) if narrow.can_grant() => {
            wide.can_grant() && allows_at_most(narrow, wide) && strict.then() == mild.then()
        }
        _ => {
            let follows = match (strict.then(), mild.then()) {
                // Other people may be asked.
                (Then::Ask, Then::Ask) => strict.kind() == mild.kind(),
                (strict, mild) => strict >= mild,
            };
            let stops = |mild: &RuleKind| covers(strict.kind(), mild);
            follows
                && (stops(mild.kind()) || asked_above(mild.kind()).is_some_and(|max| stops(&max)))
        }
    }
}

/// A question about nothing but amounts, as a highest amount.
fn asked_above(kind: &RuleKind) -> Option<RuleKind> {
    let RuleKind::Ask(ask) = kind else { return None };
    let above = ask.above?;
    let alone = AskWhen { above: Some(above), ..AskWhen::default() };
    (*ask == alone).then_some(RuleKind::MaxAmount(MaxAmount(above)))
}

fn is_granting(rule: &Rule) -> bool {
    rule.as_allow().is_some_and(Allow::can_grant)
}

#[cfg(test)]
mod tests;
