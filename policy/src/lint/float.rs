//! What a policy grants beside what the wallet holds.

use crate::lint::{Code, Warning, about};
use crate::rules::{Money, Mpp, Policy, Rule, RuleKind, Then};

/// Warns where the most that the policy lets through in a window is more than `float`.
pub(super) fn lint(policy: &Policy, float: Money) -> Vec<Warning> {
    let refuses = |rule: &&Rule| rule.then() == Then::Refuse;
    let rules: Vec<_> = policy.rules().iter().filter(refuses).collect();
    let totals = rules.iter().filter_map(|rule| match rule.kind() {
        RuleKind::Limit(limit) if limit.by.is_none() => Some((*rule, limit.amount)),
        _ => None,
    });
    let tightest = totals.filter(|(_, sum)| sum.symbol == float.symbol);
    let tightest = tightest.min_by_key(|(_, sum)| sum.amount);
    let mut warnings = Vec::new();
    match tightest {
        Some((rule, sum)) if sum.amount > float.amount => {
            let reason = format!("{sum} in a window is more than the wallet's {float}");
            warnings.push(about(rule, Code::AboveFloat, reason));
        }
        Some(_) => {}
        None => {
            let reason = format!(
                "no limit bounds all payments together, so the wallet's {float} can go at once"
            );
            let (line, kind) = (0, "policy".to_owned());
            warnings.push(Warning { line, kind, code: Code::AboveFloat, reason });
        }
    }
    for rule in rules {
        let (what, money) = match *rule.kind() {
            RuleKind::MaxAmount(max) => ("one payment", max.0),
            RuleKind::Mpp(Mpp::MaxDeposit(money)) => ("one deposit", money),
            _ => continue,
        };
        if money.symbol == float.symbol && money.amount > float.amount {
            let reason = format!("{what} of {money} is more than the wallet's {float}");
            warnings.push(about(rule, Code::AboveFloat, reason));
        }
    }
    warnings
}
