//! A payer that signs whatever it is asked, counts it, and refuses beyond a budget.

use std::collections::BTreeSet;
use std::sync::Mutex;

use alloy_primitives::{Address, B256};
use async_trait::async_trait;
use ed25519_dalek::SigningKey;
use tercet::seam::{PayError, Payer};
use tercet_api::payment::{RefusalBy, SigningWay};
use tercet_policy::document::Signed;
use tercet_policy::intent::{Payment, PaymentIntent, SignedIntent};
use tercet_policy::payload::{Authorization, Eip3009Payment, WalletSignature};
use tercet_policy::proposal::eip3009_nonce;
use tercet_policy::refusal::Refusal;
use tercet_policy::report::ReportKind;
use tercet_policy::time::UnixSeconds;

#[derive(Default)]
pub(crate) struct FakePayer {
    state: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    signed: u8,
    nonces: BTreeSet<B256>,
    budget: Option<usize>,
    reports: Vec<ReportKind>,
    line_is_down: bool,
    swaps_payee: bool,
}

impl FakePayer {
    /// How many signatures were made.
    pub(crate) fn signed(&self) -> u8 {
        self.state.lock().unwrap().signed
    }

    /// Every nonce that was signed.
    pub(crate) fn nonces(&self) -> BTreeSet<B256> {
        self.state.lock().unwrap().nonces.clone()
    }

    /// From now on the policy grants so many nonces.
    pub(crate) fn grant(&self, nonces: usize) {
        self.state.lock().unwrap().budget = Some(nonces);
    }

    /// From now on nobody answers, or somebody does again.
    pub(crate) fn line_is_down(&self, down: bool) {
        self.state.lock().unwrap().line_is_down = down;
    }

    /// What was reported, in order.
    pub(crate) fn reports(&self) -> Vec<ReportKind> {
        self.state.lock().unwrap().reports.clone()
    }

    /// From now on what comes back pays somebody else.
    pub(crate) fn swap_payee(&self) {
        self.state.lock().unwrap().swaps_payee = true;
    }
}

#[async_trait]
impl Payer for FakePayer {
    async fn sign(&self, intent: PaymentIntent) -> Result<SignedIntent, PayError> {
        Ok(Signed::by(intent, &SigningKey::from_bytes(&[7; 32])).unwrap())
    }

    async fn report(&self, _: PaymentIntent, outcome: ReportKind) -> Result<(), PayError> {
        self.state.lock().unwrap().reports.push(outcome);
        Ok(())
    }

    async fn authorize(
        &self,
        intent: SignedIntent,
    ) -> Result<tercet::seam::Signed<Eip3009Payment>, PayError> {
        let intent = intent.document;
        let Payment::X402Exact(x) = &intent.payment else { panic!("x402 was expected") };
        let nonce = eip3009_nonce(x.chain, x.token, intent.wallet, &intent.id);
        let mut book = self.state.lock().unwrap();
        if book.line_is_down {
            let detail = "nobody answers".to_owned();
            return Err(PayError::Failed { retryable: true, detail });
        }
        let new = !book.nonces.contains(&nonce);
        if new && book.budget.is_some_and(|budget| book.nonces.len() >= budget) {
            let refusal = Refusal::NoPolicy { agent: intent.agent };
            let by = "operator".to_owned();
            return Err(PayError::Refused { refusals: vec![RefusalBy { by, refusal }] });
        }
        book.nonces.insert(nonce);
        book.signed += 1;
        let to = if book.swaps_payee { Address::repeat_byte(0x66) } else { x.to };
        let payment = Eip3009Payment {
            chain: x.chain,
            token: x.token,
            // Another signature every time, as the threshold protocol makes them.
            signature: WalletSignature::new([book.signed; 32], [1; 32], false).unwrap(),
            authorization: Authorization {
                from: intent.wallet,
                to,
                value: x.amount,
                valid_after: UnixSeconds(0),
                valid_before: x.valid_before,
                nonce,
            },
        };
        Ok(tercet::seam::Signed { payment, by: SigningWay::Presignature })
    }
}
