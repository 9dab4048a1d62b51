//! `freeze`: what stops the agent until the authority thaws it.
//!
//! Every form counts only what came after the agent was last stopped, so that a thaw is not
//! undone by what led to the stop.

use crate::ledger::{Measure, Pinned, Scope};
use crate::money::Amount;
use crate::rules::{Judgement, Money, View};
use crate::time::UnixSeconds;
use crate::window::{Period, Window};

/// Most periods that a spike is measured against.
pub const SPIKE_PERIODS_MAX: u64 = 30;
/// Highest factor of a spike.
pub const SPIKE_FACTOR_MAX: u64 = 1_000;

/// Stops the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Freeze {
    /// After so many refusals of the agent's payments.
    Refusals {
        /// How many.
        count: usize,
        /// Within how long.
        per: Period,
    },
    /// After so many payments that were admitted and proved void.
    Failures {
        /// How many.
        count: usize,
        /// Within how long.
        per: Period,
    },
    /// When it spends many times its own mean.
    Spike(Spike),
    /// When it pays more than so many new payees.
    NewPayees {
        /// How many.
        count: usize,
        /// Within how long.
        per: Period,
    },
}

/// Spending, of one asset, against its own mean. Where nothing was spent before there is no mean
/// and so no spike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spike {
    /// How many times the mean is still none.
    pub factor: u64,
    /// How long a period is.
    pub per: Period,
    /// Over how many periods before this one the mean is taken.
    pub over: u64,
    /// A sum in one period up to which there is no spike.
    pub at_least: Option<Money>,
}

impl Freeze {
    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let judged = match self {
            Self::Refusals { count, per } => {
                let past = view.facts.health.refused_since(since(*per, view));
                counted(*count, past, "refusals", *per, past < *count)
            }
            Self::Failures { count, per } => {
                let past = view.facts.health.failed_since(since(*per, view));
                counted(*count, past, "failures", *per, past < *count)
            }
            Self::Spike(spike) => spike.judge(view),
            Self::NewPayees { count, per } => {
                let ledger = view.facts.ledger;
                let past = ledger.new_payees_since(view.subject(), since(*per, view));
                let is_new = view.ask.recipient.is_some_and(|recipient| {
                    ledger.pinned(view.subject(), None, recipient) != Pinned::Known
                });
                let all = past.saturating_add(usize::from(is_new));
                // A charge is recorded with its primary payee alone: this one would not be counted.
                let errs = is_new && view.ask.beside;
                let kept = !is_new || (all <= *count && !errs);
                Judgement { errs, ..counted(*count, past, "new payees", *per, kept) }
            }
        };
        Judgement { freezes: !judged.kept && !judged.errs, ..judged }
    }
}

fn counted(count: usize, past: usize, what: &str, per: Period, kept: bool) -> Judgement {
    Judgement {
        kept,
        per: Some(per.to_string()),
        limit: format!("{count} {what}"),
        current: Some(past.to_string()),
        asked: "to pay".to_owned(),
        ..Judgement::default()
    }
}

/// The first second that counts: of the period, and after the agent was last stopped.
fn since(per: Period, view: &View<'_>) -> UnixSeconds {
    let begin = Window::rolling(per).since(view.now());
    let resumed = view.facts.stopped_at.map(|at| at.plus(1));
    begin.max(resumed.unwrap_or_default())
}

impl Spike {
    fn judge(&self, view: &View<'_>) -> Judgement {
        let (asked, now) = (view.ask.amount.base_units(), view.now());
        let length = self.per.seconds();
        let sum = |since| {
            let measure = Measure::Amount(view.ask.asset.symbol);
            view.facts.ledger.sum(view.subject(), measure, &Scope::Total, since)
        };
        let begin = Window::rolling(self.per).since(now);
        let current = sum(since(self.per, view));
        let past = sum(begin.minus(length.saturating_mul(self.over))).saturating_sub(sum(begin));
        let money = Money::of(view.ask);
        let after = current.checked_add(asked);
        let small = self.at_least.filter(|least| least.symbol == money.symbol);
        let is_small = small.zip(after).is_some_and(|(s, after)| after <= s.amount.base_units());
        // after / 1 <= factor * (past / over), without the fractions.
        let mean_times = past.saturating_mul(u128::from(self.factor));
        let kept = after
            .and_then(|after| after.checked_mul(u128::from(self.over)))
            .is_some_and(|after| after <= mean_times);
        let mean = past.checked_div(u128::from(self.over)).unwrap_or_default();
        Judgement {
            kept: past == 0 || is_small || kept,
            per: Some(self.per.to_string()),
            limit: format!(
                "{} times the mean of {} over {} periods",
                self.factor,
                money.with(Amount::from_base_units(mean)),
                self.over
            ),
            current: Some(money.with(Amount::from_base_units(current)).to_string()),
            asked: money.to_string(),
            ..Judgement::default()
        }
    }
}
