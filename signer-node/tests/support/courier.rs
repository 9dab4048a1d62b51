//! A coordinator in miniature: takes dials, checks who dials, and carries frames between parties.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tercet_api::auth::{self, RequestParts, SignatureHeaders};
use tercet_api::relay::{FromNode, SessionId, ToNode};
use tercet_policy::document::Ed25519PublicKey;
use tercet_policy::party::{NodeId, Party};
use tercet_policy::time::UnixSeconds;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

type Lines = Arc<Mutex<HashMap<Party, mpsc::Sender<Message>>>>;

/// What nodes said, frames for other parties left out.
pub type Heard = mpsc::Receiver<(Party, FromNode)>;

/// A courier for one group.
pub struct Courier {
    pub address: SocketAddr,
    lines: Lines,
}

impl Courier {
    /// Listens; `nodes` are the nodes it knows and their keys.
    pub async fn start(nodes: Vec<(Party, NodeId, Ed25519PublicKey)>) -> (Self, Heard) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (lines, nodes) = (Lines::default(), Arc::new(nodes));
        let (told, heard) = mpsc::channel(1_024);
        let taken = Arc::clone(&lines);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                tokio::spawn(serve(stream, Arc::clone(&nodes), Arc::clone(&taken), told.clone()));
            }
        });
        (Self { address, lines }, heard)
    }

    pub async fn send(&self, to: Party, frame: &ToNode) {
        self.send_text(to, serde_json::to_string(frame).unwrap()).await;
    }

    pub async fn send_text(&self, to: Party, text: String) {
        // A node may know that its line stands before this end does.
        let line = tokio::time::timeout(Duration::from_secs(10), async {
            loop {
                let line = self.lines.lock().unwrap().get(&to).cloned();
                match line {
                    Some(line) => return line,
                    None => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        });
        line.await.unwrap().send(Message::Text(text.into())).await.unwrap();
    }

    /// Cuts the line of a node.
    pub fn cut(&self, party: Party) {
        self.lines.lock().unwrap().remove(&party);
    }
}

async fn serve(
    stream: TcpStream,
    nodes: Arc<Vec<(Party, NodeId, Ed25519PublicKey)>>,
    lines: Lines,
    told: mpsc::Sender<(Party, FromNode)>,
) {
    let mut caller = None;
    #[expect(clippy::result_large_err, reason = "the shape the handshake wants")]
    let check = |request: &Request, response: Response| {
        caller = opened(request, &nodes);
        Ok(response)
    };
    let Ok(socket) = accept_hdr_async(stream, check).await else { return };
    let party = caller.expect("the dial was not signed by a node that is known");
    let (mut sink, mut stream) = socket.split();
    let (line, mut outgoing) = mpsc::channel(1_024);
    lines.lock().unwrap().insert(party, line);
    tokio::spawn(async move {
        while let Some(message) = outgoing.recv().await {
            if sink.send(message).await.is_err() {
                return;
            }
        }
        drop(sink.close().await);
    });
    while let Some(Ok(message)) = stream.next().await {
        let Message::Text(text) = message else { continue };
        match serde_json::from_str(text.as_str()).unwrap() {
            FromNode::Frame { session, to, bytes } => {
                let frame = ToNode::Frame { session, from: party, bytes };
                let frame = Message::Text(serde_json::to_string(&frame).unwrap().into());
                let line = lines.lock().unwrap().get(&to).cloned();
                if let Some(line) = line {
                    drop(line.send(frame).await);
                }
            }
            other => drop(told.send((party, other)).await),
        }
    }
}

fn opened(request: &Request, nodes: &[(Party, NodeId, Ed25519PublicKey)]) -> Option<Party> {
    let header = |name: &str| Some(request.headers().get(name)?.to_str().ok()?.to_owned());
    let headers = SignatureHeaders {
        signature_input: header(auth::SIGNATURE_INPUT)?,
        signature: header(auth::SIGNATURE)?,
        content_digest: header(auth::CONTENT_DIGEST)?,
    };
    let path = request.uri().path();
    let parts = RequestParts { method: "GET", path, query: "", body: b"" };
    let key = |node: &NodeId| nodes.iter().find(|(_, id, _)| id == node).map(|(.., key)| *key);
    let caller = auth::open(&parts, &headers, key, now()).ok()?;
    nodes.iter().find(|(_, id, _)| *id == caller.node).map(|(party, ..)| *party)
}

pub fn now() -> UnixSeconds {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    UnixSeconds(since.unwrap().as_secs())
}

/// The next thing that a node says and that `pick` wants.
pub async fn next<T>(heard: &mut Heard, mut pick: impl FnMut(Party, FromNode) -> Option<T>) -> T {
    let waiting = async {
        loop {
            let (party, frame) = heard.recv().await.unwrap();
            if let Some(wanted) = pick(party, frame) {
                return wanted;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap()
}

pub fn session(number: u8) -> SessionId {
    SessionId([number; 16])
}
