//! Lists that stop each other.

use std::collections::BTreeSet;

use crate::compare::blocks_service;
use crate::lint::{Code, Warning, about, is_granting};
use crate::rules::{Block, Named, Policy, Rule, RuleKind, Then};

pub(super) fn lint(policy: &Policy) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for rule in policy.rules().iter().filter(|rule| is_granting(rule)) {
        let Some(allow) = rule.as_allow() else { continue };
        for (block_rule, block) in blocks(policy) {
            warnings.extend(blocked(rule, &allow.0, block_rule, block));
        }
    }
    warnings.extend(apart(policy));
    warnings
}

fn blocks(policy: &Policy) -> impl Iterator<Item = (&Rule, &Block)> {
    policy.rules().iter().filter_map(|rule| match rule.kind() {
        RuleKind::Block(block) if rule.then() == Then::Refuse => Some((rule, block)),
        _ => None,
    })
}

/// Entries of an `allow` that a `block` stops for good.
fn blocked(rule: &Rule, allow: &Named, by: &Rule, block: &Block) -> Vec<Warning> {
    let line = by.line();
    let services = block.0.services.as_ref();
    let named = allow.services.as_ref().map(|services| services.entries()).unwrap_or_default();
    let stopped = named
        .into_iter()
        .filter(|entry| services.is_some_and(|services| blocks_service(services, entry)));
    let both = |mine: Option<&BTreeSet<_>>, theirs: Option<&BTreeSet<_>>| -> Vec<String> {
        let (Some(mine), Some(theirs)) = (mine, theirs) else { return Vec::new() };
        mine.intersection(theirs).map(ToString::to_string).collect()
    };
    let payees = both(allow.recipients.as_ref(), block.0.recipients.as_ref());
    stopped
        .chain(payees)
        .map(|entry| {
            let reason = format!("{entry} is allowed here, and the block in line {line} stops it");
            about(rule, Code::BlockedEntry, reason)
        })
        .collect()
}

/// Rules that each leave some chains or assets, and together none.
fn apart(policy: &Policy) -> Vec<Warning> {
    let restricts = |rule: &&Rule| {
        rule.then() == Then::Refuse && rule.as_allow().is_some_and(|allow| !allow.can_grant())
    };
    let restrictions: Vec<_> = policy.rules().iter().filter(restricts).collect();
    let mut warnings = Vec::new();
    for (place, rule) in policy.rules().iter().enumerate() {
        let Some(allow) = rule.as_allow() else { continue };
        let before = restrictions.iter().filter(|other| {
            is_granting(rule) || policy.rules().iter().position(|r| r == **other) < Some(place)
        });
        for other in before.filter(|other| **other != rule) {
            let Some(restriction) = other.as_allow() else { continue };
            if disjoint(allow.0.chains.as_ref(), restriction.0.chains.as_ref())
                || disjoint(allow.0.assets.as_ref(), restriction.0.assets.as_ref())
            {
                let reason = format!(
                    "no payment keeps to this and to the restriction in line {}",
                    other.line()
                );
                warnings.push(about(rule, Code::Contradiction, reason));
            }
        }
    }
    warnings
}

fn disjoint<T: Ord>(left: Option<&BTreeSet<T>>, right: Option<&BTreeSet<T>>) -> bool {
    left.zip(right).is_some_and(|(left, right)| left.is_disjoint(right))
}
