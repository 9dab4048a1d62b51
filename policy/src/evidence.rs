//! What the chain must show before a reservation is given back or a payment is called settled.
//!
//! Promises: a [`VoidProof`] says that the chain can never move this money again, and a
//! [`SettledProof`] that it moved. Both are made only from facts at a safe block that fit the
//! row they are about, and nothing else changes what a ledger counts. A [`DepositedProof`] says that
//! a deposit is in its channel: from then on nothing proves that it never was.
//!
//! Refuses: an authorization that is used, or whose time is not over by the block's own clock;
//! a nonce taken by a transaction with the same effect that succeeded; facts of another wallet,
//! token or nonce; anything younger than the safe block.
//!
//! Does not protect against: a reader that lies. Whoever makes a [`SafeBlock`] and the facts
//! beside it must have asked a quorum of endpoints.

mod access_key;
mod deposited;
mod fee;
mod tempo;

use alloy_primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, Serialize};

use crate::intent::IntentId;
use crate::money::Amount;
use crate::party::AgentId;
use crate::payload::transfer_input;
use crate::proposal::{ChainTerms, Slot};
use crate::rows::{PaymentKind, SpendRow};
use crate::time::UnixSeconds;

pub use access_key::KeyLog;
pub use deposited::{ChannelDeposit, DepositedProof};
pub use fee::{FeeProof, FeeReceipt};
pub use tempo::{ClosedChannel, NotSeen, TokenMovement};

/// A block that the chain will not take back, as a quorum of endpoints names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SafeBlock {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
    /// Its timestamp.
    pub timestamp: UnixSeconds,
}

/// A mined transaction of a wallet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinedTransaction {
    /// Its hash.
    pub hash: B256,
    /// Its sender.
    pub from: Address,
    /// The sender's account nonce in it.
    pub nonce: u64,
    /// Whom it calls; nobody if it makes a contract.
    pub to: Option<Address>,
    /// Wei it carries.
    pub value: U256,
    /// Call data.
    pub input: Bytes,
    /// Whether its receipt says success.
    pub succeeded: bool,
    /// Number of the block it is in.
    pub block: u64,
}

/// A settled authorization, put together from the `AuthorizationUsed` and `Transfer` logs of
/// one transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedAuthorization {
    /// The token contract that wrote the logs.
    pub token: Address,
    /// Who paid.
    pub from: Address,
    /// Who was paid.
    pub to: Address,
    /// How much, in base units.
    pub value: Amount,
    /// The EIP-3009 nonce.
    pub nonce: B256,
    /// The transaction.
    pub transaction: B256,
    /// Number of the block it is in.
    pub block: u64,
}

/// An `AuthorizationCanceled` log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelledAuthorization {
    /// The token contract that wrote it.
    pub token: Address,
    /// Whose authorization.
    pub authorizer: Address,
    /// The EIP-3009 nonce.
    pub nonce: B256,
    /// The transaction.
    pub transaction: B256,
    /// Number of the block it is in.
    pub block: u64,
}

/// Why facts prove nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoProof {
    /// The row is of a kind that this fact says nothing about.
    #[error("this fact says nothing about a payment of that kind")]
    OtherKind,
    /// The fact is about another wallet, token, nonce, payee or amount.
    #[error("the fact is about another payment")]
    OtherPayment,
    /// The fact is in a block after the safe one.
    #[error("the fact is younger than the safe block")]
    NotSafeYet,
    /// The authorization is used (or cancelled; the logs tell which).
    #[error("the authorization is used")]
    Used,
    /// The authorization can still be used.
    #[error("the authorization is usable until {valid_before}; the safe block is at {at}")]
    StillValid {
        /// End of its time.
        valid_before: UnixSeconds,
        /// Time of the safe block.
        at: UnixSeconds,
    },
    /// Too few blocks were looked through.
    #[error("blocks from {from} on are too few: it could be mined before")]
    SearchedTooLittle {
        /// Time of the first block that was.
        from: UnixSeconds,
    },
    /// The transaction has the payment's own effect, and succeeded.
    #[error("the payment itself was mined")]
    ItWasThePayment,
    /// The transaction was reverted, or does something else.
    #[error("the mined transaction did not make this payment")]
    NotThePayment,
    /// More was taken as a fee than was signed for, which the chain cannot do.
    #[error("a fee of {taken} base units is above the {ceiling} that were signed")]
    FeeAboveCeiling {
        /// The ceiling, in base units.
        ceiling: Amount,
        /// What was taken, by that receipt.
        taken: Amount,
    },
}

/// How it is known that a payment can never happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VoidProof {
    intent: IntentId,
    agent: AgentId,
    reason: VoidReason,
    at: SafeBlock,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fee: Option<FeeProof>,
}

/// The ways in which a payment can be impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case", deny_unknown_fields)]
pub enum VoidReason {
    /// Unused when its time was over.
    AuthorizationExpired,
    /// Cancelled on chain.
    AuthorizationCancelled {
        /// The cancelling transaction.
        transaction: B256,
    },
    /// Another transaction took the account nonce.
    NonceTaken {
        /// That transaction.
        transaction: B256,
    },
    /// Its transaction was not mined while it could be, or did nothing.
    NeverMined,
    /// The payment was mined and reverted.
    Reverted {
        /// The reverted transaction.
        transaction: B256,
    },
}

impl VoidProof {
    /// An x402 authorization is dead: not used at a safe block whose time is `validBefore` or
    /// later (EIP-3009 demands `now < validBefore`).
    ///
    /// # Errors
    /// [`NoProof`] when it is used, can still be used, or the row is no authorization.
    pub fn eip3009(
        row: &SpendRow,
        authorization_used: bool,
        at: SafeBlock,
    ) -> Result<Self, NoProof> {
        let (PaymentKind::X402Exact, ChainTerms::Eip3009 { valid_before, .. }) =
            (row.kind, &row.terms)
        else {
            return Err(NoProof::OtherKind);
        };
        if authorization_used {
            return Err(NoProof::Used);
        }
        if at.timestamp < *valid_before {
            let valid_before = *valid_before;
            return Err(NoProof::StillValid { valid_before, at: at.timestamp });
        }
        Ok(Self::new(row, VoidReason::AuthorizationExpired, at))
    }

    /// An x402 authorization is dead: its cancellation is on chain.
    ///
    /// # Errors
    /// [`NoProof`] when the log is of another authorization or not in a safe block.
    pub fn eip3009_cancelled(
        row: &SpendRow,
        log: &CancelledAuthorization,
        at: SafeBlock,
    ) -> Result<Self, NoProof> {
        check_authorization(row, log.token, log.authorizer, log.nonce)?;
        check_depth(log.block, at)?;
        let reason = VoidReason::AuthorizationCancelled { transaction: log.transaction };
        Ok(Self::new(row, reason, at))
    }

    /// A transfer is dead: a safe block holds a transaction with its account nonce that does
    /// something else, or that is the transfer and was reverted.
    ///
    /// # Errors
    /// [`NoProof`] when the transaction is the payment itself (whatever its fee), has another
    /// sender or nonce, or is not in a safe block.
    pub fn account_nonce(
        row: &SpendRow,
        mined: &MinedTransaction,
        at: SafeBlock,
    ) -> Result<Self, NoProof> {
        check_account(row, mined, at)?;
        let transaction = mined.hash;
        let reason = match (has_effect_of(row, mined), mined.succeeded) {
            (true, true) => return Err(NoProof::ItWasThePayment),
            (true, false) => VoidReason::Reverted { transaction },
            (false, _) => VoidReason::NonceTaken { transaction },
        };
        Ok(Self::new(row, reason, at))
    }

    fn new(row: &SpendRow, reason: VoidReason, at: SafeBlock) -> Self {
        Self { intent: row.intent, agent: row.agent.clone(), reason, at, fee: None }
    }

    /// The intent whose payment cannot happen.
    #[must_use]
    pub const fn intent(&self) -> IntentId {
        self.intent
    }

    /// The agent that asked for it.
    #[must_use]
    pub const fn agent(&self) -> &AgentId {
        &self.agent
    }

    /// Why it cannot happen.
    #[must_use]
    pub const fn reason(&self) -> VoidReason {
        self.reason
    }

    /// The safe block at which that was seen.
    #[must_use]
    pub const fn at(&self) -> SafeBlock {
        self.at
    }
}

/// How it is known that a payment happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettledProof {
    intent: IntentId,
    agent: AgentId,
    amount: Amount,
    transaction: B256,
    at: SafeBlock,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fee: Option<FeeProof>,
}

impl SettledProof {
    /// An x402 authorization was used for exactly what was signed.
    ///
    /// # Errors
    /// [`NoProof`] when the logs are of another payment or not in a safe block.
    pub fn eip3009(
        row: &SpendRow,
        used: &UsedAuthorization,
        at: SafeBlock,
    ) -> Result<Self, NoProof> {
        check_authorization(row, used.token, used.from, used.nonce)?;
        if row.recipient != Some(used.to) || row.amount != used.value {
            return Err(NoProof::OtherPayment);
        }
        check_depth(used.block, at)?;
        Ok(Self::new(row, used.transaction, at))
    }

    /// A transfer was mined and succeeded.
    ///
    /// # Errors
    /// [`NoProof`] when the transaction does something else, was reverted, or is not in a safe
    /// block.
    pub fn transfer(
        row: &SpendRow,
        mined: &MinedTransaction,
        at: SafeBlock,
    ) -> Result<Self, NoProof> {
        check_account(row, mined, at)?;
        if !(mined.succeeded && has_effect_of(row, mined)) {
            return Err(NoProof::NotThePayment);
        }
        Ok(Self::new(row, mined.hash, at))
    }

    fn new(row: &SpendRow, transaction: B256, at: SafeBlock) -> Self {
        let (intent, agent, amount) = (row.intent, row.agent.clone(), row.amount);
        Self { intent, agent, amount, transaction, at, fee: None }
    }

    /// The intent that was paid.
    #[must_use]
    pub const fn intent(&self) -> IntentId {
        self.intent
    }

    /// The agent that asked for it.
    #[must_use]
    pub const fn agent(&self) -> &AgentId {
        &self.agent
    }

    /// What moved, in base units.
    #[must_use]
    pub const fn amount(&self) -> Amount {
        self.amount
    }

    /// The transaction that moved it.
    #[must_use]
    pub const fn transaction(&self) -> B256 {
        self.transaction
    }

    /// The safe block at which that was seen.
    #[must_use]
    pub const fn at(&self) -> SafeBlock {
        self.at
    }
}

fn check_authorization(
    row: &SpendRow,
    log_token: Address,
    log_wallet: Address,
    log_nonce: B256,
) -> Result<(), NoProof> {
    let (PaymentKind::X402Exact, Slot::Eip3009 { wallet, token, nonce, .. }) =
        (row.kind, &row.slot)
    else {
        return Err(NoProof::OtherKind);
    };
    if (*token, *wallet, *nonce) == (log_token, log_wallet, log_nonce) {
        Ok(())
    } else {
        Err(NoProof::OtherPayment)
    }
}

fn check_account(row: &SpendRow, mined: &MinedTransaction, at: SafeBlock) -> Result<(), NoProof> {
    let Slot::Account { wallet, nonce, .. } = &row.slot else {
        return Err(NoProof::OtherKind);
    };
    if (*wallet, *nonce) != (mined.from, mined.nonce) {
        return Err(NoProof::OtherPayment);
    }
    check_depth(mined.block, at)
}

const fn check_depth(block: u64, at: SafeBlock) -> Result<(), NoProof> {
    if block <= at.number { Ok(()) } else { Err(NoProof::NotSafeYet) }
}

/// Whether the transaction does what the transfer would have done, at whatever fee.
fn has_effect_of(row: &SpendRow, mined: &MinedTransaction) -> bool {
    row.recipient.is_some_and(|recipient| {
        mined.to == Some(row.token)
            && mined.value.is_zero()
            && mined.input == transfer_input(recipient, row.amount)
    })
}

#[cfg(test)]
mod tests;
