//! JSON-RPC over HTTP with a limit on time and size, which alloy's own transport does not have.

use std::fmt;
use std::task::{Context, Poll};
use std::time::Duration;

use alloy_json_rpc::{RequestPacket, ResponsePacket};
use alloy_provider::transport::{
    TransportError, TransportErrorKind, TransportFut, TransportResult,
};
use tower::Service;
use url::Url;

use crate::error::ChainError;

/// Longest time one call may take, from connecting to the last byte, in seconds.
pub const CALL_SECONDS_MAX: u64 = 10;
/// Longest answer that is read, in bytes. A full Base block with its transactions is about 1 MiB.
pub const RESPONSE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Longest time to connect, in seconds.
const CONNECT_SECONDS_MAX: u64 = 3;

/// The client that all endpoints share. It follows no redirect: an endpoint is the URL it was
/// configured with.
pub(crate) fn http_client() -> Result<reqwest::Client, ChainError> {
    // reqwest is built without a TLS provider of its own; where the process has none yet, it is ring.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX))
        .timeout(Duration::from_secs(CALL_SECONDS_MAX))
        .build()
        .map_err(|error| ChainError::NoHttpClient { reason: error.to_string() })
}

/// One endpoint as an alloy transport.
#[derive(Clone)]
pub(crate) struct BoundedHttp {
    client: reqwest::Client,
    url: Url,
}

/// An answer over [`RESPONSE_BYTES_MAX`].
#[derive(Debug, thiserror::Error)]
#[error("the answer is longer than {RESPONSE_BYTES_MAX} bytes")]
struct TooLong;

impl BoundedHttp {
    pub(crate) const fn new(client: reqwest::Client, url: Url) -> Self {
        Self { client, url }
    }

    async fn exchange(self, request: RequestPacket) -> TransportResult<ResponsePacket> {
        let unreachable = |error: reqwest::Error| TransportErrorKind::custom(error.without_url());
        let sent = self.client.post(self.url).json(&request).send();
        let mut response = sent.await.map_err(unreachable)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len().saturating_add(chunk.len()) > RESPONSE_BYTES_MAX {
                return Err(TransportErrorKind::custom(TooLong));
            }
            body.extend_from_slice(&chunk);
        }
        // A JSON-RPC error may come with any HTTP status, so the status counts only where the body does not.
        serde_json::from_slice(&body).map_err(|error| {
            if response.status().is_success() {
                TransportError::deser_err(error, "")
            } else {
                TransportErrorKind::http_error(response.status().as_u16(), String::new())
            }
        })
    }
}

impl Service<RequestPacket> for BoundedHttp {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: RequestPacket) -> Self::Future {
        Box::pin(self.clone().exchange(request))
    }
}

impl fmt::Debug for BoundedHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoundedHttp")
    }
}
