//! How a purchase ended: what came back, and what the chain shows.

use std::time::Duration;

use reqwest::StatusCode;
use tercet_policy::report::ReportKind;
use tokio::time::{Instant, sleep, timeout};

use super::receive::{Received, receive};
use super::send::Answer;
use super::{Buyer, Fetched, Sent, unknown};
use crate::ask::Ask;
use crate::error::Error;
use crate::journal::{Purchase, State};
use crate::receipt::{Receipt, ResourceReceipt};
use crate::seam::{Authorized, Fate, Finality, Settlement};
use crate::wire::MerchantClaim;

/// What a merchant answered to a payment, when it was not the resource.
struct Undelivered {
    status: Option<u16>,
    claim: Option<MerchantClaim>,
    /// Whether a settlement may be under way, so that it is worth waiting for the chain.
    settling: bool,
}

impl Buyer {
    pub(super) async fn conclude(
        &self,
        ask: &Ask,
        sent: Sent,
        answer: Answer,
    ) -> Result<Fetched, Error> {
        let Answer::Response(response) = answer else {
            let nothing = Undelivered { status: None, claim: None, settling: true };
            return Err(self.undelivered(ask, sent, nothing).await?);
        };
        let status = response.status();
        let claim = MerchantClaim::read(response.headers()).ok();
        let pending = claim.as_ref().is_some_and(MerchantClaim::is_pending);
        let settling = pending || status != StatusCode::PAYMENT_REQUIRED;
        let undelivered = |claim| Undelivered { status: Some(status.as_u16()), claim, settling };
        if !status.is_success() {
            return Err(self.undelivered(ask, sent, undelivered(claim)).await?);
        }
        match receive(response, self.parts.rules.patience.resource()).await {
            Ok(received) => Ok(self.delivered(ask, sent, received, claim).await),
            Err(_) => Err(self.undelivered(ask, sent, undelivered(claim)).await?),
        }
    }

    /// The resource is here, and the caller gets it whatever the chain or the disk say.
    async fn delivered(
        &self,
        ask: &Ask,
        Sent { mut purchase, signed_by }: Sent,
        received: Received,
        claim: Option<MerchantClaim>,
    ) -> Fetched {
        let why = "the chain did not show the payment in time";
        let mut receipt = Receipt::unproven(&purchase.intent, why, self.parts.clock.now());
        let mut resource = resource(ask, Some(received.response.status().as_u16()));
        if let Some((hash, bytes)) = received.body {
            resource.sha256 = Some(hash);
            resource.bytes = Some(bytes);
        }
        receipt.signed_by = Some(signed_by);
        receipt.resource = Some(resource);
        receipt.merchant_transaction = claim.and_then(|claim| claim.transaction);
        let mut state = State::Unverified;
        if let Some((settlement, finality)) = self.shown(&purchase, &receipt).await {
            receipt = receipt.proven(&settlement, finality);
            state = State::Delivered;
        }
        let now = self.parts.clock.now();
        if let Err(error) = self.parts.journal.mark(&mut purchase, state, Some(&receipt), now).await
        {
            let intent = purchase.intent.id;
            tracing::error!(%intent, %error, "a delivery was not written down");
        }
        Fetched { response: received.response, receipt: Some(receipt) }
    }

    /// The settlement, as soon as the chain shows it. The merchant's transaction is only the first
    /// place to look.
    async fn shown(&self, purchase: &Purchase, so_far: &Receipt) -> Option<(Settlement, Finality)> {
        let authorized = purchase.authorized()?;
        let patience = &self.parts.rules.patience;
        let until = Instant::now().checked_add(patience.receipt())?;
        loop {
            if let Some(transaction) = so_far.merchant_transaction {
                let found = self.parts.evidence.settlement_in(transaction, &authorized).await;
                if let Ok(Some(settlement)) = found {
                    return Some((settlement, Finality::Seen));
                }
            }
            match self.parts.evidence.fate(&authorized).await {
                Ok(Fate::Settled { settlement, finality }) => return Some((settlement, finality)),
                Ok(Fate::Void { .. }) => return None,
                Ok(Fate::Open) | Err(_) => {}
            }
            if Instant::now() >= until {
                return None;
            }
            sleep(patience.pause()).await;
        }
    }

    /// Nothing came. Only the chain says whether it was paid for.
    async fn undelivered(
        &self,
        ask: &Ask,
        Sent { mut purchase, signed_by }: Sent,
        answer: Undelivered,
    ) -> Result<Error, Error> {
        let patience =
            if answer.settling { self.parts.rules.patience.chain() } else { Duration::ZERO };
        let fate = self.fate_within(&purchase, patience).await;
        let now = self.parts.clock.now();
        let mut receipt = Receipt::unproven(&purchase.intent, "not shown by the chain", now);
        receipt.signed_by = Some(signed_by);
        receipt.resource = Some(resource(ask, answer.status));
        receipt.merchant_transaction = answer.claim.as_ref().and_then(|claim| claim.transaction);
        let (state, end) = match fate {
            Fate::Settled { settlement, finality } => {
                receipt = receipt.proven(&settlement, finality);
                let end = Error::PaidNotDelivered { receipt: Box::new(receipt.clone()) };
                (State::PaidNotDelivered, end)
            }
            Fate::Void { cause } => {
                (State::Void, Error::NotPaid { intent: purchase.intent.id, cause })
            }
            Fate::Open => {
                let reason = answer.claim.and_then(|claim| claim.reason);
                (State::Unknown, unknown(&purchase, answer.status, reason))
            }
        };
        self.parts.journal.mark(&mut purchase, state, Some(&receipt), now).await?;
        match (state, answer.status) {
            (State::PaidNotDelivered, _) => self.tell(&purchase, ReportKind::Undelivered).await,
            (_, Some(402)) => self.tell(&purchase, ReportKind::MerchantRefused).await,
            _ => {}
        }
        Ok(end)
    }

    /// Reports what no chain can tell. A report that is not taken is logged; the purchase has ended
    /// all the same.
    async fn tell(&self, purchase: &Purchase, outcome: ReportKind) {
        let told = self.parts.payer.report(purchase.intent.clone(), outcome);
        let why = match timeout(self.parts.rules.patience.report(), told).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "nobody answered in time".to_owned(),
        };
        tracing::warn!(intent = %purchase.intent.id, ?outcome, why, "a report was not taken");
    }

    async fn fate_within(&self, purchase: &Purchase, patience: Duration) -> Fate {
        let Some(authorized) = purchase.authorized() else {
            return Fate::Open;
        };
        let until = Instant::now().checked_add(patience);
        loop {
            let fate = self.fate_or_open(&authorized).await;
            let over = until.is_none_or(|until| Instant::now() >= until);
            if fate != Fate::Open || over {
                return fate;
            }
            sleep(self.parts.rules.patience.pause()).await;
        }
    }

    /// A chain that does not tell leaves it open.
    pub(super) async fn fate_or_open(&self, authorized: &Authorized) -> Fate {
        match self.parts.evidence.fate(authorized).await {
            Ok(fate) => fate,
            Err(error) => {
                tracing::warn!(%error, "the fate of an authorization is not known");
                Fate::Open
            }
        }
    }
}

fn resource(ask: &Ask, status: Option<u16>) -> ResourceReceipt {
    ResourceReceipt {
        method: ask.method().to_string(),
        url: ask.url().to_string(),
        status,
        sha256: None,
        bytes: None,
    }
}
