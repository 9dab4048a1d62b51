//! Does what the state machine says, one effect at a time.
//!
//! Promises: what is about to be done is stored before it is done, from the version that was read;
//! one task drives one payment; a stop or a crash anywhere is taken up from the store alone.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tercet_api::payment::{PaymentStatus, RefusalBy};
use tercet_policy::intent::IntentId;
use tercet_policy::party::Party;
use tercet_policy::refusal::Refusal;
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::state::{Effect, Event, Kind, State, step};
use super::{evidence, outcome, prepare, session};
use crate::app::App;
use crate::crash::CrashPoint;
use crate::relay::Seats;
use crate::store::{Change, Facts, PaymentRecord, StoreError};

/// How long to wait after the store failed, in seconds.
const STORE_RETRY_SECONDS: u64 = 2;
/// How often a change is tried that somebody else overtook.
const OVERTAKEN_MAX: u32 = 8;

/// The payments that are being driven, and whether each is past signing.
#[derive(Debug, Default)]
pub struct Running(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    past_signing: HashMap<IntentId, watch::Sender<bool>>,
    again: HashSet<IntentId>,
    news: HashMap<IntentId, Arc<Notify>>,
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, id: IntentId) -> bool {
        let mut table = self.lock();
        if table.past_signing.contains_key(&id) {
            return false;
        }
        table.past_signing.insert(id, watch::Sender::new(false));
        table.news.insert(id, Arc::default());
        true
    }

    fn leave(&self, id: &IntentId) {
        let mut table = self.lock();
        table.past_signing.remove(id);
        table.news.remove(id);
    }

    /// Tells whoever drives this payment that somebody said something about it.
    pub fn news(&self, id: &IntentId) {
        if let Some(news) = self.lock().news.get(id) {
            news.notify_one();
        }
    }

    /// Waits until there is news of this payment.
    pub(super) async fn wait_for_news(&self, id: &IntentId) {
        let news = self.lock().news.get(id).map(Arc::clone);
        match news {
            Some(news) => news.notified().await,
            None => std::future::pending().await,
        }
    }

    fn tell(&self, record: &PaymentRecord) {
        let waiting =
            matches!(record.state.status(), PaymentStatus::Received | PaymentStatus::Signing);
        if let Some(sender) = self.lock().past_signing.get(&record.id()) {
            sender.send_if_modified(|past| std::mem::replace(past, !waiting) == waiting);
        }
    }
}

/// What an effect came to.
#[derive(Clone, Debug)]
pub(super) struct Next {
    pub event: Event,
    pub facts: Facts,
}

impl Next {
    pub(super) const fn new(event: Event, facts: Facts) -> Self {
        Self { event, facts }
    }

    /// Only the detail is new.
    pub(super) fn noted(record: &PaymentRecord, detail: impl Into<String>) -> Self {
        let facts = Facts { detail: Some(detail.into()), ..record.facts.clone() };
        Self::new(Event::Noted, facts)
    }
}

/// Starts to drive a payment, unless it is driven already.
pub fn begin(app: &App, id: IntentId) {
    if app.running().take(id) {
        let driven = app.clone();
        app.tasks().spawn(async move {
            drive(&driven, id).await;
            driven.running().leave(&id);
        });
    }
}

/// Takes up every payment that is not over.
///
/// # Errors
/// [`StoreError`]
pub async fn resume_all(app: &App) -> Result<(), StoreError> {
    let open = app.store().open_payments().await?;
    if !open.is_empty() {
        tracing::info!(payments = open.len(), "taking up open payments");
    }
    open.into_iter().for_each(|id| begin(app, id));
    Ok(())
}

/// Waits until a payment is past signing, as long as the limits say.
pub async fn wait(app: &App, id: &IntentId) {
    let receiver = app.running().lock().past_signing.get(id).map(watch::Sender::subscribe);
    if let Some(mut receiver) = receiver {
        let limit = Duration::from_secs(app.limits().payment_wait_seconds);
        // Out of time, stopping, or the task ended: the store knows.
        tokio::select! {
            () = app.stop().cancelled() => {}
            _told = timeout(limit, receiver.wait_for(|past| *past)) => {}
        }
    }
}

async fn drive(app: &App, id: IntentId) {
    let stop = app.stop().clone();
    let work = async {
        let mut record = read(app, &id).await?;
        let mut next = Next::new(Event::Resumed, record.facts.clone());
        loop {
            let (moved, effect) = settle(app, &record, next).await;
            app.running().tell(&moved);
            let effect = effect?;
            next = perform(app, &moved, effect).await;
            record = moved;
        }
        #[expect(unreachable_code, reason = "gives the block its type")]
        Some(())
    };
    tokio::select! {
        () = stop.cancelled() => {}
        _over = work => {}
    }
}

async fn read(app: &App, id: &IntentId) -> Option<PaymentRecord> {
    loop {
        match app.store().payment(id).await {
            Ok(record) => return record,
            Err(error) => {
                tracing::error!(%id, %error, "cannot read the payment");
                sleep(Duration::from_secs(STORE_RETRY_SECONDS)).await;
            }
        }
    }
}

/// Stores a move, as often as it takes; a payment that somebody else moved is read again.
async fn settle(app: &App, record: &PaymentRecord, next: Next) -> (PaymentRecord, Option<Effect>) {
    let mut record = record.clone();
    let mut next = next;
    loop {
        match apply(app, &record, &next).await {
            Ok(moved) => return moved,
            Err(StoreError::Changed) => {
                let Some(newer) = read(app, &record.id()).await else { return (record, None) };
                next = rebased(&record, &newer, next);
                record = newer;
            }
            Err(error) => {
                tracing::error!(payment = %record.id(), %error, "cannot store the move");
                sleep(Duration::from_secs(STORE_RETRY_SECONDS)).await;
            }
        }
    }
}

/// The move on top of what somebody else stored meanwhile: signing again changes the digest and
/// the detail, and people's answers are added.
fn rebased(old: &PaymentRecord, newer: &PaymentRecord, next: Next) -> Next {
    let mut facts = next.facts;
    if facts.digest == old.facts.digest {
        facts.digest = newer.facts.digest;
    }
    facts.approvals.clone_from(&newer.facts.approvals);
    Next { facts, ..next }
}

async fn apply(
    app: &App,
    record: &PaymentRecord,
    next: &Next,
) -> Result<(PaymentRecord, Option<Effect>), StoreError> {
    let kind = Kind::of(&record.envelope.document.payment);
    let (state, effect) = step(kind, record.state, next.event);
    if state == record.state && next.facts == record.facts {
        return Ok((record.clone(), effect));
    }
    let (event, facts, at) = (next.event, next.facts.clone(), app.clock().now());
    let change = Change { event, state, facts, at };
    let moved = app.store().change_payment(record, change).await?;
    app.book().follow(record.state, &moved);
    if record.state != state {
        tracing::info!(payment = %record.id(), from = ?record.state, to = ?state, "payment moved");
    }
    if state == State::Signed && record.state != State::Signed {
        app.crash().reach(CrashPoint::AfterSignedStored);
    }
    Ok((moved, effect))
}

async fn perform(app: &App, record: &PaymentRecord, effect: Effect) -> Next {
    match effect {
        Effect::Prepare => prepare::prepare(app, record).await,
        Effect::Sign => outcome::sign(app, record).await,
        Effect::Broadcast => evidence::broadcast(app, record).await,
        Effect::Watch => evidence::watch(app, record).await,
    }
}

/// Why a payment was not signed again.
#[derive(Debug)]
pub enum NotAgain {
    /// It is over, was never signed, or is a transfer.
    Over,
    /// It is being signed now.
    Busy,
    /// Somebody says no.
    Refused(Vec<RefusalBy>),
    /// The session failed.
    Failed(String),
    /// The store failed.
    Store(StoreError),
}

/// Runs one more signing session for an authorization that is or may be signed: same slot, same
/// digest, so the chain takes it at most once.
///
/// # Errors
/// [`NotAgain`]; the payment stands where it stood.
pub async fn sign_again(app: &App, record: PaymentRecord) -> Result<PaymentRecord, NotAgain> {
    let intent = &record.envelope.document;
    match (record.state, Kind::of(&intent.payment)) {
        (State::Signing { .. } | State::Received | State::AwaitingApproval, _) => {
            return Err(NotAgain::Busy);
        }
        (State::Signed | State::Unknown, Kind::Authorization | Kind::Cancellation) => {}
        _ => return Err(NotAgain::Over),
    }
    let (now, expires_at) = (app.clock().now(), intent.expires_at);
    if now >= expires_at {
        let refusal = Refusal::IntentExpired { expires_at, now };
        return Err(NotAgain::Refused(vec![RefusalBy { by: "coordinator".into(), refusal }]));
    }
    if !app.running().lock().again.insert(record.id()) {
        return Err(NotAgain::Busy);
    }
    let _place = Again { app, id: record.id() };
    let ask = outcome::ask(app, &record).ok_or(NotAgain::Over)?;
    match session::run(app, &ask).await {
        session::Ended::Signed { digest, .. } => signed_again(app, record, digest).await,
        session::Ended::Refused(refusals) => Err(NotAgain::Refused(refusals)),
        session::Ended::Failed { detail, .. } => Err(NotAgain::Failed(detail)),
    }
}

struct Again<'a> {
    app: &'a App,
    id: IntentId,
}

impl Drop for Again<'_> {
    fn drop(&mut self) {
        self.app.running().lock().again.remove(&self.id);
    }
}

async fn signed_again(
    app: &App,
    mut record: PaymentRecord,
    digest: alloy_primitives::B256,
) -> Result<PaymentRecord, NotAgain> {
    for _ in 0..OVERTAKEN_MAX {
        let facts = Facts { digest: Some(digest), ..record.facts.clone() };
        match apply(app, &record, &Next::new(Event::Signature, facts)).await {
            Ok((moved, _)) => return Ok(moved),
            Err(StoreError::Changed) => {
                record = app
                    .store()
                    .payment(&record.id())
                    .await
                    .map_err(NotAgain::Store)?
                    .ok_or(NotAgain::Over)?;
            }
            Err(error) => return Err(NotAgain::Store(error)),
        }
    }
    Err(NotAgain::Busy)
}

/// The nodes of the everyday pair of a payment's agent.
pub(super) fn everyday(app: &App, record: &PaymentRecord) -> Option<Seats> {
    let agent = app.directory().agent(&record.envelope.document.agent)?;
    Some(Seats::of(&agent.enrolment.document, &Party::EVERYDAY))
}
