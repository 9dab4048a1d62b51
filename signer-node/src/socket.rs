//! The agent's node beside the agent: a Unix socket at which the agent's own short-lived processes
//! use the share and the warm stock of a node that runs on.
//!
//! Promises: the kernel's word of who asks (`SO_PEERCRED`) is compared with the configured users at
//! every connection, before a byte of it is read; a finished payment goes to the connection that asked
//! for it, and into no log; whoever dies in the middle loses nothing, as the same intent again gives
//! the same payment; connections, bodies and waiting are bounded by the limits named here.
//!
//! Refuses: a path behind a symbolic link, or in a folder that somebody else may write; a path at
//! which another node answers (what a dead one left is replaced); to sign a request for the relay, at
//! which this node alone speaks.
//!
//! Does not protect against: another process of a user that is let in. It can do what the agent can,
//! which is what the policy allows; it cannot take the share, which never leaves the node.
//!
//! HTTP/1.1 over the socket, JSON in both directions, problems as RFC 9457 has them. The version is
//! in the path; [`wire`] has the bodies.
//!
//! | route | asked | answered |
//! |---|---|---|
//! | `GET /v1/node` | | the node's public keys |
//! | `GET /v1/readiness` | | what `/readyz` answers |
//! | `GET /v1/wallets` | | the wallets whose share is here |
//! | `POST /v1/sign/intent` | an intent | the same, signed as the agent |
//! | `POST /v1/sign/report` | an intent and what became of it | a signed report |
//! | `POST /v1/sign/wallet-request` | a wish for a wallet | the same, signed |
//! | `POST /v1/sign/request` | the parts of a request to the coordinator | its signature headers |
//! | `POST /v1/connected` | how long to wait | 204 once the coordinator is reached |
//! | `POST /v1/wallets/{address}/wake` | | 204; the wallet's stock is kept warm |
//! | `POST /v1/payments/begin` | a signed intent | this node's sealed part, if it has one to give |
//! | `POST /v1/payments/{intent}/finish` | the operator's sealed answer | the finished payment |
//! | `POST /v1/payments/{intent}/give-up` | | 204; the part was of no use, which raises doubt about the stock |
//! | `POST /v1/payments/{intent}/forget` | | 204; nothing came of the part, which raises none |
//! | `POST /v1/payments/{intent}/ticket` | how long to wait for the coordinator | a line of JSON for each end of a session, as they come, until the asker hangs up |
//! | `GET /v1/payments/{intent}/may-have-signed` | | whether this node's part may have left |

mod answer;
mod door;
mod place;
mod routes;
mod sessions;
mod users;
pub mod wire;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::place::Place;
use self::users::Users;
use crate::config::SocketConfig;
use crate::handle::NodeHandle;

/// Most connections at a time. A process that pays holds two: one waits, one asks.
pub const CONNECTIONS_MAX: usize = 256;
/// Largest body that is read, in bytes.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Longest time in which the head of a request comes, and longest silence between two requests of a
/// connection, in seconds.
pub const HEAD_SECONDS_MAX: u64 = 30;
/// Longest time in which a body comes, in seconds.
pub const BODY_SECONDS_MAX: u64 = 10;
/// Longest wait for the coordinator that can be asked for, in milliseconds.
pub const PATIENCE_MS_MAX: u64 = 60_000;
/// Longest time that a ticket is held, in seconds: people may be asked meanwhile.
pub const TICKET_SECONDS_MAX: u64 = 3_600;
/// How long connections get to end when the node stops, in seconds.
pub const CLOSE_SECONDS_MAX: u64 = 3;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// The folder of the socket is no folder, or somebody else may put something in its place.
    #[error("the folder {path} of the socket {why}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Something lies at the path that no node left there.
    #[error("{path} is there already, and is no socket (symbolic links are refused)")]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// A node answers there.
    #[error("another process answers at {path}")]
    InUse {
        /// The path.
        path: PathBuf,
    },
    /// The system says no.
    #[error("the socket {path} cannot be used: {source}")]
    System {
        /// The path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A name that the system's files do not have.
    #[error("socket.{key}: there is no {name:?} in {file}; name by number who is known elsewhere")]
    UnknownName {
        /// `users` or `group`.
        key: &'static str,
        /// Where it was looked up.
        file: &'static str,
        /// The name.
        name: String,
    },
    /// Users who could not open the file.
    #[error("socket.users lists user {user}, and only a `group` lets others open the socket")]
    NeedsGroup {
        /// The first such user.
        user: u32,
    },
}

/// A socket at which nobody is served yet. Dropping it takes the file away.
#[derive(Debug)]
pub struct Socket {
    place: Place,
    users: Users,
}

impl Socket {
    /// Makes the socket. Must be called in a Tokio runtime with I/O.
    ///
    /// # Errors
    /// [`SocketError`].
    pub async fn bind(config: &SocketConfig) -> Result<Self, SocketError> {
        let users = Users::of(config)?;
        let place = Place::take(&config.path, users.group()).await?;
        Ok(Self { place, users })
    }

    /// Serves the node in a task of its own, until that is stopped or dropped. The node is held weakly.
    #[must_use]
    pub fn serve(self, node: &Arc<NodeHandle>) -> Served {
        let (stop, node) = (CancellationToken::new(), Arc::downgrade(node));
        let Self { place, users } = self;
        let until = stop.clone();
        let task = tokio::spawn(async move {
            tracing::info!(path = %place.path().display(), ?users, "serving the agent's processes");
            door::keep(&place, &users, node, until).await;
        });
        Served { stop: stop.drop_guard(), task }
    }
}

/// A socket that is served.
#[derive(Debug)]
pub struct Served {
    stop: DropGuard,
    task: JoinHandle<()>,
}

impl Served {
    /// Lets nobody in any more, gives those inside [`CLOSE_SECONDS_MAX`] to end, and takes the file
    /// away.
    pub async fn stop(self) {
        let Self { stop, task } = self;
        drop(stop);
        if task.await.is_err() {
            tracing::error!("the socket ended by a bug of ours");
        }
    }
}

#[cfg(test)]
mod tests;
