//! What several tests of the wallet start from: a node, and a coordinator's view of a payment.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use alloy_primitives::{Address, B256};
use async_trait::async_trait;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use tercet_api::auth::{RequestParts, SignatureHeaders};
use tercet_api::payment::{PaymentStatus, PaymentView};
use tercet_api::relay::{FailureKind, SealedBytes, SealedPart};
use tercet_policy::document::{NodeKeys, Signed as SignedDocument, WalletRequest};
use tercet_policy::intent::{IntentId, Payment, PaymentIntent, SignedIntent};
use tercet_policy::payload::{
    Authorization, Eip3009Payment, FinishedPayment, MppSignature, WalletSignature,
};
use tercet_policy::report::{ReportKind, SignedReport};
use tercet_policy::time::UnixSeconds;
use tercet_signer::gate::{HeldWallet, SessionAsk};
use tercet_signer_node::{NotPaid, PaymentEnd, Readiness, Ticket};
use tokio::sync::mpsc;

use crate::fixture::signed_intent;
use crate::node::{AgentNode, NodeError};

/// A node that gives as many parts as it was given, and finishes what is answered "good".
#[derive(Debug, Default)]
pub(super) struct FakeNode {
    pub(super) parts: AtomicUsize,
    pub(super) begun: AtomicUsize,
    pub(super) given_up: AtomicUsize,
    pub(super) forgotten: AtomicUsize,
    pub(super) may_have_signed: AtomicBool,
    pub(super) ticket_brings: Mutex<Option<PaymentEnd>>,
    pub(super) line_stands: AtomicBool,
}

pub(super) fn finished() -> FinishedPayment {
    let intent = crate::fixture::intent(1);
    let Payment::X402Exact(x) = intent.payment else { panic!("x402 was expected") };
    FinishedPayment::X402(Eip3009Payment {
        chain: x.chain,
        token: x.token,
        signature: WalletSignature::new([1; 32], [1; 32], false).unwrap(),
        authorization: Authorization {
            from: intent.wallet,
            to: x.to,
            value: x.amount,
            valid_after: UnixSeconds(0),
            valid_before: x.valid_before,
            nonce: B256::repeat_byte(1),
        },
    })
}

#[async_trait]
impl AgentNode for FakeNode {
    async fn keys(&self) -> Result<NodeKeys, NodeError> {
        Err(NodeError::Closed)
    }
    async fn wallets(&self) -> Result<Vec<HeldWallet>, NodeError> {
        Ok(Vec::new())
    }
    async fn readiness(&self) -> Result<Readiness, NodeError> {
        Err(NodeError::Closed)
    }
    async fn wait_connected(&self, _: Duration) -> Result<(), NodeError> {
        Ok(())
    }
    async fn sign_intent(&self, _: PaymentIntent) -> Result<SignedIntent, NodeError> {
        Ok(signed_intent(&SigningKey::from_bytes(&[7; 32])))
    }
    async fn sign_report(
        &self,
        _: PaymentIntent,
        _: ReportKind,
    ) -> Result<SignedReport, NodeError> {
        Err(NodeError::Closed)
    }
    async fn sign_wallet_request(
        &self,
        _: WalletRequest,
    ) -> Result<SignedDocument<WalletRequest>, NodeError> {
        Err(NodeError::Closed)
    }
    async fn sign_request(&self, _: &RequestParts<'_>) -> Result<SignatureHeaders, NodeError> {
        Err(NodeError::Closed)
    }
    async fn may_have_signed(&self, _: IntentId) -> bool {
        self.may_have_signed.load(Ordering::SeqCst)
    }
    async fn expect(&self, intent: IntentId, _: Duration) -> Result<Ticket, NodeError> {
        if !self.line_stands.load(Ordering::SeqCst) {
            return Err(NodeError::NotConnected);
        }
        let (tell, ends) = mpsc::channel(1);
        if let Some(end) = self.ticket_brings.lock().unwrap().take() {
            tell.try_send(end).unwrap();
        }
        // A ticket without an end waits for it.
        tokio::spawn(async move { tell.closed().await });
        Ok(Ticket::over(intent, ends))
    }
    async fn begin(&self, _: &SignedIntent) -> Result<Option<SealedPart>, NodeError> {
        let begun = self.begun.fetch_add(1, Ordering::SeqCst);
        if begun >= self.parts.load(Ordering::SeqCst) {
            return Ok(None);
        }
        let number = u8::try_from(begun).unwrap();
        let (presignature, sealed) = (B256::repeat_byte(number), SealedBytes(vec![number]));
        Ok(Some(SealedPart { presignature, sealed }))
    }
    async fn finish(&self, _: IntentId, answer: &[u8]) -> Result<FinishedPayment, NodeError> {
        if answer == b"good" {
            return Ok(finished());
        }
        let (kind, detail) = (FailureKind::Peer, "not its answer".to_owned());
        Err(NodeError::NotPaid(NotPaid::Failed { kind, detail }))
    }
    async fn session_signer(&self, _: Address, _: B256) -> Result<Address, NodeError> {
        Err(NodeError::Closed)
    }
    async fn sign_voucher(&self, _: SessionAsk) -> Result<MppSignature, NodeError> {
        Err(NodeError::Closed)
    }
    async fn sign_close(&self, _: SessionAsk) -> Result<MppSignature, NodeError> {
        Err(NodeError::Closed)
    }
    async fn give_up(&self, _: IntentId) {
        self.given_up.fetch_add(1, Ordering::SeqCst);
    }
    async fn forget(&self, _: IntentId) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
    }
    async fn wake(&self, _: Address) {}
}

pub(super) fn view_of(intent: &SignedIntent, status: PaymentStatus) -> PaymentView {
    let document = &intent.document;
    let view: Value = json!({
        "id": document.id, "agent": document.agent, "wallet": document.wallet,
        "payment": document.payment, "status": status, "refusals": [],
        "created_at": 1, "updated_at": 1,
    });
    serde_json::from_value(view).unwrap()
}
