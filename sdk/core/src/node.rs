//! The agent's node, as its wallet sees it: in this process, or beside it behind a Unix socket. It
//! is the same node with the same journal either way; what differs is whose memory holds the share.
//!
//! Promises: whoever gets a finished payment from here asked for it; an answer that is not known is
//! never taken for a no ([`AgentNode::may_have_signed`]).
//!
//! Does not protect against: a node that is not the one it is believed to be. The folder of the
//! socket belongs to whoever runs the node, and a socket in a folder that anybody may write is
//! refused.

mod beside;
mod within;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::{Address, B256};
use async_trait::async_trait;
use tercet_api::auth::{RequestParts, SignatureHeaders};
use tercet_api::problem::Problem;
use tercet_api::relay::{FailureKind, SealedPart};
use tercet_policy::document::{DocumentError, NodeKeys, Signed, WalletRequest};
use tercet_policy::intent::{IntentId, PaymentIntent, SignedIntent};
use tercet_policy::payload::{FinishedPayment, MppSignature};
use tercet_policy::report::{ReportKind, SignedReport};
use tercet_policy::time::UnixSeconds;
use tercet_signer::gate::{HeldWallet, SessionAsk};
use tercet_signer_node::{NotPaid, Readiness, Ticket};

pub use self::beside::Beside;
pub use self::within::Within;
use crate::client::{ClientError, SignRequests};

/// What a wallet needs of its agent's node.
#[async_trait]
pub trait AgentNode: Send + Sync + fmt::Debug {
    /// Its public keys; their `id` is the agent's name.
    ///
    /// # Errors
    /// [`NodeError`], as for every call.
    async fn keys(&self) -> Result<NodeKeys, NodeError>;

    /// The wallets whose share is there.
    async fn wallets(&self) -> Result<Vec<HeldWallet>, NodeError>;

    /// Whether it could sign now.
    async fn readiness(&self) -> Result<Readiness, NodeError>;

    /// Waits until its line to the coordinator stands.
    async fn wait_connected(&self, patience: Duration) -> Result<(), NodeError>;

    /// Signs an intent as the agent.
    async fn sign_intent(&self, intent: PaymentIntent) -> Result<SignedIntent, NodeError>;

    /// Signs a report of what became of a payment.
    async fn sign_report(
        &self,
        intent: PaymentIntent,
        outcome: ReportKind,
    ) -> Result<SignedReport, NodeError>;

    /// Signs a wish for a wallet.
    async fn sign_wallet_request(
        &self,
        request: WalletRequest,
    ) -> Result<Signed<WalletRequest>, NodeError>;

    /// Signs a request to the coordinator, by the node's own clock.
    async fn sign_request(&self, parts: &RequestParts<'_>) -> Result<SignatureHeaders, NodeError>;

    /// Whether its part of a payment's signature may have left. Yes, where it is not known.
    async fn may_have_signed(&self, intent: IntentId) -> bool;

    /// Waits until its line to the coordinator stands, and then for a payment: call this **before**
    /// the intent is posted.
    async fn expect(&self, intent: IntentId, patience: Duration) -> Result<Ticket, NodeError>;

    /// Judges and records a payment and gives its part of the signature, where it has a
    /// presignature and the payment takes no terms of the chain.
    async fn begin(&self, envelope: &SignedIntent) -> Result<Option<SealedPart>, NodeError>;

    /// Finishes a payment that was begun, with the operator's sealed answer.
    async fn finish(&self, intent: IntentId, answer: &[u8]) -> Result<FinishedPayment, NodeError>;

    /// Says that a part was of no use to the operator's node: both then agree on their stock before
    /// another is used.
    async fn give_up(&self, intent: IntentId);

    /// Says that nothing came of a part, for a reason that says nothing of the stock.
    async fn forget(&self, intent: IntentId);

    /// The address of the key that signs the vouchers of a session of this wallet with this salt.
    async fn session_signer(&self, wallet: Address, salt: B256) -> Result<Address, NodeError>;

    /// A voucher of a session's key, for a channel whose opening the node admitted.
    async fn sign_voucher(&self, ask: SessionAsk) -> Result<MppSignature, NodeError>;

    /// Agrees to a channel's end with the session's key.
    async fn sign_close(&self, ask: SessionAsk) -> Result<MppSignature, NodeError>;

    /// Keeps a wallet's stock of presignatures warm from now on. A wish; nothing depends on it.
    async fn wake(&self, wallet: Address);
}

/// Why the agent's node did not do it, grouped by the caller's next move.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// It does not sign this payment, by its own word.
    #[error(transparent)]
    NotPaid(#[from] NotPaid),
    /// It is not there now; the same call can succeed later.
    #[error("the agent's node does not answer: {detail}")]
    Away {
        /// What happened.
        detail: String,
    },
    /// Its line to the coordinator does not stand.
    #[error("the coordinator could not be reached in time")]
    NotConnected,
    /// It answered with a problem; see its code.
    #[error("the agent's node says: {0}")]
    Problem(Box<Problem>),
    /// Something answers that is no node of this version.
    #[error("what answers is no agent's node of this version: {detail}")]
    NotTheNode {
        /// What was wrong.
        detail: String,
    },
    /// What was to be signed has no canonical form.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Its home or its machine is not as it needs to be.
    #[error("{0}")]
    Unfit(String),
    /// The wallet is closed.
    #[error("the wallet is closed")]
    Closed,
}

impl NodeError {
    /// Whether the same call can succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::NotPaid(NotPaid::Refused(_) | NotPaid::Stopped) => false,
            Self::NotPaid(NotPaid::Failed { kind, .. }) => *kind != FailureKind::Bug,
            Self::NotPaid(NotPaid::TimedOut | NotPaid::TooMany) => true,
            Self::Problem(problem) => problem.retryable,
            Self::Away { .. } | Self::NotConnected => true,
            Self::NotTheNode { .. } | Self::Document(_) | Self::Unfit(_) | Self::Closed => false,
        }
    }
}

/// Signs requests as the agent of a node, wherever the node is.
#[derive(Clone, Debug)]
pub struct AsAgent(pub Arc<dyn AgentNode>);

#[async_trait]
impl SignRequests for AsAgent {
    /// The node signs by its own clock.
    async fn sign_request(
        &self,
        parts: &RequestParts<'_>,
        _now: UnixSeconds,
    ) -> Result<SignatureHeaders, ClientError> {
        self.0.sign_request(parts).await.map_err(|error| match error {
            NodeError::Closed => ClientError::Closed,
            other => ClientError::NotSigned {
                retryable: other.is_retryable(),
                detail: other.to_string(),
            },
        })
    }
}
