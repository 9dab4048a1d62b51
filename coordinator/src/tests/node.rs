mod signing;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use alloy_primitives::Address;
use futures_util::stream::SplitSink;
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Method;
use tercet_api::relay::{FailureKind, FromNode, Outcome, ToNode};
use tercet_policy::document::ContentHash;
use tercet_policy::subject::Subject;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::fixture::{House, WALLET, signature, soon};

/// The operator's part as its node seals it for the agent's: bytes that nobody else may keep.
pub(super) const ANSWER: &[u8] = b"sealed for the agent's node alone";

/// How a fake node meets what it is asked to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// With whatever it is asked for.
    Signs,
    /// In rounds alone: it has no presignature.
    NoStock,
    Refuses,
    NotReady,
    Breaks,
    Silent,
    /// Keeps what it was asked until it is told another manner.
    Holds,
    /// Signs, and reports what is not so.
    Lies(Lie),
}

/// What is not so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    Intent,
    Slot,
    Digest,
    NoAnswer,
    LongAnswer,
    LongPart,
    /// Its own part where it should have joined one.
    Part,
    /// A signature where it was asked for its part.
    Done,
    OtherSession,
    /// Admitted it, and then had nothing to sign it with.
    AdmittedWithoutStock,
}

/// A node of the tests' own: holds no share, says what it is told to say.
pub(super) struct FakeNode {
    pub manner: Arc<Mutex<Manner>>,
    pub seen: Arc<Mutex<Vec<ToNode>>>,
    pub wallet: Arc<Mutex<Address>>,
    says: mpsc::UnboundedSender<FromNode>,
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
        let (socket, _) =
            tokio_tungstenite::connect_async_with_config(request, None, true).await.unwrap();
        let (manner, seen) = (Arc::new(Mutex::new(manner)), Arc::<Mutex<Vec<ToNode>>>::default());
        let wallet = Arc::new(Mutex::new(WALLET));
        let (m, s, w) = (Arc::clone(&manner), Arc::clone(&seen), Arc::clone(&wallet));
        let (mut sink, mut stream) = socket.split();
        say(&mut sink, &FromNode::Head { rows: 3, hash: ContentHash([9; 32]) }).await;
        let app = house.app.clone();
        let (says, mut said) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            loop {
                let message = tokio::select! {
                    Some(frame) = said.recv() => {
                        say(&mut sink, &frame).await;
                        continue;
                    }
                    message = stream.next() => match message {
                        Some(Ok(message)) => message,
                        _ => return,
                    },
                };
                let Message::Text(text) = message else { continue };
                let frame: ToNode = serde_json::from_str(&text).unwrap();
                s.lock().unwrap().push(frame.clone());
                while *m.lock().unwrap() == Manner::Holds && asks(&frame) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                let (manner, wallet) = (*m.lock().unwrap(), *w.lock().unwrap());
                let answers = match frame {
                    ToNode::Sign { .. } | ToNode::Part { .. } | ToNode::Join { .. } => {
                        signing::answers(&app, frame, manner).await
                    }
                    frame => answers(frame, manner, wallet),
                };
                for answer in answers {
                    say(&mut sink, &answer).await;
                }
            }
        });
        let node = Self { manner, seen, wallet, says, task };
        let id = tercet_policy::party::NodeId::new(name).unwrap();
        soon(|| house.app.relay().is_connected(&id)).await;
        node
    }

    pub(super) fn count(&self, which: impl Fn(&ToNode) -> bool) -> usize {
        self.seen.lock().unwrap().iter().filter(|frame| which(frame)).count()
    }

    pub(super) fn signs_seen(&self) -> usize {
        self.count(asks)
    }

    pub(super) fn rounds_seen(&self) -> usize {
        self.count(|frame| matches!(frame, ToNode::Sign { .. }))
    }

    pub(super) fn parts_seen(&self) -> usize {
        self.count(|frame| matches!(frame, ToNode::Part { .. }))
    }

    pub(super) fn joins_seen(&self) -> usize {
        self.count(|frame| matches!(frame, ToNode::Join { .. }))
    }

    /// Says something that it was not asked.
    pub(super) fn says(&self, frame: FromNode) {
        self.says.send(frame).unwrap();
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
        ToNode::Presign { session, count, .. } if manner == Manner::Signs => {
            vec![FromNode::Done { session, outcome: Outcome::Stocked { made: count } }]
        }
        ToNode::Report { document } if manner != Manner::Silent => {
            let subject = Subject::Agent(document.document.agent);
            let (kind, epoch, refused) = ("report".to_owned(), 0, None);
            vec![FromNode::Document { kind, subject, epoch, refused }]
        }
        _ => Vec::new(),
    }
}

fn asks(frame: &ToNode) -> bool {
    matches!(frame, ToNode::Sign { .. } | ToNode::Part { .. } | ToNode::Join { .. })
}
