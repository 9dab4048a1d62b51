//! `access_key`: what an access key of the wallet may be let take. It grants what keeps to it, and
//! without it no such key is granted: it has no payee that an `allow` rule could name.
//!
//! Promises: the limit is that of a period, as the chain enforces it. What all periods come to is
//! the payment's amount, which every rule about amounts and sums sees and the ledger counts as
//! spent. An amount in another asset does not keep to it.
//!
//! Does not protect against: what the holder of the key does within its limit.

use crate::rules::{Judgement, Length, Money, View};

/// Most that the chain may let a key take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// Highest limit of a period.
    pub max: Money,
    /// How long it may last.
    pub max_life: Length,
}

impl AccessKey {
    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let limit = says(&self.max, self.max_life.to_string());
        let Some(asked) = view.ask.access_key else {
            return Judgement::unconcerned(limit, view.ask);
        };
        let most = Money::of(view.ask).with(asked.limit);
        let kept = self.max.holds(&most) && asked.lasts_seconds <= self.max_life.seconds();
        let asked = says(&most, format!("{}s", asked.lasts_seconds));
        Judgement { kept, grants: kept, limit, asked, ..Judgement::default() }
    }
}

fn says(limit: &Money, length: String) -> String {
    format!("{limit} in a period, for {length}")
}
