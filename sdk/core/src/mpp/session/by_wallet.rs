//! Vouchers and ends that the wallet signs itself: every one is an intent, which both nodes judge.
//!
//! Promises: the wallet signs where the rules say so, and where the policy refuses anything else;
//! what it is asked is on disk before it is signed, so that the same voucher is asked for with the
//! same intent after a crash.
//!
//! Does not protect against: an intent that nobody signed within its hour. That voucher can no longer
//! be signed, and the session is closed with the one before it.

use std::sync::atomic::Ordering;

use alloy_primitives::{Address, B256};
use tercet_api::payment::RefusalBy;
use tercet_policy::ask::VoucherSigner;
use tercet_policy::intent::{INTENT_LIFETIME_SECONDS_MAX, MppClose, MppVoucher, Payment};
use tercet_policy::money::Amount;
use tercet_policy::payload::{FinishedPayment, MppSignature};
use tercet_policy::refusal::Refusal;

use super::{Session, Sessions, open};
use crate::error::Error;
use crate::journal::Keeping;

/// The rule of a policy that says who signs.
const VOUCHER_SIGNER_RULE: &str = "mpp.voucher_signer";

impl Sessions {
    /// Who signs the vouchers of the next session.
    pub(super) fn voucher_signer(&self) -> VoucherSigner {
        let demanded = self.0.wallet_signs.load(Ordering::Relaxed);
        if demanded { VoucherSigner::Wallet } else { self.0.rules.mpp.voucher_signer }
    }

    /// Whether an opening was refused for its signer alone; remembered, so that it is refused once.
    pub(super) fn wallet_must_sign(&self, signer: VoucherSigner, refusals: &[RefusalBy]) -> bool {
        let demanded = signer == VoucherSigner::SessionKey && is_demanded(refusals);
        if demanded {
            self.0.wallet_signs.store(true, Ordering::Relaxed);
            tracing::info!("the policy demands that the wallet signs vouchers");
        }
        demanded
    }

    /// Whose signature the channel with this salt is opened for.
    pub(super) async fn signer_address(
        &self,
        signer: VoucherSigner,
        salt: B256,
    ) -> Result<Address, Error> {
        let wallet = self.0.wallet;
        match signer {
            VoucherSigner::Wallet => Ok(wallet),
            VoucherSigner::SessionKey => {
                let signer = self.0.vouchers.session_signer(wallet, salt).await;
                signer.map_err(|error| Error::NotReady(error.to_string()))
            }
        }
    }

    /// The first voucher while the opening is still being signed. A node signs for a channel once it
    /// has admitted its opening, which it may not have yet.
    pub(super) async fn early_voucher(
        &self,
        session: &Session,
        cumulative: Amount,
    ) -> Option<MppSignature> {
        if session.is_signed_by_wallet() {
            return None;
        }
        self.0.vouchers.sign_voucher(session.voucher_ask(cumulative)).await.ok()
    }

    pub(super) async fn wallet_voucher(
        &self,
        session: &mut Session,
        cumulative: Amount,
    ) -> Result<MppSignature, Error> {
        let payment = Payment::MppVoucher(MppVoucher {
            chain: session.chain,
            channel: session.descriptor,
            cumulative,
            resource: session.url.clone(),
            service: session.service.clone(),
        });
        self.ask_wallet(session, payment).await
    }

    /// The agreement to the end of a channel, by whoever signs for it.
    pub(super) async fn sign_close(
        &self,
        session: &mut Session,
        cumulative: Amount,
    ) -> Result<MppSignature, Error> {
        let (chain, channel) = (session.chain, session.descriptor);
        if session.is_signed_by_wallet() {
            let payment = Payment::MppClose(MppClose { chain, channel, cumulative });
            return self.ask_wallet(session, payment).await;
        }
        let made = self.0.vouchers.sign_close(session.voucher_ask(cumulative)).await;
        made.map_err(|error| Error::of_payer(session.opened_by.id, error))
    }

    /// Asks with the intent that was asked with before, where it was for the same. One that was
    /// refused is over, and another may be asked with.
    async fn ask_wallet(
        &self,
        session: &mut Session,
        payment: Payment,
    ) -> Result<MppSignature, Error> {
        let now = self.now();
        let intent = match session.asked.take() {
            Some(asked) if is_same(&asked.payment, &payment) && now < asked.expires_at => asked,
            _ => {
                let ends = now.plus(INTENT_LIFETIME_SECONDS_MAX);
                self.intent(payment, session.opened_by.declared.clone(), ends)?
            }
        };
        session.asked = Some(intent.clone());
        self.save(session, Keeping::OnDisk).await?;
        match self.authorize(&intent).await {
            Ok(FinishedPayment::Mpp(made)) => Ok(made),
            Ok(_) => Err(open::not_signed(&intent, "what was signed is no voucher")),
            Err(error) => {
                if matches!(error, Error::Refused { .. }) {
                    session.asked = None;
                    self.save(session, Keeping::OnDisk).await?;
                }
                Err(error)
            }
        }
    }
}

impl Session {
    /// Whether the wallet itself signs for the channel.
    pub(super) fn is_signed_by_wallet(&self) -> bool {
        self.descriptor.voucher_signer() == self.descriptor.payer
    }
}

/// Whether the very same would be signed; the resource that a voucher pays for is not in it.
fn is_same(asked: &Payment, wanted: &Payment) -> bool {
    match (asked, wanted) {
        (Payment::MppVoucher(a), Payment::MppVoucher(b)) => {
            (a.channel, a.cumulative) == (b.channel, b.cumulative)
        }
        (a, b) => a == b,
    }
}

/// Whether all that was objected to is that the wallet does not sign.
fn is_demanded(refusals: &[RefusalBy]) -> bool {
    let wallet = VoucherSigner::Wallet.word();
    !refusals.is_empty()
        && refusals.iter().all(|refused| match &refused.refusal {
            Refusal::Policy(decision) => {
                let mut all = decision.violations().peekable();
                all.peek().is_some()
                    && all.all(|found| found.kind == VOUCHER_SIGNER_RULE && found.limit == wallet)
            }
            _ => false,
        })
}
