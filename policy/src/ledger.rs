//! What agents have spent, and how much of it lies in any window.
//!
//! Promises: every admitted payment counts in full from the moment it is recorded, until a
//! settlement replaces the amount or a proof shows that it can never happen; a fee in the token
//! counts at its ceiling until the same proof shows what the chain took. The same rows in the same
//! order give an equal ledger.
//!
//! Refuses: a row it has already, an outcome of a payment it does not know, a settlement above
//! what was reserved, an outcome after a final one, a payment that draws more than is set aside.
//!
//! Time does not run backwards in here: a row that is older than the last one counts as of the
//! last one, and a question about an earlier moment is answered for the last one. A clock that
//! is set back can therefore only refuse more. A clock that ran far ahead once keeps its last
//! row in the window until true time has caught up.
//!
//! # Memory
//!
//! A payment takes [`ENTRY_BYTES`] and about 50 for its intent's place in the tree, and up to 40
//! (20 on average) for each line that is [watched](Ledger::watch) and that it is part of: 286 in
//! all with five lines, measured over ten million payments (`ledger_bytes_per_payment`). Names
//! are kept once. A payment whose outcome is final is dropped once it is
//! [`LEDGER_SECONDS_KEPT`] old: no window reaches back so far, and since time does not run
//! backwards none ever will. So a wallet takes what it paid in that time, and for good only its
//! payees (at most [`PAYEE_LINKS_MAX`] links in all). A payment without a final outcome stays
//! until there is one.
//!
//! Does not protect against: rows that were never written.

mod entries;
mod fee;
mod forgo;
mod health;
mod holds;
mod index;
mod key;
mod names;
mod past;
mod payees;
mod query;
mod series;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::chain::Asset;
use crate::intent::IntentId;
use crate::money::Amount;
use crate::rows::{HoldId, Outcome, OutcomeRow, PaymentKind, SpendRow};
use crate::subject::Subject;
use crate::time::UnixSeconds;
use crate::window::PERIOD_SECONDS_MAX;
use entries::{Entries, EntryKind};
use fee::Raised;
use index::Index;
use names::{Named, Names, Traits, asset_number};
use past::Past;
use payees::Payees;
use series::Seq;

pub use entries::{ENTRY_BYTES, Entry};
pub use health::{HEALTH_MOMENTS_MAX, Health};
pub use holds::Hold;
pub use key::{Axis, Line, Measure, Pinned, Scope, Standing};
pub use payees::PAYEE_LINKS_MAX;

/// How long a payment is remembered after its outcome is final: 40 days. The longest window is
/// a month of the calendar, 31 days and an hour.
pub const LEDGER_SECONDS_KEPT: u64 = 3_456_000;
const _: () = assert!(LEDGER_SECONDS_KEPT > PERIOD_SECONDS_MAX + 86_400, "windows are kept whole");

/// Most base units of one payment or hold, and most wei of its fee that are counted: about 7.9e28.
/// So many payments as a ledger numbers then never pass 128 bits in any sum.
pub const AMOUNT_UNITS_MAX: u128 = u128::MAX >> Seq::BITS;

/// Where a payment stands. All but [`Void`](Self::Void) count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpendState {
    /// Admitted; no signature has left.
    Reserved,
    /// Our part of the signature has left.
    Spent,
    /// On chain.
    Settled,
    /// Proved impossible; given back.
    Void,
}

/// The spending of all agents in one journal.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    last: UnixSeconds,
    names: Names,
    entries: Entries,
    /// Payments and holds whose amount is still reserved.
    open: BTreeSet<Seq>,
    raised: BTreeMap<Seq, Raised>,
    /// Fees in the token of which it may still become known what the chain took.
    fees: BTreeMap<IntentId, Seq>,
    holds: BTreeMap<HoldId, Hold>,
    /// The openings of channels that the chain has not settled.
    channels: BTreeSet<Seq>,
    payees: Payees,
    past: Past,
    index: Index,
}

impl PartialEq for Ledger {
    /// What is watched makes no difference to any answer, and none here.
    fn eq(&self, other: &Self) -> bool {
        (self.last, &self.raised, &self.fees) == (other.last, &other.raised, &other.fees)
            && (&self.names, &self.entries) == (&other.names, &other.entries)
            && (&self.open, &self.holds) == (&other.open, &other.holds)
            && self.channels == other.channels
            && (&self.payees, &self.past) == (&other.payees, &other.past)
    }
}

impl Eq for Ledger {}

/// Why a row does not fit this ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// The intent has a row already.
    #[error("intent {0} is in the ledger already")]
    AlreadyRecorded(IntentId),
    /// There is no row of that intent.
    #[error("intent {0} is not in the ledger")]
    UnknownIntent(IntentId),
    /// The payment is settled or void already, and the row says otherwise.
    #[error("intent {0} has another outcome already")]
    OutcomeIsFinal(IntentId),
    /// The deposit was seen in its channel by a quorum, and is called void.
    #[error("the deposit of intent {0} was seen in its channel, and is never void")]
    DepositInChannel(IntentId),
    /// More was settled than was reserved.
    #[error("intent {0} settled more than it reserved")]
    SettledTooMuch(IntentId),
    /// A token that is not in the registry.
    #[error("intent {0} pays with a token that is not in the registry")]
    UnknownAsset(IntentId),
    /// There is no hold of that name.
    #[error("hold {0} is not in the ledger")]
    UnknownHold(HoldId),
    /// The hold has ended, or its time is over.
    #[error("hold {0} is over")]
    HoldIsOver(HoldId),
    /// The hold was used, so it is not void.
    #[error("hold {0} was used")]
    HoldIsUsed(HoldId),
    /// The hold does not end by the clock, or not yet.
    #[error("hold {0} has not expired")]
    HoldNotDue(HoldId),
    /// The payment is of another agent, wallet, token, payee, service or session than the hold.
    #[error("hold {0} is for another payment")]
    OtherHold(HoldId),
    /// More was drawn than is left.
    #[error("hold {0} has less left than that")]
    DrawnTooMuch(HoldId),
    /// More than [`AMOUNT_UNITS_MAX`] at once.
    #[error("intent {0} is of more base units than a ledger counts")]
    TooMuch(IntentId),
    /// All numbers of payments are used up, or more payees were paid than are kept.
    #[error("the ledger is full")]
    Full,
}

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the sums of exactly these lines of a subject ready; those that were not watched
    /// before are built from the payments. What is not watched is answered as well, by a scan.
    ///
    /// Whoever holds a ledger calls it when a policy of the subject is loaded, replaced or
    /// withdrawn (with no lines); [`Book::watch`](crate::admission::Book::watch) does so for a
    /// set of policies.
    pub fn watch(&mut self, subject: &Subject, lines: impl IntoIterator<Item = Line>) {
        let lines = lines.into_iter().collect();
        self.index.watch(subject, lines, (&self.names, &self.entries));
    }

    /// Takes in an admitted proposal, and what the chain may take for it in the token itself. One
    /// that raises the fee of a payment adds what it rose by,
    /// and no payment; a cancellation changes nothing but the time.
    ///
    /// # Errors
    /// [`LedgerError`] for a row that cannot follow; the ledger is unchanged then.
    pub fn record(&mut self, row: &SpendRow) -> Result<(), LedgerError> {
        let fee = self.fee_of(row)?;
        if row.counts() {
            self.insert(row)?;
        } else if row.raises_fee() {
            self.raise(row)?;
        }
        if let Some((fee, asset)) = fee {
            self.charge_fee(row, fee, asset);
        }
        self.pass(row.at);
        Ok(())
    }

    fn insert(&mut self, row: &SpendRow) -> Result<(), LedgerError> {
        let id = row.intent;
        let asset = Asset::find(row.chain, row.token).map_err(|_| LedgerError::UnknownAsset(id))?;
        let asset = asset_number(asset.symbol).ok_or(LedgerError::UnknownAsset(id))?;
        if self.entries.find(&id).is_some() {
            return Err(LedgerError::AlreadyRecorded(id));
        }
        check_amount(id, row.amount)?;
        row.hold.map_or(Ok(()), |hold| self.check_draw(hold, row))?;
        let at = self.clamp(row.at);
        let entry = |traits| Entry {
            at,
            intent: id,
            counted: row.amount,
            state: SpendState::Reserved,
            traits,
            fee_wei: fee::counted(row),
            counts: true,
            kind: EntryKind::Payment,
        };
        let seq = self.append(&Named::of_row(row, asset), entry)?;
        if row.kind == PaymentKind::MppOpen {
            self.channels.insert(seq);
        }
        if let Some(hold) = row.hold {
            self.draw(hold, row.amount);
        }
        Ok(())
    }

    /// Appends an entry, which nothing can refuse once its number and its payee have room.
    fn append(
        &mut self,
        named: &Named<'_>,
        entry: impl FnOnce(Traits) -> Entry,
    ) -> Result<Seq, LedgerError> {
        let seq = self.entries.next().ok_or(LedgerError::Full)?;
        let traits = self.names.take(named);
        if !self.payees.have_room(&traits) {
            self.names.release(&traits);
            return Err(LedgerError::Full);
        }
        let entry = entry(traits);
        self.payees.add(&mut self.names, &traits, entry.at);
        self.index.push(&self.names, seq, &entry);
        self.open.insert(seq);
        self.entries.push(seq, entry);
        Ok(seq)
    }

    /// Takes in what became of a payment, and of its fee in the token. The same outcome twice is one
    /// outcome; a fee of what is not known here, or known already, changes nothing.
    ///
    /// # Errors
    /// [`LedgerError`] for an outcome that cannot follow; the ledger is unchanged then.
    pub fn apply(&mut self, row: &OutcomeRow) -> Result<(), LedgerError> {
        let id = row.intent();
        let (state, counts_now) = match row.outcome() {
            Outcome::Released => (SpendState::Spent, None),
            Outcome::Settled { amount, .. } => (SpendState::Settled, Some(*amount)),
            Outcome::Void { .. } => (SpendState::Void, Some(Amount::ZERO)),
            Outcome::Fee { .. } => {
                self.end_fee(&id, row.fee());
                return Ok(());
            }
        };
        let seq = self.entries.find(&id).ok_or(LedgerError::UnknownIntent(id))?;
        let entry = self.entries.at(seq).ok_or(LedgerError::UnknownIntent(id))?;
        let counted = counts_now.unwrap_or(entry.counted);
        match (entry.state, state) {
            (SpendState::Reserved | SpendState::Spent, _) if counted <= entry.counted => {}
            (SpendState::Reserved | SpendState::Spent, _) => {
                return Err(LedgerError::SettledTooMuch(id));
            }
            // A signature that is learned of late changes nothing that the chain has decided.
            (_, SpendState::Spent) => return Ok(()),
            (was, is) if was == is && entry.counted == counted => return Ok(()),
            _ => return Err(LedgerError::OutcomeIsFinal(id)),
        }
        self.change(seq, |entry| {
            entry.counted = counted;
            entry.counts = state != SpendState::Void;
            entry.state = state;
        });
        if state != SpendState::Spent {
            self.end_fee(&id, row.fee());
        }
        Ok(())
    }

    /// Changes an entry, and with it every sum that it is part of.
    fn change(&mut self, seq: Seq, to: impl FnOnce(&mut Entry)) {
        let Some(entry) = self.entries.at_mut(seq) else { return };
        let old = entry.clone();
        to(entry);
        let new = entry.clone();
        if new.state == SpendState::Reserved {
            self.open.insert(seq);
        } else {
            self.open.remove(&seq);
        }
        if new.is_final() {
            self.channels.remove(&seq);
        }
        match (old.state == SpendState::Void, new.state == SpendState::Void) {
            (false, true) => self.payees.remove(&mut self.names, &new.traits),
            (true, false) => self.payees.add(&mut self.names, &new.traits, new.at),
            _ => {}
        }
        if self.entries.is_recent(seq) {
            self.index.replace(&self.names, seq, &old, &new);
            return;
        }
        self.past.replace(&old, &new);
        if new.is_final()
            && let Some(gone) = self.entries.forget(seq)
        {
            self.forget(seq, &gone);
        }
    }

    /// Time passes: what is too old for every window leaves memory, if nothing can change it.
    fn pass(&mut self, at: UnixSeconds) {
        self.last = self.clamp(at);
        let horizon = self.horizon();
        while let Some((seq, entry)) = self.entries.overdue(horizon) {
            self.index.drop_first(&self.names, entry);
            self.past.add(entry);
            if let Some(gone) = self.entries.retire() {
                self.forget(seq, &gone);
            }
        }
    }

    fn forget(&mut self, seq: Seq, entry: &Entry) {
        self.names.release(&entry.traits);
        self.raised.remove(&seq);
        if self.fees.get(&entry.intent) == Some(&seq) {
            self.fees.remove(&entry.intent);
        }
        if entry.kind == EntryKind::Hold {
            self.holds.remove(&HoldId(entry.intent.0));
        }
        if !self.names.knows_session(entry.traits.session) {
            self.past.forget(entry.traits.session);
        }
    }

    /// The payment of an intent, while it is remembered.
    #[must_use]
    pub fn entry(&self, intent: &IntentId) -> Option<&Entry> {
        self.entries.at(self.entries.find(intent)?)
    }

    /// Number of payments and holds in memory, void ones too.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is in memory.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The moment for which a question at `now` is answered: never before the last row.
    #[must_use]
    pub fn clamp(&self, now: UnixSeconds) -> UnixSeconds {
        self.last.max(now)
    }

    /// The first moment from which every payment is remembered.
    #[must_use]
    pub fn horizon(&self) -> UnixSeconds {
        self.last.minus(LEDGER_SECONDS_KEPT)
    }
}

fn check_amount(id: IntentId, amount: Amount) -> Result<(), LedgerError> {
    let fits = amount.base_units() <= AMOUNT_UNITS_MAX;
    if fits { Ok(()) } else { Err(LedgerError::TooMuch(id)) }
}

#[cfg(test)]
mod tests;
