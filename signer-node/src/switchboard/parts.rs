//! Payments in one round trip at this node: its part of a signature, or the end of one that the
//! peer began. There are no frames to wait for, so these are no sessions.

use std::sync::Arc;

use tercet_api::relay::{
    FailureKind, FromNode, SEALED_PART_BYTES_MAX, SealedBytes, SealedPart, SessionId,
};
use tercet_policy::approval::SignedApproval;
use tercet_policy::intent::{IntentId, SignedIntent};
use tercet_policy::proposal::ProposalClaim;
use tercet_signer::gate::{self, GateError, Joined, PartRequest};
use tercet_signer::tss::PresignatureId;
use tokio::time::Instant;
use tracing::{info, warn};

use super::Switchboard;
use super::session::{self, Made};
use crate::relay::now;

/// Payments that are begun or joined at a time.
pub(crate) const PARTS_MAX: usize = 256;

/// A payment as the courier brings it.
pub(super) struct Brought {
    pub(super) session: SessionId,
    pub(super) envelope: SignedIntent,
    pub(super) claim: ProposalClaim,
    pub(super) approvals: Vec<SignedApproval>,
}

impl Brought {
    fn request(self) -> PartRequest {
        let Self { envelope, claim, approvals, .. } = self;
        PartRequest { envelope, claim: Some(claim), approvals, now: now() }
    }
}

impl Switchboard {
    /// Gives this node's part.
    pub(super) fn give_part(self: &Arc<Self>, brought: Brought) {
        let Some(place) = self.place(brought.session) else { return };
        let board = Arc::clone(self);
        self.running.spawn(async move {
            let (session, intent) = (brought.session, brought.envelope.document.id);
            let wallet = brought.envelope.document.wallet;
            match board.signer.begin_payment(brought.request()).await {
                Ok((part, pending)) => {
                    // The peer finishes it; its answer would tell this side nothing new.
                    drop(pending);
                    let part = to_wire(part);
                    info!(%session, %intent, "a part of a payment is given");
                    board.producer.used(wallet);
                    board.report(FromNode::Part { session, part });
                }
                Err(error) => board.tell_end(session, intent, Err(error)),
            }
            drop(place);
        });
    }

    /// Finishes a payment with the peer's part.
    pub(super) fn join_part(self: &Arc<Self>, brought: Brought, part: SealedPart) {
        let Some(place) = self.place(brought.session) else { return };
        let board = Arc::clone(self);
        self.running.spawn(async move {
            let (session, intent) = (brought.session, brought.envelope.document.id);
            let wallet = brought.envelope.document.wallet;
            let begun = Instant::now();
            let joined = board.signer.join_payment(brought.request(), from_wire(part)).await;
            if joined.is_ok() {
                let took_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
                info!(%session, %intent, took_us, "a payment is finished");
                board.producer.used(wallet);
            }
            let made =
                joined.map(|Joined { signed, answer }| Made::Joined(Box::new(signed), answer));
            board.tell_end(session, intent, made);
            drop(place);
        });
    }

    fn tell_end(&self, session: SessionId, intent: IntentId, ended: Result<Made, GateError>) {
        match &ended {
            Ok(_) => {}
            Err(GateError::Refused(refusal)) => info!(%session, %intent, %refusal, "refused"),
            Err(GateError::Failed(failure)) => warn!(%session, %intent, %failure, "failed"),
        }
        let (report, end) = session::told(session, ended);
        // Without stock, or with a courier that spoiled a letter, another session may follow.
        let is_over = !matches!(&report, FromNode::Failed { .. });
        if let Some(end) = end.filter(|_| is_over) {
            self.tickets.tell(intent, end);
        }
        self.report(report);
    }

    fn place(&self, session: SessionId) -> Option<tokio::sync::OwnedSemaphorePermit> {
        let place =
            Arc::clone(&self.parts).try_acquire_owned().ok().filter(|_| !self.is_stopping());
        if place.is_none() {
            let detail = "this node is busy: it signs as many payments as it may".to_owned();
            self.report(FromNode::Failed { session, kind: FailureKind::NotReady, detail });
        }
        place
    }
}

pub(crate) fn to_wire(part: gate::SealedPart) -> SealedPart {
    SealedPart { presignature: part.presignature.0, sealed: SealedBytes(part.sealed) }
}

fn from_wire(part: SealedPart) -> gate::SealedPart {
    let mut sealed = part.sealed.0;
    // One that is too long opens no better when it is cut, and its presignature is used up.
    sealed.truncate(SEALED_PART_BYTES_MAX);
    gate::SealedPart { presignature: PresignatureId(part.presignature), sealed }
}
