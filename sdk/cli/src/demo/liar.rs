//! A courier that lies: it sits between nodes and the coordinator and rewrites frames on the way.
//!
//! For the demo and the tests, which show that it gets no signature. A node's request signature
//! covers method, path, query and body, so the courier can pass the upgrade request on as it is;
//! whatever is no WebSocket passes through untouched.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{SinkExt as _, StreamExt as _};
use tercet_api::relay::{FromNode, ToNode};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Most bytes of a request's head that are looked at.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;
const FORWARDED: [&str; 3] = [
    tercet_api::auth::SIGNATURE_INPUT,
    tercet_api::auth::SIGNATURE,
    tercet_api::auth::CONTENT_DIGEST,
];

/// What the courier makes of a frame on its way to a node: none, one or several.
pub type Rewrite = Arc<dyn Fn(ToNode) -> Vec<ToNode> + Send + Sync>;

/// A frame that a node sent, and the node's key name as its request signature gave it.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The node, by the `keyid` of its request.
    pub node: String,
    /// What it said.
    pub frame: FromNode,
}

/// A lying courier, listening on loopback until it is dropped.
#[derive(Debug)]
pub struct Liar {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
    _serving: JoinSet<()>,
}

#[derive(Clone)]
struct Courier {
    upstream: SocketAddr,
    rewrite: Rewrite,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Liar {
    /// Starts a courier in front of the coordinator at `upstream`.
    ///
    /// # Errors
    /// Without a free port.
    pub async fn start(upstream: SocketAddr, rewrite: Rewrite) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let heard = Arc::default();
        let courier = Courier { upstream, rewrite, heard: Arc::clone(&heard) };
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, courier));
        Ok(Self { address, heard, _serving: serving })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to configure as a coordinator.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that nodes have said through it.
    #[must_use]
    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(listener: TcpListener, courier: Courier) {
    let mut lines = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let courier = courier.clone();
        // A line that breaks is the node's to dial again.
        lines.spawn(async move { drop(courier.carry(stream).await) });
        while lines.try_join_next().is_some() {}
    }
}

impl Courier {
    async fn carry(self, mut stream: TcpStream) -> Result<(), WsError> {
        if is_upgrade(&stream).await? {
            return self.carry_frames(stream).await;
        }
        let mut upstream = TcpStream::connect(self.upstream).await?;
        copy_bidirectional(&mut stream, &mut upstream).await?;
        Ok(())
    }

    // The callback's error type is tungstenite's own and large.
    #[allow(clippy::result_large_err, reason = "the callback's signature is tungstenite's")]
    async fn carry_frames(self, stream: TcpStream) -> Result<(), WsError> {
        let mut asked = None;
        let keep = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
            asked = Some((request.uri().to_string(), request.headers().clone()));
            Ok(response)
        };
        let node = tokio_tungstenite::accept_hdr_async(stream, keep).await?;
        let Some((path, headers)) = asked else { return Ok(()) };
        let mut request = format!("ws://{}{path}", self.upstream).into_client_request()?;
        for name in FORWARDED {
            if let Some(value) = headers.get(name) {
                request.headers_mut().insert(name, value.clone());
            }
        }
        let (upstream, _) = tokio_tungstenite::connect_async(request).await?;
        let signed = headers.get(tercet_api::auth::SIGNATURE_INPUT);
        self.pump(key_name(signed.and_then(|v| v.to_str().ok())), node, upstream).await
    }

    async fn pump(
        self,
        name: String,
        node: WebSocketStream<TcpStream>,
        upstream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    ) -> Result<(), WsError> {
        let (mut to_node, mut from_node) = node.split();
        let (mut to_upstream, mut from_upstream) = upstream.split();
        loop {
            tokio::select! {
                message = from_upstream.next() => {
                    let Some(message) = message.transpose()? else { return Ok(()) };
                    for message in self.rewritten(message) {
                        to_node.send(message).await?;
                    }
                }
                message = from_node.next() => {
                    let Some(message) = message.transpose()? else { return Ok(()) };
                    self.note(&name, &message);
                    to_upstream.send(message).await?;
                }
            }
        }
    }

    fn rewritten(&self, message: Message) -> Vec<Message> {
        let Message::Text(text) = &message else { return vec![message] };
        let Ok(frame) = serde_json::from_str::<ToNode>(text) else { return vec![message] };
        (self.rewrite)(frame)
            .iter()
            .filter_map(|frame| serde_json::to_string(frame).ok())
            .map(Message::text)
            .collect()
    }

    fn note(&self, node: &str, message: &Message) {
        let Message::Text(text) = message else { return };
        let Ok(frame) = serde_json::from_str(text) else { return };
        let heard = Heard { node: node.to_owned(), frame };
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(heard);
    }
}

fn key_name(signature_input: Option<&str>) -> String {
    let rest = signature_input.and_then(|text| text.split_once("keyid=\""));
    rest.and_then(|(_, rest)| rest.split_once('"'))
        .map_or_else(String::new, |(name, _)| name.into())
}

async fn is_upgrade(stream: &TcpStream) -> io::Result<bool> {
    let mut head = vec![0u8; HEAD_BYTES_MAX];
    let seen = stream.peek(&mut head).await?;
    head.truncate(seen);
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    Ok(head.lines().any(|line| line.starts_with("upgrade:") && line.contains("websocket")))
}
