//! An intent together with what only the chain can tell (account nonce, fees), checked against
//! what the courier claims. Everything that will enter the signed bytes is a field here.
//!
//! Promises: a [`Proposal`] differs from its intent in nothing. The courier restates the whole
//! payment in a [`ProposalClaim`]; each field is compared with what this node derives by itself,
//! and the first difference is refused by name.
//!
//! Does not protect against: a courier that picks a useless account nonce or a fee below the
//! market. Such a transaction waits or fails; it cannot pay anything else.

use alloy_primitives::{Address, B256, U256, keccak256};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::chain::Chain;
use crate::document::ContentHash;
use crate::intent::{
    AuthenticIntent, CLOCK_SKEW_SECONDS_MAX, EXPIRING_SEARCH_SECONDS, IntentId, LANE_SECONDS_MAX,
    Payment, PaymentIntent, TempoNonce, TempoTerms,
};
use crate::money::Amount;
use crate::mpp::ChannelId;
use crate::refusal::{ClaimField, FeeField, Refusal};
use crate::rows::PolicyEpochs;
use crate::tempo::EXPIRING_NONCE_KEY;
use crate::time::UnixSeconds;

/// Highest gas limit of a transfer; an ERC-20 transfer of USDC takes about 45,000 to 60,000.
pub const GAS_LIMIT_MAX: u64 = 150_000;
/// Highest `maxFeePerGas`, in wei (50 gwei; Base is usually far below 1).
pub const MAX_FEE_PER_GAS_WEI_MAX: u128 = 50_000_000_000;
/// Highest `maxPriorityFeePerGas`, in wei.
pub const MAX_PRIORITY_FEE_PER_GAS_WEI_MAX: u128 = 5_000_000_000;
/// Highest account nonce (EIP-2681 allows 2^64 - 2; JSON carries 2^53 - 1 exactly).
pub const ACCOUNT_NONCE_MAX: u64 = crate::document::JSON_INTEGER_MAX;

/// What only the chain can tell, and what follows for the bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ChainTerms {
    /// EIP-3009: nothing is left open, so every field is recomputed and compared.
    Eip3009 {
        /// `nonce`, derived from the intent id.
        nonce: B256,
        /// `validAfter`; always 0.
        valid_after: UnixSeconds,
        /// `validBefore`, from the intent.
        valid_before: UnixSeconds,
    },
    /// EIP-1559: the account's next nonce and the fees.
    Eip1559 {
        /// Account nonce.
        nonce: u64,
        /// Gas limit.
        gas_limit: u64,
        /// `maxFeePerGas`, wei.
        max_fee_per_gas: Amount,
        /// `maxPriorityFeePerGas`, wei.
        max_priority_fee_per_gas: Amount,
    },
    /// A Tempo transaction: the intent fixes it all, and what follows for the bytes is recomputed
    /// and compared.
    Tempo {
        /// `nonce_key`: the one of expiring nonces, or the intent's own lane.
        nonce_key: U256,
        /// `valid_after`. On a lane the first moment at which it can be mined; with an expiring
        /// nonce, which bounds that by itself, one that tells like transactions apart.
        valid_after: UnixSeconds,
        /// `valid_before`, from the intent.
        valid_before: UnixSeconds,
    },
    /// Typed data (EIP-712) that is no transaction: nothing is left open.
    TypedData,
}

impl ChainTerms {
    /// The first second of a block in which a Tempo transaction can be mined, by the chain's own
    /// rules and whatever any other clock said; nothing for other terms.
    #[must_use]
    pub fn first_minable(&self) -> Option<UnixSeconds> {
        let Self::Tempo { nonce_key, valid_after, valid_before } = self else { return None };
        let by_nonce = match *nonce_key == EXPIRING_NONCE_KEY {
            true => valid_before.minus(EXPIRING_SEARCH_SECONDS),
            false => UnixSeconds(0),
        };
        Some(by_nonce.max(*valid_after))
    }

    /// Most that the chain may take as a fee in ETH, in wei: gas limit times `maxFeePerGas`. Zero
    /// for an authorization, which costs its wallet nothing, and on Tempo, where fees are paid in
    /// a stablecoin and have a ceiling of their own
    /// ([`FEE_UNITS_MAX`](crate::tempo::gas::FEE_UNITS_MAX)).
    #[must_use]
    pub const fn fee_wei(&self) -> Amount {
        match self {
            Self::Eip3009 { .. } | Self::Tempo { .. } | Self::TypedData => Amount::ZERO,
            Self::Eip1559 { gas_limit, max_fee_per_gas, .. } => Amount::from_base_units(
                max_fee_per_gas.base_units().saturating_mul(*gas_limit as u128),
            ),
        }
    }
}

/// The courier's restatement of a payment. Nothing in it is believed; it is compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposalClaim {
    /// Paying wallet.
    pub wallet: Address,
    /// Chain.
    pub chain: Chain,
    /// Token.
    pub token: Address,
    /// Payee; none for a cancellation.
    pub payee: Option<Address>,
    /// Base units.
    pub amount: Amount,
    /// Terms.
    pub terms: ChainTerms,
    /// Epochs of the documents the courier's preview used.
    pub policies: PolicyEpochs,
}

impl ProposalClaim {
    /// The claim an honest courier makes: the intent's fields, its terms and the
    /// epochs of the policies.
    #[must_use]
    pub fn honest(intent: &AuthenticIntent, terms: ChainTerms, policies: PolicyEpochs) -> Self {
        let payment = &intent.intent().payment;
        Self {
            wallet: intent.intent().wallet,
            chain: payment.chain(),
            token: payment.token(),
            payee: payment.payee(),
            amount: payment.amount(),
            terms,
            policies,
        }
    }
}

/// The EIP-3009 nonce of an intent: unguessable outside, the same for everybody who has the
/// intent, and used up on chain by the first settlement.
#[must_use]
pub fn eip3009_nonce(chain: Chain, token: Address, wallet: Address, intent: &IntentId) -> B256 {
    let mut preimage = b"tercet/eip3009-nonce/v1".to_vec();
    preimage.extend_from_slice(&alloy_primitives::U256::from(chain.id()).to_be_bytes::<32>());
    preimage.extend_from_slice(token.as_slice());
    preimage.extend_from_slice(wallet.as_slice());
    preimage.extend_from_slice(&intent.0);
    keccak256(preimage)
}

/// The terms of an intent that needs nothing from the chain; nothing for a transfer.
#[must_use]
pub fn terms_without_chain(intent: &AuthenticIntent) -> Option<ChainTerms> {
    let wallet = intent.intent().wallet;
    match &intent.intent().payment {
        Payment::X402Exact(x) => Some(ChainTerms::Eip3009 {
            nonce: eip3009_nonce(x.chain, x.token, wallet, &intent.intent().id),
            valid_after: UnixSeconds(0),
            valid_before: x.valid_before,
        }),
        Payment::X402Cancel(c) => Some(ChainTerms::Eip3009 {
            nonce: eip3009_nonce(c.chain, c.token, wallet, &c.cancels),
            valid_after: UnixSeconds(0),
            valid_before: UnixSeconds(0),
        }),
        Payment::MppProof(_) | Payment::MppVoucher(_) | Payment::MppClose(_) => {
            Some(ChainTerms::TypedData)
        }
        payment => payment.tempo_terms().map(|terms| tempo_terms(intent.intent(), terms)),
    }
}

/// The terms of an intent's Tempo transaction, which follow from the intent alone: known before
/// anybody has signed it. Nothing for other payments.
#[must_use]
pub fn tempo_terms_of(intent: &PaymentIntent) -> Option<ChainTerms> {
    intent.payment.tempo_terms().map(|terms| tempo_terms(intent, terms))
}

/// What follows for the bytes of an intent's Tempo transaction.
fn tempo_terms(intent: &PaymentIntent, terms: &TempoTerms) -> ChainTerms {
    let chain = intent.payment.chain();
    let (nonce_key, valid_after) = match terms.nonce {
        TempoNonce::Expiring => (EXPIRING_NONCE_KEY, mark_of(intent)),
        TempoNonce::Lane => {
            (lane(chain, intent.wallet, &intent.id), lane_begin(terms.valid_before))
        }
    };
    ChainTerms::Tempo { nonce_key, valid_after, valid_before: terms.valid_before }
}

/// The nonce lane of an intent: its own, so that its first nonce is used by nothing else.
#[must_use]
pub fn lane(chain: Chain, wallet: Address, intent: &IntentId) -> U256 {
    let mut preimage = b"tercet/tempo-lane/v1".to_vec();
    preimage.extend_from_slice(&U256::from(chain.id()).to_be_bytes::<32>());
    preimage.extend_from_slice(wallet.as_slice());
    preimage.extend_from_slice(&intent.0);
    let mut key = keccak256(preimage).0;
    // Neither the account's nonce (0) nor the expiring one (all bits set).
    let [first, .., last] = &mut key;
    *first &= 0x7f;
    *last |= 1;
    U256::from_be_bytes(key)
}

/// When the chain takes a transaction on a lane at the earliest: a lane bounds no time by itself,
/// and whoever looks for the transaction has to know where to begin. No earlier than any intent
/// with such an end is made, less what clocks differ by.
fn lane_begin(valid_before: UnixSeconds) -> UnixSeconds {
    let begin = valid_before.minus(LANE_SECONDS_MAX).minus(CLOCK_SKEW_SECONDS_MAX);
    begin.max(UnixSeconds(1))
}

/// A second of the last half year before the intent's making. The chain refuses the second of two
/// like transactions with an expiring nonce; intents differ, and so do these.
fn mark_of(intent: &PaymentIntent) -> UnixSeconds {
    let [a, b, c, ..]: [u8; 32] = Sha256::digest(intent.id.0).into();
    let back = u64::from(u32::from_be_bytes([0, a, b, c])).saturating_add(1);
    UnixSeconds(intent.created_at.minus(back).0.max(1))
}

/// Something that can only ever hold one digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Slot {
    /// An EIP-3009 nonce of a wallet in a token.
    Eip3009 {
        /// Wallet.
        wallet: Address,
        /// Chain.
        chain: Chain,
        /// Token.
        token: Address,
        /// Nonce.
        nonce: B256,
    },
    /// An account nonce of a wallet.
    Account {
        /// Wallet.
        wallet: Address,
        /// Chain.
        chain: Chain,
        /// Nonce.
        nonce: u64,
    },
    /// The first nonce of a lane of a wallet.
    TempoLane {
        /// Wallet.
        wallet: Address,
        /// Chain.
        chain: Chain,
        /// `nonce_key`.
        nonce_key: U256,
    },
    /// The one transaction with an expiring nonce that an intent has.
    TempoExpiring {
        /// Wallet.
        wallet: Address,
        /// Chain.
        chain: Chain,
        /// The intent.
        intent: IntentId,
    },
    /// The answer to one challenge that asks for a proof.
    Proof {
        /// Wallet.
        wallet: Address,
        /// Chain.
        chain: Chain,
        /// The intent.
        intent: IntentId,
    },
    /// One voucher of a channel: so much in all, and its place is above every other before it.
    Voucher {
        /// Chain.
        chain: Chain,
        /// Channel.
        channel: ChannelId,
        /// Base units in all.
        cumulative: Amount,
    },
    /// The agreed end of a channel.
    Close {
        /// Chain.
        chain: Chain,
        /// Channel.
        channel: ChannelId,
    },
}

impl Slot {
    /// The slot that an intent with these terms fills.
    #[must_use]
    pub fn of(intent: &PaymentIntent, terms: &ChainTerms) -> Self {
        let PaymentIntent { wallet, id, payment, .. } = intent;
        let (wallet, intent) = (*wallet, *id);
        let (chain, token) = (payment.chain(), payment.token());
        match (terms, payment) {
            (ChainTerms::Eip3009 { nonce, .. }, _) => {
                Self::Eip3009 { wallet, chain, token, nonce: *nonce }
            }
            (ChainTerms::Eip1559 { nonce, .. }, _) => {
                Self::Account { wallet, chain, nonce: *nonce }
            }
            (ChainTerms::Tempo { nonce_key, .. }, _) if *nonce_key == EXPIRING_NONCE_KEY => {
                Self::TempoExpiring { wallet, chain, intent }
            }
            (ChainTerms::Tempo { nonce_key, .. }, _) => {
                Self::TempoLane { wallet, chain, nonce_key: *nonce_key }
            }
            (ChainTerms::TypedData, Payment::MppVoucher(voucher)) => {
                let channel = voucher.channel.channel_id(chain.id());
                Self::Voucher { chain, channel, cumulative: voucher.cumulative }
            }
            (ChainTerms::TypedData, Payment::MppClose(close)) => {
                Self::Close { chain, channel: close.channel.channel_id(chain.id()) }
            }
            (ChainTerms::TypedData, _) => Self::Proof { wallet, chain, intent },
        }
    }
}

impl std::fmt::Display for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Eip3009 { wallet, chain, token, nonce } => {
                write!(f, "eip3009/{chain}/{token}/{wallet}/{nonce}")
            }
            Self::Account { wallet, chain, nonce } => write!(f, "account/{chain}/{wallet}/{nonce}"),
            Self::TempoLane { wallet, chain, nonce_key } => {
                write!(f, "tempo-lane/{chain}/{wallet}/{nonce_key:#x}")
            }
            Self::TempoExpiring { wallet, chain, intent } => {
                write!(f, "tempo-expiring/{chain}/{wallet}/{intent}")
            }
            Self::Proof { wallet, chain, intent } => write!(f, "proof/{chain}/{wallet}/{intent}"),
            Self::Voucher { chain, channel, cumulative } => {
                write!(f, "voucher/{chain}/{channel}/{cumulative}")
            }
            Self::Close { chain, channel } => write!(f, "close/{chain}/{channel}"),
        }
    }
}

/// An intent with terms, in which nothing differs from what the agent signed.
#[derive(Debug, PartialEq, Eq)]
pub struct Proposal {
    intent: AuthenticIntent,
    terms: ChainTerms,
    policies: PolicyEpochs,
}

impl Proposal {
    /// Compares the courier's claim with the intent, field by field, and takes over the terms.
    ///
    /// # Errors
    /// [`Refusal::ClaimMismatch`] with the first field that differs, [`Refusal::FeeTooHigh`] for
    /// figures above the ceilings.
    pub fn assemble(intent: AuthenticIntent, claim: &ProposalClaim) -> Result<Self, Refusal> {
        let honest = ProposalClaim::honest(&intent, claim.terms.clone(), claim.policies);
        compare(ClaimField::Wallet, honest.wallet, claim.wallet)?;
        compare(ClaimField::Chain, honest.chain, claim.chain)?;
        compare(ClaimField::Token, honest.token, claim.token)?;
        let payee = |payee: Option<Address>| payee.map_or("none".to_owned(), |p| p.to_string());
        compare(ClaimField::Payee, payee(honest.payee), payee(claim.payee))?;
        compare(ClaimField::Amount, honest.amount, claim.amount)?;
        check_terms(&intent, &claim.terms)?;
        Ok(Self { intent, terms: claim.terms.clone(), policies: claim.policies })
    }

    /// The intent.
    #[must_use]
    pub const fn intent(&self) -> &AuthenticIntent {
        &self.intent
    }

    /// The terms.
    #[must_use]
    pub const fn terms(&self) -> &ChainTerms {
        &self.terms
    }

    /// The epochs the courier previewed with; `admit` compares them with the node's own.
    #[must_use]
    pub const fn policies(&self) -> PolicyEpochs {
        self.policies
    }

    /// The slot this would fill.
    #[must_use]
    pub fn slot(&self) -> Slot {
        Slot::of(self.intent.intent(), &self.terms)
    }

    /// Names this proposal towards the peer: both ends of a signing session must hold the same.
    #[must_use]
    pub fn context_hash(&self) -> ContentHash {
        let mut hasher = Sha256::new();
        hasher.update(b"tercet/proposal/v1\0");
        hasher.update(self.intent.content_hash().0);
        hasher.update(self.slot().to_string());
        if let ChainTerms::Eip1559 {
            gas_limit, max_fee_per_gas, max_priority_fee_per_gas, ..
        } = &self.terms
        {
            hasher.update(gas_limit.to_be_bytes());
            hasher.update(max_fee_per_gas.base_units().to_be_bytes());
            hasher.update(max_priority_fee_per_gas.base_units().to_be_bytes());
        }
        ContentHash(hasher.finalize().into())
    }
}

fn compare<T: PartialEq + ToString>(
    field: ClaimField,
    actual: T,
    claimed: T,
) -> Result<(), Refusal> {
    if actual == claimed {
        return Ok(());
    }
    let (actual, claimed) = (actual.to_string(), claimed.to_string());
    Err(Refusal::ClaimMismatch { field, actual, claimed })
}

fn check_terms(intent: &AuthenticIntent, claimed: &ChainTerms) -> Result<(), Refusal> {
    match (terms_without_chain(intent), claimed) {
        (
            Some(ChainTerms::Eip3009 { nonce, valid_after, valid_before }),
            ChainTerms::Eip3009 { nonce: n, valid_after: a, valid_before: b },
        ) => {
            compare(ClaimField::Nonce, nonce, *n)?;
            compare(ClaimField::ValidAfter, valid_after, *a)?;
            compare(ClaimField::ValidBefore, valid_before, *b)
        }
        (
            Some(ChainTerms::Tempo { nonce_key, valid_after, valid_before }),
            ChainTerms::Tempo { nonce_key: n, valid_after: a, valid_before: b },
        ) => {
            compare(ClaimField::Nonce, nonce_key, *n)?;
            compare(ClaimField::ValidAfter, valid_after, *a)?;
            compare(ClaimField::ValidBefore, valid_before, *b)
        }
        (Some(ChainTerms::TypedData), ChainTerms::TypedData) => Ok(()),
        (None, ChainTerms::Eip1559 { .. }) => check_fees(claimed),
        (expected, _) => Err(Refusal::ClaimMismatch {
            field: ClaimField::TermsKind,
            actual: expected.as_ref().map_or("eip1559", terms_word).to_owned(),
            claimed: terms_word(claimed).to_owned(),
        }),
    }
}

const fn terms_word(terms: &ChainTerms) -> &'static str {
    match terms {
        ChainTerms::Eip3009 { .. } => "eip3009",
        ChainTerms::Eip1559 { .. } => "eip1559",
        ChainTerms::Tempo { .. } => "tempo",
        ChainTerms::TypedData => "typed_data",
    }
}

fn check_fees(terms: &ChainTerms) -> Result<(), Refusal> {
    let ChainTerms::Eip1559 { nonce, gas_limit, max_fee_per_gas, max_priority_fee_per_gas } = terms
    else {
        return Ok(());
    };
    let fee = max_fee_per_gas.base_units();
    let tip = max_priority_fee_per_gas.base_units();
    ceiling(FeeField::Nonce, u128::from(*nonce), u128::from(ACCOUNT_NONCE_MAX))?;
    ceiling(FeeField::GasLimit, u128::from(*gas_limit), u128::from(GAS_LIMIT_MAX))?;
    ceiling(FeeField::MaxFeePerGas, fee, MAX_FEE_PER_GAS_WEI_MAX)?;
    ceiling(FeeField::MaxPriorityFeePerGas, tip, MAX_PRIORITY_FEE_PER_GAS_WEI_MAX.min(fee))
}

fn ceiling(field: FeeField, asked: u128, limit: u128) -> Result<(), Refusal> {
    if asked <= limit {
        return Ok(());
    }
    Err(Refusal::FeeTooHigh { field, asked: asked.to_string(), limit: limit.to_string() })
}

#[cfg(test)]
mod tests;
