//! The payments that are in somebody's hands, and the requests that wait for them.
//!
//! Promises: one place for each payment, for whoever takes it in and then drives it; dropping the
//! place gives it back, however the work ended. What a node answered to a request's part is in
//! memory for that request alone, and is gone with it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tercet_api::payment::PaymentStatus;
use tercet_api::relay::{SealedBytes, SealedPart};
use tercet_policy::intent::IntentId;
use tokio::sync::{Notify, OwnedSemaphorePermit, oneshot, watch};
use tokio::time::timeout;

use crate::app::App;
use crate::store::PaymentRecord;

/// The payments that are being taken in or driven, and whether each is past signing.
#[derive(Debug, Default)]
pub struct Running(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    held: HashMap<IntentId, Held>,
    again: HashSet<IntentId>,
}

#[derive(Debug)]
struct Held {
    past_signing: watch::Sender<bool>,
    news: Arc<Notify>,
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells whoever drives this payment that somebody said something about it.
    pub fn news(&self, id: &IntentId) {
        if let Some(held) = self.lock().held.get(id) {
            held.news.notify_one();
        }
    }

    /// Waits until there is news of this payment.
    pub(super) async fn wait_for_news(&self, id: &IntentId) {
        let news = self.lock().held.get(id).map(|held| Arc::clone(&held.news));
        match news {
            Some(news) => news.notified().await,
            None => std::future::pending().await,
        }
    }

    /// Tells those who wait whether the payment is past signing.
    pub(super) fn tell(&self, record: &PaymentRecord) {
        let past = is_past_signing(record);
        if let Some(held) = self.lock().held.get(&record.id()) {
            held.past_signing.send_if_modified(|told| std::mem::replace(told, past) != past);
        }
    }
}

/// Whether a request has nothing to wait for any more.
pub(super) fn is_past_signing(record: &PaymentRecord) -> bool {
    !matches!(record.state.status(), PaymentStatus::Received | PaymentStatus::Signing)
}

/// One payment in one pair of hands; dropping it lets it go.
#[derive(Debug)]
pub(super) struct Place {
    pub app: App,
    pub id: IntentId,
}

impl Place {
    /// Takes a payment that is in nobody's hands.
    pub(super) fn take(app: &App, id: IntentId) -> Option<Self> {
        let mut table = app.running().lock();
        if table.held.contains_key(&id) {
            return None;
        }
        let held = Held { past_signing: watch::Sender::new(false), news: Arc::default() };
        table.held.insert(id, held);
        drop(table);
        Some(Self { app: app.clone(), id })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.app.running().lock().held.remove(&self.id);
    }
}

/// One payment that is being signed once more; dropping it lets it go.
#[derive(Debug)]
pub(super) struct AgainPlace {
    app: App,
    id: IntentId,
}

impl AgainPlace {
    /// Takes a payment that nobody signs once more now.
    pub(super) fn take(app: &App, id: IntentId) -> Option<Self> {
        app.running().lock().again.insert(id).then(|| Self { app: app.clone(), id })
    }
}

impl Drop for AgainPlace {
    fn drop(&mut self) {
        self.app.running().lock().again.remove(&self.id);
    }
}

/// Waits until a payment is past signing or in nobody's hands, as long as the limits say.
pub async fn wait(app: &App, id: &IntentId) {
    let receiver = app.running().lock().held.get(id).map(|held| held.past_signing.subscribe());
    if let Some(mut receiver) = receiver {
        // Out of time, stopping, or the task ended: the store knows.
        let _told = within_limits(app, receiver.wait_for(|past| *past)).await;
    }
}

/// Waits for something as long as a request waits for an outcome.
pub async fn within_limits<T>(app: &App, something: impl Future<Output = T>) -> Option<T> {
    let limit = Duration::from_secs(app.limits().payment_wait_seconds);
    tokio::select! {
        () = app.stop().cancelled() => None,
        told = timeout(limit, something) => told.ok(),
    }
}

/// A payment past signing, as a request is told of it.
#[derive(Debug)]
pub struct Told {
    /// The payment.
    pub record: PaymentRecord,
    /// What the operator's node answered to the part that the request brought.
    pub answer: Option<SealedBytes>,
}

/// What the request that brought a payment brought along, and where it waits.
#[derive(Debug)]
pub(super) struct Errand {
    part: Option<SealedPart>,
    room: Option<OwnedSemaphorePermit>,
    told: oneshot::Sender<Told>,
}

impl Errand {
    pub(super) fn new(
        part: Option<SealedPart>,
        room: OwnedSemaphorePermit,
    ) -> (Self, oneshot::Receiver<Told>) {
        let (told, receiver) = oneshot::channel();
        (Self { part, room: Some(room), told }, receiver)
    }

    /// Whether it brought a part whose answer somebody still waits for.
    pub(super) fn has_part(&self) -> bool {
        self.part.is_some() && !self.told.is_closed()
    }

    /// The part, for the one session it is for.
    pub(super) fn take_part(&mut self) -> Option<SealedPart> {
        self.part.take().filter(|_| !self.told.is_closed())
    }

    /// It is not on the short way, or not any more: it does not count among those that are.
    pub(super) fn leave_room(&mut self) {
        self.room = None;
    }

    /// Tells the request. One that is gone is told nothing, and nobody else is.
    pub(super) fn tell(self, record: PaymentRecord, answer: Option<SealedBytes>) {
        let _ = self.told.send(Told { record, answer });
    }
}
