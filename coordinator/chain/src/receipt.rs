//! Receipts, and the pure check that one of them shows a payment.

use alloy_network::AnyNetwork;
use alloy_network::primitives::ReceiptResponse as _;
use alloy_primitives::{Address, B256, Log, LogData, U256};
use alloy_provider::Network;
use alloy_sol_types::SolEvent as _;
use serde::{Deserialize, Serialize};
use tercet_policy::money::Amount;

use crate::usdc::Usdc::{AuthorizationUsed, Transfer};

/// A mined transaction's receipt: the part that evidence needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The transaction.
    pub tx: B256,
    /// Height of its block.
    pub block_number: u64,
    /// Hash of its block.
    pub block_hash: B256,
    /// Who sent it.
    pub from: Address,
    /// Whether it succeeded (EIP-658).
    pub succeeded: bool,
    /// Its logs, in order.
    pub logs: Vec<ReceiptLog>,
}

/// A log with its place in the block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptLog {
    /// Place in the block, counted from 0.
    pub index: u64,
    /// Emitter, topics and data.
    pub log: Log<LogData>,
}

/// An EIP-3009 settlement that a receipt should show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedSettlement {
    /// Token contract.
    pub token: Address,
    /// Payer, who signed the authorization.
    pub from: Address,
    /// Payee.
    pub to: Address,
    /// Base units.
    pub value: Amount,
    /// EIP-3009 nonce.
    pub nonce: B256,
}

/// A plain transfer that a receipt should show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedTransfer {
    /// Token contract.
    pub token: Address,
    /// Payer, who sent the transaction.
    pub from: Address,
    /// Payee.
    pub to: Address,
    /// Base units.
    pub value: Amount,
}

/// A token transfer as a log shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferSeen {
    /// Payer.
    pub from: Address,
    /// Payee.
    pub to: Address,
    /// Base units.
    pub value: U256,
}

/// A receipt that shows exactly the expected payment. Only the checks of this module make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettlementProof {
    tx: B256,
    block_number: u64,
    block_hash: B256,
    log_index: u64,
}

impl SettlementProof {
    /// The transaction.
    #[must_use]
    pub const fn tx(&self) -> B256 {
        self.tx
    }

    /// Height of its block.
    #[must_use]
    pub const fn block_number(&self) -> u64 {
        self.block_number
    }

    /// Hash of its block.
    #[must_use]
    pub const fn block_hash(&self) -> B256 {
        self.block_hash
    }

    /// Place of the `Transfer` log in the block.
    #[must_use]
    pub const fn log_index(&self) -> u64 {
        self.log_index
    }
}

/// Why a receipt does not show the payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// The transaction failed.
    #[error("the transaction failed")]
    Reverted,
    /// The nonce was not used in it: another payment's receipt.
    #[error("the authorization was not used in this transaction")]
    NotUsed,
    /// The nonce was used, and what moved is something else.
    #[error("the authorization was used, but the transfer that followed is not the expected one")]
    OtherTransfer {
        /// What moved instead, if anything.
        found: Option<TransferSeen>,
    },
    /// No such transfer is in it.
    #[error("the expected transfer is not in this transaction")]
    NoTransfer,
}

/// Checks that `receipt` shows exactly this settlement: `AuthorizationUsed(from, nonce)` of the
/// token, and as the token's next log `Transfer(from, to, value)`, which is how USDC emits them
/// (`EIP3009._transferWithAuthorization`). In a transaction that settles several authorizations,
/// another one's transfer does not count.
///
/// # Errors
/// [`Unproven`] with what is missing.
pub fn verify_settlement(
    receipt: &Receipt,
    expected: &ExpectedSettlement,
) -> Result<SettlementProof, Unproven> {
    if !receipt.succeeded {
        return Err(Unproven::Reverted);
    }
    let mut of_token = receipt.logs.iter().filter(|entry| entry.log.address == expected.token);
    of_token.find(|entry| uses(entry, expected)).ok_or(Unproven::NotUsed)?;
    let next = of_token.next();
    let found = next.and_then(transfer);
    let wanted = TransferSeen {
        from: expected.from,
        to: expected.to,
        value: U256::from(expected.value.base_units()),
    };
    match (next, found) {
        (Some(entry), Some(seen)) if seen == wanted => Ok(receipt.proof(entry.index)),
        _ => Err(Unproven::OtherTransfer { found }),
    }
}

/// Checks that `receipt` is of a transaction of the payer's and shows exactly this transfer.
///
/// # Errors
/// [`Unproven`] with what is missing.
pub fn verify_transfer(
    receipt: &Receipt,
    expected: &ExpectedTransfer,
) -> Result<SettlementProof, Unproven> {
    if !receipt.succeeded {
        return Err(Unproven::Reverted);
    }
    let wanted = TransferSeen {
        from: expected.from,
        to: expected.to,
        value: U256::from(expected.value.base_units()),
    };
    receipt
        .logs
        .iter()
        .filter(|entry| receipt.from == expected.from && entry.log.address == expected.token)
        .find(|entry| transfer(entry) == Some(wanted))
        .map(|entry| receipt.proof(entry.index))
        .ok_or(Unproven::NoTransfer)
}

/// Every transfer of `token` that `receipt` shows, each with its place in the block; none where
/// the transaction failed. Who sent the transaction makes no difference: an authorization is
/// settled by whoever holds it.
#[must_use]
pub fn token_transfers(receipt: &Receipt, token: Address) -> Vec<(u64, TransferSeen)> {
    let of_token = receipt.logs.iter().filter(|entry| entry.log.address == token);
    let seen = of_token.filter_map(|entry| Some((entry.index, transfer(entry)?)));
    seen.filter(|_| receipt.succeeded).collect()
}

fn uses(entry: &ReceiptLog, expected: &ExpectedSettlement) -> bool {
    AuthorizationUsed::decode_log(&entry.log)
        .is_ok_and(|used| used.authorizer == expected.from && used.nonce == expected.nonce)
}

fn transfer(entry: &ReceiptLog) -> Option<TransferSeen> {
    let seen = Transfer::decode_log(&entry.log).ok()?.data;
    Some(TransferSeen { from: seen.from, to: seen.to, value: seen.value })
}

impl Receipt {
    /// Takes the parts from an endpoint's answer; nothing, where the answer is not of a mined
    /// transaction.
    pub(crate) fn from_answer(answer: &<AnyNetwork as Network>::ReceiptResponse) -> Option<Self> {
        let logs =
            answer.inner.inner.logs().iter().map(|entry| {
                Some(ReceiptLog { index: entry.log_index?, log: entry.inner.clone() })
            });
        Some(Self {
            tx: answer.transaction_hash(),
            block_number: answer.block_number()?,
            block_hash: answer.block_hash()?,
            from: answer.from(),
            succeeded: answer.status(),
            logs: logs.collect::<Option<_>>()?,
        })
    }

    const fn proof(&self, log_index: u64) -> SettlementProof {
        SettlementProof {
            tx: self.tx,
            block_number: self.block_number,
            block_hash: self.block_hash,
            log_index,
        }
    }
}

#[cfg(test)]
mod tests;
