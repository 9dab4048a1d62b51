//! Rules that look at nothing but the payment, who is paid and the time, as Cedar expressions.

use std::collections::BTreeSet;

use super::literal::{limit, set, text};
use super::parties::{allow, block};
use crate::registry::{Category, Country};
use crate::rows::Protocol;
use crate::rules::{AskWhen, CountryRule, Money, PriceCeiling, RuleKind};
use crate::time::UnixSeconds;

/// When a payment keeps to such a rule; nothing for other rules.
pub(super) fn kept(rule: &RuleKind) -> Option<String> {
    Some(match rule {
        RuleKind::MaxAmount(rule) => at_most(&rule.0, "resource.amount"),
        RuleKind::PriceCeiling(rule) => ceiling(rule)?,
        RuleKind::Allow(rule) => allow(rule),
        RuleKind::Block(rule) => format!("(!{})", block(rule)),
        RuleKind::Trust(rule) => format!("(resource.trust >= {})", rule.min),
        RuleKind::Country(rule) => country(rule),
        RuleKind::Dates(rule) => within(rule.from(), rule.until()),
        RuleKind::Blackout(rule) => format!("(!{})", within(Some(rule.from()), Some(rule.until()))),
        RuleKind::Ask(rule) => asks(rule)?,
        // It is about what is no payment.
        RuleKind::V1Channels(_) => "true".to_owned(),
        _ => return None,
    })
}

/// At most so much of this very asset.
pub(super) fn at_most(most: &Money, what: &str) -> String {
    let (symbol, most) = (text(most.symbol), limit(most.amount.base_units()));
    format!("(resource.asset == {symbol} && {what} <= {most})")
}

/// Over MPP the price may be a voucher's step, which is no attribute of the payment.
fn ceiling(rule: &PriceCeiling) -> Option<String> {
    if rule.protocol == Protocol::Mpp {
        return None;
    }
    let protocol = text(rule.protocol.word());
    let within = at_most(&rule.price, "resource.amount");
    Some(format!("(resource.protocol != {protocol} || {within})"))
}

fn country(rule: &CountryRule) -> String {
    let (countries, not) = match rule {
        CountryRule::Allow(countries) => (countries, ""),
        CountryRule::Block(countries) => (countries, "!"),
    };
    let within = if countries.is_empty() {
        "false".to_owned()
    } else {
        format!("{}.contains(resource.country)", set(countries.iter().map(Country::as_str)))
    };
    format!("(resource has country && {not}{within})")
}

fn within(from: Option<UnixSeconds>, until: Option<UnixSeconds>) -> String {
    let from = from.map(|from| format!("resource.now >= {}", limit(from.0.into())));
    let until = until.map(|until| format!("resource.now < {}", limit(until.0.into())));
    let all: Vec<_> = from.into_iter().chain(until).collect();
    if all.is_empty() { "true".to_owned() } else { format!("({})", all.join(" && ")) }
}

/// When nobody is asked; nothing where it hangs on who was paid before.
fn asks(rule: &AskWhen) -> Option<String> {
    if rule.new_payee {
        return None;
    }
    let mut all = Vec::new();
    all.extend(rule.above.map(|above| at_most(&above, "resource.amount")));
    all.extend(rule.trust_below.map(|below| format!("resource.trust >= {below}")));
    all.extend(
        rule.categories
            .as_ref()
            .map(|named| format!("(resource has category && !{})", categories(named))),
    );
    let agents = rule.agents.iter().flatten();
    all.extend(agents.map(|agent| format!("principal != Agent::{}", text(agent.as_str()))));
    Some(if all.is_empty() { "true".to_owned() } else { format!("({})", all.join(" && ")) })
}

/// When the category, which the payment has, is one of these.
pub(super) fn categories(named: &BTreeSet<Category>) -> String {
    match named.is_empty() {
        true => "false".to_owned(),
        false => {
            format!("{}.contains(resource.category)", set(named.iter().map(Category::as_str)))
        }
    }
}
