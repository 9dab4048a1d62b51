//! `max_fee`: the most that a chain may take for a payment, or for those of a window.
//!
//! Promises: what is judged and counted is the ceiling that enters the signed bytes, gas limit
//! times fee per gas, so what is paid is never more. An authorization has no fee: whoever
//! settles it pays. A fee that is not known yet is not kept to. A transaction that replaces one
//! at a lower fee is judged as a whole, and in windows by what it adds.
//!
//! Does not protect against: fees within the ceiling for transactions that fail. They count.

use crate::ask::{Ask, Facts};
use crate::decision::Opinion;
use crate::ledger::{Measure, Scope};
use crate::money::Amount;
use crate::rules::counted::{Counted, per};
use crate::rules::{Judgement, NativeMoney, Policy, Rule, RuleKind, View};
use crate::window::Window;

/// Highest fee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaxFee {
    /// The fee.
    pub amount: NativeMoney,
    /// The window whose fees are summed up; without one it is for each transaction.
    pub window: Option<Window>,
}

impl MaxFee {
    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let fee = view.ask.fee_wei;
        let said = |wei| self.amount.with(wei).to_string();
        let judgement = Judgement {
            limit: self.amount.to_string(),
            asked: fee.map_or_else(|| "unknown".to_owned(), said),
            ..Judgement::default()
        };
        let Some(window) = &self.window else {
            let kept = fee.is_some_and(|fee| fee <= self.amount.wei());
            return Judgement { kept, ..judgement };
        };
        let count = Counted::at(view, window, Measure::FeeWei, Scope::Total);
        let limit = self.amount.wei().base_units();
        // What is replaced is among the sums already.
        let counted = view.facts.fee_counted_wei.base_units();
        let fee = fee.map(|fee| fee.base_units().saturating_sub(counted));
        Judgement {
            asked: fee.map_or(judgement.asked, |more| said(Amount::from_base_units(more))),
            kept: fee.is_some_and(|fee| count.leaves_room_for(fee, limit)),
            per: Some(per(window, None)),
            current: Some(said(Amount::from_base_units(count.current))),
            resets_at: fee.and_then(|fee| count.room_at(fee, limit)),
            limit: judgement.limit,
            ..Judgement::default()
        }
    }
}

impl Policy {
    /// What its rules about fees say, and no others: for a transaction in the place of one that
    /// was approved.
    pub(crate) fn fee_opinion(&self, ask: &Ask<'_>, facts: &Facts<'_>) -> Opinion {
        let view = View::new(ask, facts, self);
        let about_fees = |rule: &&Rule| matches!(rule.kind, RuleKind::MaxFee(_));
        Opinion {
            policy: self.name.clone(),
            epoch: self.epoch,
            subject: self.subject.clone(),
            mode: self.mode,
            findings: self.rules.iter().filter(about_fees).map(|rule| rule.find(&view)).collect(),
        }
    }
}
