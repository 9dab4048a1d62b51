//! Fees that rise: a transfer that is signed again at a higher one.
//!
//! Promises: the first fee counts from the payment's own time, and what it rose by from the time
//! at which it did: it is then that more was promised to the chain, and a window that the payment
//! itself has left holds the rise all the same. Together they are the highest fee that was
//! signed. No payment is counted twice. A payment whose fee rises again and again takes one more
//! place in memory for each second at which it did.
//!
//! Does not protect against: fees of transactions that never happen. They count until they leave
//! their windows, as those of void payments do.

use crate::intent::IntentId;
use crate::ledger::entries::{Entry, EntryKind};
use crate::ledger::series::Seq;
use crate::ledger::{AMOUNT_UNITS_MAX, Ledger, LedgerError, SpendState};
use crate::money::Amount;
use crate::rows::SpendRow;

/// What counts of the fee of a payment that was signed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Raised {
    /// All of it, in wei.
    fee_wei: u128,
    /// Where it rose last.
    last: Seq,
}

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
        let raised = self.raised.get(&seq).map(|raised| raised.fee_wei);
        raised.or_else(first).map(Amount::from_base_units)
    }

    /// Counts what the fee of a payment rises by; one that does not rise changes nothing.
    pub(super) fn raise(&mut self, row: &SpendRow) -> Result<(), LedgerError> {
        let unknown = LedgerError::UnknownIntent(row.intent);
        let seq = self.entries.find(&row.intent).ok_or(unknown)?;
        let entry = self.entries.at(seq).ok_or(unknown)?;
        let raised = self.raised.get(&seq).copied();
        let before = raised.map_or(entry.fee_wei, |raised| raised.fee_wei);
        let (fee_wei, at) = (counted(row), self.clamp(row.at));
        let Some(more) = fee_wei.checked_sub(before).filter(|more| *more > 0) else {
            return Ok(());
        };
        let is_now = |last: &Seq| self.entries.at(*last).is_some_and(|entry| entry.at == at);
        if let Some(last) = raised.map(|raised| raised.last).filter(is_now) {
            self.change(last, |entry| entry.fee_wei = entry.fee_wei.saturating_add(more));
            self.raised.insert(seq, Raised { fee_wei, last });
            return Ok(());
        }
        let raise = Entry {
            at,
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
        self.raised.insert(seq, Raised { fee_wei, last: next });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
