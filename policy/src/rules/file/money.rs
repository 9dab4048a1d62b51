//! Rules about money and number, as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::rules::file::schema;
use crate::rules::{By, Limit, Money, Rate, RuleKind};
use crate::window::{Period, Window, Zone};

/// Highest sum in a window.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitFile {
    /// The sum.
    #[schemars(schema_with = "schema::money")]
    amount: Money,
    /// The window's length.
    #[schemars(schema_with = "schema::period")]
    per: Period,
    /// The zone whose calendar the window follows; without one it rolls.
    #[serde(default)]
    #[schemars(schema_with = "schema::zone")]
    calendar: Option<Zone>,
    /// For what it counts apart.
    #[serde(default)]
    #[schemars(schema_with = "schema::by")]
    by: Option<By>,
}

/// Highest number of payments in a window.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RateFile {
    /// The number.
    count: u64,
    /// The window's length.
    #[schemars(schema_with = "schema::period")]
    per: Period,
    /// For what it counts apart.
    #[serde(default)]
    #[schemars(schema_with = "schema::by")]
    by: Option<By>,
}

impl LimitFile {
    pub(super) fn read(self) -> RuleKind {
        let Self { amount, per, calendar, by } = self;
        RuleKind::Limit(Limit { amount, window: Window { period: per, calendar }, by })
    }
}

impl RateFile {
    pub(super) fn read(self) -> RuleKind {
        let Self { count, per, by } = self;
        RuleKind::Rate(Rate { count, window: Window { period: per, calendar: None }, by })
    }
}
