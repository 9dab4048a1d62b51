use std::sync::{Arc, Mutex};

use alloy_primitives::{Address, B256, Bytes, keccak256};
use futures_util::stream::SplitSink;
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Method;
use tercet_api::relay::{FailureKind, FromNode, Outcome, ToNode};
use tercet_policy::document::ContentHash;
use tercet_policy::proposal::{ChainTerms, Slot};
use tercet_policy::refusal::Refusal;
use tercet_policy::subject::Subject;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::fixture::{House, WALLET, signature, soon};

/// How a fake node meets `Sign`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    Signs,
    Refuses,
    NotReady,
    Breaks,
    Silent,
}

/// A node of the tests' own: holds no share, says what it is told to say.
pub(super) struct FakeNode {
    pub manner: Arc<Mutex<Manner>>,
    pub seen: Arc<Mutex<Vec<ToNode>>>,
    pub wallet: Arc<Mutex<Address>>,
    task: JoinHandle<()>,
}

type Sink = SplitSink<WebSocketStream<MaybeTlsStream<TcpStream>>, Message>;

impl Drop for FakeNode {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FakeNode {
    pub(super) async fn join(house: &House, name: &'static str, manner: Manner) -> Self {
        let url = format!("ws://{}/v1/relay", house.base);
        let mut request = url.into_client_request().unwrap();
        for (header, value) in signature(name, &Method::GET, "/v1/relay", b"") {
            request.headers_mut().insert(header, value.parse().unwrap());
        }
        let (socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        let (manner, seen) = (Arc::new(Mutex::new(manner)), Arc::<Mutex<Vec<ToNode>>>::default());
        let wallet = Arc::new(Mutex::new(WALLET));
        let (m, s, w) = (Arc::clone(&manner), Arc::clone(&seen), Arc::clone(&wallet));
        let (mut sink, mut stream) = socket.split();
        say(&mut sink, &FromNode::Head { rows: 3, hash: ContentHash([9; 32]) }).await;
        let task = tokio::spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                let Message::Text(text) = message else { continue };
                let frame: ToNode = serde_json::from_str(&text).unwrap();
                s.lock().unwrap().push(frame.clone());
                let (manner, wallet) = (*m.lock().unwrap(), *w.lock().unwrap());
                for answer in answers(frame, manner, wallet) {
                    say(&mut sink, &answer).await;
                }
            }
        });
        let node = Self { manner, seen, wallet, task };
        let id = tercet_policy::party::NodeId::new(name).unwrap();
        soon(|| house.app.relay().is_connected(&id)).await;
        node
    }

    pub(super) fn count(&self, which: impl Fn(&ToNode) -> bool) -> usize {
        self.seen.lock().unwrap().iter().filter(|frame| which(frame)).count()
    }

    pub(super) fn signs_seen(&self) -> usize {
        self.count(|frame| matches!(frame, ToNode::Sign { .. }))
    }

    pub(super) fn becomes(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }
}

async fn say(sink: &mut Sink, frame: &FromNode) {
    let text = serde_json::to_string(frame).unwrap();
    let _ = sink.send(Message::Text(text.into())).await;
}

fn answers(frame: ToNode, manner: Manner, wallet: Address) -> Vec<FromNode> {
    match frame {
        ToNode::Prepare { session, .. } => {
            let progress =
                FromNode::Progress { session, stage: "primes".into(), done: 1, total: 4 };
            let outcome = Outcome::Prepared { aux: ContentHash([5; 32]) };
            vec![progress, FromNode::Done { session, outcome }]
        }
        ToNode::Keygen { session, .. } if manner == Manner::Breaks => {
            vec![FromNode::Failed { session, kind: FailureKind::Peer, detail: "bad proof".into() }]
        }
        ToNode::Keygen { session, .. } => {
            let transcript = ContentHash([6; 32]);
            let outcome = Outcome::WalletMade { address: wallet, transcript };
            vec![FromNode::Done { session, outcome }]
        }
        ToNode::Sign { session, envelope, claim, .. } => match manner {
            Manner::Silent => Vec::new(),
            Manner::Refuses => {
                vec![FromNode::Refused { session, refusal: Refusal::BadSignature }]
            }
            Manner::NotReady => vec![failed(session, FailureKind::NotReady)],
            Manner::Breaks => {
                vec![FromNode::Admitted { session }, failed(session, FailureKind::Network)]
            }
            Manner::Signs => {
                let (wallet, chain) = (claim.wallet, claim.chain);
                let (slot, transaction) = match claim.terms {
                    ChainTerms::Eip3009 { nonce, .. } => {
                        (Slot::Eip3009 { wallet, chain, token: claim.token, nonce }, None)
                    }
                    ChainTerms::Eip1559 { nonce, .. } => {
                        let raw = Bytes::from(envelope.document.id.0.to_vec());
                        (Slot::Account { wallet, chain, nonce }, Some(raw))
                    }
                };
                let intent = envelope.document.id;
                let digest: B256 = keccak256(intent.0);
                let slot = slot.to_string();
                let outcome = Outcome::Signed { intent, slot, digest, transaction };
                vec![FromNode::Admitted { session }, FromNode::Done { session, outcome }]
            }
        },
        ToNode::Report { document } if manner != Manner::Silent => {
            let subject = Subject::Agent(document.document.agent);
            let (kind, epoch, refused) = ("report".to_owned(), 0, None);
            vec![FromNode::Document { kind, subject, epoch, refused }]
        }
        _ => Vec::new(),
    }
}

fn failed(session: tercet_api::relay::SessionId, kind: FailureKind) -> FromNode {
    FromNode::Failed { session, kind, detail: "so it is".into() }
}
