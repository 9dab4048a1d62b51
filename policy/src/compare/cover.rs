//! When one rule is at least as strict as another.

use std::collections::BTreeSet;

use crate::compare::named::{blocks_at_least, restricts_at_least};
use crate::rows::Protocol;
use crate::rules::{
    AskWhen, By, CountryRule, Freeze, Limit, MaxAmount, MaxFee, Money, Mpp, PriceCeiling, Rate,
    RuleKind, X402,
};
use crate::window::{Period, Window};

/// Whether every payment that does not keep to `mild` does not keep to `strict` either, whatever
/// was spent before. Never true where that is not certain.
pub(crate) fn covers(strict: &RuleKind, mild: &RuleKind) -> bool {
    if strict == mild {
        return true;
    }
    match (strict, mild) {
        (RuleKind::MaxAmount(strict), RuleKind::MaxAmount(mild)) => max_covers(*strict, *mild),
        // What is above the sum of a window is above it alone.
        (RuleKind::Limit(strict), RuleKind::MaxAmount(mild)) => {
            max_covers(MaxAmount(strict.amount), *mild)
        }
        (RuleKind::Limit(strict), RuleKind::Limit(mild)) => limit_covers(strict, mild),
        (RuleKind::Rate(strict), RuleKind::Rate(mild)) => rate_covers(strict, mild),
        (RuleKind::Allow(strict), RuleKind::Allow(mild)) => restricts_at_least(strict, mild),
        (RuleKind::Block(strict), RuleKind::Block(mild)) => blocks_at_least(&strict.0, &mild.0),
        (RuleKind::PriceCeiling(strict), RuleKind::PriceCeiling(mild)) => {
            strict.protocol == mild.protocol && at_most(&strict.price, &mild.price)
        }
        // A price over x402 is the amount; over MPP it may be a step of it.
        (RuleKind::MaxAmount(strict), RuleKind::PriceCeiling(mild)) => price_covers(strict, mild),
        (RuleKind::MaxShareOfBalance(strict), RuleKind::MaxShareOfBalance(mild)) => {
            strict.0 <= mild.0
        }
        (RuleKind::MaxFee(strict), RuleKind::MaxFee(mild)) => fee_covers(strict, mild),
        (RuleKind::Trust(strict), RuleKind::Trust(mild)) => strict.min >= mild.min,
        (RuleKind::Country(strict), RuleKind::Country(mild)) => country_covers(strict, mild),
        (RuleKind::PayeePinning(strict), RuleKind::PayeePinning(mild)) => {
            strict.new >= mild.new && strict.changed >= mild.changed
        }
        (RuleKind::Ask(strict), RuleKind::Ask(mild)) => ask_covers(strict, mild),
        (RuleKind::Freeze(strict), RuleKind::Freeze(mild)) => freeze_covers(strict, mild),
        (RuleKind::V1Channels(strict), RuleKind::V1Channels(mild)) => {
            strict.channels.is_subset(&mild.channels)
        }
        (RuleKind::AccessKey(strict), RuleKind::AccessKey(mild)) => {
            at_most(&strict.max, &mild.max) && strict.max_life <= mild.max_life
        }
        _ => time_covers(strict, mild) || protocol_covers(strict, mild),
    }
}

/// What cannot be told is met, in both alike.
fn ask_covers(strict: &AskWhen, mild: &AskWhen) -> bool {
    fn names<T: Ord>(strict: Option<&BTreeSet<T>>, mild: Option<&BTreeSet<T>>) -> bool {
        mild.is_none_or(|mild| strict.is_some_and(|strict| mild.is_subset(strict)))
    }
    let above = mild.above.is_none_or(|mild| strict.above.is_some_and(|own| at_most(&own, &mild)));
    let trust =
        mild.trust_below.is_none_or(|mild| strict.trust_below.is_some_and(|own| own >= mild));
    above
        && trust
        && (strict.new_payee || !mild.new_payee)
        && names(strict.categories.as_ref(), mild.categories.as_ref())
        && names(strict.agents.as_ref(), mild.agents.as_ref())
}

/// Windows of freezes roll, so the longer one holds the other.
fn freeze_covers(strict: &Freeze, mild: &Freeze) -> bool {
    use Freeze::{Failures, NewPayees, Refusals};
    match (strict, mild) {
        (Refusals { count, per }, Refusals { count: mild, per: mild_per })
        | (Failures { count, per }, Failures { count: mild, per: mild_per })
        | (NewPayees { count, per }, NewPayees { count: mild, per: mild_per }) => {
            count <= mild && per.seconds() >= mild_per.seconds()
        }
        // A mean over other periods is another number.
        _ => false,
    }
}

fn time_covers(strict: &RuleKind, mild: &RuleKind) -> bool {
    match (strict, mild) {
        (RuleKind::Hours(strict), RuleKind::Hours(mild)) => strict.is_within(mild),
        (RuleKind::Dates(strict), RuleKind::Dates(mild)) => {
            mild.from().is_none_or(|mild| strict.from().is_some_and(|strict| strict >= mild))
                && mild.until().is_none_or(|mild| strict.until().is_some_and(|end| end <= mild))
        }
        (RuleKind::Blackout(strict), RuleKind::Blackout(mild)) => {
            strict.from() <= mild.from() && strict.until() >= mild.until()
        }
        _ => false,
    }
}

fn protocol_covers(strict: &RuleKind, mild: &RuleKind) -> bool {
    match (strict, mild) {
        (RuleKind::X402(strict), RuleKind::X402(mild)) => match (strict, mild) {
            (X402::Schemes(strict), X402::Schemes(mild)) => strict.is_subset(mild),
            (X402::TransferMethods(strict), X402::TransferMethods(mild)) => strict.is_subset(mild),
            (X402::Flows(strict), X402::Flows(mild)) => strict.is_subset(mild),
            (X402::MaxValidity(strict), X402::MaxValidity(mild)) => strict <= mild,
            (X402::SessionBudget(strict), X402::SessionBudget(mild)) => at_most(strict, mild),
            _ => false,
        },
        (RuleKind::Mpp(strict), RuleKind::Mpp(mild)) => match (strict, mild) {
            (Mpp::MaxDeposit(strict), Mpp::MaxDeposit(mild))
            | (Mpp::SessionBudget(strict), Mpp::SessionBudget(mild))
            | (Mpp::MaxVoucherStep(strict), Mpp::MaxVoucherStep(mild)) => at_most(strict, mild),
            (Mpp::MaxConcurrentSessions(strict), Mpp::MaxConcurrentSessions(mild)) => {
                strict <= mild
            }
            (Mpp::MaxSessionDuration(strict), Mpp::MaxSessionDuration(mild)) => strict <= mild,
            (Mpp::Intents(strict), Mpp::Intents(mild)) => strict.is_subset(mild),
            (Mpp::Methods(strict), Mpp::Methods(mild)) => strict.is_subset(mild),
            (Mpp::HttpMethods(strict), Mpp::HttpMethods(mild)) => strict.is_subset(mild),
            _ => false,
        },
        _ => false,
    }
}

fn price_covers(strict: &MaxAmount, mild: &PriceCeiling) -> bool {
    mild.protocol == Protocol::X402 && at_most(&strict.0, &mild.price)
}

fn fee_covers(strict: &MaxFee, mild: &MaxFee) -> bool {
    let window = match (&strict.window, &mild.window) {
        (None, None) => true,
        (Some(strict), Some(mild)) => holds_window(strict, mild),
        // Of a fee that is raised a window holds only what it was raised by, once the first fee
        // has left it.
        (Some(_), None) | (None, Some(_)) => false,
    };
    strict.amount.wei() <= mild.amount.wei() && window
}

/// A country that is not known keeps to neither sort.
fn country_covers(strict: &CountryRule, mild: &CountryRule) -> bool {
    match (strict, mild) {
        (CountryRule::Allow(strict), CountryRule::Allow(mild)) => strict.is_subset(mild),
        (CountryRule::Block(strict), CountryRule::Block(mild)) => mild.is_subset(strict),
        (CountryRule::Allow(strict), CountryRule::Block(mild)) => strict.is_disjoint(mild),
        (CountryRule::Block(_), CountryRule::Allow(_)) => false,
    }
}

fn at_most(strict: &Money, mild: &Money) -> bool {
    strict.symbol == mild.symbol && strict.amount <= mild.amount
}

fn max_covers(strict: MaxAmount, mild: MaxAmount) -> bool {
    at_most(&strict.0, &mild.0)
}

fn limit_covers(strict: &Limit, mild: &Limit) -> bool {
    max_covers(MaxAmount(strict.amount), MaxAmount(mild.amount))
        && counts_at_least((&strict.window, strict.by), (&mild.window, mild.by))
}

fn rate_covers(strict: &Rate, mild: &Rate) -> bool {
    strict.count <= mild.count
        && counts_at_least((&strict.window, strict.by), (&mild.window, mild.by))
}

/// Whether one window always holds at least what the other holds.
fn counts_at_least(
    (wide, wide_by): (&Window, Option<By>),
    (narrow, narrow_by): (&Window, Option<By>),
) -> bool {
    (wide_by.is_none() || wide_by == narrow_by) && holds_window(wide, narrow)
}

/// Whether one window reaches back at least as far as the other, at every moment.
fn holds_window(wide: &Window, narrow: &Window) -> bool {
    match (&wide.calendar, &narrow.calendar) {
        (None, None) => wide.period.seconds() >= narrow.period.seconds(),
        (Some(wide_zone), Some(narrow_zone)) if wide_zone == narrow_zone => {
            wide.period == narrow.period
                || matches!(
                    (wide.period, narrow.period),
                    (Period::Week | Period::Month, Period::Day)
                )
        }
        // A day of the clock can have 25 hours, and zones have jumped further.
        _ => false,
    }
}
