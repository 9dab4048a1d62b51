//! Payments that are not bought over HTTP: transfers, and intents in the caller's own hand.

mod follow;

use std::time::Duration;

use alloy_primitives::{Address, B256};
use tercet_policy::chain::{Asset, Chain, Family};
use tercet_policy::declared::Declared;
use tercet_policy::intent::{
    INTENT_VERSION, LANE_SECONDS_MAX, Payment, PaymentIntent, TempoNonce, TempoTerms,
    TempoTransfer, Transfer, X402_VALIDITY_SECONDS_MAX,
};
use tercet_policy::money::Amount;
use tercet_policy::payload::{Eip3009Cancel, Eip3009Payment, FinishedPayment};
use tercet_policy::tempo::gas;
use tercet_policy::time::UnixSeconds;

use self::follow::Followed;
use super::Wallet;
use crate::buyer::fresh_intent_id;
use crate::error::Error;
use crate::mpp::charge;
use crate::receipt::Receipt;
use crate::rules::Price;
use crate::seam::{Clock as _, Payer as _, SystemClock};

/// How long a transfer is followed, in seconds; its outcome can be asked for afterwards by paying
/// the same intent again.
pub const PAYMENT_SECONDS_MAX: u64 = 90;
/// How long a draft may be signed, in seconds.
const DRAFT_SECONDS: u64 = X402_VALIDITY_SECONDS_MAX;
/// How long a transfer on Tempo can still be mined once nobody signs it any more, in seconds: one
/// that people approve at the last moment is not signed for nothing.
const MINING_SECONDS: u64 = 120;

/// What came of an intent.
#[derive(Debug)]
pub enum Paid {
    /// A transfer, or what was done about an access key: its receipt.
    Transfer(Box<Receipt>),
    /// An x402 authorization: a bearer instrument, to be handed to whom it is for and to nobody
    /// else.
    Authorization(Box<Eip3009Payment>),
    /// A cancellation, which anyone may bring to the token contract.
    Cancellation(Box<Eip3009Cancel>),
}

impl Wallet {
    /// Transfers `"0.50 USDC"` on Base, or `"0.50 pathUSD"` on Tempo, and waits for it. Each call is
    /// a new payment: what must survive a crash is drafted first ([`Wallet::draft_transfer`]), kept,
    /// and paid ([`Wallet::pay`]).
    ///
    /// # Errors
    /// [`Error`], which says what to do next.
    pub async fn transfer(
        &self,
        chain: Chain,
        to: Address,
        price: &Price,
    ) -> Result<Receipt, Error> {
        self.pay_brought(self.draft_transfer(chain, to, price, None)?).await
    }

    /// [`Wallet::transfer`] on Tempo with a memo of the caller's own, which the chain shows to
    /// everybody.
    ///
    /// # Errors
    /// [`Error`], which says what to do next.
    pub async fn transfer_with_memo(
        &self,
        chain: Chain,
        to: Address,
        price: &Price,
        memo: B256,
    ) -> Result<Receipt, Error> {
        self.pay_brought(self.draft_transfer(chain, to, price, Some(memo))?).await
    }

    /// Pays what the coordinator brings to the chain.
    pub(super) async fn pay_brought(&self, intent: PaymentIntent) -> Result<Receipt, Error> {
        match self.pay(intent).await? {
            Paid::Transfer(receipt) => Ok(*receipt),
            _ => Err(another_kind()),
        }
    }

    /// A transfer that is signed by nobody yet. On Tempo it has a nonce lane of its own, pays its fee
    /// in the token that it moves, and carries the memo, or one that names the intent.
    ///
    /// # Errors
    /// [`Error::NotReady`] for an asset that is not of that chain, an amount that is none of it, a
    /// memo on a chain without memos, and without randomness.
    pub fn draft_transfer(
        &self,
        chain: Chain,
        to: Address,
        price: &Price,
        memo: Option<B256>,
    ) -> Result<PaymentIntent, Error> {
        self.draft_brought(transfer_of(chain, to, price, memo, SystemClock.now())?)
    }

    /// An intent that nobody signs any more when there is no time left to mine it.
    pub(super) fn draft_brought(&self, payment: Payment) -> Result<PaymentIntent, Error> {
        let mut intent = self.draft(payment)?;
        if let Some(ends) = intent.payment.valid_before() {
            intent.expires_at = ends.minus(MINING_SECONDS);
        }
        Ok(intent)
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
        let of_payer = |error| Error::of_payer(id, error);
        let signed = self.payer.sign(intent).await.map_err(of_payer)?;
        if is_followed(&signed.document.payment) {
            self.wait_connected(Duration::from_secs(PAYMENT_SECONDS_MAX)).await?;
            let receipt = self.followed().to_its_end(signed).await?;
            return Ok(Paid::Transfer(Box::new(receipt)));
        }
        match self.payer.finish(signed).await.map_err(of_payer)?.payment {
            FinishedPayment::X402(payment) => Ok(Paid::Authorization(Box::new(payment))),
            FinishedPayment::Cancel(cancel) => Ok(Paid::Cancellation(Box::new(cancel))),
            FinishedPayment::Transaction(_)
            | FinishedPayment::Tempo(_)
            | FinishedPayment::Mpp(_)
            | FinishedPayment::Proof(_) => Err(another_kind()),
        }
    }

    fn followed(&self) -> Followed<'_> {
        Followed { client: &self.client, node: &*self.house.node, chain: &*self.evidence }
    }
}

/// Whether the coordinator brings it to the chain and nobody hands it back.
const fn is_followed(payment: &Payment) -> bool {
    matches!(payment, Payment::Transfer(_) | Payment::TempoTransfer(_) | Payment::TempoAccessKey(_))
}

fn another_kind() -> Error {
    Error::NotReady("the node finished a payment of another kind".to_owned())
}

/// The transfer of a price on a chain that has its asset.
fn transfer_of(
    chain: Chain,
    to: Address,
    price: &Price,
    memo: Option<B256>,
    now: UnixSeconds,
) -> Result<Payment, Error> {
    let no_price = || Error::NotReady(format!("{price} is no price in an asset of {chain}"));
    let (asset, amount) = price.on(chain).ok_or_else(no_price)?;
    let token = asset.token;
    match (chain.family(), memo) {
        (Family::Base, None) => Ok(Payment::Transfer(Transfer { chain, token, to, amount })),
        (Family::Base, Some(_)) => {
            Err(Error::NotReady(format!("transfers on {chain} carry no memo")))
        }
        (Family::Tempo, memo) => Ok(tempo_transfer(asset, to, amount, memo, now)),
    }
}

/// Its lane keeps it from waiting for other payments of the wallet, and them from waiting for it.
fn tempo_transfer(
    asset: &Asset,
    to: Address,
    amount: Amount,
    memo: Option<B256>,
    now: UnixSeconds,
) -> Payment {
    let (chain, token) = (asset.chain, asset.token);
    let ends = now.plus(LANE_SECONDS_MAX);
    let terms = TempoTerms {
        nonce: TempoNonce::Lane,
        ..charge::terms(gas::TRANSFER_GAS, Some(token), ends)
    };
    Payment::TempoTransfer(TempoTransfer { chain, token, to, amount, memo, terms })
}

#[cfg(test)]
mod tests;
