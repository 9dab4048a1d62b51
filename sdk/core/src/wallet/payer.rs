//! From an intent to a finished payment, through the coordinator and the node in this process.

use std::time::Duration;

use async_trait::async_trait;
use tercet_api::payment::{PaymentStatus, PaymentView, RefusalBy};
use tercet_api::relay::FailureKind;
use tercet_policy::intent::{IntentId, PaymentIntent, SignedIntent};
use tercet_policy::payload::{Eip3009Payment, FinishedPayment};
use tercet_policy::report::ReportKind;
use tercet_policy::time::UnixSeconds;
use tercet_signer_node::{NotPaid, Ticket};
use tokio::time::sleep;

use super::house::House;
use crate::client::{Client, ClientError};
use crate::seam::{Clock as _, PayError, Payer, SystemClock};

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

/// Gets intents signed by the node in this process and its peer at the operator.
#[derive(Debug)]
pub(super) struct HousedPayer {
    house: House,
    client: Client,
}

#[async_trait]
impl Payer for HousedPayer {
    fn sign(&self, intent: PaymentIntent) -> Result<SignedIntent, PayError> {
        let node = self.house.node().ok_or_else(closed)?;
        node.identity().sign_intent(intent).map_err(|e| failed(false, e))
    }

    async fn authorize(&self, intent: SignedIntent) -> Result<Eip3009Payment, PayError> {
        match self.finish(intent).await? {
            FinishedPayment::X402(payment) => Ok(payment),
            _ => Err(failed(false, "the node finished a payment of another kind")),
        }
    }

    async fn report(&self, intent: PaymentIntent, outcome: ReportKind) -> Result<(), PayError> {
        let report = {
            let node = self.house.node().ok_or_else(closed)?;
            let signed = node.identity().sign_report(intent, outcome, SystemClock.now());
            signed.map_err(|e| failed(false, e))?
        };
        self.client.report(report).await.map(drop).map_err(|e| of_client(&e))
    }
}

impl HousedPayer {
    pub(super) const fn new(house: House, client: Client) -> Self {
        Self { house, client }
    }

    /// The finished payment of an intent: an authorization, or a cancellation. That it was refused
    /// is believed only if our own node's part of the signature cannot have left: an intent that is
    /// given up is followed by another, and both could be settled.
    pub(super) async fn finish(&self, intent: SignedIntent) -> Result<FinishedPayment, PayError> {
        let id = intent.document.id;
        match self.ask(intent).await {
            Err(PayError::Refused { refusals }) if self.may_have_signed(id).await => {
                let said = refusals.first().map(|r| format!("{}: {}", r.by, r.refusal));
                let said = said.unwrap_or_default();
                Err(failed(true, format!("called refused ({said}), and may be signed")))
            }
            ended => ended,
        }
    }

    async fn may_have_signed(&self, id: IntentId) -> bool {
        match self.house.node() {
            Some(node) => node.may_have_signed(id).await,
            None => true,
        }
    }

    async fn ask(&self, intent: SignedIntent) -> Result<FinishedPayment, PayError> {
        let id = intent.document.id;
        // Before the intent is posted: its end may come before the answer to the post.
        let ticket = self.ticket(id).await?;
        match self.client.create_payment(intent).await {
            Ok(view) => self.after(ticket, &view).await,
            Err(ClientError::Unreachable { detail }) => {
                // The line broke, and both nodes may have signed all the same.
                let patience = Duration::from_millis(LOST_AFTER_MS);
                ticket.finished(patience).await.map_err(|_| failed(true, detail))
            }
            Err(error) => Err(of_client(&error)),
        }
    }

    async fn after(&self, ticket: Ticket, view: &PaymentView) -> Result<FinishedPayment, PayError> {
        match view.status {
            PaymentStatus::AwaitingApproval => {
                let view = self.approved(view).await?;
                Box::pin(self.after(ticket, &view)).await
            }
            PaymentStatus::Received | PaymentStatus::Signing => {
                let patience = Duration::from_secs(SIGN_SECONDS_MAX);
                ticket.finished(patience).await.map_err(of_node)
            }
            PaymentStatus::Signed | PaymentStatus::Submitted | PaymentStatus::Unknown => {
                match ticket.finished(Duration::from_millis(LOST_AFTER_MS)).await {
                    Err(NotPaid::TimedOut) => self.again(view.id).await,
                    ended => ended.map_err(of_node),
                }
            }
            PaymentStatus::Refused => Err(PayError::Refused { refusals: view.refusals.clone() }),
            PaymentStatus::Failed | PaymentStatus::Settled | PaymentStatus::Void => {
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

    /// The same bytes once more, for a signature that an earlier process took with it.
    async fn again(&self, id: IntentId) -> Result<FinishedPayment, PayError> {
        let ticket = self.ticket(id).await?;
        self.client.sign_again(&id).await.map_err(|e| of_client(&e))?;
        ticket.finished(Duration::from_secs(SIGN_SECONDS_MAX)).await.map_err(of_node)
    }

    async fn ticket(&self, id: IntentId) -> Result<Ticket, PayError> {
        let node = self.house.node().ok_or_else(closed)?;
        let patience = Duration::from_secs(CONNECT_SECONDS_MAX);
        node.wait_connected(patience).await.map_err(|e| failed(true, e))?;
        Ok(node.expect(id))
    }
}

fn closed() -> PayError {
    failed(false, "the wallet is closed")
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

fn of_node(why: NotPaid) -> PayError {
    match why {
        NotPaid::Refused(refusal) => {
            PayError::Refused { refusals: vec![RefusalBy { by: "agent".to_owned(), refusal }] }
        }
        NotPaid::Failed { kind: FailureKind::Bug, detail } => failed(false, detail),
        NotPaid::Stopped => closed(),
        other => failed(true, other),
    }
}
