//! What an agent asks for, in its own words and under its own signature.
//!
//! Promises: an [`AuthenticIntent`] was signed by the agent it names, is within its time, names
//! a registered asset, and is of a kind that is understood to the last field.
//!
//! Refuses: unknown fields and kinds, amounts that are not plain digits, an identifier that is
//! not 32 bytes, a service that is not the host of the resource.

mod payment;
mod tempo;

use std::fmt;

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::chain::{Asset, Chain, Family};
use crate::declared::Declared;
use crate::document::{
    Authentic, ContentHash, Document, Ed25519PublicKey, JSON_INTEGER_MAX, NotHex, Signed, hex_bytes,
};
use crate::money::Amount;
use crate::party::AgentId;
use crate::refusal::Refusal;
use crate::time::UnixSeconds;

pub use payment::{Payment, Transfer, X402Cancel, X402Exact};
pub use tempo::{
    CHALLENGE_BYTES_MAX, EXPIRING_SEARCH_SECONDS, EXPIRING_SECONDS_MAX, ExitChannel, ExitStep,
    KEY_PERIOD_SECONDS_MIN, KeyLimits, KeyStep, LANE_SECONDS_MAX, MppChallenge, MppCharge,
    MppClose, MppExit, MppOpen, MppProof, MppTopUp, MppVoucher, SESSION_SECONDS_MAX, SPLITS_MAX,
    Split, TempoAccessKey, TempoNonce, TempoTerms, TempoTransfer, V1_ESCROWS,
};

/// Longest time between an intent's making and its end, in seconds.
pub const INTENT_LIFETIME_SECONDS_MAX: u64 = 3_600;
/// How far an intent's making may lie in our future, for clocks that differ, in seconds.
pub const CLOCK_SKEW_SECONDS_MAX: u64 = 60;
/// Longest time an x402 authorization may stay usable after the intent's making, in seconds.
pub const X402_VALIDITY_SECONDS_MAX: u64 = 900;
/// Longest resource URL, in bytes.
pub const RESOURCE_BYTES_MAX: usize = 2_048;
/// The version of the intent format this code speaks.
pub const INTENT_VERSION: u8 = 1;

hex_bytes! {
    /// 32 random bytes that name an intent for good: unguessable outside, and the seed of the
    /// EIP-3009 nonce, so that the chain itself settles an intent at most once.
    IntentId, 32
}

/// What an agent wants paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentIntent {
    /// [`INTENT_VERSION`].
    pub version: u8,
    /// Names this intent for good.
    pub id: IntentId,
    /// Who asks.
    pub agent: AgentId,
    /// The wallet that pays.
    pub wallet: Address,
    /// What for.
    pub payment: Payment,
    /// What the agent says beside it.
    #[serde(default, skip_serializing_if = "Declared::is_empty")]
    pub declared: Declared,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// From this moment on nobody signs for it.
    pub expires_at: UnixSeconds,
}

impl Document for PaymentIntent {
    const KIND: &'static str = "payment-intent";
}

/// A service: the host of a URL in lower case, with the port where it is not the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Service(String);

impl Service {
    /// The service that answers at `resource`.
    ///
    /// # Errors
    /// [`Refusal::BadResource`] for what is no `http` or `https` URL, carries a user or a
    /// password, or is too long.
    pub fn of(resource: &str) -> Result<Self, Refusal> {
        let bad = || Refusal::BadResource { resource: resource.chars().take(128).collect() };
        if resource.len() > RESOURCE_BYTES_MAX {
            return Err(bad());
        }
        let url = Url::parse(resource).map_err(|_| bad())?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none();
        let host = url.host_str().filter(|_| plain).ok_or_else(bad)?;
        Ok(Self(match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }))
    }

    /// The service as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An intent with its signature, unchecked.
pub type SignedIntent = Signed<PaymentIntent>;

/// Where the keys of enrolled agents are looked up.
pub trait AgentKeys {
    /// The key that signs this agent's intents, if the agent is enrolled here.
    fn agent_key(&self, agent: &AgentId) -> Option<Ed25519PublicKey>;
}

/// An intent that was signed by its agent and is well formed and in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticIntent {
    intent: Authentic<PaymentIntent>,
    key: Ed25519PublicKey,
    asset: &'static Asset,
}

impl AuthenticIntent {
    /// The intent.
    #[must_use]
    pub const fn intent(&self) -> &PaymentIntent {
        self.intent.document()
    }

    /// The agent's key, which signed it.
    #[must_use]
    pub const fn key(&self) -> Ed25519PublicKey {
        self.key
    }

    /// The registered asset it pays with.
    #[must_use]
    pub const fn asset(&self) -> &'static Asset {
        self.asset
    }

    /// The hash of what the agent signed; the same id with another hash is another intent.
    #[must_use]
    pub const fn content_hash(&self) -> ContentHash {
        self.intent.content_hash()
    }
}

impl SignedIntent {
    /// Checks signature, form and time, and yields the intent.
    ///
    /// # Errors
    /// A [`Refusal`] that says what is wrong.
    pub fn open_intent(
        self,
        agents: &impl AgentKeys,
        now: UnixSeconds,
    ) -> Result<AuthenticIntent, Refusal> {
        check_numbers(&self.document)?;
        let key = agents
            .agent_key(&self.document.agent)
            .ok_or_else(|| Refusal::UnknownAgent { agent: self.document.agent.clone() })?;
        let intent = self.open_by(&key).map_err(|_| Refusal::BadSignature)?;
        check_time(&intent, now)?;
        check_form(&intent)?;
        let asset =
            Asset::find(intent.payment.chain(), intent.payment.token()).map_err(|unknown| {
                Refusal::UnknownAsset { chain: unknown.chain, token: unknown.token }
            })?;
        Ok(AuthenticIntent { intent, key, asset })
    }
}

/// Numbers beyond 2^53 have no one canonical form, so they are refused before it is asked for.
fn check_numbers(intent: &PaymentIntent) -> Result<(), Refusal> {
    let payment = &intent.payment;
    let valid_before = payment.valid_before().map_or(0, |end| end.0);
    let (ends_at, period) = match payment {
        Payment::MppOpen(open) => (open.ends_at.0, 0),
        Payment::TempoAccessKey(k) => {
            k.limits().map_or((0, 0), |limits| (limits.expires_at.0, limits.period_seconds))
        }
        _ => (0, 0),
    };
    let gas_limit = payment.tempo_terms().map_or(0, |terms| terms.gas_limit);
    let (created_at, expires_at) = (intent.created_at.0, intent.expires_at.0);
    let times = [created_at, expires_at, valid_before, ends_at, period, gas_limit];
    let largest = times.into_iter().max().unwrap_or(u64::MAX);
    if largest > JSON_INTEGER_MAX {
        return Err(Refusal::NumberTooLarge { limit: JSON_INTEGER_MAX });
    }
    if intent.version != INTENT_VERSION {
        return Err(Refusal::UnknownVersion { given: intent.version, known: INTENT_VERSION });
    }
    Ok(())
}

fn check_time(intent: &PaymentIntent, now: UnixSeconds) -> Result<(), Refusal> {
    let (created_at, expires_at) = (intent.created_at, intent.expires_at);
    if now >= expires_at {
        return Err(Refusal::IntentExpired { expires_at, now });
    }
    if created_at > now.plus(CLOCK_SKEW_SECONDS_MAX) {
        return Err(Refusal::IntentFromFuture { created_at, now });
    }
    let longest = created_at.plus(INTENT_LIFETIME_SECONDS_MAX);
    if expires_at > longest {
        return Err(Refusal::IntentLivesTooLong { expires_at, limit: longest });
    }
    Ok(())
}

fn check_form(intent: &PaymentIntent) -> Result<(), Refusal> {
    match &intent.payment {
        Payment::Transfer(t) => {
            check_base(t.chain)?;
            check_payee(t.to, t.token, t.amount, intent.wallet)
        }
        Payment::X402Exact(x) => {
            check_base(x.chain)?;
            check_payee(x.to, x.token, x.amount, intent.wallet)?;
            check_validity(intent, x.valid_before)?;
            let host = Service::of(&x.resource)?;
            if host == x.service {
                Ok(())
            } else {
                Err(Refusal::ServiceIsNotTheHost { service: x.service.clone(), host })
            }
        }
        Payment::X402Cancel(c) => check_base(c.chain),
        Payment::TempoTransfer(t) => t.check(intent),
        Payment::TempoAccessKey(k) => k.check(intent),
        Payment::MppCharge(c) => c.check(intent),
        Payment::MppProof(p) => p.check(),
        Payment::MppOpen(o) => o.check(intent),
        Payment::MppTopUp(t) => t.check(intent),
        Payment::MppVoucher(v) => v.check(intent),
        Payment::MppClose(c) => c.check(intent),
        Payment::MppExit(e) => e.check(intent),
    }
}

fn check_base(chain: Chain) -> Result<(), Refusal> {
    match chain.family() {
        Family::Base => Ok(()),
        Family::Tempo => Err(Refusal::NotOnThatChain { chain }),
    }
}

fn check_payee(
    to: Address,
    token: Address,
    amount: Amount,
    wallet: Address,
) -> Result<(), Refusal> {
    if amount == Amount::ZERO {
        return Err(Refusal::NothingToPay);
    }
    if to == Address::ZERO || to == token || to == wallet {
        return Err(Refusal::BadPayee { payee: to });
    }
    Ok(())
}

fn check_validity(intent: &PaymentIntent, valid_before: UnixSeconds) -> Result<(), Refusal> {
    let limit = intent.created_at.plus(X402_VALIDITY_SECONDS_MAX);
    if valid_before > limit {
        return Err(Refusal::ValidityTooLong { valid_before, limit });
    }
    if valid_before <= intent.created_at {
        return Err(Refusal::NeverValid { valid_before });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
