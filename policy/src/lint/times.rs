//! Hours and dates at which nothing is left.

use crate::lint::{Code, Warning, about};
use crate::rules::{Policy, Rule, RuleKind, Then};
use crate::time::UnixSeconds;

/// How finely time is looked at, in seconds.
const STEP_SECONDS: u64 = 900;
/// How far ahead, in steps: 54 weeks.
const STEPS_MAX: u64 = 36_288;

/// Warns where the rules about time leave no moment of the next year.
pub(super) fn lint(policy: &Policy, now: UnixSeconds) -> Vec<Warning> {
    let about_time = |rule: &&Rule| rule.then() == Then::Refuse && is_open(rule, now).is_some();
    let rules: Vec<_> = policy.rules().iter().filter(about_time).collect();
    let Some(last) = rules.last() else { return Vec::new() };
    let begin = starts(&rules, now);
    let moments = (0..STEPS_MAX).map(|step| begin.plus(step.saturating_mul(STEP_SECONDS)));
    let all_open = |at: UnixSeconds| rules.iter().all(|rule| is_open(rule, at).unwrap_or(true));
    if moments.clone().any(all_open) {
        return Vec::new();
    }
    let closed = |rule: &&Rule| !moments.clone().any(|at| is_open(rule, at).unwrap_or(true));
    let alone = rules.iter().copied().find(closed);
    let rule = alone.unwrap_or(last);
    let lines: Vec<_> = rules.iter().map(|rule| rule.line().to_string()).collect();
    let reason = match alone {
        Some(_) => "it lets nothing through in the next year".to_owned(),
        None => format!("the rules in lines {} are never open together", lines.join(", ")),
    };
    vec![about(rule, Code::NeverOpen, reason)]
}

/// Whether a rule about time keeps at that moment; nothing for other rules.
fn is_open(rule: &Rule, at: UnixSeconds) -> Option<bool> {
    match rule.kind() {
        RuleKind::Hours(hours) => Some(hours.is_open_at(at)),
        RuleKind::Dates(dates) => {
            let begun = dates.from().is_none_or(|from| at >= from);
            Some(begun && dates.until().is_none_or(|until| at < until))
        }
        RuleKind::Blackout(blackout) => Some(!(blackout.from()..blackout.until()).contains(&at)),
        _ => None,
    }
}

/// Where to begin to look: now, or when the last of the rules begins at all.
fn starts(rules: &[&Rule], now: UnixSeconds) -> UnixSeconds {
    let begins = rules.iter().filter_map(|rule| match rule.kind() {
        RuleKind::Dates(dates) => dates.from(),
        _ => None,
    });
    begins.chain([now]).max().unwrap_or(now)
}
