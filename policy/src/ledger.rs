//! What an agent has spent, and how much of it lies in any window.
//!
//! Promises: every admitted payment counts in full from the moment it is recorded, until a
//! settlement replaces the amount or a proof shows that it can never happen. The answer for any
//! window takes logarithmic time. The same rows in the same order give an equal ledger.
//!
//! Refuses: a row it has already, an outcome of a payment it does not know, a settlement above
//! what was reserved, an outcome after a final one.
//!
//! Time does not run backwards in here: a row that is older than the last one counts as of the
//! last one, and a question about an earlier moment is answered for the last one. A clock that
//! is set back can therefore only refuse more. A clock that ran far ahead once keeps its last
//! row in the window until true time has caught up.
//!
//! Does not protect against: rows that were never written.

mod health;
mod key;
mod series;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;

use serde::{Deserialize, Serialize};

use crate::chain::Asset;
use crate::intent::IntentId;
use crate::money::Amount;
use crate::rows::{Outcome, OutcomeRow, SpendRow};
use crate::subject::Subject;
use crate::time::UnixSeconds;
use series::Series;

pub use health::{HEALTH_MOMENTS_MAX, Health};
pub use key::{Axis, Measure, Scope};

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

/// One payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it counts from.
    pub at: UnixSeconds,
    /// Its intent.
    pub intent: IntentId,
    /// Base units that count now.
    pub counted: Amount,
    /// Where it stands.
    pub state: SpendState,
    /// The series it is part of, and its place in each.
    places: Box<[(Key, usize)]>,
}

type Key = (Subject, Measure, Scope);

const AXES: [Axis; 7] = [
    Axis::Recipient,
    Axis::Service,
    Axis::Endpoint,
    Axis::Category,
    Axis::Protocol,
    Axis::Asset,
    Axis::Session,
];

/// The series a row is part of, and what it adds to each.
fn parts(row: &SpendRow, asset: &'static Asset) -> Vec<(Key, u128)> {
    let subjects =
        [Subject::Organisation, Subject::Agent(row.agent.clone()), Subject::Wallet(row.wallet)];
    let measures = [
        (Measure::Amount(asset.symbol), row.amount.base_units()),
        (Measure::FeeWei, row.fee_wei().base_units()),
        (Measure::Count, 1),
    ];
    let mut parts = Vec::new();
    for subject in subjects {
        for (measure, value) in measures {
            parts.push(((subject.clone(), measure, Scope::Total), value));
            let scopes = AXES.map(|axis| Scope::of_row(axis, row, asset.symbol));
            parts.extend(scopes.map(|scope| ((subject.clone(), measure, scope), value)));
        }
    }
    parts
}

/// The spending of all agents in one journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    last: UnixSeconds,
    gross: Amount,
    entries: BTreeMap<IntentId, Entry>,
    series: BTreeMap<Key, Series>,
}

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
    /// More was settled than was reserved.
    #[error("intent {0} settled more than it reserved")]
    SettledTooMuch(IntentId),
    /// A token that is not in the registry.
    #[error("intent {0} pays with a token that is not in the registry")]
    UnknownAsset(IntentId),
    /// All amounts together no longer fit 128 bits.
    #[error("the ledger is full")]
    Full,
}

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in an admitted proposal. Rows that do not count (cancellations, higher fees for the
    /// same payment) change nothing but the time.
    ///
    /// # Errors
    /// [`LedgerError`] for a row that cannot follow; the ledger is unchanged then.
    pub fn record(&mut self, row: &SpendRow) -> Result<(), LedgerError> {
        if row.counts() {
            self.insert(row)?;
        }
        self.last = self.clamp(row.at);
        Ok(())
    }

    fn insert(&mut self, row: &SpendRow) -> Result<(), LedgerError> {
        let id = row.intent;
        let asset = Asset::find(row.chain, row.token).map_err(|_| LedgerError::UnknownAsset(id))?;
        let gross = self.gross.checked_add(row.amount).ok_or(LedgerError::Full)?;
        let at = self.clamp(row.at);
        let Place::Vacant(place) = self.entries.entry(id) else {
            return Err(LedgerError::AlreadyRecorded(id));
        };
        let series = &mut self.series;
        let push = |(key, value): (Key, u128)| {
            let place = series.entry(key.clone()).or_default().push(at, value);
            (key, place)
        };
        let places = parts(row, asset).into_iter().map(push).collect();
        let (intent, counted, state) = (id, row.amount, SpendState::Reserved);
        place.insert(Entry { at, intent, counted, state, places });
        self.gross = gross;
        Ok(())
    }

    /// Takes in what became of a payment. The same outcome twice is one outcome.
    ///
    /// # Errors
    /// [`LedgerError`] for an outcome that cannot follow; the ledger is unchanged then.
    pub fn apply(&mut self, row: &OutcomeRow) -> Result<(), LedgerError> {
        let id = row.intent();
        let entry = self.entries.get_mut(&id).ok_or(LedgerError::UnknownIntent(id))?;
        let (state, counted) = match row.outcome() {
            Outcome::Released => (SpendState::Spent, entry.counted),
            Outcome::Settled { amount, .. } => (SpendState::Settled, *amount),
            Outcome::Void { .. } => (SpendState::Void, Amount::ZERO),
        };
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
        let fewer = u128::from(state == SpendState::Void);
        let less = entry.counted.checked_sub(counted).unwrap_or_default().base_units();
        for (key, place) in &entry.places {
            let by = match key.1 {
                Measure::Count => fewer,
                Measure::Amount(_) => less,
                // A fee is taken for a failed transaction too.
                Measure::FeeWei => 0,
            };
            if let Some(line) = self.series.get_mut(key) {
                line.take(*place, by);
            }
        }
        entry.state = state;
        entry.counted = counted;
        Ok(())
    }

    /// Gives back a payment that nothing was ever signed for, its fee too; one that is unknown or
    /// void changes nothing. For a preview, which says so without proof because it decides
    /// nothing. A journal that signs never calls this: it gives back by evidence alone.
    pub fn forgo(&mut self, row: &SpendRow) {
        let Some(entry) = self.entries.get_mut(&row.intent) else { return };
        if entry.state == SpendState::Void {
            return;
        }
        for (key, place) in &entry.places {
            let by = match key.1 {
                Measure::Count => 1,
                Measure::Amount(_) => entry.counted.base_units(),
                Measure::FeeWei => row.fee_wei().base_units(),
            };
            if let Some(line) = self.series.get_mut(key) {
                line.take(*place, by);
            }
        }
        entry.state = SpendState::Void;
        entry.counted = Amount::ZERO;
    }

    /// The payment of an intent.
    #[must_use]
    pub fn entry(&self, intent: &IntentId) -> Option<&Entry> {
        self.entries.get(intent)
    }

    /// Number of payments recorded, void ones too.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The moment for which a question at `now` is answered: never before the last row.
    #[must_use]
    pub fn clamp(&self, now: UnixSeconds) -> UnixSeconds {
        self.last.max(now)
    }

    /// What counts from `since` on, `since` included.
    #[must_use]
    pub fn sum(
        &self,
        subject: &Subject,
        measure: Measure,
        scope: &Scope,
        since: UnixSeconds,
    ) -> u128 {
        self.line(subject, measure, scope).map_or(0, |line| line.sum_since(since))
    }

    /// The moment of the payment with which, counted from `since` on, `enough` is reached: once
    /// that one has fallen out of a rolling window, so much is free again.
    #[must_use]
    pub fn moment_of(
        &self,
        subject: &Subject,
        measure: Measure,
        scope: &Scope,
        since: UnixSeconds,
        enough: u128,
    ) -> Option<UnixSeconds> {
        self.line(subject, measure, scope)?.moment_of(since, enough)
    }

    fn line(&self, subject: &Subject, measure: Measure, scope: &Scope) -> Option<&Series> {
        self.series.get(&(subject.clone(), measure, scope.clone()))
    }
}

#[cfg(test)]
mod tests;
