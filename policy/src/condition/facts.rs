//! What a condition may know about a payment.

use std::collections::HashSet;
use std::fmt::Write as _;

use alloy_primitives::Address;
use cedar_policy::{
    Context as CedarContext, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request,
    RestrictedExpression,
};

use super::{Attributes, CONDITION_AMOUNT_MAX, ConditionError, Uses};
use crate::context::{Context, ContextKind, ContextValue};
use crate::money::Amount;
use crate::time::UnixSeconds;

const HOUR_SECONDS: u64 = 3_600;
const DAY_SECONDS: u64 = 86_400;

/// An attribute of the payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its name: `resource.<name>`.
    pub name: &'static str,
    /// Its type in the condition language.
    pub kind: &'static str,
    /// Whether every payment has it. One that not every payment has must be asked for first:
    /// `resource has service && …`.
    pub always: bool,
    /// What it says.
    pub about: &'static str,
}

const fn fact(name: &'static str, kind: &'static str, always: bool, about: &'static str) -> Fact {
    Fact { name, kind, always, about }
}

/// The attributes that `resource` has.
pub const FACTS: [Fact; 14] = [
    fact("amount", "Long", true, "base units of the asset; one USDC is 1000000"),
    fact("asset", "String", true, "symbol, such as \"USDC\""),
    fact("chain", "String", true, "CAIP-2 name, such as \"eip155:8453\""),
    fact("protocol", "String", true, "\"transfer\", \"x402\" or \"mpp\""),
    fact("wallet", "String", true, "the paying address, 0x and lower case"),
    fact("hour_utc", "Long", true, "hour of the day in UTC, 0 to 23"),
    fact("weekday_utc", "Long", true, "day of the week in UTC, Monday 1 to Sunday 7"),
    fact("trust", "Long", true, "trust score of the counterparty, 0 to 100"),
    fact("recipient", "String", false, "the paid address, 0x and lower case"),
    fact("service", "String", false, "host of the resource, with a port of its own"),
    fact("endpoint", "String", false, "path of the resource"),
    fact("http_method", "String", false, "method of the request that is paid for, in upper case"),
    fact("category", "String", false, "category of the counterparty, from the registry"),
    fact("country", "String", false, "ISO 3166 code of the counterparty, from the registry"),
];

/// The facts of one payment.
#[derive(Clone, Copy, Debug)]
pub struct ConditionFacts<'a> {
    /// Who asks.
    pub agent: &'a str,
    /// The paying wallet.
    pub wallet: Address,
    /// `transfer`, `x402` or `mpp`.
    pub protocol: &'a str,
    /// CAIP-2 name of the chain.
    pub chain: &'a str,
    /// Symbol of the asset.
    pub asset: &'a str,
    /// Base units.
    pub amount: Amount,
    /// Who is paid.
    pub recipient: Option<Address>,
    /// The service it is for.
    pub service: Option<&'a str>,
    /// Path of the resource.
    pub endpoint: Option<&'a str>,
    /// Method of the request that is paid for.
    pub http_method: Option<&'a str>,
    /// Category of the counterparty.
    pub category: Option<&'a str>,
    /// Country of the counterparty.
    pub country: Option<&'a str>,
    /// Trust score of the counterparty.
    pub trust: u8,
    /// The moment of the decision.
    pub now: UnixSeconds,
    /// What the agent declares.
    pub context: &'a Context,
}

/// Whom and what a request is about, in the language's own form: made once, at load.
#[derive(Clone)]
pub(crate) struct Parties {
    agent: EntityTypeName,
    action: EntityUid,
    payment: EntityUid,
}

impl Parties {
    pub(crate) fn new() -> Result<Self, String> {
        let kind = |name: &str| -> Result<EntityTypeName, String> {
            name.parse().map_err(|error: cedar_policy::ParseErrors| error.to_string())
        };
        let uid = |of, name| -> Result<EntityUid, String> {
            Ok(EntityUid::from_type_name_and_id(kind(of)?, EntityId::new(name)))
        };
        let (action, payment) = (uid("Action", "pay")?, uid("Payment", "this")?);
        Ok(Self { agent: kind("Agent")?, action, payment })
    }

    pub(crate) fn request(&self, agent: &str, values: Attributes) -> Result<Request, String> {
        let context = CedarContext::from_pairs(values).map_err(|error| error.to_string())?;
        let agent = EntityUid::from_type_name_and_id(self.agent.clone(), EntityId::new(agent));
        let (action, payment) = (self.action.clone(), self.payment.clone());
        Request::new(agent, action, payment, context, None).map_err(|error| error.to_string())
    }

    pub(crate) fn entities(&self, attributes: Attributes) -> Result<Entities, String> {
        let payment = Entity::new(self.payment.clone(), attributes, HashSet::new())
            .map_err(|error| error.to_string())?;
        Entities::from_entities([payment], None).map_err(|error| error.to_string())
    }
}

impl ConditionFacts<'_> {
    pub(super) fn request(
        &self,
        uses: &Uses,
        parties: &Parties,
    ) -> Result<Request, ConditionError> {
        let mut values = Attributes::with_capacity(uses.context.len());
        for (name, expected) in &uses.context {
            values.insert(name.clone(), declared(self.context, name, *expected)?);
        }
        parties.request(self.agent, values).map_err(evaluation)
    }

    pub(super) fn entities(
        &self,
        uses: &Uses,
        parties: &Parties,
    ) -> Result<Entities, ConditionError> {
        if uses.facts.is_empty() {
            return Ok(Entities::empty());
        }
        let mut attributes = Attributes::with_capacity(uses.facts.len());
        for name in &uses.facts {
            if let Some(value) = self.value(name)? {
                attributes.insert((*name).to_owned(), value);
            }
        }
        parties.entities(attributes).map_err(evaluation)
    }

    /// The value of the attribute `name`, where the payment has it.
    pub(crate) fn value(&self, name: &str) -> Result<Option<RestrictedExpression>, ConditionError> {
        let text = |text: &str| Some(RestrictedExpression::new_string(text.to_owned()));
        let long = |long: u64| i64::try_from(long).ok().map(RestrictedExpression::new_long);
        Ok(match name {
            "amount" => Some(RestrictedExpression::new_long(self.amount_long()?)),
            "asset" => text(self.asset),
            "chain" => text(self.chain),
            "protocol" => text(self.protocol),
            "wallet" => text(&lower_case(self.wallet)),
            "hour_utc" => long(hour_utc(self.now)),
            "weekday_utc" => long(weekday_utc(self.now)),
            "trust" => long(u64::from(self.trust)),
            "recipient" => self.recipient.and_then(|to| text(&lower_case(to))),
            "service" => self.service.and_then(text),
            "endpoint" => self.endpoint.and_then(text),
            "http_method" => self.http_method.and_then(text),
            "category" => self.category.and_then(text),
            "country" => self.country.and_then(text),
            _ => None,
        })
    }

    fn amount_long(&self) -> Result<i64, ConditionError> {
        i64::try_from(self.amount.base_units()).map_err(|_| ConditionError::AmountTooLarge {
            amount: self.amount,
            limit: Amount::from_base_units(CONDITION_AMOUNT_MAX),
        })
    }
}

pub(crate) fn declared(
    context: &Context,
    name: &str,
    expected: ContextKind,
) -> Result<RestrictedExpression, ConditionError> {
    let value =
        context.value(name).ok_or_else(|| ConditionError::Missing { name: name.to_owned() })?;
    if value.kind() != expected {
        let (name, found) = (name.to_owned(), value.kind());
        return Err(ConditionError::OtherType { name, expected, found });
    }
    Ok(match value {
        ContextValue::Bool(yes) => RestrictedExpression::new_bool(*yes),
        ContextValue::Long(long) => RestrictedExpression::new_long(*long),
        ContextValue::Decimal(decimal) => RestrictedExpression::new_decimal(decimal.with_point()),
        ContextValue::Text(text) => RestrictedExpression::new_string(text.clone()),
    })
}

fn evaluation(reason: String) -> ConditionError {
    ConditionError::Evaluation { reason }
}

/// An address without the mixed case of its checksum: texts are compared to the letter.
fn lower_case(address: Address) -> String {
    let mut text = String::with_capacity(42);
    // Writing to a string does not fail.
    let _ = write!(text, "{address:#x}");
    text
}

pub(crate) const fn hour_utc(now: UnixSeconds) -> u64 {
    (now.0 % DAY_SECONDS) / HOUR_SECONDS
}

/// The first day of 1970 was a Thursday.
pub(crate) const fn weekday_utc(now: UnixSeconds) -> u64 {
    ((now.0 / DAY_SECONDS).saturating_add(3) % 7).saturating_add(1)
}
