//! How a purchase ended: what came back, and what the chain shows.
//!
//! The chain is asked as soon as the head of an answer is here, while its body still comes, and
//! first in the transaction that the merchant names: a merchant that settles before it serves is
//! proved by one look that costs the caller nothing. Without that the caller waits a little
//! ([`Patience::receipt_ms`](crate::rules::Patience::receipt_ms)) and then gets the resource with a
//! receipt that says that nothing is proved yet; the purchase stays `unverified` until a later look
//! shows it. What is told to the caller is on disk before.

use std::time::Duration;

use alloy_primitives::B256;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use tercet_policy::intent::Payment;
use tercet_policy::report::ReportKind;
use tokio::time::{Instant, sleep, timeout};

use super::receive::{Received, receive};
use super::reconcile::nothing_moves;
use super::send::Answer;
use super::{Buyer, Fetched, Sent, unknown};
use crate::ask::Ask;
use crate::error::Error;
use crate::journal::{JournalError, Purchase, State};
use crate::mpp::ReceiptClaim;
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

/// What a look at the chain showed of a payment.
enum Seen {
    Settled(Settlement, Finality),
    /// It can never settle, and so needs no further look.
    Never,
    NotYet,
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
        let claim = claim_of(&sent.purchase, response.headers());
        let pending = claim.as_ref().is_some_and(MerchantClaim::is_pending);
        let settling = pending || status != StatusCode::PAYMENT_REQUIRED;
        let undelivered = |claim| Undelivered { status: Some(status.as_u16()), claim, settling };
        if !status.is_success() {
            return Err(self.undelivered(ask, sent, undelivered(claim)).await?);
        }
        let named = claim.as_ref().and_then(|claim| claim.transaction);
        let receiving = receive(response, self.parts.rules.patience.resource());
        match Box::pin(self.receive_and_look(receiving, &sent.purchase, named)).await {
            (Ok(received), seen) => Ok(self.delivered(ask, sent, (received, seen), claim).await),
            (Err(_), _) => Err(self.undelivered(ask, sent, undelivered(claim)).await?),
        }
    }

    /// Looks at the chain while something comes, and a little longer.
    async fn receive_and_look<T>(
        &self,
        receiving: impl Future<Output = T>,
        purchase: &Purchase,
        named: Option<B256>,
    ) -> (T, Seen) {
        let (mut receiving, mut looking) =
            (Box::pin(receiving), Box::pin(self.look_for(purchase, named)));
        let mut seen = None;
        let received = loop {
            tokio::select! {
                received = &mut receiving => break received,
                found = &mut looking, if seen.is_none() => seen = Some(found),
            }
        };
        let seen = match seen {
            Some(seen) => seen,
            None => {
                let patience = self.parts.rules.patience.receipt();
                timeout(patience, looking).await.unwrap_or(Seen::NotYet)
            }
        };
        (received, seen)
    }

    /// The resource is here, and the caller gets it whatever the chain or the disk say.
    async fn delivered(
        &self,
        ask: &Ask,
        Sent { mut purchase, signed_by }: Sent,
        (received, seen): (Received, Seen),
        claim: Option<MerchantClaim>,
    ) -> Fetched {
        let why = "the chain did not show the payment before the resource was handed over";
        let mut receipt = Receipt::unproven(&purchase.intent, why, self.parts.clock.now());
        let mut resource = resource(ask, Some(received.response.status().as_u16()));
        if let Some((hash, bytes)) = received.body {
            resource.sha256 = Some(hash);
            resource.bytes = Some(bytes);
        }
        receipt.signed_by = Some(signed_by);
        receipt.resource = Some(resource);
        receipt.merchant_transaction = claim.and_then(|claim| claim.transaction);
        // What moves nothing is proved by having been taken.
        let moved = !purchase.moves_nothing();
        let mut state = if moved { State::Unverified } else { State::Delivered };
        let shown = match seen {
            Seen::NotYet => self.shown(&purchase, receipt.merchant_transaction).await,
            seen => seen,
        };
        if let Seen::Settled(settlement, finality) = shown {
            receipt = receipt.proven(&settlement, finality);
            state = State::Delivered;
        }
        let now = self.parts.clock.now();
        let marked = self.parts.journal.mark(&mut purchase, state, Some(&receipt), now).await;
        let marked = match marked {
            Err(JournalError::Overtaken { .. }) => {
                self.delivered_after_all(&purchase, &receipt).await
            }
            marked => marked,
        };
        if let Err(error) = marked {
            let intent = purchase.intent.id;
            tracing::error!(%intent, %error, "a delivery was not written down");
        }
        Fetched { response: received.response, receipt: Some(receipt) }
    }

    /// Another process that opened this journal meanwhile saw the payment settled and knew of no
    /// delivery.
    async fn delivered_after_all(
        &self,
        purchase: &Purchase,
        receipt: &Receipt,
    ) -> Result<(), JournalError> {
        let journal = &self.parts.journal;
        let found = journal.find(&purchase.intent.id).await?;
        match found.filter(|found| found.state == State::PaidNotDelivered) {
            Some(mut found) => {
                let now = self.parts.clock.now();
                journal.mark(&mut found, State::Delivered, Some(receipt), now).await
            }
            None => Ok(()),
        }
    }

    /// The settlement, as soon as the chain shows it.
    async fn shown(&self, purchase: &Purchase, named: Option<B256>) -> Seen {
        let patience = &self.parts.rules.patience;
        let until = Instant::now().checked_add(patience.receipt());
        for pause in patience.pauses() {
            let next = Instant::now().checked_add(pause);
            if next.zip(until).is_none_or(|(next, until)| next > until) {
                break;
            }
            sleep(pause).await;
            match timeout(patience.receipt(), self.look_for(purchase, named)).await {
                Ok(Seen::NotYet) => {}
                Ok(seen) => return seen,
                Err(_elapsed) => break,
            }
        }
        Seen::NotYet
    }

    /// One look. The merchant's transaction is only the first place.
    async fn look_for(&self, purchase: &Purchase, named: Option<B256>) -> Seen {
        let Some(authorized) = purchase.authorized() else { return Seen::Never };
        if let Some(transaction) = named {
            let found = self.parts.evidence.settlement_in(transaction, &authorized).await;
            if let Ok(Some(settlement)) = found {
                return Seen::Settled(settlement, Finality::Seen);
            }
        }
        match self.parts.evidence.fate(&authorized).await {
            Ok(Fate::Settled { settlement, finality }) => Seen::Settled(settlement, finality),
            Ok(Fate::Void { .. }) => Seen::Never,
            Ok(Fate::Open) | Err(_) => Seen::NotYet,
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
            return if purchase.moves_nothing() { nothing_moves() } else { Fate::Open };
        };
        let until = Instant::now().checked_add(patience);
        for pause in self.parts.rules.patience.pauses() {
            let fate = self.fate_or_open(&authorized).await;
            let over = until.is_none_or(|until| Instant::now() >= until);
            if fate != Fate::Open || over {
                return fate;
            }
            sleep(pause).await;
        }
        Fate::Open
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

/// What the service says of the payment, in the words of the protocol that was paid by.
fn claim_of(purchase: &Purchase, headers: &HeaderMap) -> Option<MerchantClaim> {
    if matches!(purchase.intent.payment, Payment::X402Exact(_)) {
        return MerchantClaim::read(headers).ok();
    }
    let claim = ReceiptClaim::read(headers)?;
    Some(MerchantClaim { success: true, transaction: claim.transaction, reason: None })
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
