//! When the chain is looked at for a payment.
//!
//! Promises: what is young is looked at at the configured pace, what is older less often in
//! proportion to its age, and everything right after its deadline; over all payments there are at
//! most [`LOOKS_AT_ONCE_MAX`] looks at once and about [`LOOKS_PER_SECOND_MAX`] in a second, however
//! many are open.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tercet_policy::time::UnixSeconds;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::state::{Kind, State};
use crate::app::App;
use crate::store::PaymentRecord;

/// Looks at once.
pub const LOOKS_AT_ONCE_MAX: usize = 16;
/// Looks in a second, about: with more payments open each is looked at less often.
pub const LOOKS_PER_SECOND_MAX: u64 = 50;
/// A pause is this part of the payment's age.
const AGE_OVER_PAUSE: u64 = 8;
/// Longest pause, in seconds.
const PAUSE_SECONDS_MAX: u64 = 300;
/// How much slower than the configured pace a transaction of ours is looked at at most: the
/// account's next one, or whoever asked for it, waits for it.
const TRANSFER_SLOWER_MAX: u64 = 5;
/// Longest pause of a deposit that is in its channel, in seconds: when the channel ends, what was
/// not used can be spent again. One is open for up to 31 days.
const DEPOSIT_PAUSE_SECONDS_MAX: u64 = 120;
/// What fills one second with looks. A deposit in its channel, which is looked at this much more
/// seldom than others, counts as 1, and the others as [`DEPOSIT_PAUSE_SECONDS_MAX`].
const WEIGHT_PER_SECOND: u64 = LOOKS_PER_SECOND_MAX * DEPOSIT_PAUSE_SECONDS_MAX;

/// Places for looks, and the weight of the payments that are watched.
#[derive(Debug)]
pub struct Lookout {
    places: Semaphore,
    watched: AtomicU64,
}

impl Default for Lookout {
    fn default() -> Self {
        Self { places: Semaphore::new(LOOKS_AT_ONCE_MAX), watched: AtomicU64::new(0) }
    }
}

impl Lookout {
    /// Counts a payment among those watched, until that is dropped.
    pub(super) fn watch(&self, record: &PaymentRecord) -> Watched<'_> {
        let weight = if is_in_channel(record) { 1 } else { DEPOSIT_PAUSE_SECONDS_MAX };
        self.watched.fetch_add(weight, Ordering::Relaxed);
        Watched { lookout: self, weight }
    }

    /// Waits for a place to look from. None never comes: the places are not closed.
    pub(super) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.places.acquire().await.ok()
    }

    fn crowd_seconds(&self) -> u64 {
        self.watched.load(Ordering::Relaxed) / WEIGHT_PER_SECOND
    }
}

/// One payment that is watched.
#[derive(Debug)]
pub(super) struct Watched<'a> {
    lookout: &'a Lookout,
    weight: u64,
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.lookout.watched.fetch_sub(self.weight, Ordering::Relaxed);
    }
}

/// Whether the chain showed the deposit in its channel at a safe block.
pub(super) fn is_in_channel(record: &PaymentRecord) -> bool {
    record.state == State::Submitted && Kind::of(&record.envelope.document.payment) == Kind::Deposit
}

/// How long to wait before the next look.
pub(super) fn pause(app: &App, record: &PaymentRecord) -> Duration {
    let pace = app.clerk().poll_seconds(record.envelope.document.payment.chain());
    let crowd = app.lookout().crowd_seconds();
    Duration::from_secs(pause_seconds(record, app.clock().now(), pace, crowd))
}

fn pause_seconds(record: &PaymentRecord, now: UnixSeconds, pace: u64, crowd: u64) -> u64 {
    let age_since = |moment: UnixSeconds| now.0.saturating_sub(moment.0) / AGE_OVER_PAUSE;
    let slowest = PAUSE_SECONDS_MAX.max(pace);
    if is_in_channel(record) {
        let calm = age_since(record.updated_at).min(DEPOSIT_PAUSE_SECONDS_MAX);
        return calm.max(pace).max(crowd).min(slowest);
    }
    if Kind::of(&record.envelope.document.payment) == Kind::Transfer {
        let calm = age_since(record.created_at).min(pace.saturating_mul(TRANSFER_SLOWER_MAX));
        return calm.max(pace).max(crowd).min(slowest);
    }
    match record.facts.deadline {
        Some(deadline) if now < deadline => {
            let left = deadline.0.saturating_sub(now.0);
            age_since(record.created_at).max(pace).max(crowd).min(slowest).min(left)
        }
        // From here on it waits for a safe block of that time alone.
        deadline => {
            let since = deadline.unwrap_or(record.created_at);
            age_since(since).max(pace).max(crowd).min(slowest)
        }
    }
}

#[cfg(test)]
mod tests;
