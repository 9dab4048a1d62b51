//! The node that houses the agent's share, held weakly: whoever still has a line to the coordinator
//! cannot keep a closed wallet's home locked.

use std::sync::{Arc, Weak};

use tercet_api::auth::{RequestParts, SignatureHeaders};
use tercet_policy::time::UnixSeconds;
use tercet_signer_node::NodeHandle;

use crate::client::{ClientError, SignRequests};

/// A node in this process, as long as it runs.
#[derive(Clone, Debug)]
pub(super) struct House(Weak<NodeHandle>);

impl House {
    pub(super) fn new(node: &Arc<NodeHandle>) -> Self {
        Self(Arc::downgrade(node))
    }

    /// The node, if the wallet is still open.
    pub(super) fn node(&self) -> Option<Arc<NodeHandle>> {
        self.0.upgrade()
    }
}

impl SignRequests for House {
    fn sign_request(
        &self,
        parts: &RequestParts<'_>,
        now: UnixSeconds,
    ) -> Result<SignatureHeaders, ClientError> {
        let node = self.node().ok_or(ClientError::Closed)?;
        node.identity().sign_request(parts, now).map_err(|_| ClientError::NoRandomness)
    }
}
