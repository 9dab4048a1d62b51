//! What a running node does for payments and for sessions.
//!
//! Refuses: what the signer refuses, and with its reasons. Nothing is judged here.

use alloy_primitives::{Address, B256};
use tercet_api::relay::{FAILURE_CHARS_MAX, FailureKind, SealedPart};
use tercet_policy::intent::{IntentId, SignedIntent};
use tercet_policy::payload::{FinishedPayment, MppSignature};
use tercet_signer::gate::{Failure, GateError, PartRequest, SessionAsk};

use super::NodeHandle;
use crate::relay::now;
use crate::restock::StockWish;
use crate::switchboard::parts::to_wire;
use crate::switchboard::session::kind_of;
use crate::ticket::{NotPaid, Ticket};

impl NodeHandle {
    /// Judges and records a payment of this agent, and gives this node's part of its signature, for
    /// the operator's node alone. Nothing where there is no presignature for it, where it has terms
    /// that only the chain can tell, or where a rule or a person has something to say: then the
    /// payment goes without a part, and takes the longer way.
    ///
    /// # Errors
    /// [`NotPaid::Failed`] if this node is not able to judge.
    pub async fn begin(&self, envelope: SignedIntent) -> Result<Option<SealedPart>, NotPaid> {
        let (intent, wallet) = (envelope.document.id, envelope.document.wallet);
        let producer = &self.switchboard.producer;
        if !producer.is_good(wallet) || !self.pending.has_room() {
            return Ok(None);
        }
        let request = PartRequest { envelope, claim: None, approvals: Vec::new(), now: now() };
        match self.signer.begin_payment(request).await {
            Ok((part, pending)) => {
                producer.used(wallet);
                self.pending.put(intent, pending);
                Ok(Some(to_wire(part)))
            }
            Err(GateError::Failed(Failure::NoPresignature { .. })) => {
                producer.used(wallet);
                Ok(None)
            }
            Err(GateError::Refused(refusal)) => {
                tracing::info!(%intent, %refusal, "no part is given");
                Ok(None)
            }
            Err(GateError::Failed(failure)) => Err(not_paid(&failure)),
        }
    }

    /// Finishes a payment with the operator's answer to the part.
    ///
    /// # Errors
    /// [`NotPaid::Failed`] where no part is out, or the answer does not belong to it. The payment
    /// counts as spent, and may be asked for again.
    pub async fn finish(
        &self,
        intent: IntentId,
        answer: &[u8],
    ) -> Result<FinishedPayment, NotPaid> {
        let pending = self.pending.take(intent).ok_or_else(|| NotPaid::Failed {
            kind: FailureKind::NotReady,
            detail: "no part of this payment is out".to_owned(),
        })?;
        match self.signer.finish_payment(pending, answer).await {
            Ok(signed) => Ok(signed.payment),
            Err(error) => Err(of_gate(error)),
        }
    }

    /// The part of a payment brought no answer: the operator may not have the presignatures that
    /// this node has. Both agree before another is used.
    pub fn give_up(&self, intent: IntentId) {
        if let Some(pending) = self.pending.take(intent) {
            self.switchboard.producer.doubt(pending.wallet());
        }
    }

    /// The part of a payment was not looked at, or its answer was lost: nothing is known against the
    /// stock.
    pub fn forget(&self, intent: IntentId) {
        drop(self.pending.take(intent));
    }

    /// The wallet is about to pay: presignatures are kept in stock for it from now on.
    pub fn wake(&self, wallet: Address) {
        self.switchboard.producer.wake(wallet);
    }

    /// How many payments of a wallet could be signed in one round trip now.
    #[must_use]
    pub fn presignatures(&self, wallet: Address) -> usize {
        self.signer.presignatures(wallet)
    }

    /// What the wallets that pay are to have in stock.
    #[must_use]
    pub fn stock_wishes(&self) -> Vec<StockWish> {
        self.switchboard.producer.wishes()
    }

    /// Waits for a payment: call this **before** the intent is posted.
    #[must_use]
    pub fn expect(&self, intent: IntentId) -> Ticket {
        self.tickets.issue(intent)
    }

    /// The address of the key that signs the vouchers of a session with this salt.
    ///
    /// # Errors
    /// [`NotPaid::Failed`] at any other node than the agent's.
    pub fn session_signer(&self, wallet: Address, salt: B256) -> Result<Address, NotPaid> {
        self.signer.session_signer(wallet, salt).map_err(of_gate)
    }

    /// A voucher of a session's key, by this node's clock.
    ///
    /// # Errors
    /// [`NotPaid::Refused`] with what stands against it.
    pub async fn sign_voucher(&self, ask: SessionAsk) -> Result<MppSignature, NotPaid> {
        self.signer.sign_voucher(ask, now()).await.map_err(of_gate)
    }

    /// Agrees to a channel's end, with a session's key.
    ///
    /// # Errors
    /// [`NotPaid::Refused`] with what stands against it.
    pub async fn sign_close(&self, ask: SessionAsk) -> Result<MppSignature, NotPaid> {
        self.signer.sign_close(ask).await.map_err(of_gate)
    }

    /// Whether this node's part of a payment's signature may have left. Then the signature may
    /// exist, whatever the coordinator says of the payment.
    pub async fn may_have_signed(&self, intent: IntentId) -> bool {
        self.signer.may_have_signed(intent).await
    }
}

fn of_gate(error: GateError) -> NotPaid {
    match error {
        GateError::Refused(refusal) => NotPaid::Refused(refusal),
        GateError::Failed(failure) => not_paid(&failure),
    }
}

fn not_paid(failure: &Failure) -> NotPaid {
    let detail = failure.to_string().chars().take(FAILURE_CHARS_MAX).collect();
    NotPaid::Failed { kind: kind_of(failure.culprit()), detail }
}
