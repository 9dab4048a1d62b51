//! Rules about money and number: `max_amount`, `price_ceiling`, `max_share_of_balance`, `limit`,
//! `rate`.
//!
//! Promises: sums and shares are exact, and a `limit` holds what the chain may take as a fee in the
//! asset that is paid, too. A payment in an asset that a rule cannot measure, one of a balance that
//! is not known, and one to several payees where a sum is each payee's own, do not keep to it.

use crate::ask::{Ask, MppIntent};
use crate::ledger::{Axis, Measure};
use crate::money::Amount;
use crate::rows::Protocol;
use crate::rules::counted::{Counted, SEVERAL_PAYEES, is_counted, per, scope};
use crate::rules::{Judgement, Money, Share, View};
use crate::window::Window;

/// Highest amount of one payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxAmount(pub Money);

impl MaxAmount {
    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let asked = Money::of(view.ask);
        Judgement {
            kept: self.0.holds(&asked),
            limit: self.0.to_string(),
            asked: asked.to_string(),
            ..Judgement::default()
        }
    }
}

/// Highest price of one request that is paid for over one protocol. Nobody can be asked past it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceCeiling {
    /// The protocol.
    pub protocol: Protocol,
    /// The price.
    pub price: Money,
}

impl PriceCeiling {
    /// A deposit is no price: `mpp.max_deposit` is for it.
    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let (ask, limit) = (view.ask, self.price.to_string());
        match price(ask).filter(|_| ask.protocol() == self.protocol) {
            None => Judgement::unconcerned(limit, ask),
            Some(price) => Judgement {
                kept: self.price.holds(&price),
                limit,
                asked: price.to_string(),
                ..Judgement::default()
            },
        }
    }
}

/// What one request costs: what a payment or a voucher adds.
fn price(ask: &Ask<'_>) -> Option<Money> {
    let money = Money::of(ask);
    match ask.mpp.filter(|mpp| mpp.intent == MppIntent::Session) {
        Some(mpp) => match (mpp.voucher_step, mpp.deposit) {
            (Some(step), _) => Some(money.with(step)),
            (None, Some(_)) => None,
            (None, None) => Some(money),
        },
        None => Some(money),
    }
}

/// Highest share of what the wallet holds of the paid asset on the paid chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxShareOfBalance(pub Share);

impl MaxShareOfBalance {
    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let asked = Money::of(view.ask);
        let balance = view.facts.balance;
        let whole = balance.map(|balance| asked.with(balance).to_string());
        let whole = whole.unwrap_or_else(|| "an unknown balance".to_owned());
        Judgement {
            kept: balance.is_some_and(|balance| self.0.holds(asked.amount, balance)),
            limit: format!("{} of {whole}", self.0),
            asked: asked.to_string(),
            ..Judgement::default()
        }
    }
}

/// For what a window counts apart.
pub type By = Axis;

/// Highest sum in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The sum.
    pub amount: Money,
    /// The window.
    pub window: Window,
    /// For what it counts apart.
    pub by: Option<By>,
}

impl Limit {
    /// The fee is of the same asset where it is counted with the payment.
    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let asked = Money::of(view.ask);
        let with_fee = asked.amount.checked_add(view.ask.fee);
        let asked = asked.with(with_fee.unwrap_or(Amount::from_base_units(u128::MAX)));
        let measure = Measure::Amount(self.amount.symbol);
        let limit = self.amount.amount.base_units();
        let count = Counted::at(view, &self.window, measure, scope(self.by, view));
        let units = asked.amount.base_units();
        let same_asset = asked.symbol == self.amount.symbol;
        let current = Amount::from_base_units(count.current);
        let is_counted = is_counted(self.by, view.ask);
        let resets_at = count.room_at(units, limit).filter(|_| same_asset && is_counted);
        Judgement {
            kept: same_asset && is_counted && count.leaves_room_for(units, limit),
            errs: !is_counted,
            per: Some(per(&self.window, self.by)),
            limit: self.amount.to_string(),
            current: Some(self.amount.with(current).to_string()),
            asked: if is_counted { asked.to_string() } else { SEVERAL_PAYEES.to_owned() },
            resets_at,
            ..Judgement::default()
        }
    }
}

/// Highest number of payments in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The number.
    pub count: u64,
    /// The window.
    pub window: Window,
    /// For what it counts apart.
    pub by: Option<By>,
}

impl Rate {
    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let count = Counted::at(view, &self.window, Measure::Count, scope(self.by, view));
        let limit = u128::from(self.count);
        let is_counted = is_counted(self.by, view.ask);
        Judgement {
            kept: is_counted && count.leaves_room_for(1, limit),
            errs: !is_counted,
            per: Some(per(&self.window, self.by)),
            limit: self.count.to_string(),
            current: Some(count.current.to_string()),
            asked: if is_counted { "1" } else { SEVERAL_PAYEES }.to_owned(),
            resets_at: count.room_at(1, limit).filter(|_| is_counted),
            ..Judgement::default()
        }
    }
}
