//! Which of a merchant's requirements is paid, if any: by the agent's own rules, the same choice
//! for the same challenge, whatever order the merchant wrote it in.
//!
//! Refuses, entry by entry and by name: every scheme but `exact`, every transfer method but
//! EIP-3009, unknown payment flows, chains and tokens outside registry and rules, a foreign EIP-712
//! domain, amounts that are not plain digits, prices over the limit, validity that is too short.

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tercet_policy::chain::{Asset, Chain};
use tercet_policy::declared::PaymentFlow;
use tercet_policy::intent::Service;
use tercet_policy::money::Amount;

use crate::rules::FetchRules;
use crate::wire::Challenge;

/// Longest stranger's word that is repeated in a reason, in characters.
const WORD_CHARS_MAX: usize = 64;

/// A requirement that the rules accept, in our own terms.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The requirement, exactly as the merchant wrote it.
    pub requirement: Box<RawValue>,
    /// What is paid with.
    pub asset: &'static Asset,
    /// Who is paid.
    pub pay_to: Address,
    /// Base units.
    pub amount: Amount,
    /// How long the authorization will be usable, in seconds.
    pub validity_seconds: u64,
    /// In which order the merchant serves and settles.
    pub flow: PaymentFlow,
}

/// A requirement that is not paid, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its place in the merchant's list, from 0; MPP's challenges come after x402's requirements.
    pub entry: usize,
    /// Why.
    pub why: Unacceptable,
}

/// Why a requirement is not paid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Unacceptable {
    /// A field is missing or of another type.
    #[error("{field} is missing or not of its type")]
    Field {
        /// Which.
        field: String,
    },
    /// Another scheme.
    #[error("scheme {given:?} is not paid; only \"exact\" is")]
    Scheme {
        /// What was given.
        given: String,
    },
    /// Another transfer method, which would want another signature.
    #[error("transfer method {given:?} is not signed for; only \"eip3009\" is")]
    TransferMethod {
        /// What was given.
        given: String,
    },
    /// A payment flow that is unknown, or that the rules do not allow.
    #[error("payment flow {given:?} is not allowed")]
    PaymentFlow {
        /// What was given.
        given: String,
    },
    /// A chain outside the registry or the rules.
    #[error("chain {given:?} is not one that is paid on")]
    Chain {
        /// What was given.
        given: String,
    },
    /// A token outside the registry or the rules.
    #[error("token {given:?} is not one that is paid with")]
    Token {
        /// What was given.
        given: String,
    },
    /// The token's EIP-712 domain is said to be another one than it is.
    #[error("the token's domain {field} is given as {given:?}; it is {pinned:?}")]
    ForeignDomain {
        /// `name` or `version`.
        field: String,
        /// What was given.
        given: String,
        /// What it is.
        pinned: String,
    },
    /// Not plain digits, zero, or beyond 128 bits.
    #[error("amount {given:?} is not one in plain base units")]
    Amount {
        /// What was given.
        given: String,
    },
    /// More than the rules pay for one request.
    #[error("the price is {asked} base units, the limit is {limit}")]
    TooDear {
        /// What is asked.
        asked: Amount,
        /// The limit.
        limit: Amount,
    },
    /// Not the address of somebody who can be paid.
    #[error("{given:?} is not an address that can be paid")]
    Payee {
        /// What was given.
        given: String,
    },
    /// An MPP challenge that does not read.
    #[error("the challenge does not read: {what}")]
    Challenge {
        /// What is wrong with it.
        what: String,
    },
    /// A method or an intent of MPP that is not paid.
    #[error("MPP {given:?} is not paid; \"tempo/charge\" and \"tempo/session\" are")]
    MppMethod {
        /// What was given.
        given: String,
    },
    /// The challenge is of another realm than the host that was asked.
    #[error("the challenge is of realm {given:?}, and the host is {host}")]
    Realm {
        /// What was given.
        given: String,
        /// Who was asked.
        host: Service,
    },
    /// The challenge is over, is so soon, or never would be.
    #[error("a challenge that expires at {given:?} is not answered")]
    Expires {
        /// What was given.
        given: String,
    },
    /// The challenge is bound to another body than was sent.
    #[error("the challenge is bound to another request body")]
    OtherBody,
    /// The credential would take the place of the caller's own `Authorization`.
    #[error("the credential would replace the caller's Authorization header")]
    CallersAuthorization,
    /// A session protocol from before TIP-1034, or an unknown one.
    #[error("session protocol {given:?} is not opened; only \"v2\" is")]
    SessionProtocol {
        /// What was given.
        given: String,
    },
    /// An escrow of the service's own.
    #[error("escrow {given:?} is not the channel reserve")]
    Escrow {
        /// What was given.
        given: String,
    },
    /// Payees beside the primary one that the rules do not list, or that take it all.
    #[error("the splits are not paid: {what}")]
    Splits {
        /// What is wrong with them.
        what: String,
    },
    /// The rules open no session with this asset, or there is nobody to sign vouchers.
    #[error("no session is opened with {symbol}")]
    NoSessions {
        /// The asset.
        symbol: String,
    },
    /// Too short to be worth signing, or no whole number of seconds.
    #[error("an authorization of {given} seconds is not signed for")]
    Validity {
        /// What was given.
        given: String,
    },
}

/// The cheapest acceptable requirement: those that settle after serving first, then the lowest
/// price, then the order of the rules' chains, then the merchant's order.
///
/// # Errors
/// Every requirement with the reason why it is not paid.
pub fn choose(
    challenge: &Challenge,
    wallet: Address,
    rules: &FetchRules,
) -> Result<Choice, Vec<Skipped>> {
    let mut best: Option<(Rank, Choice)> = None;
    let mut skipped = Vec::new();
    for (entry, raw) in challenge.accepts().iter().enumerate() {
        match judge(raw, wallet, rules) {
            Ok(choice) => {
                let rank = Rank::of(&choice, rules, entry);
                if best.as_ref().is_none_or(|(other, _)| rank < *other) {
                    best = Some((rank, choice));
                }
            }
            Err(why) => skipped.push(Skipped { entry, why }),
        }
    }
    best.map(|(_, choice)| choice).ok_or(skipped)
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    upfront: bool,
    amount: Amount,
    chain: usize,
    entry: usize,
}

impl Rank {
    fn of(choice: &Choice, rules: &FetchRules, entry: usize) -> Self {
        let chain = choice.asset.chain;
        let place = rules.chains.iter().position(|&c| c == chain).unwrap_or(usize::MAX);
        let upfront = choice.flow != PaymentFlow::Authorization;
        Self { upfront, amount: choice.amount, chain: place, entry }
    }
}

fn judge(raw: &RawValue, wallet: Address, rules: &FetchRules) -> Result<Choice, Unacceptable> {
    let fields: Map<String, Value> = serde_json::from_str(raw.get())
        .map_err(|_| Unacceptable::Field { field: "entry".to_owned() })?;
    let scheme = text(&fields, "scheme")?;
    if scheme != "exact" {
        return Err(Unacceptable::Scheme { given: word(scheme) });
    }
    let extra = extra(&fields)?;
    let flow = check_extra(&extra, rules)?;
    let asset = asset(&fields, rules)?;
    check_domain(&extra, asset)?;
    Ok(Choice {
        requirement: raw.to_owned(),
        asset,
        pay_to: payee(&fields, asset, wallet)?,
        amount: amount(&fields, asset, rules)?,
        validity_seconds: validity(&fields, rules)?,
        flow,
    })
}

fn extra(fields: &Map<String, Value>) -> Result<Map<String, Value>, Unacceptable> {
    match fields.get("extra") {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(extra)) => Ok(extra.clone()),
        Some(_) => Err(Unacceptable::Field { field: "extra".to_owned() }),
    }
}

/// In which order the merchant serves and settles; `authorization` where it does not say (x402 v2,
/// section 6.1).
fn check_extra(
    extra: &Map<String, Value>,
    rules: &FetchRules,
) -> Result<PaymentFlow, Unacceptable> {
    match optional_text(extra, "assetTransferMethod")? {
        None | Some("eip3009") => {}
        Some(other) => return Err(Unacceptable::TransferMethod { given: word(other) }),
    }
    match optional_text(extra, "paymentFlow")? {
        None | Some("authorization") => Ok(PaymentFlow::Authorization),
        Some("upfront") if rules.allow_upfront => Ok(PaymentFlow::Upfront),
        Some(other) => Err(Unacceptable::PaymentFlow { given: word(other) }),
    }
}

fn asset(fields: &Map<String, Value>, rules: &FetchRules) -> Result<&'static Asset, Unacceptable> {
    let network = text(fields, "network")?;
    let chain = Chain::from_caip2(network)
        .ok()
        .filter(|chain| rules.chains.contains(chain))
        .ok_or_else(|| Unacceptable::Chain { given: word(network) })?;
    let token = text(fields, "asset")?;
    address(token)
        .and_then(|token| Asset::find(chain, token).ok())
        .filter(|asset| rules.max_price.in_units_of(asset).is_some())
        .ok_or_else(|| Unacceptable::Token { given: word(token) })
}

/// A server's word about the domain is a cross-check of the pinned one and nothing more.
fn check_domain(extra: &Map<String, Value>, asset: &Asset) -> Result<(), Unacceptable> {
    let Some(domain) = &asset.eip3009 else {
        return Err(Unacceptable::Token { given: word(&asset.token.to_string()) });
    };
    let pins = [("name", domain.name), ("version", domain.version)];
    for (field, pinned) in pins {
        match optional_text(extra, field)? {
            Some(given) if given != pinned => {
                return Err(Unacceptable::ForeignDomain {
                    field: field.to_owned(),
                    given: word(given),
                    pinned: pinned.to_owned(),
                });
            }
            _ => {}
        }
    }
    Ok(())
}

fn payee(
    fields: &Map<String, Value>,
    asset: &Asset,
    wallet: Address,
) -> Result<Address, Unacceptable> {
    let given = text(fields, "payTo")?;
    address(given)
        .filter(|to| ![Address::ZERO, asset.token, wallet].contains(to))
        .ok_or_else(|| Unacceptable::Payee { given: word(given) })
}

fn amount(
    fields: &Map<String, Value>,
    asset: &Asset,
    rules: &FetchRules,
) -> Result<Amount, Unacceptable> {
    let given = text(fields, "amount")?;
    let asked = Amount::parse_base_units(given)
        .ok()
        .filter(|amount| *amount != Amount::ZERO)
        .ok_or_else(|| Unacceptable::Amount { given: word(given) })?;
    let limit = rules.max_price.in_units_of(asset).unwrap_or(Amount::ZERO);
    if asked > limit {
        return Err(Unacceptable::TooDear { asked, limit });
    }
    Ok(asked)
}

fn validity(fields: &Map<String, Value>, rules: &FetchRules) -> Result<u64, Unacceptable> {
    let given = fields
        .get("maxTimeoutSeconds")
        .ok_or_else(|| Unacceptable::Field { field: "maxTimeoutSeconds".to_owned() })?;
    given
        .as_u64()
        .and_then(|asked| rules.validity(asked))
        .ok_or_else(|| Unacceptable::Validity { given: word(&given.to_string()) })
}

/// `0x` and 40 digits; in mixed case only with the right checksum (EIP-55).
pub(crate) fn address(text: &str) -> Option<Address> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 40)?;
    let mut bytes = [0u8; 20];
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    let address = Address::from(bytes);
    let lower = digits.bytes().all(|b| !b.is_ascii_uppercase());
    let upper = digits.bytes().all(|b| !b.is_ascii_lowercase());
    (lower || upper || address.to_checksum(None) == text).then_some(address)
}

fn text<'a>(fields: &'a Map<String, Value>, field: &str) -> Result<&'a str, Unacceptable> {
    optional_text(fields, field)?.ok_or_else(|| Unacceptable::Field { field: field.to_owned() })
}

fn optional_text<'a>(
    fields: &'a Map<String, Value>,
    field: &str,
) -> Result<Option<&'a str>, Unacceptable> {
    match fields.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Unacceptable::Field { field: field.to_owned() }),
    }
}

/// A stranger's text, cut and without anything but plain printable ASCII.
pub(crate) fn word(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(WORD_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
