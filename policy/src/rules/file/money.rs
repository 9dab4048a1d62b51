//! Rules about money and number, as they are written.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::rows::Protocol;
use crate::rules::file::schema;
use crate::rules::{By, Limit, MaxFee, Money, NativeMoney, PriceCeiling, Rate, RuleKind};
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
    /// The zone whose calendar the window follows; without one it rolls.
    #[serde(default)]
    #[schemars(schema_with = "schema::zone")]
    calendar: Option<Zone>,
    /// For what it counts apart.
    #[serde(default)]
    #[schemars(schema_with = "schema::by")]
    by: Option<By>,
}

/// Highest price of one request, by protocol.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub(super) struct PriceCeilingFile {
    /// Over x402.
    #[serde(default)]
    #[schemars(schema_with = "schema::money")]
    x402: Option<Money>,
    /// Over MPP.
    #[serde(default)]
    #[schemars(schema_with = "schema::money")]
    mpp: Option<Money>,
}

/// A fee for each transaction, as text, or one for a window.
pub(super) enum MaxFeeFile {
    Transaction(NativeMoney),
    Window(FeeWindowFile),
}

/// Highest sum of fees in a window.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FeeWindowFile {
    /// The sum.
    #[schemars(schema_with = "schema::native_money")]
    amount: NativeMoney,
    /// The window's length.
    #[schemars(schema_with = "schema::period")]
    per: Period,
    /// The zone whose calendar the window follows; without one it rolls.
    #[serde(default)]
    #[schemars(schema_with = "schema::zone")]
    calendar: Option<Zone>,
}

fn window(per: Period, calendar: Option<Zone>) -> Result<Window, String> {
    match calendar {
        Some(zone) => Window::calendar(per, zone).map_err(|no| no.to_string()),
        None => Ok(Window::rolling(per)),
    }
}

impl LimitFile {
    pub(super) fn read(self) -> Result<RuleKind, String> {
        let Self { amount, per, calendar, by } = self;
        Ok(RuleKind::Limit(Limit { amount, window: window(per, calendar)?, by }))
    }
}

impl RateFile {
    pub(super) fn read(self) -> Result<RuleKind, String> {
        let Self { count, per, calendar, by } = self;
        Ok(RuleKind::Rate(Rate { count, window: window(per, calendar)?, by }))
    }
}

impl PriceCeilingFile {
    pub(super) fn read(self) -> Result<Vec<RuleKind>, String> {
        let ceiling = |protocol| move |price| PriceCeiling { protocol, price };
        let x402 = self.x402.map(ceiling(Protocol::X402));
        let mpp = self.mpp.map(ceiling(Protocol::Mpp));
        let both: Vec<_> = x402.into_iter().chain(mpp).map(RuleKind::PriceCeiling).collect();
        if both.is_empty() { Err("name at least one of x402 and mpp".to_owned()) } else { Ok(both) }
    }
}

impl MaxFeeFile {
    pub(super) fn read(self) -> Result<RuleKind, String> {
        Ok(RuleKind::MaxFee(match self {
            Self::Transaction(amount) => MaxFee { amount, window: None },
            Self::Window(FeeWindowFile { amount, per, calendar }) => {
                MaxFee { amount, window: Some(window(per, calendar)?) }
            }
        }))
    }
}

impl JsonSchema for MaxFeeFile {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MaxFeeFile".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let transaction = schema::native_money(generator);
        let window = generator.subschema_for::<FeeWindowFile>();
        schemars::json_schema!({ "oneOf": [transaction, window] })
    }
}

impl<'de> Deserialize<'de> for MaxFeeFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EitherWay;

        impl<'de> Visitor<'de> for EitherWay {
            type Value = MaxFeeFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a fee such as \"0.0005 ETH\", or { amount, per, calendar }")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<MaxFeeFile, E> {
                text.parse().map(MaxFeeFile::Transaction).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MaxFeeFile, A::Error> {
                FeeWindowFile::deserialize(MapAccessDeserializer::new(map)).map(MaxFeeFile::Window)
            }
        }

        deserializer.deserialize_any(EitherWay)
    }
}
