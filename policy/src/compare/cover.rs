//! When one rule is at least as strict as another.

use crate::compare::named::{blocks_at_least, restricts_at_least};
use crate::rules::{By, Limit, MaxAmount, Rate, RuleKind};
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
        (RuleKind::Hours(strict), RuleKind::Hours(mild)) => strict.is_within(mild),
        _ => false,
    }
}

fn max_covers(strict: MaxAmount, mild: MaxAmount) -> bool {
    strict.0.symbol == mild.0.symbol && strict.0.amount <= mild.0.amount
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
