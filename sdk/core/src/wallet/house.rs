//! Where the agent's node is while the wallet is open.

use std::path::Path;
use std::sync::Arc;

use tercet_signer_node::{NodeHandle, stop_shared};

use super::{WalletConfig, not_ready};
use crate::error::Error;
use crate::node::{AgentNode, Beside, Within};
use crate::wallet::config::Housing;

/// The agent's node, and what must be stopped with the wallet.
pub(super) struct House {
    pub(super) node: Arc<dyn AgentNode>,
    within: Option<Arc<NodeHandle>>,
}

impl House {
    /// Starts the node in this process, or finds the one that runs beside it.
    pub(super) async fn open(config: &WalletConfig) -> Result<Self, Error> {
        let node = match &config.housing {
            Housing::Beside(socket) => return Self::beside(socket),
            Housing::Within(node) => node,
        };
        if let Some(socket) = config.live_socket() {
            return Self::beside(socket);
        }
        let starting = NodeHandle::start_with((**node).clone(), config.start);
        let node = Arc::new(Box::pin(starting).await.map_err(not_ready)?);
        Ok(Self { node: Arc::new(Within::new(&node)), within: Some(node) })
    }

    fn beside(socket: &Path) -> Result<Self, Error> {
        let node = Beside::at(socket).map_err(not_ready)?;
        tracing::info!(socket = %socket.display(), "using the agent's node beside this process");
        Ok(Self { node: Arc::new(node), within: None })
    }

    /// Stops a node of this process; one beside it runs on.
    pub(super) async fn close(self) {
        drop(self.node);
        if let Some(node) = self.within {
            stop_shared(node).await;
        }
    }
}
