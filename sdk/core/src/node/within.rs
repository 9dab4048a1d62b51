//! The agent's node in this process, held weakly: whoever still has a line to the coordinator
//! cannot keep a closed wallet's home locked.

use std::sync::{Arc, Weak};
use std::time::Duration;

use alloy_primitives::{Address, B256};
use async_trait::async_trait;
use tercet_api::auth::{RequestParts, SignatureHeaders};
use tercet_api::relay::SealedPart;
use tercet_policy::document::{NodeKeys, Signed, WalletRequest};
use tercet_policy::intent::{IntentId, PaymentIntent, SignedIntent};
use tercet_policy::payload::{FinishedPayment, MppSignature};
use tercet_policy::report::{ReportKind, SignedReport};
use tercet_signer::gate::{HeldWallet, SessionAsk};
use tercet_signer_node::{NodeHandle, Readiness, Ticket};

use super::{AgentNode, NodeError};
use crate::seam::{Clock as _, SystemClock};

/// A node in this process, as long as it runs.
#[derive(Clone, Debug)]
pub struct Within(Weak<NodeHandle>);

impl Within {
    /// A node that somebody else keeps running.
    #[must_use]
    pub fn new(node: &Arc<NodeHandle>) -> Self {
        Self(Arc::downgrade(node))
    }

    fn node(&self) -> Result<Arc<NodeHandle>, NodeError> {
        self.0.upgrade().ok_or(NodeError::Closed)
    }
}

#[async_trait]
impl AgentNode for Within {
    async fn keys(&self) -> Result<NodeKeys, NodeError> {
        Ok(self.node()?.identity().keys().clone())
    }

    async fn wallets(&self) -> Result<Vec<HeldWallet>, NodeError> {
        self.node()?.wallets().map_err(|error| NodeError::Unfit(error.to_string()))
    }

    async fn readiness(&self) -> Result<Readiness, NodeError> {
        Ok(self.node()?.readiness())
    }

    async fn wait_connected(&self, patience: Duration) -> Result<(), NodeError> {
        let waited = self.node()?.wait_connected(patience).await;
        waited.map_err(|_| NodeError::NotConnected)
    }

    async fn sign_intent(&self, intent: PaymentIntent) -> Result<SignedIntent, NodeError> {
        Ok(self.node()?.identity().sign_intent(intent)?)
    }

    async fn sign_report(
        &self,
        intent: PaymentIntent,
        outcome: ReportKind,
    ) -> Result<SignedReport, NodeError> {
        Ok(self.node()?.identity().sign_report(intent, outcome, SystemClock.now())?)
    }

    async fn sign_wallet_request(
        &self,
        request: WalletRequest,
    ) -> Result<Signed<WalletRequest>, NodeError> {
        Ok(self.node()?.identity().sign_wallet_request(request)?)
    }

    async fn sign_request(&self, parts: &RequestParts<'_>) -> Result<SignatureHeaders, NodeError> {
        let signed = self.node()?.identity().sign_request(parts, SystemClock.now());
        signed.map_err(|error| NodeError::Unfit(error.to_string()))
    }

    async fn may_have_signed(&self, intent: IntentId) -> bool {
        match self.node() {
            Ok(node) => node.may_have_signed(intent).await,
            Err(_) => true,
        }
    }

    async fn expect(&self, intent: IntentId, patience: Duration) -> Result<Ticket, NodeError> {
        self.wait_connected(patience).await?;
        Ok(self.node()?.expect(intent))
    }

    async fn begin(&self, envelope: &SignedIntent) -> Result<Option<SealedPart>, NodeError> {
        Ok(self.node()?.begin(envelope.clone()).await?)
    }

    async fn finish(&self, intent: IntentId, answer: &[u8]) -> Result<FinishedPayment, NodeError> {
        Ok(self.node()?.finish(intent, answer).await?)
    }

    async fn give_up(&self, intent: IntentId) {
        if let Ok(node) = self.node() {
            node.give_up(intent);
        }
    }

    async fn forget(&self, intent: IntentId) {
        if let Ok(node) = self.node() {
            node.forget(intent);
        }
    }

    async fn session_signer(&self, wallet: Address, salt: B256) -> Result<Address, NodeError> {
        Ok(self.node()?.session_signer(wallet, salt)?)
    }

    async fn sign_voucher(&self, ask: SessionAsk) -> Result<MppSignature, NodeError> {
        Ok(self.node()?.sign_voucher(ask).await?)
    }

    async fn sign_close(&self, ask: SessionAsk) -> Result<MppSignature, NodeError> {
        Ok(self.node()?.sign_close(ask).await?)
    }

    async fn wake(&self, wallet: Address) {
        if let Ok(node) = self.node() {
            node.wake(wallet);
        }
    }
}
