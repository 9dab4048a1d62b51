//! Signing in one round trip, or two: with presignatures that the everyday nodes have in stock.
//!
//! Promises: a transfer's part is asked of the operator's node first and passed on to the agent's
//! only when it is there, so that an operator that refuses leaves nothing in the agent's journal.
//! Where a node has no presignature nothing was signed, and the caller signs interactively.
//!
//! Does not protect against: a node that reports what is not so. An operator that holds the agent's
//! part and says no may have made the signature: the agent's own journal counts it as spent.

use std::time::Duration;

use tercet_api::payment::{RefusalBy, SigningWay};
use tercet_api::relay::{FailureKind, Outcome, SEALED_PART_BYTES_MAX, SealedPart, ToNode};
use tercet_policy::party::Party;
use tercet_policy::refusal::Refusal;
use tokio::time::{Instant, timeout_at};

use super::session::{Ask, Ended, Signed, within};
use super::state::Kind;
use crate::app::App;
use crate::crash::CrashPoint;
use crate::relay::{OpenSession, Report};

/// How long a node may take for its part of a round trip, in seconds. It takes milliseconds; more
/// is a queue in front of the node.
const ANSWER_SECONDS_MAX: u64 = 10;

/// Whether a node's failure leaves it open whether there is a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The second party has nothing of the first one's yet: there cannot be a signature.
    First,
    /// A party has the other's part.
    Second,
}

/// What the party that was asked says.
enum Reply {
    Part(SealedPart),
    Done(Outcome),
    Refused(Refusal),
    NoPresignature,
    Ended(Ended),
}

/// Has the operator's node join the part that the agent's node made of an intent that fixes its own
/// terms. None where there is nothing to join it with, and nothing was signed.
pub(super) async fn authorization(app: &App, ask: &Ask, part: SealedPart) -> Option<Ended> {
    let mut session = app.relay().open(ask.seats.only(Party::Operator)).ok()?;
    session.begin(Party::Operator, join(&session, ask, part)).ok()?;
    app.crash().reach(CrashPoint::AfterSignSent);
    match reply(app, &mut session, Party::Operator, Stage::Second).await {
        Reply::Done(outcome) => Some(joined(ask, Party::Operator, outcome)),
        other => other.ended(Party::Operator),
    }
}

/// Has the operator's node make its part of a transfer, and the agent's node join it. None where
/// either has no presignature, and nothing was signed.
pub(super) async fn transfer(app: &App, ask: &Ask) -> Option<Ended> {
    let mut session = app.relay().open(ask.seats.clone()).ok()?;
    session.begin(Party::Operator, part(&session, ask)).ok()?;
    let part = match reply(app, &mut session, Party::Operator, Stage::First).await {
        Reply::Part(part) if fits(&part) => part,
        Reply::Part(_) => return Some(Ended::failed(true, "the operator's part is too large")),
        Reply::Done(_) => return Some(unasked(Party::Operator)),
        other => return other.ended(Party::Operator),
    };
    if let Err(left) = session.begin(Party::Agent, join(&session, ask, part)) {
        return Some(Ended::failed(true, left.to_string()));
    }
    app.crash().reach(CrashPoint::AfterSignSent);
    match reply(app, &mut session, Party::Agent, Stage::Second).await {
        Reply::Done(outcome) => Some(joined(ask, Party::Agent, outcome)),
        other => other.ended(Party::Agent),
    }
}

fn join(session: &OpenSession<'_>, ask: &Ask, part: SealedPart) -> ToNode {
    let (envelope, claim) = (ask.envelope.clone(), ask.claim.clone());
    ToNode::Join { session: session.id, envelope, claim, approvals: ask.approvals.clone(), part }
}

fn part(session: &OpenSession<'_>, ask: &Ask) -> ToNode {
    let (envelope, claim) = (ask.envelope.clone(), ask.claim.clone());
    ToNode::Part { session: session.id, envelope, claim, approvals: ask.approvals.clone() }
}

fn fits(part: &SealedPart) -> bool {
    part.sealed.0.len() <= SEALED_PART_BYTES_MAX
}

impl Reply {
    /// The end that it means; none for a node without a presignature.
    fn ended(self, party: Party) -> Option<Ended> {
        match self {
            Self::NoPresignature => None,
            Self::Ended(ended) => Some(ended),
            Self::Refused(refusal) => {
                Some(Ended::Refused(vec![RefusalBy { by: party.to_string(), refusal }]))
            }
            Self::Part(_) | Self::Done(_) => Some(unasked(party)),
        }
    }
}

fn unasked(party: Party) -> Ended {
    Ended::failed(false, format!("the {party} reports what it was not asked for"))
}

/// Waits for the word of the party that was asked.
async fn reply(app: &App, session: &mut OpenSession<'_>, asked: Party, stage: Stage) -> Reply {
    let until = time_limit(app);
    let mut admitted = false;
    // Until a party has the other's part there is no signature, whatever becomes of them.
    let clean = stage == Stage::First;
    let failed = |what: String| Reply::Ended(Ended::failed(clean, what));
    loop {
        let Ok(report) = timeout_at(until, session.next()).await else {
            return failed(format!("the {asked} did not answer in time"));
        };
        let Some((party, report)) = report else {
            return failed("the session was ended".to_owned());
        };
        match report {
            Report::Progress { .. } => {}
            Report::Lost => return failed(format!("the {party} is gone")),
            _ if party != asked => return Reply::Ended(unasked(party)),
            Report::Admitted => admitted = true,
            Report::Part(part) => return Reply::Part(part),
            Report::Done(outcome) => return Reply::Done(outcome),
            Report::Refused(refusal) => return Reply::Refused(refusal),
            Report::Failed { kind: FailureKind::NoPresignature, .. } if !admitted => {
                return Reply::NoPresignature;
            }
            Report::Failed { kind, detail } => {
                return Reply::Ended(Ended::Failed {
                    // After its admission a node may have signed.
                    clean: clean || kind == FailureKind::NotReady && !admitted,
                    hopeless: kind == FailureKind::Bug,
                    detail: format!("the {party} failed: {detail}"),
                });
            }
        }
    }
}

fn time_limit(app: &App) -> Instant {
    within(Duration::from_secs(ANSWER_SECONDS_MAX.min(app.limits().sign_seconds_max)))
}

/// What a node's good end is worth. One that does not fit may hide a signature.
fn joined(ask: &Ask, party: Party, outcome: Outcome) -> Ended {
    let another = |what: &str| Ended::failed(false, format!("the {party} reports another {what}"));
    let Outcome::Signed { intent, slot, digest, transaction, answer } = outcome else {
        return another("outcome");
    };
    if let Err(what) = ask.fits(intent, &slot, digest) {
        return another(what);
    }
    let signed =
        |raw, answer| Ended::Signed(Signed { digest, raw, answer, way: SigningWay::Presignature });
    let is_transfer = Kind::of(&ask.envelope.document.payment) == Kind::Transfer;
    match (party, transaction, answer) {
        (Party::Agent, Some(raw), None) => signed(Some(raw), None),
        // We bring it to the chain; with it nobody needs the operator's part.
        (Party::Operator, Some(raw), None) if is_transfer => signed(Some(raw), None),
        (Party::Operator, None, Some(answer)) if !is_transfer => {
            if answer.0.is_empty() || answer.0.len() > SEALED_PART_BYTES_MAX {
                return Ended::failed(false, "the operator's answer has not the size of one");
            }
            signed(None, Some(answer))
        }
        (Party::Operator, ..) if !is_transfer => {
            Ended::failed(false, "the operator answered without its part")
        }
        _ => Ended::failed(false, "no node handed the signed transaction over"),
    }
}
