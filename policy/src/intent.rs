//! What an agent asks for, in its own words and under its own signature.
//!
//! Promises: an [`AuthenticIntent`] was signed by the agent it names, is within its time, names
//! a registered asset, and is of a kind that is understood to the last field.
//!
//! Refuses: unknown fields and kinds, amounts that are not plain digits, an identifier that is
//! not 32 bytes, a service that is not the host of the resource.

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

pub use tempo::{
    CHALLENGE_BYTES_MAX, EXPIRING_SEARCH_SECONDS, EXPIRING_SECONDS_MAX, ExitChannel, ExitStep,
    LANE_SECONDS_MAX, MppChallenge, MppCharge, MppClose, MppExit, MppOpen, MppProof, MppTopUp,
    MppVoucher, SESSION_SECONDS_MAX, SPLITS_MAX, Split, TempoNonce, TempoTerms, TempoTransfer,
    V1_ESCROWS,
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

/// The kinds of payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Payment {
    /// An ERC-20 transfer in an EIP-1559 transaction of the wallet.
    Transfer(Transfer),
    /// An EIP-3009 authorization for an x402 `exact` payment.
    X402Exact(X402Exact),
    /// Takes back an x402 authorization that nobody has settled yet.
    X402Cancel(X402Cancel),
    /// A TIP-20 transfer in a Tempo transaction of the wallet.
    TempoTransfer(TempoTransfer),
    /// An MPP charge on Tempo.
    MppCharge(MppCharge),
    /// An MPP charge of nothing.
    MppProof(MppProof),
    /// Opens an MPP channel.
    MppOpen(MppOpen),
    /// Puts more money into one.
    MppTopUp(MppTopUp),
    /// Pays out of one, by the wallet's own signature.
    MppVoucher(MppVoucher),
    /// Agrees to the end of one, by the wallet's own signature.
    MppClose(MppClose),
    /// Leaves one by force.
    MppExit(MppExit),
}

/// An ERC-20 transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// Chain.
    pub chain: Chain,
    /// Token contract.
    pub token: Address,
    /// Payee.
    pub to: Address,
    /// Base units.
    pub amount: Amount,
}

/// An x402 `exact` payment over EIP-3009 `TransferWithAuthorization`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct X402Exact {
    /// Chain.
    pub chain: Chain,
    /// Token contract.
    pub token: Address,
    /// `payTo` of the chosen requirement.
    pub to: Address,
    /// Base units, exactly the requirement's amount.
    pub amount: Amount,
    /// First second in which the authorization is no longer usable (EIP-3009 `validBefore`).
    pub valid_before: UnixSeconds,
    /// The URL that was asked for.
    pub resource: String,
    /// Host of the URL, with its port where that is not the scheme's own.
    pub service: Service,
}

/// A cancellation of an earlier x402 intent of the same wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct X402Cancel {
    /// Chain.
    pub chain: Chain,
    /// Token contract.
    pub token: Address,
    /// The intent whose authorization is taken back.
    pub cancels: IntentId,
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

impl Payment {
    /// The chain it happens on.
    #[must_use]
    pub const fn chain(&self) -> Chain {
        match self {
            Self::Transfer(t) => t.chain,
            Self::X402Exact(x) => x.chain,
            Self::X402Cancel(c) => c.chain,
            Self::TempoTransfer(t) => t.chain,
            Self::MppCharge(c) => c.chain,
            Self::MppProof(p) => p.chain,
            Self::MppOpen(o) => o.chain,
            Self::MppTopUp(t) => t.chain,
            Self::MppVoucher(v) => v.chain,
            Self::MppClose(c) => c.chain,
            Self::MppExit(e) => e.chain,
        }
    }

    /// The token it moves, or would have moved.
    #[must_use]
    pub const fn token(&self) -> Address {
        match self {
            Self::Transfer(t) => t.token,
            Self::X402Exact(x) => x.token,
            Self::X402Cancel(c) => c.token,
            Self::TempoTransfer(t) => t.token,
            Self::MppCharge(c) => c.token,
            Self::MppProof(p) => p.token,
            Self::MppOpen(o) => o.token,
            Self::MppTopUp(t) => t.channel.token,
            Self::MppVoucher(v) => v.channel.token,
            Self::MppClose(c) => c.channel.token,
            Self::MppExit(e) => e.token,
        }
    }

    /// Who is paid, or can be by what is signed; nobody for a cancellation, a proof and an exit.
    /// Of a charge with splits it is the primary payee.
    #[must_use]
    pub const fn payee(&self) -> Option<Address> {
        match self {
            Self::Transfer(t) => Some(t.to),
            Self::X402Exact(x) => Some(x.to),
            Self::TempoTransfer(t) => Some(t.to),
            Self::MppCharge(c) => Some(c.to),
            Self::MppOpen(o) => Some(o.payee),
            Self::MppTopUp(t) => Some(t.channel.payee),
            Self::MppVoucher(v) => Some(v.channel.payee),
            Self::MppClose(c) => Some(c.channel.payee),
            Self::X402Cancel(_) | Self::MppProof(_) | Self::MppExit(_) => None,
        }
    }

    /// Whether it leaves a channel of the reserve by force, which only brings money back.
    #[must_use]
    pub const fn leaves_channel(&self) -> bool {
        match self {
            Self::MppExit(exit) => matches!(exit.channel, ExitChannel::V2 { .. }),
            _ => false,
        }
    }

    /// The payees beside [`payee`](Self::payee).
    #[must_use]
    pub fn splits(&self) -> &[Split] {
        match self {
            Self::MppCharge(c) => &c.splits,
            _ => &[],
        }
    }

    /// What leaves the wallet, a deposit as a whole; zero where nothing does: for a cancellation, a
    /// proof, and what is signed about a deposit that is away already.
    #[must_use]
    pub const fn amount(&self) -> Amount {
        match self {
            Self::Transfer(t) => t.amount,
            Self::X402Exact(x) => x.amount,
            Self::TempoTransfer(t) => t.amount,
            Self::MppCharge(c) => c.amount,
            Self::MppOpen(o) => o.deposit,
            Self::MppTopUp(t) => t.additional,
            Self::X402Cancel(_)
            | Self::MppProof(_)
            | Self::MppVoucher(_)
            | Self::MppClose(_)
            | Self::MppExit(_) => Amount::ZERO,
        }
    }

    /// The service it is for, where there is one.
    #[must_use]
    pub fn service(&self) -> Option<&Service> {
        match self {
            Self::X402Exact(x) => Some(&x.service),
            Self::MppVoucher(v) => Some(&v.service),
            _ => self.challenge().map(|challenge| &challenge.service),
        }
    }

    /// The URL it is for, where there is one.
    #[must_use]
    pub fn resource(&self) -> Option<&str> {
        match self {
            Self::X402Exact(x) => Some(&x.resource),
            Self::MppVoucher(v) => Some(&v.resource),
            _ => self.challenge().map(|challenge| challenge.resource.as_str()),
        }
    }

    /// The MPP challenge it answers.
    #[must_use]
    pub const fn challenge(&self) -> Option<&MppChallenge> {
        match self {
            Self::MppCharge(c) => Some(&c.challenge),
            Self::MppProof(p) => Some(&p.challenge),
            Self::MppOpen(o) => Some(&o.challenge),
            Self::MppTopUp(t) => Some(&t.challenge),
            _ => None,
        }
    }

    /// The fees and the end of its Tempo transaction.
    #[must_use]
    pub const fn tempo_terms(&self) -> Option<&TempoTerms> {
        match self {
            Self::TempoTransfer(t) => Some(&t.terms),
            Self::MppCharge(c) => Some(&c.terms),
            Self::MppOpen(o) => Some(&o.terms),
            Self::MppTopUp(t) => Some(&t.terms),
            Self::MppExit(e) => Some(&e.terms),
            _ => None,
        }
    }

    /// Most that the chain may take as a fee in the token that is moved, in base units; nothing
    /// where somebody else pays it, or it is paid in ETH.
    #[must_use]
    pub fn token_fee(&self) -> Option<Amount> {
        self.tempo_terms().filter(|terms| terms.fee_token.is_some()).map(TempoTerms::fee)
    }

    /// From when on what was signed is of no use, where it ends.
    #[must_use]
    pub fn valid_before(&self) -> Option<UnixSeconds> {
        match self {
            Self::X402Exact(x) => Some(x.valid_before),
            _ => self.tempo_terms().map(|terms| terms.valid_before),
        }
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
    let ends_at = if let Payment::MppOpen(open) = payment { open.ends_at.0 } else { 0 };
    let gas_limit = payment.tempo_terms().map_or(0, |terms| terms.gas_limit);
    let times = [intent.created_at.0, intent.expires_at.0, valid_before, ends_at, gas_limit];
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
