//! A transfer on its way: the coordinator brings it to the chain, and nobody hands it back.
//!
//! Promises: a receipt as soon as our own endpoints show exactly what was signed, and an end without
//! payment only where our own node cannot have signed.
//!
//! Does not protect against: a coordinator that calls a transfer settled which our endpoints do not
//! show. The receipt says that it is not verified.

use std::time::Duration;

use alloy_primitives::B256;
use async_trait::async_trait;
use tercet_api::payment::{PaymentStatus, PaymentView};
use tercet_chain::ExpectedTransfer;
use tercet_policy::intent::{Payment, PaymentIntent, SignedIntent};
use tercet_policy::time::UnixSeconds;
use tokio::time::{Instant, sleep};

use super::PAYMENT_SECONDS_MAX;
use crate::client::Client;
use crate::error::{Error, OutcomeUnknown};
use crate::node::AgentNode;
use crate::receipt::{Receipt, SettlementEvidence};
use crate::seam::{Clock as _, EvidenceUnavailable, Fate, Finality, Settlement, SystemClock};
use crate::wallet::ChainEvidence;

/// Time between two looks at a payment, in milliseconds.
const LOOK_MS: u64 = 300;

/// Shows transfers of this wallet.
#[async_trait]
pub(super) trait TransferEvidence: Send + Sync {
    /// The transfer of an intent, if it is shown. On Base it is looked for in the transaction that
    /// is named; on Tempo its memo finds it, whatever is named, and an access key is found by itself.
    async fn transfer(
        &self,
        intent: &PaymentIntent,
        named: B256,
    ) -> Result<Option<(Settlement, Finality)>, EvidenceUnavailable>;
}

#[async_trait]
impl TransferEvidence for ChainEvidence {
    async fn transfer(
        &self,
        intent: &PaymentIntent,
        named: B256,
    ) -> Result<Option<(Settlement, Finality)>, EvidenceUnavailable> {
        match &intent.payment {
            Payment::Transfer(transfer) => {
                let expected = ExpectedTransfer {
                    token: transfer.token,
                    from: intent.wallet,
                    to: transfer.to,
                    value: transfer.amount,
                };
                let shown = self.transfer_in(transfer.chain, named, &expected).await?;
                Ok(shown.map(|settlement| (settlement, Finality::Seen)))
            }
            Payment::TempoAccessKey(_) => Ok(settled(self.access_key_fate(intent).await?)),
            _ => Ok(settled(self.tempo_transfer_fate(intent).await?)),
        }
    }
}

fn settled(fate: Fate) -> Option<(Settlement, Finality)> {
    match fate {
        Fate::Settled { settlement, finality } => Some((settlement, finality)),
        Fate::Void { .. } | Fate::Open => None,
    }
}

/// Who tells of a transfer.
pub(super) struct Followed<'a> {
    pub(super) client: &'a Client,
    pub(super) node: &'a dyn AgentNode,
    pub(super) chain: &'a dyn TransferEvidence,
}

impl Followed<'_> {
    /// Asks for a transfer, and follows it. Without a part of our node: what the coordinator brings
    /// to the chain is joined there, and the operator's node would not answer.
    pub(super) async fn to_its_end(&self, signed: SignedIntent) -> Result<Receipt, Error> {
        let intent = signed.document.clone();
        let view = match self.client.create_payment(signed).await {
            Ok(view) => view,
            Err(error) if !error.refusals().is_empty() => {
                if self.node.may_have_signed(intent.id).await {
                    return Err(unknown(&intent, intent.expires_at));
                }
                let refusals = error.refusals().to_vec();
                return Err(Error::Refused { intent: intent.id, refusals });
            }
            Err(error) => return Err(error.into()),
        };
        self.follow(&intent, view).await
    }

    async fn follow(
        &self,
        intent: &PaymentIntent,
        mut view: PaymentView,
    ) -> Result<Receipt, Error> {
        let until = Instant::now().checked_add(Duration::from_secs(PAYMENT_SECONDS_MAX));
        loop {
            if let Some(receipt) = self.receipt_of(intent, &view).await {
                return Ok(receipt);
            }
            // Only the coordinator says so, and it may hold the signed transaction: our own node's
            // journal decides, which learns from the chain what is void.
            if let Some(end) = bad_end(&view)
                && (intent.payment.revokes_key() || !self.node.may_have_signed(intent.id).await)
            {
                return Err(end);
            }
            // People take the time that the intent has.
            let asked = view.status == PaymentStatus::AwaitingApproval
                && SystemClock.now() < intent.expires_at;
            if !asked && until.is_none_or(|until| Instant::now() >= until) {
                return Err(unknown(intent, view.deadline.unwrap_or(view.updated_at)));
            }
            sleep(Duration::from_millis(LOOK_MS)).await;
            // A line that breaks leaves the last view standing.
            if let Ok(newer) = self.client.payment(&intent.id).await {
                view = newer;
            }
        }
    }

    /// A receipt, as soon as our own endpoints show the transfer; without that, when the coordinator
    /// calls it settled. That a key was revoked it is not believed: whoever hears so stops looking.
    async fn receipt_of(&self, intent: &PaymentIntent, view: &PaymentView) -> Option<Receipt> {
        let transaction = view.transaction?;
        let mut receipt = Receipt::unproven(intent, "", SystemClock.now());
        receipt.signed_by = view.signed_by;
        match self.chain.transfer(intent, transaction).await {
            Ok(Some((settlement, finality))) => Some(receipt.proven(&settlement, finality)),
            unseen if view.status == PaymentStatus::Settled && !intent.payment.revokes_key() => {
                let why = unseen.err().map_or_else(
                    || "the coordinator calls it settled; our endpoints do not show it".to_owned(),
                    |error| error.to_string(),
                );
                let evidence = SettlementEvidence::None { why };
                let (transaction, block) = (Some(transaction), view.block);
                Some(Receipt { transaction, block, evidence, ..receipt })
            }
            _ => None,
        }
    }
}

/// An end in which nothing was paid.
fn bad_end(view: &PaymentView) -> Option<Error> {
    let detail = || view.detail.clone().unwrap_or_default();
    match view.status {
        PaymentStatus::Refused => {
            Some(Error::Refused { intent: view.id, refusals: view.refusals.clone() })
        }
        PaymentStatus::Failed => {
            Some(Error::NotSigned { intent: view.id, retryable: false, detail: detail() })
        }
        PaymentStatus::Void => Some(Error::NotPaid { intent: view.id, cause: detail() }),
        _ => None,
    }
}

/// A transaction that has an end is in doubt no longer than that.
fn unknown(intent: &PaymentIntent, deadline: UnixSeconds) -> Error {
    let deadline = intent.payment.valid_before().unwrap_or(deadline);
    Error::Unknown(Box::new(OutcomeUnknown {
        intent: intent.id,
        deadline,
        status: None,
        merchant_reason: None,
    }))
}
