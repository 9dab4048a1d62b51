//! Fees that rise: a transfer that is signed again at a higher one.
//!
//! Promises: the first fee counts from the payment's own time, and what it rose by from the time
//! at which it did: it is then that more was promised to the chain, and a window that the payment
//! itself has left holds the rise all the same. Together they are the highest fee that was
//! signed. No payment is counted twice.
//!
//! Does not protect against: fees of transactions that never happen. They count until they leave
//! their windows, as those of void payments do.

use crate::intent::IntentId;
use crate::ledger::entries::{Entry, EntryKind};
use crate::ledger::{AMOUNT_UNITS_MAX, Ledger, LedgerError, SpendState};
use crate::money::Amount;
use crate::rows::SpendRow;

/// What is counted of a row's fee, in wei.
pub(super) fn counted(row: &SpendRow) -> u128 {
    row.fee_wei().base_units().min(AMOUNT_UNITS_MAX)
}

impl Ledger {
    /// Wei that count for the fee of a payment, whenever it was raised; while it is remembered.
    #[must_use]
    pub fn fee_wei(&self, intent: &IntentId) -> Option<Amount> {
        let seq = self.entries.find(intent)?;
        let first = || self.entries.at(seq).map(|entry| entry.fee_wei);
        self.raised.get(&seq).copied().or_else(first).map(Amount::from_base_units)
    }

    /// Counts what the fee of a payment rises by; one that does not rise changes nothing.
    pub(super) fn raise(&mut self, row: &SpendRow) -> Result<(), LedgerError> {
        let unknown = LedgerError::UnknownIntent(row.intent);
        let seq = self.entries.find(&row.intent).ok_or(unknown)?;
        let entry = self.entries.at(seq).ok_or(unknown)?;
        let before = self.raised.get(&seq).copied().unwrap_or(entry.fee_wei);
        let fee_wei = counted(row);
        let Some(more) = fee_wei.checked_sub(before).filter(|more| *more > 0) else {
            return Ok(());
        };
        let raise = Entry {
            at: self.clamp(row.at),
            counted: Amount::ZERO,
            // Nothing makes a fee that was promised less.
            state: SpendState::Settled,
            fee_wei: more,
            counts: false,
            kind: EntryKind::Raise,
            ..entry.clone()
        };
        let next = self.entries.next().ok_or(LedgerError::Full)?;
        self.names.take_again(&raise.traits);
        self.index.push(&self.names, next, &raise);
        self.entries.push(next, raise);
        self.raised.insert(seq, fee_wei);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
