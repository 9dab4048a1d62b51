//! Payments that are not bought over HTTP: transfers, and intents in the caller's own hand.

use std::time::Duration;

use alloy_primitives::Address;
use tercet_api::payment::{PaymentStatus, PaymentView};
use tercet_chain::ExpectedTransfer;
use tercet_policy::chain::{Asset, Chain};
use tercet_policy::declared::Declared;
use tercet_policy::intent::{
    INTENT_VERSION, IntentId, Payment, PaymentIntent, SignedIntent, Transfer,
    X402_VALIDITY_SECONDS_MAX,
};
use tercet_policy::money::Amount;
use tercet_policy::payload::{Eip3009Cancel, Eip3009Payment, FinishedPayment};
use tercet_policy::time::UnixSeconds;
use tokio::time::{Instant, sleep};

use super::{Wallet, usdc};
use crate::buyer::fresh_intent_id;
use crate::error::{Error, OutcomeUnknown};
use crate::receipt::{Receipt, SettlementEvidence};
use crate::rules::Price;
use crate::seam::{Clock as _, Finality, PayError, Payer as _, SystemClock};

/// How long a transfer is followed, in seconds; its outcome can be asked for afterwards by paying
/// the same intent again.
pub const PAYMENT_SECONDS_MAX: u64 = 90;
/// Time between two looks at a payment, in milliseconds.
const LOOK_MS: u64 = 300;
/// How long a draft may be signed, in seconds.
const DRAFT_SECONDS: u64 = X402_VALIDITY_SECONDS_MAX;

/// What came of an intent.
#[derive(Debug)]
pub enum Paid {
    /// A transfer: its receipt.
    Transfer(Box<Receipt>),
    /// An x402 authorization: a bearer instrument, to be handed to whom it is for and to nobody
    /// else.
    Authorization(Box<Eip3009Payment>),
    /// A cancellation, which anyone may bring to the token contract.
    Cancellation(Box<Eip3009Cancel>),
}

impl Wallet {
    /// Transfers `"0.50 USDC"` on a chain, and waits for it. Each call is a new payment: what must
    /// survive a crash is drafted first ([`Wallet::draft`]), kept, and paid ([`Wallet::pay`]).
    ///
    /// # Errors
    /// [`Error`], which says what to do next.
    pub async fn transfer(
        &self,
        chain: Chain,
        to: Address,
        price: &Price,
    ) -> Result<Receipt, Error> {
        let asset = usdc(chain)?;
        let amount = price
            .in_units_of(asset)
            .ok_or_else(|| Error::NotReady(format!("{price} is no price in {}", asset.symbol)))?;
        let intent = self.draft(transfer_of(asset, to, amount))?;
        match self.pay(intent).await? {
            Paid::Transfer(receipt) => Ok(*receipt),
            _ => Err(Error::NotReady("the node finished a payment of another kind".to_owned())),
        }
    }

    /// An intent of this wallet with a fresh id, signed by nobody yet. Paying the same intent any
    /// number of times moves money once.
    ///
    /// # Errors
    /// [`Error::NotReady`] without randomness.
    pub fn draft(&self, payment: Payment) -> Result<PaymentIntent, Error> {
        let now = SystemClock.now();
        Ok(PaymentIntent {
            version: INTENT_VERSION,
            id: fresh_intent_id()?,
            agent: self.agent.clone(),
            wallet: self.address,
            expires_at: now.plus(DRAFT_SECONDS),
            created_at: now,
            declared: Declared::default(),
            payment,
        })
    }

    /// Pays an intent: signs it as the agent, has both nodes judge and sign it, and follows a
    /// transfer to its end. The same intent again gives the same payment.
    ///
    /// # Errors
    /// [`Error`], which says what to do next.
    pub async fn pay(&self, intent: PaymentIntent) -> Result<Paid, Error> {
        let id = intent.id;
        let of_payer = |error| match error {
            PayError::Refused { refusals } => Error::Refused { intent: id, refusals },
            PayError::Failed { retryable, detail } => {
                Error::NotSigned { intent: id, retryable, detail }
            }
        };
        let signed = self.payer.sign(intent).await.map_err(of_payer)?;
        if let Payment::Transfer(transfer) = signed.document.payment.clone() {
            return self.follow_transfer(signed, &transfer).await;
        }
        match self.payer.finish(signed).await.map_err(of_payer)?.payment {
            FinishedPayment::X402(payment) => Ok(Paid::Authorization(Box::new(payment))),
            FinishedPayment::Cancel(cancel) => Ok(Paid::Cancellation(Box::new(cancel))),
            FinishedPayment::Transaction(_) | FinishedPayment::Proof(_) => {
                Err(Error::NotReady("the node finished a payment of another kind".to_owned()))
            }
        }
    }

    async fn follow_transfer(
        &self,
        signed: SignedIntent,
        transfer: &Transfer,
    ) -> Result<Paid, Error> {
        let intent = signed.document.clone();
        self.wait_connected(Duration::from_secs(PAYMENT_SECONDS_MAX)).await?;
        let mut view = match self.client.create_payment(signed).await {
            Ok(view) => view,
            Err(error) if !error.refusals().is_empty() => {
                if self.house.node.may_have_signed(intent.id).await {
                    return Err(unknown(intent.id, intent.expires_at));
                }
                let refusals = error.refusals().to_vec();
                return Err(Error::Refused { intent: intent.id, refusals });
            }
            Err(error) => return Err(error.into()),
        };
        let until = Instant::now().checked_add(Duration::from_secs(PAYMENT_SECONDS_MAX));
        loop {
            if let Some(receipt) = self.receipt_of(&intent, transfer, &view).await {
                return Ok(Paid::Transfer(Box::new(receipt)));
            }
            // Only the coordinator says so, and it may hold the signed transaction: our own node's
            // journal decides, which learns from the chain what is void.
            if let Some(end) = bad_end(&view)
                && !self.house.node.may_have_signed(intent.id).await
            {
                return Err(end);
            }
            // People take the time that the intent has.
            let asked = view.status == PaymentStatus::AwaitingApproval
                && SystemClock.now() < intent.expires_at;
            if !asked && until.is_none_or(|until| Instant::now() >= until) {
                return Err(unknown(view.id, view.deadline.unwrap_or(view.updated_at)));
            }
            sleep(Duration::from_millis(LOOK_MS)).await;
            // A line that breaks leaves the last view standing.
            if let Ok(newer) = self.client.payment(&intent.id).await {
                view = newer;
            }
        }
    }

    /// A receipt, as soon as our own endpoints show the transfer in the transaction named; without
    /// that, when the coordinator calls it settled.
    async fn receipt_of(
        &self,
        intent: &PaymentIntent,
        transfer: &Transfer,
        view: &PaymentView,
    ) -> Option<Receipt> {
        let transaction = view.transaction?;
        let expected = ExpectedTransfer {
            token: transfer.token,
            from: intent.wallet,
            to: transfer.to,
            value: transfer.amount,
        };
        let mut receipt = Receipt::unproven(intent, "", SystemClock.now());
        receipt.signed_by = view.signed_by;
        match self.evidence.transfer_in(transfer.chain, transaction, &expected).await {
            Ok(Some(settlement)) => Some(receipt.proven(&settlement, Finality::Seen)),
            unseen if view.status == PaymentStatus::Settled => {
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

fn transfer_of(asset: &Asset, to: Address, amount: Amount) -> Payment {
    Payment::Transfer(Transfer { chain: asset.chain, token: asset.token, to, amount })
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

fn unknown(intent: IntentId, deadline: UnixSeconds) -> Error {
    Error::Unknown(Box::new(OutcomeUnknown {
        intent,
        deadline,
        status: None,
        merchant_reason: None,
    }))
}
