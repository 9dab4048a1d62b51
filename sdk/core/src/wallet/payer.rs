//! From an intent to a finished payment, through the agent's node and the coordinator: in one round
//! trip where both nodes have a presignature in stock, in rounds between them otherwise.

mod submit;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alloy_primitives::{Address, B256};
use async_trait::async_trait;
use tercet_api::payment::{PaymentStatus, PaymentView, RefusalBy, SigningWay};
use tercet_api::problem::ProblemCode;
use tercet_api::relay::{FailureKind, SealedBytes, SealedPart};
use tercet_policy::intent::{IntentId, Payment, PaymentIntent, SignedIntent, TempoNonce};
use tercet_policy::payload::{FinishedPayment, MppSignature};
use tercet_policy::report::ReportKind;
use tercet_policy::time::UnixSeconds;
use tercet_signer_node::{NotPaid, Ticket};
use tokio::time::sleep;

use crate::client::{Client, ClientError, PAYMENT_TRIES_MAX, RETRY_PAUSE_MS};
use crate::mpp::{VoucherAsk, VoucherSigner};
use crate::node::{AgentNode, NodeError};
use crate::seam::{Clock as _, PayError, Payer, Signed, SystemClock};

/// Longest wait for the line to the coordinator, in seconds.
const CONNECT_SECONDS_MAX: u64 = 10;
/// Longest wait for a signature that is being made, in seconds.
const SIGN_SECONDS_MAX: u64 = 60;
/// How long a signature that the coordinator knows of may take to come from our own node, in
/// milliseconds. If it does not come, it was lost in an earlier process and is made again.
const LOST_AFTER_MS: u64 = 1_000;
/// Time between two looks at a payment that waits for people, in milliseconds.
const APPROVAL_LOOK_MS: u64 = 1_000;
/// How long after its end a question is looked at, in seconds: the coordinator says how it ended.
const APPROVAL_GRACE_SECONDS: u64 = 10;

/// Gets intents signed by the agent's node and its peer at the operator.
#[derive(Debug)]
pub(super) struct HousedPayer {
    node: Arc<dyn AgentNode>,
    client: Client,
    /// Whether it was said that payments are signed in rounds.
    warned: AtomicBool,
}

#[async_trait]
impl Payer for HousedPayer {
    async fn sign(&self, intent: PaymentIntent) -> Result<SignedIntent, PayError> {
        self.node.sign_intent(intent).await.map_err(of_node)
    }

    async fn authorize(&self, intent: SignedIntent) -> Result<Signed<FinishedPayment>, PayError> {
        self.finish(intent).await
    }

    async fn submit(&self, intent: SignedIntent) -> Result<(), PayError> {
        self.bring(intent).await
    }

    async fn report(&self, intent: PaymentIntent, outcome: ReportKind) -> Result<(), PayError> {
        let report = self.node.sign_report(intent, outcome).await.map_err(of_node)?;
        self.client.report(report).await.map(drop).map_err(|e| of_client(&e))
    }
}

#[async_trait]
impl VoucherSigner for HousedPayer {
    async fn session_signer(&self, wallet: Address, salt: B256) -> Result<Address, PayError> {
        self.node.session_signer(wallet, salt).await.map_err(of_node)
    }

    async fn sign_voucher(&self, ask: VoucherAsk) -> Result<MppSignature, PayError> {
        self.node.sign_voucher(ask).await.map_err(of_node)
    }

    async fn sign_close(&self, ask: VoucherAsk) -> Result<MppSignature, PayError> {
        self.node.sign_close(ask).await.map_err(of_node)
    }
}

impl HousedPayer {
    pub(super) fn new(node: Arc<dyn AgentNode>, client: Client) -> Self {
        Self { node, client, warned: AtomicBool::new(false) }
    }

    /// The finished payment of an intent: an authorization, or a cancellation. That it was refused
    /// is believed only if our own node's part of the signature cannot have left: an intent that is
    /// given up is followed by another, and both could be settled.
    pub(super) async fn finish(
        &self,
        intent: SignedIntent,
    ) -> Result<Signed<FinishedPayment>, PayError> {
        let id = intent.document.id;
        let ended = self.ask(intent).await;
        let signed = self.doubted(id, ended).await?;
        self.say_how(id, signed.by);
        Ok(signed)
    }

    /// An end, with doubt where a refusal is not to be believed.
    async fn doubted<T>(&self, id: IntentId, ended: Result<T, PayError>) -> Result<T, PayError> {
        match ended {
            Err(PayError::Refused { refusals }) if self.node.may_have_signed(id).await => {
                let said = refusals.first().map(|r| format!("{}: {}", r.by, r.refusal));
                let said = said.unwrap_or_default();
                Err(failed(true, format!("called refused ({said}), and may be signed")))
            }
            ended => ended,
        }
    }

    async fn ask(&self, intent: SignedIntent) -> Result<Signed<FinishedPayment>, PayError> {
        let id = intent.document.id;
        let too_soon = ends_before_people(&intent.document);
        // Before the intent is posted: its end may come before the answer to the post.
        let ticket = self.ticket(id).await?;
        match self.post(intent).await {
            Ok(PaymentView { answer: Some(answer), .. }) => self.join(id, &answer).await,
            Ok(view) => match too_soon {
                Some(ends) if view.status == PaymentStatus::AwaitingApproval => {
                    Err(PayError::NeedsApproval { ends })
                }
                _ => self.after(ticket, &view).await,
            },
            Err(ClientError::Unreachable { detail }) => {
                // The line broke, and both nodes may have signed all the same.
                let patience = Duration::from_millis(LOST_AFTER_MS);
                let finished = ticket.finished(patience).await;
                finished.map(in_rounds).map_err(|_| failed(true, detail))
            }
            Err(error) => Err(of_client(&error)),
        }
    }

    /// Posts the intent with a part, and again when the line breaks: with another part, as the
    /// first may have arrived. The intent's id makes it the same payment, slot and digest.
    async fn post(&self, intent: SignedIntent) -> Result<PaymentView, ClientError> {
        let id = intent.document.id;
        let mut part = self.part(&intent).await;
        let mut had_part = part.is_some();
        let mut pause = Duration::from_millis(RETRY_PAUSE_MS);
        let mut posted = self.client.create_payment_with(intent.clone(), part).await;
        for _ in 1..PAYMENT_TRIES_MAX {
            part = match &posted {
                Err(ClientError::Unreachable { .. }) => {
                    sleep(pause).await;
                    self.part(&intent).await
                }
                // Being signed for an earlier process, it is waited for by asking without a part. One
                // that the coordinator has no room for is the caller's to ask for again.
                Err(error) if had_part && error.code() == Some(ProblemCode::Busy) => {
                    if self.client.payment(&id).await.is_err() {
                        break;
                    }
                    sleep(pause).await;
                    None
                }
                _ => break,
            };
            had_part |= part.is_some();
            pause = pause.saturating_mul(2);
            posted = self.client.create_payment_with(intent.clone(), part).await;
        }
        match &posted {
            Ok(view) if had_part && view.answer.is_none() => self.node.give_up(id).await,
            Err(_) if had_part => self.node.forget(id).await,
            _ => {}
        }
        posted
    }

    /// Our node's part, where it has one to give. Whatever keeps it from that keeps nobody from
    /// asking: the coordinator, and both nodes once more, say what is wrong with the payment, or
    /// whom it needs. None is given for what the coordinator brings to the chain: the operator's node
    /// would hand the whole to it and answer nobody, while without a part ours has the last word.
    async fn part(&self, intent: &SignedIntent) -> Option<SealedPart> {
        if is_brought_by_coordinator(&intent.document.payment) {
            return None;
        }
        match self.node.begin(intent).await {
            Ok(part) => part,
            Err(why) => {
                tracing::debug!(intent = %intent.document.id, %why, "asked without a part");
                None
            }
        }
    }

    /// The payment out of the operator's answer. One that is of no use was used up with our part,
    /// and the same bytes are signed once more.
    async fn join(
        &self,
        id: IntentId,
        answer: &SealedBytes,
    ) -> Result<Signed<FinishedPayment>, PayError> {
        match self.node.finish(id, &answer.0).await {
            Ok(payment) => Ok(Signed { payment, by: SigningWay::Presignature }),
            Err(error) if error.is_retryable() => {
                tracing::warn!(intent = %id, %error, "an answer was of no use; signing once more");
                self.again(id).await
            }
            Err(error) => Err(of_node(error)),
        }
    }

    async fn after(
        &self,
        ticket: Ticket,
        view: &PaymentView,
    ) -> Result<Signed<FinishedPayment>, PayError> {
        match view.status {
            PaymentStatus::AwaitingApproval => {
                let view = self.approved(view).await?;
                Box::pin(self.after(ticket, &view)).await
            }
            PaymentStatus::Received | PaymentStatus::Signing => {
                let patience = Duration::from_secs(SIGN_SECONDS_MAX);
                ticket.finished(patience).await.map(in_rounds).map_err(of_end)
            }
            status if may_be_lost(status, &view.payment) => {
                let by = view.signed_by.unwrap_or(SigningWay::Interactive);
                // An answer that was lost on its way comes by no ticket.
                if by == SigningWay::Presignature && !is_brought_by_coordinator(&view.payment) {
                    return self.again(view.id).await;
                }
                match ticket.finished(Duration::from_millis(LOST_AFTER_MS)).await {
                    Err(NotPaid::TimedOut) => self.again(view.id).await,
                    ended => ended.map(|payment| Signed { payment, by }).map_err(of_end),
                }
            }
            PaymentStatus::Refused => Err(PayError::Refused { refusals: view.refusals.clone() }),
            _ => {
                let detail = view.detail.clone().unwrap_or_default();
                Err(failed(false, format!("the payment is over ({:?}) {detail}", view.status)))
            }
        }
    }

    /// Waits until people have answered, or the question has ended. A line that breaks leaves the
    /// question standing.
    async fn approved(&self, view: &PaymentView) -> Result<PaymentView, PayError> {
        tracing::warn!(intent = %view.id, "waiting for people to approve the payment");
        let until = view.approval.as_ref().map(|asked| asked.until);
        loop {
            sleep(Duration::from_millis(APPROVAL_LOOK_MS)).await;
            match self.client.payment(&view.id).await {
                Ok(now) if now.status != PaymentStatus::AwaitingApproval => return Ok(now),
                Ok(_) => {}
                Err(error) if error.is_retryable() => {}
                Err(error) => return Err(of_client(&error)),
            }
            let over = |until: UnixSeconds| SystemClock.now() > until.plus(APPROVAL_GRACE_SECONDS);
            if until.is_none_or(over) {
                return Err(failed(true, "nobody approved the payment in time"));
            }
        }
    }

    /// The same bytes once more, for a signature that was lost: with an earlier process, or on its
    /// way.
    async fn again(&self, id: IntentId) -> Result<Signed<FinishedPayment>, PayError> {
        let ticket = self.ticket(id).await?;
        self.client.sign_again(&id).await.map_err(|e| of_client(&e))?;
        let finished = ticket.finished(Duration::from_secs(SIGN_SECONDS_MAX)).await;
        finished.map(in_rounds).map_err(of_end)
    }

    async fn ticket(&self, id: IntentId) -> Result<Ticket, PayError> {
        let patience = Duration::from_secs(CONNECT_SECONDS_MAX);
        self.node.expect(id, patience).await.map_err(of_node)
    }

    fn say_how(&self, intent: IntentId, by: SigningWay) {
        tracing::debug!(%intent, ?by, "signed");
        if by == SigningWay::Interactive && !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %intent,
                "signed in rounds, which takes about a second: no presignature was at hand \
                 (this is said once; receipts have `signed_by`)"
            );
        }
    }
}

/// Whether there may be a signature that this process has not seen. What moves nothing is over with
/// its signature.
const fn may_be_lost(status: PaymentStatus, payment: &Payment) -> bool {
    match status {
        PaymentStatus::Signed | PaymentStatus::Submitted | PaymentStatus::Unknown => true,
        PaymentStatus::Settled => {
            matches!(payment, Payment::MppProof(_) | Payment::MppVoucher(_) | Payment::MppClose(_))
        }
        _ => false,
    }
}

/// When an intent ends that leaves people no time: a transaction that a service brings to the chain
/// lives for seconds, and what is approved later is signed for nothing.
fn ends_before_people(intent: &PaymentIntent) -> Option<UnixSeconds> {
    let terms = intent.payment.tempo_terms()?;
    (terms.nonce == TempoNonce::Expiring).then_some(terms.valid_before)
}

/// Whether the coordinator brings it to the chain. The operator's node hands such a transaction to
/// the coordinator and answers nothing that a part could be joined with: it is signed in rounds.
const fn is_brought_by_coordinator(payment: &Payment) -> bool {
    matches!(payment, Payment::MppExit(_) | Payment::TempoTransfer(_) | Payment::TempoAccessKey(_))
}

/// What a ticket brings was signed in rounds.
const fn in_rounds(payment: FinishedPayment) -> Signed<FinishedPayment> {
    Signed { payment, by: SigningWay::Interactive }
}

fn failed(retryable: bool, detail: impl ToString) -> PayError {
    PayError::Failed { retryable, detail: detail.to_string() }
}

fn of_client(error: &ClientError) -> PayError {
    match error.refusals() {
        [] => failed(error.is_retryable(), error),
        refusals => PayError::Refused { refusals: refusals.to_vec() },
    }
}

fn of_node(error: NodeError) -> PayError {
    match error {
        NodeError::NotPaid(why) => of_end(why),
        other => failed(other.is_retryable(), other),
    }
}

fn of_end(why: NotPaid) -> PayError {
    match why {
        NotPaid::Refused(refusal) => {
            PayError::Refused { refusals: vec![RefusalBy { by: "agent".to_owned(), refusal }] }
        }
        NotPaid::Failed { kind: FailureKind::Bug, detail } => failed(false, detail),
        NotPaid::Stopped => failed(false, "the wallet is closed"),
        other => failed(true, other),
    }
}

#[cfg(test)]
mod tests;
