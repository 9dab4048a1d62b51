//! Does what the state machine says, one effect at a time.
//!
//! Promises: what is about to be done is stored before it is done, from the version that was read;
//! one task drives one payment; a stop or a crash anywhere is taken up from the store alone.
//!
//! A request is told of its signature before that is durable. What is durable by then says that
//! there may be one (`signing`): a crash in between is a crash in the middle of the session, and
//! the same is signed again.

use std::time::Duration;

use tercet_api::relay::SealedBytes;
use tercet_policy::intent::IntentId;
use tercet_policy::party::Party;
use tokio::time::sleep;

use super::running::{Errand, Place, is_past_signing};
use super::state::{Effect, Event, Kind, State, step};
use super::{evidence, outcome, prepare};
use crate::app::App;
use crate::crash::CrashPoint;
use crate::relay::Seats;
use crate::store::{Change, Facts, PaymentRecord, StoreError};

/// How long to wait after the store failed, in seconds.
const STORE_RETRY_SECONDS: u64 = 2;

/// What an effect came to.
#[derive(Clone, Debug)]
pub(super) struct Next {
    pub event: Event,
    pub facts: Facts,
    /// For the request that waits, and nobody else.
    pub answer: Option<SealedBytes>,
}

impl Next {
    pub(super) const fn new(event: Event, facts: Facts) -> Self {
        Self { event, facts, answer: None }
    }

    /// Only the detail is new.
    pub(super) fn noted(record: &PaymentRecord, detail: impl Into<String>) -> Self {
        let facts = Facts { detail: Some(detail.into()), ..record.facts.clone() };
        Self::new(Event::Noted, facts)
    }
}

/// Starts to drive a stored payment, unless it is driven already.
pub fn begin(app: &App, id: IntentId) {
    let Some(place) = Place::take(app, id) else { return };
    app.tasks().spawn(async move {
        let stop = place.app.stop().clone();
        let work = async {
            let record = read(&place.app, &id).await?;
            drive(&place.app, record, Event::Resumed, None).await;
            Some(())
        };
        tokio::select! { () = stop.cancelled() => {}, _over = work => {} }
    });
}

/// Starts to drive a payment that was just stored, for the request that brought it.
pub(super) fn begin_fresh(place: Place, record: PaymentRecord, errand: Errand) {
    place.app.clone().tasks().spawn(async move {
        let stop = place.app.stop().clone();
        // Nothing was done yet: it does not come back from anywhere.
        let work = drive(&place.app, record, Event::Noted, Some(errand));
        tokio::select! { () = stop.cancelled() => {}, () = work => {} }
    });
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

async fn drive(app: &App, record: PaymentRecord, first: Event, mut errand: Option<Errand>) {
    let mut next = Next::new(first, record.facts.clone());
    let mut record = record;
    loop {
        let (moved, effect) = Box::pin(settle(app, &record, next, &mut errand)).await;
        app.running().tell(&moved);
        if is_past_signing(&moved)
            && let Some(errand) = errand.take()
        {
            errand.tell(moved.clone(), None);
        }
        let Some(effect) = effect else { return };
        next = perform(app, &moved, effect, &mut errand).await;
        record = moved;
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
async fn settle(
    app: &App,
    record: &PaymentRecord,
    next: Next,
    errand: &mut Option<Errand>,
) -> (PaymentRecord, Option<Effect>) {
    let mut record = record.clone();
    let mut next = next;
    loop {
        match apply(app, &record, &next, errand).await {
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

/// The move on top of what somebody else stored meanwhile: signing again changes what was signed,
/// how, and the detail, and people's answers are added.
fn rebased(old: &PaymentRecord, newer: &PaymentRecord, next: Next) -> Next {
    let mut facts = next.facts;
    if facts.digest == old.facts.digest {
        facts.digest = newer.facts.digest;
    }
    if facts.signed_by == old.facts.signed_by {
        facts.signed_by = newer.facts.signed_by;
    }
    facts.approvals.clone_from(&newer.facts.approvals);
    Next { facts, ..next }
}

/// Stores a move. The request that waits for a signature is told of it when its write has its place
/// in the row, not when it is durable: that it is being signed is durable, so a crash leaves it in
/// doubt. A no is shown to nobody before it is durable, for it would be believed.
pub(super) async fn apply(
    app: &App,
    record: &PaymentRecord,
    next: &Next,
    errand: &mut Option<Errand>,
) -> Result<(PaymentRecord, Option<Effect>), StoreError> {
    let kind = Kind::of(&record.envelope.document.payment);
    let (state, effect) = step(kind, record.state, next.event);
    if state == record.state && next.facts == record.facts {
        return Ok((record.clone(), effect));
    }
    let (event, facts, at) = (next.event, next.facts.clone(), app.clock().now());
    let change = Change { event, state, facts, at };
    let moved = match errand.take_if(|_| event == Event::Signature) {
        Some(errand) => {
            let (then, pending) = app.store().change_payment_soon(record, change).await?;
            app.book().follow(record.state, &then);
            errand.tell(then, next.answer.clone());
            pending.durable().await?
        }
        None => {
            let moved = app.store().change_payment(record, change).await?;
            app.book().follow(record.state, &moved);
            moved
        }
    };
    if record.state != state {
        tracing::info!(payment = %record.id(), from = ?record.state, to = ?state, "payment moved");
    }
    if state == State::Signed && record.state != State::Signed {
        app.crash().reach(CrashPoint::AfterSignedStored);
    }
    Ok((moved, effect))
}

/// Each in a place of its own: most payments are watched, which takes the least room.
async fn perform(
    app: &App,
    record: &PaymentRecord,
    effect: Effect,
    errand: &mut Option<Errand>,
) -> Next {
    match effect {
        Effect::Prepare => Box::pin(prepare::prepare(app, record, errand.as_ref())).await,
        Effect::Sign => Box::pin(outcome::sign(app, record, errand.as_mut())).await,
        Effect::Broadcast => Box::pin(evidence::broadcast(app, record)).await,
        Effect::Watch => Box::pin(evidence::watch(app, record)).await,
    }
}

/// The nodes of the everyday pair of a payment's agent.
pub(super) fn everyday(app: &App, record: &PaymentRecord) -> Option<Seats> {
    app.directory().seats(&record.envelope.document.agent, &Party::EVERYDAY)
}
