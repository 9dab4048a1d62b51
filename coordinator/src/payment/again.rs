//! Signing once more what others bring to the chain, or what moves nothing: same slot, same digest,
//! so the chain takes it at most once.

use tercet_api::payment::RefusalBy;
use tercet_api::relay::SealedPart;
use tercet_policy::refusal::Refusal;

use super::driver::{Next, apply};
use super::outcome::{self, Means};
use super::running::{AgainPlace, Told};
use super::session::{Ended, Signed};
use super::state::{Event, Kind, State};
use crate::app::App;
use crate::store::{Facts, PaymentRecord, StoreError};

/// How often a change is tried that somebody else overtook.
const OVERTAKEN_MAX: u32 = 8;

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

/// Runs one more signing session for a payment that is or may be signed: with the part of
/// the agent's node where it brought one that is of use, interactively where not.
///
/// # Errors
/// [`NotAgain`]; the payment stands where it stood.
pub async fn sign_again(
    app: &App,
    record: PaymentRecord,
    part: Option<SealedPart>,
) -> Result<Told, NotAgain> {
    let intent = &record.envelope.document;
    match (record.state, Kind::of(&intent.payment)) {
        (State::Signing { .. } | State::Received | State::AwaitingApproval, _) => {
            return Err(NotAgain::Busy);
        }
        (
            State::Signed | State::Unknown,
            Kind::Authorization | Kind::Cancellation | Kind::Deposit,
        )
        | (State::Settled | State::Unknown, Kind::Statement) => {}
        _ => return Err(NotAgain::Over),
    }
    let (now, expires_at) = (app.clock().now(), intent.expires_at);
    if now >= expires_at {
        let refusal = Refusal::IntentExpired { expires_at, now };
        return Err(NotAgain::Refused(vec![RefusalBy { by: "coordinator".into(), refusal }]));
    }
    let _place = AgainPlace::take(app, record.id()).ok_or(NotAgain::Busy)?;
    let ask = outcome::ask(app, &record).ok_or(NotAgain::Over)?;
    let room = part.as_ref().map(|_| app.payment_places().try_acquire_owned());
    let _room = room.transpose().map_err(|_| NotAgain::Busy)?;
    let means = part.map_or(Means::Rounds, Means::Part);
    match outcome::run(app, &ask, means).await {
        Ended::Signed(signed) => signed_again(app, record, signed).await,
        Ended::Refused(refusals) => Err(NotAgain::Refused(refusals)),
        Ended::Failed { detail, .. } => Err(NotAgain::Failed(detail)),
    }
}

async fn signed_again(
    app: &App,
    mut record: PaymentRecord,
    signed: Signed,
) -> Result<Told, NotAgain> {
    for _ in 0..OVERTAKEN_MAX {
        let (digest, signed_by) = (Some(signed.digest), Some(signed.way));
        let facts = Facts { digest, signed_by, ..record.facts.clone() };
        match apply(app, &record, &Next::new(Event::Signature, facts), &mut None).await {
            Ok((record, _)) => return Ok(Told { record, answer: signed.answer }),
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
