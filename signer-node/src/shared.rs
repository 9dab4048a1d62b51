//! A node that several hold: the wallet of an agent's process, or the socket and the program.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::config::SocketConfig;
use crate::handle::NodeHandle;
use crate::socket::{Served, Socket, SocketError};

/// Time between two looks whether the last call that uses the node is over, in milliseconds.
const LAST_CALL_PAUSE_MS: u64 = 5;

/// Stops a node that nobody needs any more, once the last call that uses it is over. What is left of
/// it elsewhere must hold it weakly, but for the moment of a call.
pub async fn stop_shared(mut node: Arc<NodeHandle>) {
    loop {
        match Arc::try_unwrap(node) {
            Ok(node) => return node.stop().await,
            Err(shared) => node = shared,
        }
        sleep(Duration::from_millis(LAST_CALL_PAUSE_MS)).await;
    }
}

/// A node with the socket at which it is served, if it has one.
pub(crate) struct Housed {
    node: Arc<NodeHandle>,
    served: Option<Served>,
}

impl Housed {
    /// Opens the socket of a node that runs. A node whose socket cannot be opened is stopped.
    pub(crate) async fn open(
        node: NodeHandle,
        socket: Option<&SocketConfig>,
    ) -> Result<Self, SocketError> {
        let node = Arc::new(node);
        let Some(config) = socket else { return Ok(Self { node, served: None }) };
        match Socket::bind(config).await {
            Ok(socket) => Ok(Self { served: Some(socket.serve(&node)), node }),
            Err(error) => {
                stop_shared(node).await;
                Err(error)
            }
        }
    }

    /// Closes the socket, then stops the node.
    pub(crate) async fn stop(self) {
        if let Some(served) = self.served {
            served.stop().await;
        }
        stop_shared(self.node).await;
    }
}
