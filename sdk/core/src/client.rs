//! The coordinator's API, typed: every route that an agent, an operator or a program needs.
//!
//! Promises: each request is signed (RFC 9421, [`tercet_api::auth`]) or carries a read token, never
//! both; answers are bounded; problems come as values with their code and whether trying again can
//! help; posting a payment is repeated on a broken line, which is safe because the intent's id
//! makes it the same payment.
//!
//! Refuses: redirects, proxies, a coordinator without TLS that is not on this machine.
//!
//! Does not protect against: a coordinator that shows something false. What binds is checked by
//! each signer node and on the chain.

mod error;
mod judged;
mod routes;
mod transport;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ed25519_dalek::SigningKey;
use tercet_api::auth::{self, RequestParts, SignatureHeaders};
use tercet_policy::party::NodeId;
use tercet_policy::time::UnixSeconds;
use tercet_signer::identity::NodeIdentity;
use url::Url;
use zeroize::Zeroizing;

pub use self::error::ClientError;
pub use self::judged::{BudgetsAsked, PageAsked};
pub use self::routes::PaymentsAsked;

use crate::seam::{Clock, SystemClock};

/// Longest wait for one answer, in seconds: creating a payment waits for both nodes' signature.
pub const ANSWER_SECONDS_MAX: u64 = 60;
/// Largest answer that is read, in bytes.
pub const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How often a payment is posted in all when the line breaks.
pub const PAYMENT_TRIES_MAX: u32 = 3;
/// Time before the line is tried again, in milliseconds; doubled each time.
pub const RETRY_PAUSE_MS: u64 = 200;

/// Signs requests under a node's name, each with a fresh nonce.
#[async_trait]
pub trait SignRequests: Send + Sync {
    /// Signs one request.
    ///
    /// # Errors
    /// [`ClientError::NoRandomness`], [`ClientError::Closed`], [`ClientError::NotSigned`].
    async fn sign_request(
        &self,
        parts: &RequestParts<'_>,
        now: UnixSeconds,
    ) -> Result<SignatureHeaders, ClientError>;
}

#[async_trait]
impl SignRequests for NodeIdentity {
    async fn sign_request(
        &self,
        parts: &RequestParts<'_>,
        now: UnixSeconds,
    ) -> Result<SignatureHeaders, ClientError> {
        Ok(auth::sign(parts, &self.public().id, self.expose_signing(), now, fresh_nonce()?))
    }
}

/// A bare key under a name: for programs that keep their key themselves.
pub struct NamedKey {
    name: NodeId,
    key: SigningKey,
}

impl NamedKey {
    /// A key that signs under `name`.
    #[must_use]
    pub const fn new(name: NodeId, key: SigningKey) -> Self {
        Self { name, key }
    }
}

impl fmt::Debug for NamedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NamedKey({})", self.name)
    }
}

#[async_trait]
impl SignRequests for NamedKey {
    async fn sign_request(
        &self,
        parts: &RequestParts<'_>,
        now: UnixSeconds,
    ) -> Result<SignatureHeaders, ClientError> {
        Ok(auth::sign(parts, &self.name, &self.key, now, fresh_nonce()?))
    }
}

fn fresh_nonce() -> Result<[u8; 16], ClientError> {
    let mut nonce = [0u8; 16];
    getrandom::fill(&mut nonce).map_err(|_| ClientError::NoRandomness)?;
    Ok(nonce)
}

/// As whom the coordinator is called.
#[derive(Clone)]
pub enum Credentials {
    /// As nobody: for documents that carry their own signatures, and health probes.
    None,
    /// As the holder of a bearer token, which reads and changes nothing.
    Reader(Arc<Zeroizing<String>>),
    /// As a node; as its agent, where the node is an agent's.
    Node(Arc<dyn SignRequests>),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "Credentials::None",
            Self::Reader(_) => "Credentials::Reader(..)",
            Self::Node(_) => "Credentials::Node(..)",
        })
    }
}

/// A line to one coordinator.
#[derive(Clone)]
pub struct Client {
    base: Url,
    http: reqwest::Client,
    credentials: Credentials,
    clock: Arc<dyn Clock>,
}

impl Client {
    /// Opens a line; nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Url`] for a URL that is neither `https` nor on this machine,
    /// [`ClientError::NoHttpClient`].
    pub fn new(base: Url, credentials: Credentials) -> Result<Self, ClientError> {
        let loopback = match base.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        };
        if base.scheme() != "https" && !(base.scheme() == "http" && loopback) {
            return Err(ClientError::Url { url: base.to_string() });
        }
        let timeout = Duration::from_secs(ANSWER_SECONDS_MAX);
        Ok(Self {
            http: transport::http_client(timeout)?,
            base,
            credentials,
            clock: Arc::new(SystemClock),
        })
    }

    /// Where it goes.
    #[must_use]
    pub const fn base(&self) -> &Url {
        &self.base
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { base, credentials, .. } = self;
        f.debug_struct("Client")
            .field("base", &base.as_str())
            .field("credentials", credentials)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
