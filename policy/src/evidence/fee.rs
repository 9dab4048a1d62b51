//! What the chain took as the fee of a Tempo transaction, where the wallet pays it.
//!
//! Promises: a [`FeeProof`] is at most the ceiling that was signed, is of a transaction of the row's
//! wallet in a safe block, or says that nothing was taken because nothing was mined. Who pays, and
//! in which token, is known from the row alone: admission lets no fee be paid in another token than
//! the payment's, and a receipt's word for a fee payer is not asked for.
//!
//! Refuses: a fee above the ceiling. The chain cannot take more than was signed, so such a receipt
//! is of something else or a lie, and nothing in it is believed: the ceiling counts on.
//!
//! Does not protect against: a reader that asks no quorum, and one that names another transaction
//! of the same wallet.

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use super::tempo::check_over;
use super::{NoProof, NotSeen, SafeBlock, SettledProof, VoidProof, VoidReason, check_depth};
use crate::intent::IntentId;
use crate::money::Amount;
use crate::rows::SpendRow;
use crate::tempo::gas::fee_units;

/// A mined Tempo transaction and what it used, by its receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeReceipt {
    /// The transaction.
    pub transaction: B256,
    /// Its sender.
    pub from: Address,
    /// Number of the block it is in.
    pub block: u64,
    /// Whether it succeeded. One that failed moved nothing and took its fee all the same.
    pub succeeded: bool,
    /// Gas.
    pub gas_used: u64,
    /// Attodollars per gas (`effectiveGasPrice`).
    pub gas_price: u128,
}

/// How it is known what the chain took as the fee of a payment, or of a step that moves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeeProof {
    intent: IntentId,
    units: Amount,
    /// Nothing, where none was mined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transaction: Option<B256>,
    succeeded: bool,
    at: SafeBlock,
}

impl FeeProof {
    /// The row's transaction was mined: gas used times its price, in base units rounded up.
    ///
    /// # Errors
    /// [`NoProof`] where the wallet pays no fee in the token, the transaction is not the wallet's or
    /// not in a safe block, or the fee is above the ceiling.
    pub fn mined(row: &SpendRow, seen: &FeeReceipt, at: SafeBlock) -> Result<Self, NoProof> {
        let ceiling = row.fee.ok_or(NoProof::OtherKind)?;
        if seen.from != row.wallet {
            return Err(NoProof::OtherPayment);
        }
        check_depth(seen.block, at)?;
        let units = fee_units(seen.gas_used, seen.gas_price);
        if units > ceiling {
            return Err(NoProof::FeeAboveCeiling { ceiling, taken: units });
        }
        let (transaction, succeeded) = (Some(seen.transaction), seen.succeeded);
        Ok(Self { intent: row.intent, units, transaction, succeeded, at })
    }

    /// The row's transaction was not mined while it could be: nothing was taken.
    ///
    /// # Errors
    /// [`NoProof`] where the wallet pays no fee in the token, or it can still be mined.
    pub fn never_mined(row: &SpendRow, unseen: NotSeen) -> Result<Self, NoProof> {
        row.fee.ok_or(NoProof::OtherKind)?;
        check_over(row, unseen)?;
        let (units, at) = (Amount::ZERO, unseen.to);
        Ok(Self { intent: row.intent, units, transaction: None, succeeded: false, at })
    }

    /// The intent whose fee it is.
    #[must_use]
    pub const fn intent(&self) -> IntentId {
        self.intent
    }

    /// What was taken, in base units of the payment's token.
    #[must_use]
    pub const fn units(&self) -> Amount {
        self.units
    }

    /// The transaction it was taken for; nothing where none was mined.
    #[must_use]
    pub const fn transaction(&self) -> Option<B256> {
        self.transaction
    }
}

impl SettledProof {
    /// Adds what the chain took as the fee. One of another payment, of a failure, or of another
    /// transaction than the one that paid is left out, and the ceiling counts on: the payment is
    /// settled all the same. (A deposit is settled by the end of its channel, and its fee was taken
    /// when it was put in.)
    #[must_use]
    pub fn with_fee(self, row: &SpendRow, fee: Option<FeeProof>) -> Self {
        let (intent, transaction) = (self.intent, Some(self.transaction));
        let is_its = |fee: &FeeProof| {
            [row.intent, fee.intent] == [intent, intent]
                && fee.succeeded
                && (row.kind.is_deposit() || fee.transaction == transaction)
        };
        Self { fee: fee.filter(is_its), ..self }
    }

    /// What the chain took as the fee, where that is proven.
    #[must_use]
    pub fn fee(&self) -> Option<Amount> {
        self.fee.as_ref().map(FeeProof::units)
    }
}

impl VoidProof {
    /// Adds what the chain took as the fee: nothing for what was never mined, and something for what
    /// was mined and failed, which is its reason then. One of another payment or of a success is left
    /// out, and the ceiling counts on.
    #[must_use]
    pub fn with_fee(self, fee: Option<FeeProof>) -> Self {
        let fee = fee.filter(|fee| fee.intent == self.intent && !fee.succeeded);
        let reason = match fee.as_ref().and_then(FeeProof::transaction) {
            Some(transaction) => VoidReason::Reverted { transaction },
            None => self.reason,
        };
        Self { fee, reason, ..self }
    }

    /// What the chain took as the fee, where that is proven.
    #[must_use]
    pub fn fee(&self) -> Option<Amount> {
        self.fee.as_ref().map(FeeProof::units)
    }
}

#[cfg(test)]
mod tests;
