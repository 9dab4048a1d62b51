//! Taking a payment in: what the preview says is found out first and stored with the payment, in
//! one write, wherever nothing has to be waited for.
//!
//! Promises: an id is taken in once, whoever asks at the same time; what was let through and then
//! not stored counts nowhere.

use std::time::Duration;

use tercet_api::relay::SealedPart;
use tercet_policy::intent::{AuthenticIntent, SignedIntent};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::running::{self, Errand, Place, Told};
use super::state::{Kind, State, step};
use super::{driver, prepare};
use crate::app::App;
use crate::crash::CrashPoint;
use crate::store::{Facts, Move, NewPayment, PaymentRecord, StoreError, Taken};

/// How long to wait before an id is looked for again that somebody takes in and nobody stored, in
/// milliseconds.
const LOOK_AGAIN_MILLIS: u64 = 20;

/// A payment that is to be taken in.
#[derive(Debug)]
pub struct Wish {
    /// What the agent signed.
    pub envelope: SignedIntent,
    /// The same, opened.
    pub opened: AuthenticIntent,
    /// The part of the agent's node, where it came with one.
    pub part: Option<SealedPart>,
}

/// What became of it.
#[derive(Debug)]
pub enum TakenIn {
    /// It is new and under way; its end, or that it waits for people, is told here.
    Fresh {
        /// As it was stored.
        record: Box<PaymentRecord>,
        /// Where it is told.
        told: oneshot::Receiver<Told>,
    },
    /// It was taken in before.
    Known {
        /// As it is stored.
        record: Box<PaymentRecord>,
        /// The part that came now.
        part: Option<SealedPart>,
    },
}

/// Why it was not taken in.
#[derive(Debug)]
pub enum NotTaken {
    /// Too many payments are open.
    Full,
    /// Too many payments are being taken in or signed in one round trip.
    Crowded,
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for NotTaken {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Takes a payment in, or finds it stored.
///
/// # Errors
/// [`NotTaken`]
pub async fn take_in(app: &App, wish: Wish) -> Result<TakenIn, NotTaken> {
    let id = wish.envelope.document.id;
    loop {
        let place = Place::take(app, id);
        if let Some(record) = app.store().payment(&id).await? {
            return Ok(TakenIn::Known { record: Box::new(record), part: wish.part });
        }
        if let Some(place) = place {
            // In a task of its own: a request that goes away must not leave a payment half taken in.
            let taking = app.tasks().spawn(fresh(place, wish));
            let lost = |_| NotTaken::Store(StoreError::Unreadable { what: "payment" });
            return taking.await.map_err(lost)?;
        }
        // Somebody else takes it in just now.
        tokio::select! {
            () = running::wait(app, &id) => {}
            () = sleep(Duration::from_millis(LOOK_AGAIN_MILLIS)) => {}
        }
    }
}

async fn fresh(place: Place, wish: Wish) -> Result<TakenIn, NotTaken> {
    let app = place.app.clone();
    let room = app.payment_places().try_acquire_owned().map_err(|_| NotTaken::Crowded)?;
    let Wish { envelope, opened, part } = wish;
    let (mut errand, told) = Errand::new(part, room);
    let draft = draft(&app, envelope, &opened);
    let decided = prepare::at_once(&app, &draft, opened, errand.has_part()).await?;
    let first = decided.map(|next| {
        let kind = Kind::of(&draft.envelope.document.payment);
        let (state, _) = step(kind, draft.state, next.event);
        Move { event: next.event, state, facts: next.facts }
    });
    let limits = app.limits();
    let open_per_agent_max = match Kind::of(&draft.envelope.document.payment) {
        Kind::Deposit => limits.deposits_open_per_agent_max,
        _ => limits.payments_open_per_agent_max,
    };
    let new = NewPayment { draft, first, open_max: limits.payments_open_max, open_per_agent_max };
    let reserved = new.record();
    match app.store().insert_payment(new).await {
        Ok(Taken::Inserted(record)) => {
            app.crash().reach(CrashPoint::AfterInsert);
            if !errand.has_part() || !matches!(record.state, State::Signing { .. }) {
                errand.leave_room();
            }
            driver::begin_fresh(place, (*record).clone(), errand);
            Ok(TakenIn::Fresh { record, told })
        }
        // What is reserved under its id is the stored payment's.
        Ok(Taken::Known(record)) => Ok(TakenIn::Known { record, part: None }),
        Ok(Taken::Full) => {
            app.book().give_back(&reserved);
            Err(NotTaken::Full)
        }
        Err(error) => {
            app.book().give_back(&reserved);
            Err(error.into())
        }
    }
}

fn draft(app: &App, envelope: SignedIntent, opened: &AuthenticIntent) -> PaymentRecord {
    let now = app.clock().now();
    PaymentRecord {
        envelope,
        content_hash: opened.content_hash(),
        serial: 0,
        version: 0,
        state: State::Received,
        facts: Facts::default(),
        created_at: now,
        updated_at: now,
    }
}
