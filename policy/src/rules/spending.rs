//! Rules about money and number: `max_amount`, `limit`, `rate`.

use std::fmt;

use serde::Deserialize;

use crate::chain::ASSETS;
use crate::ask::Ask;
use crate::ledger::{Axis, Ledger, Measure, Scope};
use crate::money::{Amount, BadAmount};
use crate::rules::{Judgement, View};
use crate::subject::Subject;
use crate::time::UnixSeconds;
use crate::window::Window;

/// An amount of an asset, as `0.50 USDC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    /// Base units.
    pub amount: Amount,
    /// Symbol of the asset; it has the same decimals on every chain of the registry.
    pub symbol: &'static str,
    /// Its decimals.
    pub decimals: u8,
}

/// Why a text is not an amount of an asset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadMoney {
    /// There is no asset beside the number.
    #[error("{given:?} is not an amount with its asset, such as \"0.50 USDC\"")]
    NoAsset {
        /// What was given, cut to a printable length.
        given: String,
    },
    /// Nobody knows that symbol.
    #[error("{symbol:?} is not an asset Tercet knows; USDC is")]
    UnknownAsset {
        /// The symbol, cut to a printable length.
        symbol: String,
    },
    /// The number is none.
    #[error(transparent)]
    Amount(#[from] BadAmount),
}

impl std::str::FromStr for Money {
    type Err = BadMoney;
    fn from_str(text: &str) -> Result<Self, BadMoney> {
        let cut = |text: &str| text.chars().take(64).collect::<String>();
        let (number, symbol) =
            text.split_once(' ').ok_or_else(|| BadMoney::NoAsset { given: cut(text) })?;
        let asset = ASSETS
            .iter()
            .find(|asset| asset.symbol == symbol)
            .ok_or_else(|| BadMoney::UnknownAsset { symbol: cut(symbol) })?;
        let amount = Amount::parse_decimal(number, asset.decimals)?;
        Ok(Self { amount, symbol: asset.symbol, decimals: asset.decimals })
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount.to_decimal(self.decimals), self.symbol)
    }
}

impl Money {
    fn of(ask: &Ask<'_>) -> Self {
        let asset = ask.asset;
        Self { amount: ask.amount, symbol: asset.symbol, decimals: asset.decimals }
    }

    const fn with(self, units: u128) -> Self {
        Self { amount: Amount::from_base_units(units), ..self }
    }
}

/// Highest amount of one payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxAmount(pub Money);

impl MaxAmount {
    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let asked = Money::of(view.ask);
        Judgement {
            kept: asked.symbol == self.0.symbol && asked.amount <= self.0.amount,
            limit: self.0.to_string(),
            asked: asked.to_string(),
            ..Judgement::default()
        }
    }
}

/// For what a window counts apart.
pub type By = Axis;

/// What a payment is counted with. One without a recipient is counted with everything.
fn scope(by: Option<By>, view: &View<'_>) -> Scope {
    by.map_or(Scope::Total, |axis| Scope::of(axis, view.ask, view.counterparty))
}

fn per(window: &Window, by: Option<By>) -> String {
    by.map_or_else(|| window.to_string(), |by| format!("{window} by {}", by.word()))
}

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
    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let asked = Money::of(view.ask);
        let measure = Measure::Amount(self.amount.symbol);
        let limit = self.amount.amount.base_units();
        let scope = scope(self.by, view);
        let count = Counted::at(&self.window, measure, &scope, view);
        let same_asset = asked.symbol == self.amount.symbol;
        let kept = same_asset && count.leaves_room_for(asked.amount.base_units(), limit);
        let resets_at =
            if same_asset { count.room_at(asked.amount.base_units(), limit) } else { None };
        Judgement {
            kept,
            per: Some(per(&self.window, self.by)),
            limit: self.amount.to_string(),
            current: Some(self.amount.with(count.current).to_string()),
            asked: asked.to_string(),
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
        let scope = scope(self.by, view);
        let count = Counted::at(&self.window, Measure::Count, &scope, view);
        let limit = u128::from(self.count);
        Judgement {
            kept: count.leaves_room_for(1, limit),
            per: Some(per(&self.window, self.by)),
            limit: self.count.to_string(),
            current: Some(count.current.to_string()),
            asked: "1".to_owned(),
            resets_at: count.room_at(1, limit),
            ..Judgement::default()
        }
    }
}

/// What a window holds at a moment.
struct Counted<'a> {
    window: &'a Window,
    subject: &'a Subject,
    measure: Measure,
    scope: &'a Scope,
    ledger: &'a Ledger,
    now: UnixSeconds,
    since: UnixSeconds,
    current: u128,
}

impl<'a> Counted<'a> {
    fn at(
        window: &'a Window,
        measure: Measure,
        scope: &'a Scope,
        view: &View<'a>,
    ) -> Self {
        let (subject, ledger, now) = (view.subject(), view.facts.ledger, view.now());
        let since = window.since(now);
        let current = ledger.sum(subject, measure, scope, since);
        Self { window, subject, measure, scope, ledger, now, since, current }
    }

    fn leaves_room_for(&self, asked: u128, limit: u128) -> bool {
        self.current.checked_add(asked).is_some_and(|sum| sum <= limit)
    }

    /// When the same would fit, if it does not now and waiting helps.
    fn room_at(&self, asked: u128, limit: u128) -> Option<UnixSeconds> {
        let room = limit.checked_sub(asked)?;
        let excess = self.current.checked_sub(room).filter(|excess| *excess > 0)?;
        let moment = self.ledger.moment_of(self.subject, self.measure, self.scope, self.since, excess)?;
        self.window.leaves_at(moment, self.now)
    }
}
