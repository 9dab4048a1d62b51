//! Payments in the order of time.

use std::collections::{BTreeMap, VecDeque};

use crate::intent::IntentId;
use crate::ledger::names::Traits;
use crate::ledger::series::Seq;
use crate::ledger::{Measure, SpendState, names};
use crate::money::Amount;
use crate::rows::HoldId;
use crate::time::UnixSeconds;

/// One payment, or one amount that is set aside for some. Takes [`ENTRY_BYTES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it counts from.
    pub at: UnixSeconds,
    /// Its intent; for a hold, its name.
    pub intent: IntentId,
    /// Base units that count now.
    pub counted: Amount,
    /// Where it stands.
    pub state: SpendState,
    pub(super) traits: Traits,
    pub(super) fee_wei: u128,
    /// Whether it counts as a payment.
    pub(super) counts: bool,
    pub(super) kind: EntryKind,
}

/// Bytes of a payment in memory, beside the index: see the module's text.
pub const ENTRY_BYTES: usize = 112;
const _: () = assert!(size_of::<Entry>() == ENTRY_BYTES, "the docs state this size");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    Payment,
    Hold,
    /// A fee in the token itself, or what the fee of a payment rose by, at the time at which it
    /// did. Counts no payment.
    Raise,
}

impl Entry {
    /// What it adds to a sum of this measure; nothing where it is no part of that sum.
    pub(super) fn value(&self, measure: Measure) -> Option<u128> {
        match measure {
            Measure::Amount(symbol) => (names::asset_number(symbol) == Some(self.traits.asset))
                .then(|| self.counted.base_units()),
            Measure::FeeWei => Some(self.fee_wei),
            Measure::Count => Some(u128::from(self.counts)),
        }
    }

    /// Whether nothing can change it any more.
    pub(crate) const fn is_final(&self) -> bool {
        matches!(self.state, SpendState::Settled | SpendState::Void)
    }
}

/// Payments by number, by intent and by time. Those that are older than any window and can still
/// change are kept aside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entries {
    recent: VecDeque<Entry>,
    /// Number of the first recent one.
    first: Seq,
    old: BTreeMap<Seq, Entry>,
    intents: BTreeMap<IntentId, Seq>,
    /// How many of the recent ones are rises of a fee.
    raises: usize,
}

impl Entries {
    /// The number that the next payment gets; nothing when all are used up.
    pub(super) fn next(&self) -> Option<Seq> {
        let count = Seq::try_from(self.recent.len()).ok()?;
        self.first.checked_add(count).filter(|next| *next < Seq::MAX)
    }

    pub(super) fn push(&mut self, seq: Seq, entry: Entry) {
        if entry.kind == EntryKind::Payment {
            self.intents.insert(entry.intent, seq);
        }
        self.raises = self.raises.saturating_add(usize::from(entry.kind == EntryKind::Raise));
        self.recent.push_back(entry);
    }

    pub(super) fn find(&self, intent: &IntentId) -> Option<Seq> {
        self.intents.get(intent).copied()
    }

    fn place(&self, seq: Seq) -> Option<usize> {
        seq.checked_sub(self.first).and_then(|place| usize::try_from(place).ok())
    }

    pub(super) fn at(&self, seq: Seq) -> Option<&Entry> {
        match self.place(seq) {
            Some(place) => self.recent.get(place),
            None => self.old.get(&seq),
        }
    }

    pub(super) fn at_mut(&mut self, seq: Seq) -> Option<&mut Entry> {
        match self.place(seq) {
            Some(place) => self.recent.get_mut(place),
            None => self.old.get_mut(&seq),
        }
    }

    /// Whether windows can still hold it.
    pub(super) const fn is_recent(&self, seq: Seq) -> bool {
        seq >= self.first
    }

    /// The number of the first payment at `since` or later.
    pub(super) fn first_since(&self, since: UnixSeconds) -> Seq {
        let before = self.recent.partition_point(|entry| entry.at < since);
        self.first.saturating_add(Seq::try_from(before).unwrap_or(Seq::MAX))
    }

    /// The payments from `seq` on.
    pub(super) fn since(&self, seq: Seq) -> impl Iterator<Item = (Seq, &Entry)> {
        let place = self.place(seq).unwrap_or_default().min(self.recent.len());
        (seq.max(self.first)..).zip(self.recent.range(place..))
    }

    /// Number of payments and holds.
    pub(super) fn len(&self) -> usize {
        self.recent.len().saturating_sub(self.raises).saturating_add(self.old.len())
    }

    /// The oldest recent payment, where it is older than `horizon`.
    pub(super) fn overdue(&self, horizon: UnixSeconds) -> Option<(Seq, &Entry)> {
        self.recent.front().filter(|entry| entry.at < horizon).map(|entry| (self.first, entry))
    }

    /// Takes the oldest recent payment out of every window. It is returned where nothing can
    /// change it any more; otherwise it is kept aside.
    pub(super) fn retire(&mut self) -> Option<Entry> {
        let entry = self.recent.pop_front()?;
        let seq = self.first;
        self.first = self.first.saturating_add(1);
        self.raises = self.raises.saturating_sub(usize::from(entry.kind == EntryKind::Raise));
        if entry.is_final() {
            self.forget_intent(&entry);
            return Some(entry);
        }
        self.old.insert(seq, entry);
        None
    }

    /// Forgets one that was kept aside.
    pub(super) fn forget(&mut self, seq: Seq) -> Option<Entry> {
        let entry = self.old.remove(&seq)?;
        self.forget_intent(&entry);
        Some(entry)
    }

    fn forget_intent(&mut self, entry: &Entry) {
        if entry.kind == EntryKind::Payment {
            self.intents.remove(&entry.intent);
        }
    }
}

impl From<HoldId> for IntentId {
    fn from(hold: HoldId) -> Self {
        Self(hold.0)
    }
}

#[cfg(test)]
mod tests;
