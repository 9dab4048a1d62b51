//! A journal in memory: what a durable one rebuilds from its rows at start, and all that a
//! preview needs.
//!
//! Promises: memory is that of the payments the [`Ledger`] remembers, of the intents that are not
//! over, and of the payments without an outcome. A wallet that pays for ever takes no more than
//! what it paid in [`LEDGER_SECONDS_KEPT`](crate::ledger::LEDGER_SECONDS_KEPT).

mod age;
mod holds;
mod preview;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::access_key::AccessKeys;
use crate::admission::{IntentRecord, RecordSpend, SlotRecord};
use crate::channel::Channels;
use crate::document::ContentHash;
use crate::evidence::DepositedProof;
use crate::intent::IntentId;
use crate::ledger::{Health, Ledger, LedgerError, Line, SpendState};
use crate::money::Amount;
use crate::mpp::ChannelId;
use crate::party::AgentId;
use crate::proposal::Slot;
use crate::registry::{Experience, Payee, PayeePlace};
use crate::report::ReportRow;
use crate::rows::{Outcome, OutcomeRow, SpendRow, TripRow};
use crate::subject::Subject;
use crate::time::UnixSeconds;

static ALL_WELL: std::sync::LazyLock<Health> = std::sync::LazyLock::new(Health::default);

/// Rows, indexed. Equal rows in equal order give equal books.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    intents: BTreeMap<IntentId, Known>,
    slots: BTreeMap<Slot, SlotRecord>,
    ledger: Ledger,
    health: BTreeMap<AgentId, Health>,
    tripped: BTreeMap<AgentId, TripRow>,
    experience: Experience,
    channels: Channels,
    access_keys: AccessKeys,
    ages: age::Ages,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    content_hash: ContentHash,
    slot: Slot,
    payee: Option<PayeePlace>,
}

impl Book {
    /// An empty book.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps these sums of a subject's payments ready; see [`Ledger::watch`].
    pub fn watch(&mut self, subject: &Subject, lines: impl IntoIterator<Item = Line>) {
        self.ledger.watch(subject, lines);
    }

    /// Takes in what became of a payment.
    ///
    /// # Errors
    /// [`LedgerError`] for an outcome that cannot follow; the book is unchanged then.
    pub fn apply(&mut self, row: &OutcomeRow) -> Result<(), LedgerError> {
        let before = self.state(&row.intent());
        let void = matches!(row.outcome(), Outcome::Void { .. });
        if void && self.channels.is_deposited(&row.intent()) {
            return Err(LedgerError::DepositInChannel(row.intent()));
        }
        self.ledger.apply(row)?;
        if void && before != Some(SpendState::Void) {
            self.health.entry(row.agent().clone()).or_default().fail(row.at());
        }
        let settled = matches!(row.outcome(), Outcome::Settled { .. });
        if settled && before != Some(SpendState::Settled) {
            let payee = self.intents.get(&row.intent()).and_then(|known| known.payee);
            if let Some(payee) = payee {
                self.experience.settle(payee);
            }
        }
        if settled || void {
            self.channels.forget_deposit(&row.intent(), void);
        }
        self.forget_if_final(&row.intent());
        Ok(())
    }

    /// A quorum showed a deposit in its channel: until that has ended, and whatever endpoints have
    /// lost by then, it counts. Whether that is news.
    ///
    /// # Errors
    /// [`LedgerError`] for a payment that is void already, or is not in the ledger.
    pub fn note_deposited(&mut self, proof: &DepositedProof) -> Result<bool, LedgerError> {
        let id = proof.intent();
        match self.ledger.entry(&id).map(|entry| entry.state) {
            Some(SpendState::Reserved | SpendState::Spent) => Ok(self.channels.note_deposited(id)),
            Some(SpendState::Settled) => Ok(false),
            Some(SpendState::Void) => Err(LedgerError::OutcomeIsFinal(id)),
            None => Err(LedgerError::UnknownIntent(id)),
        }
    }

    /// The key of a channel's session agreed to its end: nothing is put into it any more, and paid
    /// out of it. Whether that is news; of a channel that is not known here it is none.
    pub fn agree_end(&mut self, channel: &ChannelId, cumulative: Amount) -> bool {
        self.channels.agree_end(channel, cumulative)
    }

    /// Takes in what an agent reports of a payment; the same again changes nothing. The row was
    /// made from the payment's own, so it counts where that is forgotten as well.
    pub fn report(&mut self, row: &ReportRow) {
        self.experience.report(row);
    }

    /// Whether it may yet become known what the chain took as an intent's fee in the token.
    #[must_use]
    pub fn has_open_fee(&self, intent: &IntentId) -> bool {
        self.ledger.has_open_fee(intent)
    }

    /// Where the payment of an intent stands, while it is remembered; [`SpendState::Reserved`]
    /// for a cancellation.
    #[must_use]
    pub fn state(&self, intent: &IntentId) -> Option<SpendState> {
        let paid = self.ledger.entry(intent).map(|entry| entry.state);
        paid.or_else(|| self.intents.get(intent).map(|_| SpendState::Reserved))
    }
}

impl Book {
    /// Whether a signature for an intent may exist, as far as it is remembered. What moves nothing
    /// has no state in the ledger, so it may from its row on.
    #[must_use]
    pub fn may_have_signed(&self, intent: &IntentId) -> bool {
        match self.ledger.entry(intent) {
            Some(entry) => !matches!(entry.state, SpendState::Reserved | SpendState::Void),
            None => self.intents.contains_key(intent),
        }
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
        Ok(self.slots.get(slot).cloned().or_else(|| self.ages.used_up(slot)))
    }

    fn ledger(&self) -> Result<&Ledger, LedgerError> {
        Ok(&self.ledger)
    }

    fn health(&self, agent: &AgentId) -> Result<&Health, LedgerError> {
        Ok(self.health.get(agent).unwrap_or(&ALL_WELL))
    }

    fn tripped(&self, agent: &AgentId) -> Result<Option<&TripRow>, LedgerError> {
        Ok(self.tripped.get(agent))
    }

    fn experience(&self) -> Result<&Experience, LedgerError> {
        Ok(&self.experience)
    }

    fn channels(&self) -> Result<&Channels, LedgerError> {
        Ok(&self.channels)
    }

    fn access_keys(&self) -> Result<&AccessKeys, LedgerError> {
        Ok(&self.access_keys)
    }

    fn refused(&mut self, agent: &AgentId, at: UnixSeconds) {
        self.health.entry(agent.clone()).or_default().refuse(at);
    }

    fn trip(&mut self, row: &TripRow) -> Result<(), LedgerError> {
        self.tripped.insert(row.agent.clone(), row.clone());
        Ok(())
    }

    fn record(&mut self, row: &SpendRow) -> Result<(), LedgerError> {
        self.ledger.record(row)?;
        self.channels.record(row);
        self.access_keys.record(row);
        self.slots.insert(row.slot.clone(), SlotRecord::of(row));
        let payee = Payee::of(row.service.as_ref(), row.recipient);
        let payee = payee.and_then(|payee| self.experience.place(payee));
        if let Entry::Vacant(place) = self.intents.entry(row.intent) {
            place.insert(Known { content_hash: row.content_hash, slot: row.slot.clone(), payee });
            self.ages.push(self.ledger.clamp(row.at), row.intent);
        }
        self.age();
        Ok(())
    }
}
