//! Payments whose part has left and whose answer has not come yet.
//!
//! Promises: bounded in number and age. What is dropped here costs a presignature; the payment
//! itself is in the journal.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tercet_policy::intent::IntentId;
use tercet_signer::gate::PendingPayment;
use tokio::time::Instant;

/// Most payments whose answer is waited for.
pub const PENDING_MAX: usize = 1_024;
/// How long an answer is waited for: longer than any request takes.
pub const PENDING_WAIT_MAX: Duration = Duration::from_secs(300);

/// The payments, by intent. One that is begun again replaces what was begun before.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    waiting: Mutex<HashMap<IntentId, (Instant, PendingPayment)>>,
}

impl Pending {
    /// Whether another one may begin.
    pub(crate) fn has_room(&self) -> bool {
        let mut waiting = self.lock();
        if waiting.len() >= PENDING_MAX {
            waiting.retain(|_, (since, _)| since.elapsed() < PENDING_WAIT_MAX);
        }
        waiting.len() < PENDING_MAX
    }

    pub(crate) fn put(&self, intent: IntentId, pending: PendingPayment) {
        drop(self.lock().insert(intent, (Instant::now(), pending)));
    }

    pub(crate) fn take(&self, intent: IntentId) -> Option<PendingPayment> {
        self.lock().remove(&intent).map(|(_, pending)| pending)
    }

    /// A panic of another holder leaves the map whole: every change to it is one call.
    fn lock(&self) -> MutexGuard<'_, HashMap<IntentId, (Instant, PendingPayment)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
