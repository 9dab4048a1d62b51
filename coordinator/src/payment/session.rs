//! One interactive signing session: both everyday nodes are sent the intent and the claim, sign in
//! rounds between themselves, and report.

use std::time::Duration;

use alloy_primitives::{B256, Bytes};
use tercet_api::payment::{RefusalBy, SigningWay};
use tercet_api::relay::{FailureKind, Outcome, SealedBytes, ToNode};
use tercet_policy::approval::SignedApproval;
use tercet_policy::intent::{IntentId, SignedIntent};
use tercet_policy::party::Party;
use tercet_policy::proposal::ProposalClaim;
use tokio::time::{Instant, timeout_at};

use super::state::Kind;
use crate::app::App;
use crate::crash::CrashPoint;
use crate::relay::{CannotOpen, NotConnected, OpenSession, Report, Seats};

/// How long the second node has for its own refusal after the first one's, in milliseconds.
const SECOND_REFUSAL_MILLIS: u64 = 300;
/// How long the agent's node is kept waiting for the operator's admission of a transfer, in
/// milliseconds.
const ADMISSION_MILLIS_MAX: u64 = 1_500;

/// A session to run.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub envelope: SignedIntent,
    pub claim: ProposalClaim,
    pub approvals: Vec<SignedApproval>,
    pub slot: String,
    /// What the nodes have to derive, where it is known here.
    pub digest: Option<B256>,
    pub seats: Seats,
}

impl Ask {
    /// Whether a node signed what was asked; what it signed another of, if not.
    pub(super) fn fits(
        &self,
        intent: IntentId,
        slot: &str,
        digest: B256,
    ) -> Result<(), &'static str> {
        if intent != self.envelope.document.id {
            return Err("intent");
        }
        if slot != self.slot {
            return Err("slot");
        }
        match self.digest {
            Some(asked) if asked != digest => Err("digest"),
            _ => Ok(()),
        }
    }
}

/// A signature that at least one node has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signed {
    pub digest: B256,
    pub raw: Option<Bytes>,
    /// For the request that waits, and nobody else.
    pub answer: Option<SealedBytes>,
    pub way: SigningWay,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// At least one node has the signature.
    Signed(Signed),
    /// At least one node refused before there was a signature.
    Refused(Vec<RefusalBy>),
    /// It came to nothing that we know of.
    Failed { clean: bool, hopeless: bool, detail: String },
}

impl Ended {
    pub(super) fn failed(clean: bool, detail: impl Into<String>) -> Self {
        Self::Failed { clean, hopeless: false, detail: detail.into() }
    }
}

/// Runs one session to its end.
pub(super) async fn run(app: &App, ask: &Ask) -> Ended {
    let limit = within(Duration::from_secs(app.limits().sign_seconds_max));
    let mut session = match app.relay().open(ask.seats.clone()) {
        Ok(session) => session,
        Err(error @ (CannotOpen::TooMany(_) | CannotOpen::NotConnected(_))) => {
            return Ended::failed(true, error.to_string());
        }
        Err(error) => {
            return Ended::Failed { clean: true, hopeless: true, detail: error.to_string() };
        }
    };
    let mut tally = Tally::new(ask);
    if let Err(NotConnected(node)) = send(&session, ask, Party::Operator) {
        return Ended::failed(true, format!("node {node} is not connected"));
    }
    if Kind::of(&ask.envelope.document.payment) == Kind::Transfer {
        // An operator that refuses must not leave the account nonce taken in the agent's journal.
        let admission = within(Duration::from_millis(ADMISSION_MILLIS_MAX));
        if let Some(ended) = tally.follow(&mut session, admission, true).await {
            return ended;
        }
    }
    if let Err(NotConnected(node)) = send(&session, ask, Party::Agent) {
        return Ended::failed(false, format!("node {node} is not connected"));
    }
    app.crash().reach(CrashPoint::AfterSignSent);
    match tally.follow(&mut session, limit, false).await {
        Some(ended) => ended,
        None => tally.out_of_time(),
    }
}

/// So far from now; now itself, should the clock have no such moment.
pub(super) fn within(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now)
}

fn send(session: &OpenSession<'_>, ask: &Ask, party: Party) -> Result<(), NotConnected> {
    let (envelope, claim) = (ask.envelope.clone(), ask.claim.clone());
    let approvals = ask.approvals.clone();
    session.begin(party, ToNode::Sign { session: session.id, envelope, claim, approvals })
}

/// What was reported so far.
struct Tally<'a> {
    ask: &'a Ask,
    signed: Option<(B256, Option<Bytes>)>,
    done: usize,
    admitted: Vec<Party>,
}

impl<'a> Tally<'a> {
    const fn new(ask: &'a Ask) -> Self {
        Self { ask, signed: None, done: 0, admitted: Vec::new() }
    }

    /// Takes reports until the session ends, the operator has admitted (if that is waited for),
    /// or time is up; the last two are none.
    async fn follow(
        &mut self,
        session: &mut OpenSession<'_>,
        until: Instant,
        to_admission: bool,
    ) -> Option<Ended> {
        loop {
            let Ok(report) = timeout_at(until, session.next()).await else { return None };
            let Some((party, report)) = report else {
                return Some(Ended::failed(false, "the session was ended"));
            };
            match report {
                Report::Progress { .. } => {}
                // Of no use here; the node is not waited for any more.
                Report::Part(_) => {
                    return Some(Ended::failed(false, format!("the {party} reports a part")));
                }
                Report::Admitted => {
                    self.admitted.push(party);
                    if to_admission && party == Party::Operator {
                        return None;
                    }
                }
                Report::Done(outcome) => {
                    if let Some(ended) = self.done(party, outcome) {
                        return Some(ended);
                    }
                }
                _ if self.signed.is_some() => return Some(self.out_of_time()),
                Report::Refused(refusal) => {
                    let first = RefusalBy { by: party.to_string(), refusal };
                    return Some(self.refused(session, first).await);
                }
                Report::Failed { kind, detail } => {
                    let detail = format!("the {party} failed: {detail}");
                    return Some(Ended::Failed {
                        // After its admission a node may have taken part.
                        clean: kind == FailureKind::NotReady && !self.admitted.contains(&party),
                        hopeless: kind == FailureKind::Bug,
                        detail,
                    });
                }
                Report::Lost => {
                    return Some(Ended::failed(false, format!("the {party} is gone")));
                }
            }
        }
    }

    /// Waits a moment for the other node: two judge, and both reasons are told. One that has the
    /// signature outweighs a no, for a node may take part to the end and then say that it refused.
    async fn refused(&mut self, session: &mut OpenSession<'_>, first: RefusalBy) -> Ended {
        let mut refusals = vec![first];
        let until = within(Duration::from_millis(SECOND_REFUSAL_MILLIS));
        while let Ok(Some((party, report))) = timeout_at(until, session.next()).await {
            match report {
                Report::Progress { .. } | Report::Admitted => continue,
                Report::Refused(refusal) => {
                    refusals.push(RefusalBy { by: party.to_string(), refusal });
                }
                Report::Done(outcome) => {
                    return self.done(party, outcome).unwrap_or_else(|| self.out_of_time());
                }
                _ => {}
            }
            break;
        }
        Ended::Refused(refusals)
    }

    /// Takes a node's good end; the session's, once both have one.
    fn done(&mut self, party: Party, outcome: Outcome) -> Option<Ended> {
        let Outcome::Signed { intent, slot, digest, transaction, answer: _ } = outcome else {
            return Some(Ended::failed(false, format!("the {party} reports another outcome")));
        };
        if let Err(what) = self.fits(intent, &slot, digest) {
            return Some(Ended::failed(false, format!("the {party} reports another {what}")));
        }
        let raw = transaction.or_else(|| self.signed.take().and_then(|(_, raw)| raw));
        self.signed = Some((digest, raw));
        self.done = self.done.saturating_add(1);
        (self.done >= Party::EVERYDAY.len()).then(|| self.out_of_time())
    }

    fn fits(&self, intent: IntentId, slot: &str, digest: B256) -> Result<(), &'static str> {
        self.ask.fits(intent, slot, digest)?;
        match self.signed {
            Some((held, _)) if held != digest => Err("digest"),
            _ => Ok(()),
        }
    }

    /// What the session came to when no more is waited for.
    fn out_of_time(&mut self) -> Ended {
        let is_transfer = Kind::of(&self.ask.envelope.document.payment) == Kind::Transfer;
        match self.signed.take() {
            Some((_, None)) if is_transfer => {
                Ended::failed(false, "no node handed the signed transaction over")
            }
            Some((digest, raw)) => {
                let way = SigningWay::Interactive;
                Ended::Signed(Signed { digest, raw, answer: None, way })
            }
            None => Ended::failed(false, "the nodes did not end in time"),
        }
    }
}
