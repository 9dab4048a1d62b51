//! What only the chain can tell of a payment, and what follows from the intent alone.
//!
//! Promises: whatever can be derived from an intent is derived here, the same by everybody who has
//! it: nonces, lanes and the times of a Tempo transaction.

use alloy_primitives::{Address, B256, U256, keccak256};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::chain::Chain;
use crate::intent::{
    AuthenticIntent, EXPIRING_SEARCH_SECONDS, IntentId, Payment, PaymentIntent, TempoNonce,
    TempoTerms,
};
use crate::money::Amount;
use crate::tempo::EXPIRING_NONCE_KEY;
use crate::time::UnixSeconds;

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
            // A lane bounds no time by itself, and whoever looks for it has to know where to begin.
            (lane(chain, intent.wallet, &intent.id), terms.lane_begins())
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

/// A second of the last half year before the intent's making. The chain refuses the second of two
/// like transactions with an expiring nonce; intents differ, and so do these.
fn mark_of(intent: &PaymentIntent) -> UnixSeconds {
    let [a, b, c, ..]: [u8; 32] = Sha256::digest(intent.id.0).into();
    let back = u64::from(u32::from_be_bytes([0, a, b, c])).saturating_add(1);
    UnixSeconds(intent.created_at.minus(back).0.max(1))
}
