//! Amounts that are set aside, in a journal in memory.

use crate::admission::Book;
use crate::ledger::LedgerError;
use crate::rows::{HoldOutcomeRow, HoldRow};

impl Book {
    /// Sets an amount aside; see [`Ledger::hold`](crate::ledger::Ledger::hold).
    ///
    /// # Errors
    /// [`LedgerError`] for a row that cannot follow; the book is unchanged then.
    pub fn hold(&mut self, row: &HoldRow) -> Result<(), LedgerError> {
        self.ledger.hold(row)
    }

    /// Takes in what became of an amount that was set aside; see
    /// [`Ledger::apply_hold`](crate::ledger::Ledger::apply_hold).
    ///
    /// # Errors
    /// [`LedgerError`] for an outcome that cannot follow; the book is unchanged then.
    pub fn apply_hold(&mut self, row: &HoldOutcomeRow) -> Result<(), LedgerError> {
        self.ledger.apply_hold(row)
    }
}

#[cfg(test)]
mod tests;
