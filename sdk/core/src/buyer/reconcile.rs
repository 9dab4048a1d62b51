//! After a crash, or later: what became of the purchases whose outcome was open.

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};
use tercet_policy::chain::Chain;
use tercet_policy::intent::{IntentId, Service};
use tercet_policy::time::UnixSeconds;

use super::Buyer;
use crate::error::Error;
use crate::journal::{JournalError, Purchase, State};
use crate::receipt::{Receipt, ResourceReceipt};
use crate::seam::Fate;

/// Where a purchase stands after a look at the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The intent.
    pub intent: IntentId,
    /// The URL it was for.
    pub url: String,
    /// Where it stands.
    pub state: State,
    /// What is known of the payment.
    pub receipt: Option<Receipt>,
    /// For an open one: first second in which it can no longer settle.
    pub deadline: Option<UnixSeconds>,
}

impl Buyer {
    /// Looks at the chain for every purchase whose outcome is open, and writes down what it shows.
    /// Signs nothing and asks no merchant. An open purchase goes on when its request is fetched
    /// again.
    ///
    /// # Errors
    /// [`Error::Journal`].
    pub async fn resume(&self) -> Result<Vec<Standing>, Error> {
        let mut standings = Vec::new();
        for mut purchase in self.parts.journal.open_purchases().await? {
            let fate = self.look(&mut purchase).await?;
            let deadline = (fate == Fate::Open).then(|| purchase.deadline());
            standings.push(Standing {
                intent: purchase.intent.id,
                url: purchase.url,
                state: purchase.state,
                receipt: purchase.receipt,
                deadline,
            });
        }
        Ok(standings)
    }

    /// Lets a payment be that was made and brought nothing; its request may be paid for again.
    ///
    /// # Errors
    /// [`Error::Journal`]; [`Error::NotReady`] if there is no such payment.
    pub async fn write_off(&self, intent: &IntentId) -> Result<(), Error> {
        let found = self.parts.journal.find(intent).await?;
        let Some(mut purchase) = found.filter(|p| p.state == State::PaidNotDelivered) else {
            return Err(Error::NotReady(format!("intent {intent} is not paid and undelivered")));
        };
        let now = self.parts.clock.now();
        Ok(self.parts.journal.mark(&mut purchase, State::WrittenOff, None, now).await?)
    }

    /// From now on this is the payee of that service, whoever it was before.
    ///
    /// # Errors
    /// [`Error::Journal`].
    pub async fn trust_payee(
        &self,
        service: &Service,
        chain: Chain,
        payee: Address,
    ) -> Result<(), Error> {
        let now = self.parts.clock.now();
        Ok(self.parts.journal.pin_payee(service, chain, payee, now).await?)
    }

    /// What the chain says of a purchase; writes down what that changes.
    pub(super) async fn look(&self, purchase: &mut Purchase) -> Result<Fate, JournalError> {
        let fate = match purchase.authorized() {
            Some(authorized) => self.fate_or_open(&authorized).await,
            None if purchase.moves_nothing() => nothing_moves(),
            None => return Ok(Fate::Open),
        };
        let now = self.parts.clock.now();
        let journal = &self.parts.journal;
        match (&fate, purchase.state) {
            (_, State::PaidNotDelivered) | (Fate::Open, _) => {}
            (Fate::Settled { settlement, finality }, state) => {
                let receipt = so_far(purchase, now).proven(settlement, *finality);
                let next = match state {
                    State::Unverified => State::Delivered,
                    _ => State::PaidNotDelivered,
                };
                journal.mark(purchase, next, Some(&receipt), now).await?;
            }
            (Fate::Void { .. }, _) => journal.mark(purchase, State::Void, None, now).await?,
        }
        Ok(fate)
    }
}

/// A proof that brought nothing cost nothing either: the request may be made again.
pub(super) fn nothing_moves() -> Fate {
    Fate::Void { cause: "it moves no money".to_owned() }
}

fn so_far(purchase: &Purchase, now: UnixSeconds) -> Receipt {
    purchase.receipt.clone().unwrap_or_else(|| {
        let mut receipt = Receipt::unproven(&purchase.intent, "not asked yet", now);
        receipt.resource = Some(ResourceReceipt {
            method: purchase.method.clone(),
            url: purchase.url.clone(),
            status: purchase.status,
            sha256: None,
            bytes: None,
        });
        receipt
    })
}
