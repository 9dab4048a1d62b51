//! Fees that rise: a transfer that is signed again at a higher one. And fees that are paid in the
//! token itself, as on Tempo, which count with what the agent spends of it.
//!
//! A fee in the token counts from when it was signed, at its ceiling: with a payment, and with what
//! moves nothing and costs a fee all the same. What the chain took replaces the ceiling once that
//! is proven, with the outcome of the payment or by itself; an outcome that does not say it leaves
//! the ceiling for good. It is nobody's income, so it counts for no payee, and for no session,
//! whose budget is what it buys.
//!
//! Promises: the first fee counts from the payment's own time, and what it rose by from the time
//! at which it did: it is then that more was promised to the chain, and a window that the payment
//! itself has left holds the rise all the same. Together they are the highest fee that was
//! signed. No payment is counted twice. A payment whose fee rises again and again takes one more
//! place in memory for each second at which it did.
//!
//! Refuses: a fee above its ceiling, which counts as the ceiling.
//!
//! Does not protect against: fees in wei of transactions that never happen. They count until they
//! leave their windows, as those of void payments do.

use crate::chain::Asset;
use crate::intent::IntentId;
use crate::ledger::entries::{Entry, EntryKind};
use crate::ledger::names::{Named, asset_number};
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
    /// What a row's fee in the token itself comes to, and in which asset.
    pub(super) fn fee_of(&self, row: &SpendRow) -> Result<Option<(Amount, u8)>, LedgerError> {
        let Some(fee) = row.fee.filter(|fee| *fee > Amount::ZERO) else { return Ok(None) };
        let id = row.intent;
        let unknown = || LedgerError::UnknownAsset(id);
        let asset = Asset::find(row.chain, row.token).map_err(|_| unknown())?;
        let asset = asset_number(asset.symbol).ok_or_else(unknown)?;
        if fee.base_units() > AMOUNT_UNITS_MAX {
            return Err(LedgerError::TooMuch(id));
        }
        // One number for the payment, and one for its fee.
        let next = self.entries.next().and_then(|next| next.checked_add(1));
        next.filter(|next| *next < Seq::MAX).ok_or(LedgerError::Full)?;
        Ok(Some((fee, asset)))
    }

    /// Counts a fee in the token itself.
    pub(super) fn charge_fee(&mut self, row: &SpendRow, fee: Amount, asset: u8) {
        let Some(next) = self.entries.next() else { return };
        let named = Named { recipient: None, session: None, ..Named::of_row(row, asset) };
        let entry = Entry {
            at: self.clamp(row.at),
            intent: row.intent,
            counted: fee,
            // It is taken with the transaction, whatever comes of that.
            state: SpendState::Settled,
            traits: self.names.take(&named),
            fee_wei: 0,
            counts: false,
            kind: EntryKind::Raise,
        };
        self.index.push(&self.names, next, &entry);
        self.entries.push(next, entry);
        self.fees.insert(row.intent, next);
    }

    /// Ends a fee in the token: what the chain took counts, where it is known, and the ceiling where
    /// it is not. One that has ended, or that was never charged, stays as it is.
    pub(super) fn end_fee(&mut self, intent: &IntentId, taken: Option<Amount>) {
        let Some(seq) = self.fees.remove(intent) else { return };
        if let Some(taken) = taken {
            self.change(seq, |entry| entry.counted = entry.counted.min(taken));
        }
    }

    /// Whether a fee in the token counts at its ceiling, and may come to count what the chain took.
    #[must_use]
    pub fn has_open_fee(&self, intent: &IntentId) -> bool {
        self.fees.contains_key(intent)
    }

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
