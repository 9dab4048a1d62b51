//! One signing session of a payment, and what its end means for the payment.

use std::time::Duration;

use alloy_primitives::keccak256;
use tercet_api::relay::SealedPart;
use tokio::time::sleep;

use super::driver::{Next, everyday};
use super::join;
use super::prepare::{connected, expired};
use super::running::Errand;
use super::session::{self, Ask, Ended, Signed};
use super::state::{Event, Kind, SIGN_ATTEMPTS_MAX, State};
use crate::app::App;
use crate::store::{Facts, PaymentRecord};

/// First pause between sessions, in milliseconds; it doubles.
const PAUSE_MILLIS: u64 = 500;
/// Longest pause between sessions, in milliseconds.
const PAUSE_MILLIS_MAX: u64 = 8_000;

/// With what a payment is signed.
pub(super) enum Means {
    /// The part that the agent's node made of an intent that fixes its own terms.
    Part(SealedPart),
    /// Presignatures that both nodes may have in stock, for a transfer.
    Stock,
    /// Rounds between the nodes.
    Rounds,
}

/// Runs one session as soon as the nodes that it takes are there. The first is in one round trip
/// where it can be; what comes after it, or after a stop, is interactive.
pub(super) async fn sign(
    app: &App,
    record: &PaymentRecord,
    mut errand: Option<&mut Errand>,
) -> Next {
    let State::Signing { attempt, unclear } = record.state else {
        return Next::new(Event::Noted, record.facts.clone());
    };
    let first = attempt == 1 && !unclear;
    if !first {
        sleep(pause(attempt)).await;
    }
    let ask = loop {
        if app.clock().now() >= record.envelope.document.expires_at {
            return expired(record);
        }
        let Some(ask) = ask(app, record) else {
            return lost(record, "the agent or its terms are gone");
        };
        let short = first && errand.as_ref().is_some_and(|errand| errand.has_part());
        match connected(app, &ask.seats, short).await {
            Ok(()) => break ask,
            Err(what) => {
                errand.as_mut().into_iter().for_each(|errand| errand.leave_room());
                if record.facts.detail.as_ref() != Some(&what) {
                    return Next::noted(record, what);
                }
            }
        }
    };
    let means = match errand.as_mut().and_then(|errand| errand.take_part()) {
        _ if !first => Means::Rounds,
        Some(part) => Means::Part(part),
        None if Kind::of(&record.envelope.document.payment) == Kind::Transfer => Means::Stock,
        None => Means::Rounds,
    };
    let ended = match presigned(app, &ask, means).await {
        Some(ended) => ended,
        None => {
            errand.into_iter().for_each(Errand::leave_room);
            session::run(app, &ask).await
        }
    };
    next(app, record, attempt, ended)
}

/// Runs one session by these means, interactively where they are of no use.
pub(super) async fn run(app: &App, ask: &Ask, means: Means) -> Ended {
    match presigned(app, ask, means).await {
        Some(ended) => ended,
        None => session::run(app, ask).await,
    }
}

async fn presigned(app: &App, ask: &Ask, means: Means) -> Option<Ended> {
    match means {
        Means::Part(part) => join::authorization(app, ask, part).await,
        Means::Stock => join::transfer(app, ask).await,
        Means::Rounds => None,
    }
}

fn pause(attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(2).min(10);
    let millis = PAUSE_MILLIS.saturating_mul(1u64.checked_shl(doublings).unwrap_or(u64::MAX));
    Duration::from_millis(millis.min(PAUSE_MILLIS_MAX))
}

fn lost(record: &PaymentRecord, detail: &str) -> Next {
    let detail = Some(detail.to_owned());
    let event = Event::AttemptFailed { clean: true, again: false };
    Next::new(event, Facts { detail, ..record.facts.clone() })
}

/// What to ask the nodes: the terms as fixed, under the policies' epochs of now.
pub(super) fn ask(app: &App, record: &PaymentRecord) -> Option<Ask> {
    let mut claim = record.facts.claim.clone()?;
    let intent = &record.envelope.document;
    if let Some(judges) = app.shelf().judges(&intent.agent, intent.wallet) {
        claim.policies = judges.epochs(intent.wallet);
    }
    Some(Ask {
        envelope: record.envelope.clone(),
        claim,
        approvals: record.facts.approvals.clone(),
        slot: record.facts.slot.clone()?,
        digest: record.facts.digest.or(record.facts.asks),
        seats: everyday(app, record)?,
    })
}

fn next(app: &App, record: &PaymentRecord, attempt: u32, ended: Ended) -> Next {
    let (mut facts, mut answer) = (record.facts.clone(), None);
    let event = match ended {
        Ended::Signed(Signed { digest, raw, answer: sealed, way }) => {
            (facts.digest, facts.signed_by) = (Some(digest), Some(way));
            answer = sealed;
            facts.transaction = raw.as_ref().map(keccak256).or(facts.transaction);
            facts.raw = raw.or(facts.raw);
            facts.detail = None;
            Event::Signature
        }
        Ended::Refused(refusals) => {
            facts.refusals.extend(refusals);
            facts.detail = None;
            Event::NodeRefused
        }
        Ended::Failed { clean, hopeless, detail } => {
            facts.detail = Some(detail);
            let in_time = app.clock().now().plus(1) < record.envelope.document.expires_at;
            let again = !hopeless && attempt < SIGN_ATTEMPTS_MAX && in_time;
            Event::AttemptFailed { clean, again }
        }
    };
    Next { event, facts, answer }
}
