//! Rules that never stop anything: no payment breaks them, or only payments that nothing here
//! grants.

use std::collections::BTreeSet;

use alloy_primitives::Address;

use crate::compare::{blocks_service, covers, lies_within};
use crate::lint::{Code, Warning, about, is_granting};
use crate::rules::{Allow, AskWhen, Block, Limit, MaxAmount, Policy, Rate, Rule, RuleKind, Then};
use crate::time::UnixSeconds;

/// How finely a week is looked at, in seconds: hours end at whole minutes.
const STEP_SECONDS: u64 = 60;
/// A week, in steps.
const STEPS: u64 = 10_080;

pub(super) fn lint(policy: &Policy, now: UnixSeconds) -> Vec<Warning> {
    let warn = |rule: &Rule, reason| about(rule, Code::NeverFires, reason);
    let mut warnings = Vec::new();
    for rule in policy.rules() {
        let reason = by_itself(rule.kind(), now)
            .or_else(|| beside_agent(rule.kind(), policy))
            .or_else(|| beside_grants(rule.kind(), policy))
            .or_else(|| beside_rate(rule.kind(), policy));
        warnings.extend(reason.map(|reason| warn(rule, reason)));
        if let RuleKind::Block(block) = rule.kind() {
            warnings.extend(blocked_elsewhere(block, policy).map(|reason| warn(rule, reason)));
        }
    }
    warnings
}

/// Why no payment breaks it from now on, whatever else the policy says.
fn by_itself(kind: &RuleKind, now: UnixSeconds) -> Option<String> {
    let moments = || (0..STEPS).map(|step| now.plus(step.saturating_mul(STEP_SECONDS)));
    let reason = match kind {
        RuleKind::Trust(trust) if trust.min == 0 => "nobody is trusted less than 0",
        RuleKind::Blackout(dark) if dark.until() <= now => "it is over",
        RuleKind::Dates(dates)
            if dates.until().is_none() && dates.from().is_none_or(|from| from <= now) =>
        {
            "it has begun, and does not end"
        }
        RuleKind::Hours(hours) if moments().all(|at| hours.is_open_at(at)) => "it never closes",
        _ => return None,
    };
    Some(reason.to_owned())
}

/// Why the one agent that the policy is for is never asked about.
fn beside_agent(kind: &RuleKind, policy: &Policy) -> Option<String> {
    let (RuleKind::Ask(ask), Some(agent)) = (kind, policy.agent()) else { return None };
    let others = ask.agents.as_ref().is_some_and(|agents| !agents.contains(agent));
    let alone = AskWhen { agents: ask.agents.clone(), ..AskWhen::default() };
    (others && *ask == alone).then(|| format!("it asks about other agents than {agent}"))
}

/// The rules that grant, where what none of them matches is refused.
fn grants(policy: &Policy) -> Option<Vec<&Allow>> {
    let rules = || policy.rules().iter().filter(|rule| is_granting(rule));
    let binds = rules().any(|rule| rule.then() == Then::Refuse);
    binds.then(|| rules().filter_map(Rule::as_allow).collect())
}

/// Why no payment that it looks at is granted here.
fn beside_grants(kind: &RuleKind, policy: &Policy) -> Option<String> {
    let grants = grants(policy)?;
    let pays_services =
        grants.iter().any(|allow| allow.0.services.is_some() || allow.0.categories.is_some());
    let pays_transfers = grants.iter().any(|allow| allow.0.services.is_none());
    let reason = match kind {
        RuleKind::X402(_) | RuleKind::Mpp(_) | RuleKind::PriceCeiling(_) if !pays_services => {
            "no allow rule grants what is paid for a service"
        }
        RuleKind::MaxFee(_) if !pays_transfers => {
            "no allow rule grants a transfer, and whoever settles an authorization pays its fee"
        }
        _ => return None,
    };
    Some(reason.to_owned())
}

/// Entries of a `block` that no `allow` lets through anyway.
fn blocked_elsewhere(block: &Block, policy: &Policy) -> Option<String> {
    let grants = grants(policy)?;
    let meets_service = |entry: &String| {
        grants.iter().any(|allow| match (&allow.0.services, &allow.0.categories) {
            (Some(services), _) => {
                lies_within(entry, services)
                    || services.entries().iter().any(|allowed| blocks_one(entry, allowed))
            }
            (None, categories) => categories.is_some(),
        })
    };
    let services = block.0.services.iter().flat_map(|services| services.entries());
    let services = services.filter(|entry| !meets_service(entry));
    let recipients = block.0.recipients.iter().flatten().filter(|recipient| {
        let elsewhere = |named: &BTreeSet<Address>| !named.contains(*recipient);
        grants.iter().all(|allow| allow.0.recipients.as_ref().is_some_and(elsewhere))
    });
    let idle: Vec<_> = services.chain(recipients.map(ToString::to_string)).collect();
    let more = "no allow rule grants it anyway";
    (!idle.is_empty()).then(|| format!("{} need no block: {more}", idle.join(", ")))
}

/// Whether a block of `entry` stops an entry of an `allow`.
fn blocks_one(entry: &str, allowed: &str) -> bool {
    crate::rules::Services::from_patterns([entry])
        .is_ok_and(|entry| blocks_service(&entry, allowed))
}

/// Why so many payments of that size never add up to a limit.
fn beside_rate(kind: &RuleKind, policy: &Policy) -> Option<String> {
    let RuleKind::Limit(limit) = kind else { return None };
    let refuses = || policy.rules().iter().filter(|rule| rule.then() == Then::Refuse);
    let max = refuses().find_map(|rule| match rule.kind() {
        RuleKind::MaxAmount(MaxAmount(max)) if max.symbol == limit.amount.symbol => {
            Some((rule.line(), max))
        }
        _ => None,
    });
    let (max_line, max) = max?;
    refuses().find_map(|rule| {
        let RuleKind::Rate(rate) = rule.kind() else { return None };
        let most = max.amount.base_units().checked_mul(u128::from(rate.count))?;
        let fits = most <= limit.amount.amount.base_units() && counts_for(rate, limit);
        fits.then(|| {
            let lines = format!("lines {max_line} and {}", rule.line());
            format!("{} payments of {max} ({lines}) do not pass it", rate.count)
        })
    })
}

/// Whether whatever the window of `limit` holds is in the window of `rate`.
fn counts_for(rate: &Rate, limit: &Limit) -> bool {
    let same = Rate { count: rate.count, window: limit.window.clone(), by: limit.by };
    covers(&RuleKind::Rate(rate.clone()), &RuleKind::Rate(same))
}
