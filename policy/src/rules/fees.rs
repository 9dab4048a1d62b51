//! `max_fee`: the most that a chain may take for a payment, or for those of a window.
//!
//! Promises: what is judged and counted is the ceiling that enters the signed bytes, gas limit
//! times fee per gas, so what is paid is never more. An authorization has no fee: whoever
//! settles it pays. A fee that is not known yet is not kept to.
//!
//! Does not protect against: fees within the ceiling for transactions that fail. They count.

use crate::ledger::{Measure, Scope};
use crate::money::Amount;
use crate::rules::counted::{Counted, per};
use crate::rules::{Judgement, NativeMoney, View};
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
        let fee = fee.map(Amount::base_units);
        Judgement {
            kept: fee.is_some_and(|fee| count.leaves_room_for(fee, limit)),
            per: Some(per(window, None)),
            current: Some(said(Amount::from_base_units(count.current))),
            resets_at: fee.and_then(|fee| count.room_at(fee, limit)),
            ..judgement
        }
    }
}
