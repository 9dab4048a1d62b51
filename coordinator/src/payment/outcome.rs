//! One signing session of a payment, and what its end means for the payment.

use std::time::Duration;

use alloy_primitives::keccak256;
use tokio::time::sleep;

use super::driver::{Next, everyday};
use super::prepare::{connected, expired};
use super::session::{self, Ask, Ended};
use super::state::{Event, SIGN_ATTEMPTS_MAX, State};
use crate::app::App;
use crate::store::{Facts, PaymentRecord};

/// First pause between sessions, in milliseconds; it doubles.
const PAUSE_MILLIS: u64 = 500;
/// Longest pause between sessions, in milliseconds.
const PAUSE_MILLIS_MAX: u64 = 8_000;

/// Runs one session as soon as both nodes are there.
pub(super) async fn sign(app: &App, record: &PaymentRecord) -> Next {
    let State::Signing { attempt, unclear } = record.state else {
        return Next::new(Event::Noted, record.facts.clone());
    };
    if attempt > 1 || unclear {
        sleep(pause(attempt)).await;
    }
    let ask = loop {
        if app.clock().now() >= record.envelope.document.expires_at {
            return expired(record);
        }
        let Some(ask) = ask(app, record) else {
            return lost(record, "the agent or its terms are gone");
        };
        match connected(app, &ask.seats).await {
            Ok(()) => break ask,
            Err(what) if record.facts.detail.as_ref() == Some(&what) => {}
            Err(what) => return Next::noted(record, what),
        }
    };
    let ended = session::run(app, &ask).await;
    next(app, record, attempt, ended)
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
        seats: everyday(app, record)?,
    })
}

fn next(app: &App, record: &PaymentRecord, attempt: u32, ended: Ended) -> Next {
    let mut facts = record.facts.clone();
    let event = match ended {
        Ended::Signed { digest, raw } => {
            facts.digest = Some(digest);
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
    Next::new(event, facts)
}
