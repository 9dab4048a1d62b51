//! What a new version of a policy changes, rule by rule, without asking it about any payment.
//!
//! Promises: [`is_tightening`] is sound. Where it is true, the new version approves, asks and
//! grants only where the old one does, in every state of the ledger and beside whatever other
//! policies. A node may therefore take such a version on one key of the authority.
//!
//! Refuses: to call anything a tightening that cannot be shown rule by rule to be one. A version
//! that is stricter for a reason that spans several rules is called changed.
//!
//! Does not protect against: a tightening that stops what should go on.

mod cover;
mod describe;
mod named;

use serde::{Deserialize, Serialize};

use crate::rules::{Allow, Mode, Policy, Rule, RuleKind, Then};

pub(crate) use cover::covers;
pub(crate) use named::{allows_at_most, blocks_service, lies_within};

/// Which way a change goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// It can approve more than before.
    Loosened,
    /// It approves no more than before.
    Tightened,
    /// Neither is shown.
    Changed,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Which way it goes, looked at alone.
    pub direction: Direction,
    /// What changes: a kind of rule, or a key of the file.
    pub what: String,
    /// Line in the old file; absent for what is new.
    pub old_line: Option<u64>,
    /// Line in the new file; absent for what is gone.
    pub new_line: Option<u64>,
    /// What happens, in words.
    pub reason: String,
}

/// All changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// [`is_tightening`].
    pub tightening: bool,
    /// Every change, in the order of the new file; what is gone comes last.
    pub changes: Vec<Change>,
}

/// Whether `new` approves a subset of what `old` approves, in every state.
///
/// It is true only where that can be shown: same subject, same mode, every rule of the old
/// version that refuses or asks is there or is covered by a stricter one, every rule that
/// grants in the new version grants within one of the old, and no channel of an older contract may
/// be left that could not be before.
#[must_use]
pub fn is_tightening(old: &Policy, new: &Policy) -> bool {
    let same_place = old.subject() == new.subject() && old.agent() == new.agent();
    if !same_place || old.mode() != new.mode() {
        return false;
    }
    // A policy that only warns decides nothing, before and after.
    old.mode() == Mode::Warn
        || (old.rules().iter().all(|rule| is_kept_up(rule, new))
            && grants_within(old, new)
            && exits_within(old, new)
            && keys_within(old, new))
}

/// What changes from `old` to `new`.
#[must_use]
pub fn compare(old: &Policy, new: &Policy) -> Comparison {
    let mut changes = describe::heads(old, new);
    changes.extend(describe::rules(old, new));
    Comparison { tightening: is_tightening(old, new), changes }
}

/// Whether whatever breaks `rule` of the old version breaks a rule of the new one, with no less
/// following.
fn is_kept_up(rule: &Rule, new: &Policy) -> bool {
    // What grants is looked at by itself.
    if rule.then() == Then::Warn || is_granting(rule) || rule.as_v1_channels().is_some() {
        return true;
    }
    let follows = |other: &&Rule| match can_ask(other) {
        false => other.then() == Then::Refuse,
        true => {
            let same_people = rule.approvers() == other.approvers();
            can_ask(rule) && other.then() == rule.then() && same_people
        }
    };
    let strong: Vec<_> = new.rules().iter().filter(follows).map(Rule::kind).collect();
    strong.iter().any(|kind| covers(kind, rule.kind()))
        || named::blocks_together(&strong, rule.kind())
}

/// Whether there is a payment that people decide by this rule. Pinning says so itself.
fn can_ask(rule: &Rule) -> bool {
    match rule.kind() {
        RuleKind::PayeePinning(pinning) => {
            pinning.new == Some(Then::Ask) || pinning.changed == Then::Ask
        }
        _ => rule.then() == Then::Ask,
    }
}

/// Rules that grant are alternatives, so they are looked at together.
fn grants_within(old: &Policy, new: &Policy) -> bool {
    let granting = |policy: &'_ Policy| -> Vec<Rule> {
        policy.rules().iter().filter(|rule| is_granting(rule)).cloned().collect()
    };
    let (old, new) = (granting(old), granting(new));
    let is_within = |narrow: &Rule, wide: &Rule| {
        narrow
            .as_allow()
            .zip(wide.as_allow())
            .is_some_and(|(narrow, wide)| allows_at_most(narrow, wide))
    };
    // What follows where none of them matches must not get milder.
    let strongest = |rules: &[Rule]| rules.iter().map(Rule::then).max();
    let refuses_alike = match (strongest(&old), strongest(&new)) {
        (None | Some(Then::Warn), _) | (_, Some(Then::Refuse)) => true,
        // People who are asked about other lists are not asked the same, nor are other people.
        (Some(_), _) => {
            old.len() == new.len() && old.iter().zip(&new).all(|(old, new)| old.is_as(new))
        }
    };
    refuses_alike && new.iter().all(|rule| old.iter().any(|wide| is_within(rule, wide)))
}

/// Whether no channel may be left beyond those of before. Without a rule nothing is granted, and
/// nothing is refused that another policy grants.
fn exits_within(old: &Policy, new: &Policy) -> bool {
    let named = |policy: &'_ Policy| policy.rules().iter().find_map(Rule::as_v1_channels).cloned();
    match (named(old), named(new)) {
        (None, None) => true,
        (None, Some(new)) => new.channels.is_empty(),
        (Some(_), None) => false,
        (Some(old), Some(new)) => new.channels.is_subset(&old.channels),
    }
}

/// A rule about access keys refuses what it does not grant, and so is kept up as those that refuse
/// are; but where there was none, a new one grants what was not.
fn keys_within(old: &Policy, new: &Policy) -> bool {
    let grants_keys = |policy: &Policy| policy.rules().iter().any(is_about_keys);
    grants_keys(old) || !grants_keys(new)
}

const fn is_about_keys(rule: &Rule) -> bool {
    matches!(rule.kind(), RuleKind::AccessKey(_))
}

fn is_granting(rule: &Rule) -> bool {
    rule.as_allow().is_some_and(Allow::can_grant)
}

/// Whether two rules are of one kind and look at the same thing, so that one is the other's new
/// version.
fn is_version_of(old: &RuleKind, new: &RuleKind) -> bool {
    match (old, new) {
        (RuleKind::Limit(old), RuleKind::Limit(new)) => {
            old.window == new.window && old.by == new.by
        }
        (RuleKind::Rate(old), RuleKind::Rate(new)) => old.window == new.window && old.by == new.by,
        (RuleKind::Allow(old), RuleKind::Allow(new)) => named::same_axes(&old.0, &new.0),
        (RuleKind::Block(old), RuleKind::Block(new)) => named::same_axes(&old.0, &new.0),
        _ => old.word() == new.word(),
    }
}

#[cfg(test)]
mod tests;
