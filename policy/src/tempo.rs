//! Tempo transactions, byte for byte: EIP-2718 type `0x76`, as `tempo-primitives`, viem and ox
//! encode it.
//!
//! ```text
//! 0x76 ‖ rlp[ chain id, tip, fee, gas, [[to, value, input]..], access list, nonce key, nonce,
//!             valid before, valid after, fee token, fee payer, authorizations, user signature ]
//! ```
//!
//! Promises: the same transaction gives the same bytes, and every field is in what is signed.
//! Whoever signs knows the hash of the transaction to come, and so the id of the channel that
//! it opens, before there is a signature.
//!
//! Refuses, because no type here can say it: value (Tempo has no native coin to move), contract
//! creation, access lists, EIP-7702 authorizations, authorizations of access keys beside the calls,
//! signing by one, and signing as anybody's fee payer. What a wallet signs begins with `0x76`; a fee payer's preimage begins with `0x78`.
//!
//! Does not protect against: a transaction that the chain refuses, such as one without calls or
//! with an expiring nonce beyond its window. That is for whoever puts one together.

pub mod calls;
mod encoding;
pub mod gas;
pub mod keychain;

use std::num::NonZeroU64;

use alloy_primitives::{Address, B256, Bytes, U256, address, keccak256};

pub use calls::{transfer, transfer_with_memo};

use crate::payload::WalletSignature;
use encoding::{FeeFields, FeePayer};

/// EIP-2718 type of a Tempo transaction.
pub const TRANSACTION_TYPE: u8 = 0x76;
/// First byte of the envelope that hands a sponsored transaction to its sponsor. Not a type that
/// the chain takes.
pub const SPONSORED_ENVELOPE_TYPE: u8 = 0x78;
/// Nonce key of transactions that are told apart by their hash and end by their time (TIP-1009).
pub const EXPIRING_NONCE_KEY: U256 = U256::MAX;
/// The TIP-20 channel reserve (TIP-1034): the same address on every Tempo chain.
pub const CHANNEL_RESERVE: Address = address!("0x4D50500000000000000000000000000000000000");

/// One call. It carries no value: Tempo refuses value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Who is called.
    pub to: Address,
    /// Call data.
    pub input: Bytes,
}

/// Who pays the fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fee {
    /// The sender.
    Wallet {
        /// In which TIP-20 token. Always named: what the chain picks by itself depends on state.
        token: Address,
    },
    /// Somebody who signs after the sender and picks the token.
    Sponsor,
}

/// A transaction of one wallet, its calls all or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TempoTransaction {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Attodollars per gas.
    pub max_priority_fee_per_gas: u128,
    /// Attodollars per gas.
    pub max_fee_per_gas: u128,
    /// Gas.
    pub gas_limit: u64,
    /// In order.
    pub calls: Vec<Call>,
    /// 0 is the account's own nonce, [`EXPIRING_NONCE_KEY`] none at all, the rest are lanes.
    pub nonce_key: U256,
    /// The nonce within the lane; 0 with [`EXPIRING_NONCE_KEY`].
    pub nonce: u64,
    /// Unix seconds. The block's time must be earlier.
    pub valid_before: Option<NonZeroU64>,
    /// Unix seconds. The block's time must not be earlier.
    pub valid_after: Option<NonZeroU64>,
    /// Who pays the fee.
    pub fee: Fee,
}

/// A transaction with its sender's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTempo {
    /// The transaction (`0x76`), or the envelope for its sponsor (`0x78`).
    pub raw: Bytes,
    /// The hash of the transaction. None when sponsored: the sponsor's signature enters it.
    pub hash: Option<B256>,
}

impl TempoTransaction {
    /// What Keccak-256 is taken of for the sender's signature. With a sponsor it leaves the fee
    /// token open and has a placeholder for the sponsor.
    #[must_use]
    pub fn preimage(&self) -> Vec<u8> {
        let fee = match self.fee {
            Fee::Wallet { token } => FeeFields::wallet(token),
            Fee::Sponsor => FeeFields { token: None, payer: FeePayer::Placeholder },
        };
        encoding::encode(TRANSACTION_TYPE, self, fee, None)
    }

    /// The hash by which the chain knows the transaction before it is signed (TIP-1009), and from
    /// which TIP-1034 derives the ids of the channels that it opens:
    /// `keccak256(preimage ‖ sender)`, with and without a sponsor.
    #[must_use]
    pub fn expiring_nonce_hash(&self, sender: Address) -> B256 {
        let mut bytes = self.preimage();
        bytes.extend_from_slice(sender.as_slice());
        keccak256(bytes)
    }

    /// Puts the sender's signature to the transaction: 65 bytes, `v` 27 or 28, no type byte.
    /// The caller has recovered `sender` from it over the hash of [`preimage`](Self::preimage).
    #[must_use]
    pub fn attach(&self, sender: Address, signature: &WalletSignature) -> SignedTempo {
        match self.fee {
            Fee::Wallet { token } => {
                let fee = FeeFields::wallet(token);
                let raw = encoding::encode(TRANSACTION_TYPE, self, fee, Some(signature));
                SignedTempo { hash: Some(keccak256(&raw)), raw: raw.into() }
            }
            Fee::Sponsor => {
                let fee = FeeFields { token: None, payer: FeePayer::Sender(sender) };
                let raw = encoding::encode(SPONSORED_ENVELOPE_TYPE, self, fee, Some(signature));
                SignedTempo { raw: raw.into(), hash: None }
            }
        }
    }
}

#[cfg(test)]
mod tests;
