//! Payments that the coordinator brings to the chain: no signature comes back, and the coordinator's
//! view says how far they are.

use std::time::Duration;

use tercet_api::payment::{PaymentStatus, PaymentView};
use tercet_policy::intent::SignedIntent;
use tokio::time::{Instant, sleep};

use super::{APPROVAL_LOOK_MS, CONNECT_SECONDS_MAX, HousedPayer, SIGN_SECONDS_MAX};
use super::{failed, of_client, of_node};
use crate::seam::PayError;

/// Time between two looks at a payment that is being signed, in milliseconds.
const LOOK_MS: u64 = 300;
const _: () = assert!(LOOK_MS <= APPROVAL_LOOK_MS, "what nodes do takes less time than people");

impl HousedPayer {
    /// Has an intent signed and brought to the chain. The same intent again is the same payment.
    pub(super) async fn bring(&self, intent: SignedIntent) -> Result<(), PayError> {
        let id = intent.document.id;
        let ended = self.post_and_follow(intent).await;
        self.doubted(id, ended).await
    }

    async fn post_and_follow(&self, intent: SignedIntent) -> Result<(), PayError> {
        let id = intent.document.id;
        let patience = Duration::from_secs(CONNECT_SECONDS_MAX);
        self.node.wait_connected(patience).await.map_err(of_node)?;
        let mut view = self.client.create_payment(intent).await.map_err(|e| of_client(&e))?;
        if view.status == PaymentStatus::AwaitingApproval {
            view = self.approved(&view).await?;
        }
        let until = Instant::now().checked_add(Duration::from_secs(SIGN_SECONDS_MAX));
        loop {
            if let Some(end) = end_of(&view) {
                return end;
            }
            if until.is_none_or(|until| Instant::now() >= until) {
                return Err(failed(true, "the payment was not signed in time"));
            }
            sleep(Duration::from_millis(LOOK_MS)).await;
            match self.client.payment(&id).await {
                Ok(newer) => view = newer,
                Err(error) if error.is_retryable() => {}
                Err(error) => return Err(of_client(&error)),
            }
        }
    }
}

/// How a payment ended, as far as its signature goes; nothing before it has one.
fn end_of(view: &PaymentView) -> Option<Result<(), PayError>> {
    match view.status {
        PaymentStatus::Signed
        | PaymentStatus::Submitted
        | PaymentStatus::Unknown
        | PaymentStatus::Settled => Some(Ok(())),
        PaymentStatus::Refused => Some(Err(PayError::Refused { refusals: view.refusals.clone() })),
        PaymentStatus::Failed | PaymentStatus::Void => {
            let detail = view.detail.clone().unwrap_or_default();
            Some(Err(failed(false, format!("the payment is over ({:?}) {detail}", view.status))))
        }
        PaymentStatus::AwaitingApproval | PaymentStatus::Received | PaymentStatus::Signing => None,
    }
}
