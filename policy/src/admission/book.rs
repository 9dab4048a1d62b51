//! A journal in memory: what a durable one rebuilds from its rows at start, and all that a
//! preview needs.

use std::collections::BTreeMap;

use crate::admission::{IntentRecord, RecordSpend, SlotRecord};
use crate::document::ContentHash;
use crate::intent::IntentId;
use crate::ledger::{Ledger, LedgerError, SpendState};
use crate::party::AgentId;
use crate::proposal::Slot;
use crate::rows::{OutcomeRow, SpendRow};

static NEVER_PAID: std::sync::LazyLock<Ledger> = std::sync::LazyLock::new(Ledger::new);

/// Rows, indexed. Equal rows in equal order give equal books.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    intents: BTreeMap<IntentId, Known>,
    slots: BTreeMap<Slot, SlotRecord>,
    ledgers: BTreeMap<AgentId, Ledger>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    content_hash: ContentHash,
    slot: Slot,
    agent: AgentId,
}

impl Book {
    /// An empty book.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what became of a payment.
    ///
    /// # Errors
    /// [`LedgerError`] for an outcome that cannot follow; the book is unchanged then.
    pub fn apply(&mut self, row: &OutcomeRow) -> Result<(), LedgerError> {
        let unknown = LedgerError::UnknownIntent(row.intent());
        self.ledgers.get_mut(row.agent()).ok_or(unknown)?.apply(row)
    }

    /// Where the payment of an intent stands; [`SpendState::Reserved`] for a cancellation.
    #[must_use]
    pub fn state(&self, intent: &IntentId) -> Option<SpendState> {
        let known = self.intents.get(intent)?;
        let entry = self.ledgers.get(&known.agent).and_then(|ledger| ledger.entry(intent));
        Some(entry.map_or(SpendState::Reserved, |entry| entry.state))
    }
}

impl RecordSpend for Book {
    type Failure = LedgerError;

    fn intent(&self, id: &IntentId) -> Result<Option<IntentRecord>, LedgerError> {
        let record = self.intents.get(id).zip(self.state(id)).map(|(known, state)| IntentRecord {
            content_hash: known.content_hash,
            slot: known.slot.clone(),
            state,
        });
        Ok(record)
    }

    fn slot(&self, slot: &Slot) -> Result<Option<SlotRecord>, LedgerError> {
        Ok(self.slots.get(slot).cloned())
    }

    fn ledger(&self, agent: &AgentId) -> Result<&Ledger, LedgerError> {
        Ok(self.ledgers.get(agent).unwrap_or(&NEVER_PAID))
    }

    fn record(&mut self, row: &SpendRow) -> Result<(), LedgerError> {
        self.ledgers.entry(row.agent.clone()).or_default().record(row)?;
        self.slots.insert(row.slot.clone(), SlotRecord::of(row));
        self.intents.entry(row.intent).or_insert_with(|| Known {
            content_hash: row.content_hash,
            slot: row.slot.clone(),
            agent: row.agent.clone(),
        });
        Ok(())
    }
}
