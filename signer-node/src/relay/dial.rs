//! Dialling the coordinator: TLS unless it is on this machine, and a signed request.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderName, HeaderValue, Request};
use tercet_api::auth::{self, RequestParts};
use tercet_api::relay::{FromNode, RELAY_FRAME_BYTES_MAX};
use tercet_policy::time::UnixSeconds;
use tercet_signer::identity::NodeIdentity;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::config::CoordinatorUrl;

/// Longest wait for a dial to succeed, in milliseconds.
const DIAL_MS_MAX: u64 = 10_000;

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Everything a dial needs, and what the last line left unsent.
pub(crate) struct Dial {
    coordinator: CoordinatorUrl,
    identity: Arc<NodeIdentity>,
    pub(super) unsent: Vec<FromNode>,
}

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error("no answer within {DIAL_MS_MAX} ms")]
    Timeout,
    #[error("no randomness to sign the request with")]
    Randomness,
    #[error("the request could not be written")]
    Request,
    #[error(transparent)]
    WebSocket(Box<tokio_tungstenite::tungstenite::Error>),
}

impl Dial {
    pub(crate) fn new(coordinator: CoordinatorUrl, identity: Arc<NodeIdentity>) -> Self {
        Self { coordinator, identity, unsent: Vec::new() }
    }

    pub(crate) fn coordinator(&self) -> &CoordinatorUrl {
        &self.coordinator
    }

    pub(super) async fn dial(&self) -> Result<Socket, DialError> {
        let request = self.request(now())?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(RELAY_FRAME_BYTES_MAX))
            .max_frame_size(Some(RELAY_FRAME_BYTES_MAX));
        // Round messages are small and waited for.
        let no_delay = true;
        let dialling = connect_async_with_config(request, Some(config), no_delay);
        match timeout(Duration::from_millis(DIAL_MS_MAX), dialling).await {
            Ok(Ok((socket, _response))) => Ok(socket),
            Ok(Err(error)) => Err(DialError::WebSocket(Box::new(error))),
            Err(_elapsed) => Err(DialError::Timeout),
        }
    }

    fn request(&self, now: UnixSeconds) -> Result<Request<()>, DialError> {
        let (url, path) = self.coordinator.relay();
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|_| DialError::Randomness)?;
        let parts = RequestParts { method: "GET", path, query: "", body: b"" };
        let id = &self.identity.public().id;
        let signed = auth::sign(&parts, id, self.identity.expose_signing(), now, nonce);
        let mut request = url.as_str().into_client_request().map_err(|_| DialError::Request)?;
        for (name, value) in [
            (auth::SIGNATURE_INPUT, signed.signature_input),
            (auth::SIGNATURE, signed.signature),
            (auth::CONTENT_DIGEST, signed.content_digest),
        ] {
            let value = HeaderValue::try_from(value).map_err(|_| DialError::Request)?;
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        Ok(request)
    }
}

/// The wall clock, in whole seconds; a clock before 1970 reads as 1970, and is refused.
pub(crate) fn now() -> UnixSeconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixSeconds(since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tercet_api::auth::SignatureHeaders;
    use tercet_policy::party::NodeId;

    #[test]
    fn the_dial_is_signed_by_the_node_for_the_relay_alone() {
        let identity = NodeIdentity::generate(NodeId::new("operator-01").unwrap()).unwrap();
        let key = identity.public().signing;
        let coordinator = "http://127.0.0.1:7070".parse().unwrap();
        let dial = Dial::new(coordinator, Arc::new(identity));
        let now = UnixSeconds(1_800_000_000);
        let request = dial.request(now).unwrap();
        let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
        let headers = SignatureHeaders {
            signature_input: header(auth::SIGNATURE_INPUT),
            signature: header(auth::SIGNATURE),
            content_digest: header(auth::CONTENT_DIGEST),
        };
        let open = |path| {
            let parts = RequestParts { method: "GET", path, query: "", body: b"" };
            auth::open(&parts, &headers, |_| Some(key), now)
        };
        assert_eq!(open("/v1/relay").unwrap().node.as_str(), "operator-01");
        assert!(open("/v1/other").is_err());
    }
}
