//! What an agent asks for on Tempo: transfers, MPP charges, the life of an MPP channel, and keys of
//! others that the chain lets open channels.
//!
//! Promises: an intent fixes every byte that is signed. It needs no account nonce
//! ([`TempoNonce`]) and fees are bounded by ceilings, so nothing is left for a courier to choose,
//! and both nodes derive the same transaction from the intent alone.
//!
//! Refuses: fees and gas above the ceilings of [`crate::tempo::gas`], a validity beyond
//! [`EXPIRING_SECONDS_MAX`] or [`LANE_SECONDS_MAX`], a fee in another token than the payment's, a
//! realm that is not the host of the resource, splits that leave the primary payee nothing, and
//! what `session` refuses of channels.
//!
//! Does not protect against: a service that takes the money and delivers nothing. A charge is
//! paid once; of a channel the deposit is the most that can be lost.

mod access_key;
mod session;

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use super::{CLOCK_SKEW_SECONDS_MAX, Service, check_payee};
use crate::chain::{Asset, Chain, Family};
use crate::intent::PaymentIntent;
use crate::money::Amount;
use crate::refusal::{FeeField, Refusal};
use crate::tempo::gas;
use crate::time::UnixSeconds;

pub use access_key::{KEY_PERIOD_SECONDS_MIN, KeyLimits, KeyStep, TempoAccessKey};
pub use session::{
    ExitChannel, ExitStep, MppClose, MppExit, MppOpen, MppTopUp, MppVoucher, SESSION_SECONDS_MAX,
    V1_ESCROWS,
};

/// Longest time between an intent's making and the end of a transaction with an expiring nonce, in
/// seconds: Tempo takes none that ends later (TIP-1009).
pub const EXPIRING_SECONDS_MAX: u64 = 30;
/// Longest time between an intent's making and the end of a transaction on a lane, in seconds.
pub const LANE_SECONDS_MAX: u64 = 900;
/// Longest time before its end in which the chain may take a transaction with an expiring nonce, in
/// seconds: three times the widest window that is proposed for it (TIP-1093: 300), and thirty times
/// what TIP-1009 lets it take.
pub const EXPIRING_SEARCH_SECONDS: u64 = 900;
/// Most payees beside the primary one of a charge.
pub const SPLITS_MAX: usize = 10;
/// Longest id of a challenge, and longest realm, in bytes.
pub const CHALLENGE_BYTES_MAX: usize = 256;
/// What a Tempo transaction may cost and when it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TempoTerms {
    /// What keeps the chain from taking it twice.
    pub nonce: TempoNonce,
    /// First second in which the chain no longer takes it (`valid_before`).
    pub valid_before: UnixSeconds,
    /// Gas limit.
    pub gas_limit: u64,
    /// `max_fee_per_gas`, attodollars.
    pub max_fee_per_gas: Amount,
    /// `max_priority_fee_per_gas`, attodollars.
    pub max_priority_fee_per_gas: Amount,
    /// The token the wallet pays the fee in; absent where the service pays it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee_token: Option<Address>,
}

/// How the chain is kept from taking a transaction twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TempoNonce {
    /// The chain remembers the transaction until it ends (TIP-1009). The cheaper one, for at most
    /// [`EXPIRING_SECONDS_MAX`]; the one that services which pay the fee ask for.
    Expiring,
    /// A nonce lane of the intent's own (a 2D nonce), which the chain keeps for good: time for people
    /// to be asked, and a state that tells whether it was used.
    Lane,
}

/// A TIP-20 transfer of the wallet, which the coordinator broadcasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TempoTransfer {
    /// Chain.
    pub chain: Chain,
    /// Token contract.
    pub token: Address,
    /// Payee.
    pub to: Address,
    /// Base units.
    pub amount: Amount,
    /// The memo of `transferWithMemo`; where it is absent, one that names the intent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memo: Option<B256>,
    /// Fees and end.
    pub terms: TempoTerms,
}

/// The challenge that is answered, and the resource that asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MppChallenge {
    /// `id` of the challenge.
    pub id: String,
    /// `realm` of the challenge: the host that was asked.
    pub realm: String,
    /// The URL that was asked for.
    pub resource: String,
    /// Host of the URL, with its port where that is not the scheme's own.
    pub service: Service,
}

/// A payee beside the primary one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// Payee.
    pub to: Address,
    /// Base units.
    pub amount: Amount,
    /// The memo its transfer carries, where the service asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memo: Option<B256>,
}

/// An MPP `charge`: a transfer that carries the attribution memo of its challenge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MppCharge {
    /// Chain.
    pub chain: Chain,
    /// Token contract.
    pub token: Address,
    /// Primary payee, who gets what the splits leave.
    pub to: Address,
    /// Base units, all payees together.
    pub amount: Amount,
    /// Payees beside the primary one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub splits: Vec<Split>,
    /// What is answered.
    pub challenge: MppChallenge,
    /// Fees and end.
    pub terms: TempoTerms,
}

/// An MPP charge of nothing: a signature that shows who asks. Moves no money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MppProof {
    /// Chain.
    pub chain: Chain,
    /// Token the challenge names.
    pub token: Address,
    /// What is answered.
    pub challenge: MppChallenge,
}

impl TempoTerms {
    /// Most that the chain may take as a fee, in base units of a token with 6 decimals.
    #[must_use]
    pub fn fee(&self) -> Amount {
        gas::fee_units(self.gas_limit, self.max_fee_per_gas.base_units())
    }

    /// First second in which the chain takes a transaction on a lane: no earlier than any intent with
    /// such an end is made, less what clocks differ by.
    #[must_use]
    pub const fn lane_begins(&self) -> UnixSeconds {
        let begins = self.valid_before.minus(LANE_SECONDS_MAX).minus(CLOCK_SKEW_SECONDS_MAX);
        if begins.0 == 0 { UnixSeconds(1) } else { begins }
    }
}

impl TempoTransfer {
    pub(super) fn check(&self, intent: &PaymentIntent) -> Result<(), Refusal> {
        check_chain(self.chain)?;
        check_payee(self.to, self.token, self.amount, intent.wallet)?;
        check_terms(intent, &self.terms)
    }
}

impl MppCharge {
    pub(super) fn check(&self, intent: &PaymentIntent) -> Result<(), Refusal> {
        check_chain(self.chain)?;
        self.challenge.check()?;
        check_terms(intent, &self.terms)?;
        if self.splits.len() > SPLITS_MAX {
            return Err(Refusal::TooManySplits { limit: SPLITS_MAX });
        }
        let rest = self.splits.iter().try_fold(self.amount, |rest, split| {
            check_payee(split.to, self.token, split.amount, intent.wallet)?;
            rest.checked_sub(split.amount).ok_or(Refusal::SplitsTakeAll)
        })?;
        if rest == Amount::ZERO && self.amount != Amount::ZERO {
            return Err(Refusal::SplitsTakeAll);
        }
        check_payee(self.to, self.token, rest, intent.wallet)
    }

    /// What the primary payee gets; nothing where the splits take more than there is, which no
    /// checked intent has.
    #[must_use]
    pub fn primary_amount(&self) -> Option<Amount> {
        self.splits.iter().try_fold(self.amount, |rest, split| rest.checked_sub(split.amount))
    }
}

impl MppProof {
    pub(super) fn check(&self) -> Result<(), Refusal> {
        check_chain(self.chain)?;
        self.challenge.check()
    }
}

impl MppChallenge {
    fn check(&self) -> Result<(), Refusal> {
        let host = Service::of(&self.resource)?;
        if host != self.service {
            return Err(Refusal::ServiceIsNotTheHost { service: self.service.clone(), host });
        }
        let fits = |text: &str| !text.is_empty() && text.len() <= CHALLENGE_BYTES_MAX;
        if !fits(&self.id) || !fits(&self.realm) {
            return Err(Refusal::BadChallenge { limit_bytes: CHALLENGE_BYTES_MAX });
        }
        if host.is_realm(&self.realm) {
            Ok(())
        } else {
            let realm = self.realm.chars().take(128).collect();
            Err(Refusal::RealmIsNotTheHost { realm, host })
        }
    }
}

impl Service {
    /// Whether a challenge with this realm may come from here: the host, with or without its port.
    fn is_realm(&self, realm: &str) -> bool {
        let host = match self.as_str().rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => self.as_str(),
        };
        realm == self.as_str() || realm == host
    }
}

fn check_chain(chain: Chain) -> Result<(), Refusal> {
    match chain.family() {
        Family::Tempo => Ok(()),
        Family::Base => Err(Refusal::NotOnThatChain { chain }),
    }
}

fn check_terms(intent: &PaymentIntent, terms: &TempoTerms) -> Result<(), Refusal> {
    check_fee_token(intent, terms)?;
    let valid_before = terms.valid_before;
    let limit = intent.created_at.plus(match terms.nonce {
        TempoNonce::Expiring => EXPIRING_SECONDS_MAX,
        TempoNonce::Lane => LANE_SECONDS_MAX,
    });
    if valid_before > limit {
        return Err(Refusal::ValidityTooLong { valid_before, limit });
    }
    if valid_before <= intent.created_at {
        return Err(Refusal::NeverValid { valid_before });
    }
    let (fee, tip) = (terms.max_fee_per_gas, terms.max_priority_fee_per_gas);
    let most = Amount::from_base_units(gas::MAX_FEE_PER_GAS_MAX);
    ceiling(FeeField::GasLimit, terms.gas_limit.into(), gas::TRANSACTION_GAS_MAX.into())?;
    ceiling(FeeField::MaxFeePerGas, fee.base_units(), most.base_units())?;
    let most_tip = fee.base_units().min(gas::MAX_PRIORITY_FEE_PER_GAS_MAX);
    ceiling(FeeField::MaxPriorityFeePerGas, tip.base_units(), most_tip)?;
    ceiling(FeeField::Fee, terms.fee().base_units(), gas::FEE_UNITS_MAX)
}

/// A fee is bounded in base units, which are worth what is known only of known tokens; and it is
/// counted with the payment, in the same token, so that what rules say of that one holds for both.
fn check_fee_token(intent: &PaymentIntent, terms: &TempoTerms) -> Result<(), Refusal> {
    let Some(fee_token) = terms.fee_token else { return Ok(()) };
    let (chain, token) = (intent.payment.chain(), intent.payment.token());
    Asset::find(chain, fee_token).map_err(|_| Refusal::UnknownAsset { chain, token: fee_token })?;
    if fee_token == token { Ok(()) } else { Err(Refusal::OtherFeeToken { token, fee_token }) }
}

fn ceiling(field: FeeField, asked: u128, limit: u128) -> Result<(), Refusal> {
    if asked <= limit {
        return Ok(());
    }
    Err(Refusal::FeeTooHigh { field, asked: asked.to_string(), limit: limit.to_string() })
}
