//! One session at this node: the gate's work, its frames, and what is told of its end.

use alloy_primitives::Address;
use tercet_api::relay::{
    FAILURE_CHARS_MAX, FailureKind, FromNode, Outcome, SealedBytes, SessionId,
};
use tercet_policy::approval::SignedApproval;
use tercet_policy::document::{Signed, WalletRequest};
use tercet_policy::intent::{IntentId, SignedIntent};
use tercet_policy::party::{AgentId, Party};
use tercet_policy::payload::FinishedPayment;
use tercet_policy::proposal::ProposalClaim;
use tercet_signer::gate::{
    Ceremony, CeremonyStep, Culprit, Failure, GateError, PRESIGN_RUNS_MAX, PresignRequest,
    SignRequest, SignedPayment,
};
use tercet_signer::session::{SessionWire, WIRE_FRAMES_MAX};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Switchboard;
use crate::progress::CeremonyProgress;
use crate::relay::now;
use crate::ticket::{NotPaid, PaymentEnd, Tickets};

/// What the coordinator asks for.
pub(super) enum Work {
    Prepare { agent: AgentId },
    Keygen { request: Box<Signed<WalletRequest>> },
    Presign { wallet: Address, count: u16 },
    Sign { envelope: Box<SignedIntent>, claim: Box<ProposalClaim>, approvals: Vec<SignedApproval> },
}

impl Work {
    const fn word(&self) -> &'static str {
        match self {
            Self::Prepare { .. } => "prepare",
            Self::Keygen { .. } => "keygen",
            Self::Presign { .. } => "presign",
            Self::Sign { .. } => "sign",
        }
    }

    fn intent(&self) -> Option<IntentId> {
        match self {
            Self::Sign { envelope, .. } => Some(envelope.document.id),
            Self::Prepare { .. } | Self::Keygen { .. } | Self::Presign { .. } => None,
        }
    }

    /// Whether it gives way to payments, and so takes no place of theirs.
    pub(super) const fn is_background(&self) -> bool {
        matches!(self, Self::Presign { .. })
    }

    pub(super) fn tell_failure(&self, tickets: &Tickets, kind: FailureKind, detail: &str) {
        if let Some(intent) = self.intent() {
            let why = NotPaid::Failed { kind, detail: detail.to_owned() };
            tickets.tell(intent, PaymentEnd::NotPaid(why));
        }
    }
}

/// Runs a session to its end, and tells of it.
pub(super) async fn run(
    board: &Switchboard,
    session: SessionId,
    work: Work,
    incoming: mpsc::Receiver<(Party, Vec<u8>)>,
    cancel: CancellationToken,
) {
    let (word, intent) = (work.word(), work.intent());
    let begun = tokio::time::Instant::now();
    let (outgoing, frames) = mpsc::channel(WIRE_FRAMES_MAX);
    let wire = SessionWire { outgoing, incoming };
    let carrying = carry(board.outbox.clone(), session, frames, cancel.clone());
    let working = perform(board, session, work, wire, cancel);
    // The wire is dropped with the work, which ends the carrying: every frame goes out before the
    // end is told.
    let (ended, ()) = tokio::join!(Box::pin(working), carrying);
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    match &ended {
        Ok(_) => info!(%session, word, took_ms, "a session ended well"),
        Err(GateError::Refused(refusal)) => info!(%session, word, %refusal, "refused"),
        Err(GateError::Failed(failure)) => warn!(%session, word, took_ms, %failure, "failed"),
    }
    let (report, end) = told(session, ended);
    if let (Some(intent), Some(end)) = (intent, end) {
        board.tickets.tell(intent, end);
    }
    board.report(report);
}

async fn perform(
    board: &Switchboard,
    session: SessionId,
    work: Work,
    wire: SessionWire,
    cancel: CancellationToken,
) -> Result<Made, GateError> {
    let signer = &board.signer;
    let id = session.0;
    match work {
        Work::Prepare { agent } => {
            let report = |step: CeremonyStep| board.tell_progress(session, &agent, step);
            let ceremony = Ceremony { session: id, now: now(), cancel };
            let aux = signer.prepare_group(&agent, ceremony, wire, &report).await?;
            Ok(Made::Other(Outcome::Prepared { aux }))
        }
        Work::Keygen { request } => {
            let ceremony = Ceremony { session: id, now: now(), cancel };
            let made = signer.create_wallet(*request, ceremony, wire).await?;
            let (address, transcript) = (made.address, made.transcript);
            Ok(Made::Other(Outcome::WalletMade { address, transcript }))
        }
        Work::Presign { wallet, count } => {
            let count = u8::try_from(count).unwrap_or(PRESIGN_RUNS_MAX);
            if !board.producer.begins(wallet) {
                return Err(Failure::NotWanted { wallet }.into());
            }
            let is_doubtful = !board.producer.is_good(wallet);
            let asked = PresignRequest { session: id, wallet, count, is_doubtful, cancel };
            let made = signer.presign(asked, wire).await;
            board.producer.ended(wallet, made.is_ok());
            Ok(Made::Other(Outcome::Stocked { made: u16::from(made?) }))
        }
        Work::Sign { envelope, claim, approvals } => {
            let (envelope, claim, now) = (*envelope, *claim, now());
            let request = SignRequest { session: id, envelope, claim, approvals, now, cancel };
            let admitted = || board.report(FromNode::Admitted { session });
            let signed = signer.sign_payment(request, wire, admitted).await?;
            Ok(Made::Payment(Box::new(signed)))
        }
    }
}

/// What a session gave.
pub(super) enum Made {
    Payment(Box<SignedPayment>),
    /// With our part, sealed for the peer alone.
    Joined(Box<SignedPayment>, Vec<u8>),
    Other(Outcome),
}

/// The report for the coordinator, and the end for whoever waits in this process. A finished
/// authorization goes to the latter alone.
pub(super) fn told(
    session: SessionId,
    ended: Result<Made, GateError>,
) -> (FromNode, Option<PaymentEnd>) {
    match ended {
        Ok(Made::Other(outcome)) => (FromNode::Done { session, outcome }, None),
        Ok(Made::Payment(signed)) => told_signed(session, *signed, None),
        Ok(Made::Joined(signed, answer)) => {
            told_signed(session, *signed, Some(SealedBytes(answer)))
        }
        Err(GateError::Refused(refusal)) => {
            let end = PaymentEnd::NotPaid(NotPaid::Refused(refusal.clone()));
            (FromNode::Refused { session, refusal }, Some(end))
        }
        Err(GateError::Failed(failure)) => {
            let kind = kind_of(failure.culprit());
            let detail: String = failure.to_string().chars().take(FAILURE_CHARS_MAX).collect();
            let why = NotPaid::Failed { kind, detail: detail.clone() };
            (FromNode::Failed { session, kind, detail }, Some(PaymentEnd::NotPaid(why)))
        }
    }
}

fn told_signed(
    session: SessionId,
    signed: SignedPayment,
    answer: Option<SealedBytes>,
) -> (FromNode, Option<PaymentEnd>) {
    let SignedPayment { intent, slot, digest, payment, .. } = signed;
    let transaction = match &payment {
        FinishedPayment::Transaction(transaction) => Some(transaction.raw.clone()),
        FinishedPayment::Tempo(transaction) => {
            (!transaction.for_service).then(|| transaction.raw.clone())
        }
        FinishedPayment::X402(_)
        | FinishedPayment::Cancel(_)
        | FinishedPayment::Mpp(_)
        | FinishedPayment::Proof(_) => None,
    };
    // Whoever sees the transaction needs no part of its signature.
    let answer = answer.filter(|_| transaction.is_none());
    let slot = slot.to_string();
    let outcome = Outcome::Signed { intent, slot, digest, transaction, answer };
    let end = PaymentEnd::Signed(Box::new(payment));
    (FromNode::Done { session, outcome }, Some(end))
}

pub(crate) const fn kind_of(culprit: Culprit) -> FailureKind {
    match culprit {
        Culprit::Network => FailureKind::Network,
        Culprit::Peer => FailureKind::Peer,
        Culprit::NotReady => FailureKind::NotReady,
        Culprit::Stock => FailureKind::NoPresignature,
        Culprit::Bug => FailureKind::Bug,
    }
}

/// Carries sealed frames to the line until the session's end of the wire is gone.
async fn carry(
    outbox: mpsc::Sender<FromNode>,
    session: SessionId,
    mut frames: mpsc::Receiver<(Party, Vec<u8>)>,
    cancel: CancellationToken,
) {
    while let Some((to, bytes)) = frames.recv().await {
        let sending = outbox.send(FromNode::Frame { session, to, bytes });
        tokio::select! {
            // A session that was called off says nothing more; the rest is taken and dropped.
            () = cancel.cancelled() => {}
            sent = sending => if sent.is_err() { return },
        }
    }
}

impl Switchboard {
    fn tell_progress(&self, session: SessionId, agent: &AgentId, step: CeremonyStep) {
        let CeremonyStep { stage, done, total } = step;
        info!(%session, %agent, stage, done, total, "ceremony");
        let (stage, agent) = (stage.to_owned(), agent.clone());
        let told = CeremonyProgress { session, agent, stage: stage.clone(), done, total };
        // Nobody may be listening.
        drop(self.progress.send(told));
        self.report(FromNode::Progress { session, stage, done, total });
    }
}
