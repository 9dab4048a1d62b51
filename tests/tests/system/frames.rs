//! Frames that are too long, out of order, of the wrong party or of an old session, from a node
//! that lies and from a courier that lies. The honest side drops them or ends the session; nothing
//! is signed under them, and the next payment goes through.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, ensure};
use futures_util::{SinkExt as _, StreamExt as _};
use tercet_api::auth::{self, RequestParts};
use tercet_api::relay::{FromNode, Outcome, RELAY_FRAME_BYTES_MAX, SessionId, ToNode};
use tercet_cli::demo::house::now;
use tercet_cli::demo::liar::{Liar, Rewrite};
use tercet_policy::document::ContentHash;
use tercet_policy::party::Party;
use tercet_signer::identity::NodeIdentity;
use tercet_tests::cluster::{Cluster, PAYEE, Plan};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

type Line = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Dials the relay as the node whose identity this is, with headers that `change` may spoil.
async fn dial(
    cluster: &Cluster,
    identity: &NodeIdentity,
    nonce: [u8; 16],
    change: impl FnOnce(&mut auth::SignatureHeaders),
) -> Result<Line, WsError> {
    let parts = RequestParts { method: "GET", path: "/v1/relay", query: "", body: b"" };
    let name = &identity.public().id;
    let mut headers = auth::sign(&parts, name, identity.expose_signing(), now(), nonce);
    change(&mut headers);
    let url = format!("ws://{}/v1/relay", cluster.coordinator_address());
    let mut request = url.into_client_request()?;
    for (name, value) in [
        (auth::SIGNATURE_INPUT, &headers.signature_input),
        (auth::SIGNATURE, &headers.signature),
        (auth::CONTENT_DIGEST, &headers.content_digest),
    ] {
        request.headers_mut().insert(name, value.parse().expect("a header value"));
    }
    Ok(tokio_tungstenite::connect_async(request).await?.0)
}

async fn is_closed(line: &mut Line) -> bool {
    let end = async {
        while let Some(message) = line.next().await {
            if message.is_err() {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), end).await.is_ok()
}

fn text(frame: &FromNode) -> Message {
    Message::text(serde_json::to_string(frame).expect("frames have text keys"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lying_node_disturbs_nobody() -> Result<()> {
    let (mut cluster, wallet) = Cluster::with_wallet(Plan::default()).await?;
    cluster.stop_node(Party::Recovery).await;
    let (home, kek) = cluster.house.seat(Party::Recovery).open()?;
    let identity = NodeIdentity::open(&home, &kek)?;

    // Nobody, an old request, a changed signature, and the same request twice.
    let stranger = NodeIdentity::generate("stranger-01".parse()?)?;
    ensure!(dial(&cluster, &stranger, [1; 16], |_| {}).await.is_err(), "a stranger got in");
    let spoil = |headers: &mut auth::SignatureHeaders| {
        headers.signature_input = headers.signature_input.replace("created=1", "created=0");
    };
    ensure!(dial(&cluster, &identity, [2; 16], spoil).await.is_err(), "an old request got in");
    let rename = |headers: &mut auth::SignatureHeaders| {
        headers.signature_input = headers.signature_input.replace("recovery-01", "operator-01");
    };
    ensure!(dial(&cluster, &identity, [3; 16], rename).await.is_err(), "another name got in");
    drop(dial(&cluster, &identity, [4; 16], |_| {}).await?);
    ensure!(dial(&cluster, &identity, [4; 16], |_| {}).await.is_err(), "a replay got in");

    let mut line = dial(&cluster, &identity, [5; 16], |_| {}).await?;
    let too_long = "x".repeat(RELAY_FRAME_BYTES_MAX + 1);
    line.send(Message::text(format!("{{\"type\":\"head\",\"rows\":1,\"hash\":\"{too_long}\"}}")))
        .await
        .ok();
    ensure!(is_closed(&mut line).await, "a frame over the limit was taken");

    let mut line = dial(&cluster, &identity, [6; 16], |_| {}).await?;
    let session = SessionId([7; 16]);
    let outcome = Outcome::WalletMade { address: wallet, transcript: ContentHash([0; 32]) };
    for frame in [
        FromNode::Frame { session, to: Party::Agent, bytes: vec![1; 100] },
        FromNode::Frame { session, to: Party::Recovery, bytes: vec![2; 100] },
        FromNode::Done { session, outcome },
        FromNode::Admitted { session },
        FromNode::Progress { session, stage: "lying".into(), done: 9, total: 1 },
    ] {
        line.send(text(&frame)).await?;
    }
    pays_on(&cluster, wallet, 10_000).await?;
    drop(line.send(Message::text("no JSON")).await);
    drop(line.send(Message::binary(vec![0xff; 64])).await);
    pays_on(&cluster, wallet, 10_001).await
}

async fn pays_on(cluster: &Cluster, wallet: alloy_primitives::Address, units: u128) -> Result<()> {
    let view = cluster.pay(cluster.x402(wallet, PAYEE, units)?).await?;
    cluster.payment_when(&view.id, |v| v.digest.is_some()).await.map(drop)
}

/// What the courier does to sealed frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tampering {
    WrongParty = 1,
    Changed = 2,
    OutOfOrder = 3,
    OldSession = 4,
    TooLong = 5,
}

const ALL: [Tampering; 5] = [
    Tampering::WrongParty,
    Tampering::Changed,
    Tampering::OutOfOrder,
    Tampering::OldSession,
    Tampering::TooLong,
];

/// How many of a session's frames are tampered with; the rest pass.
fn tampering(mode: Arc<AtomicUsize>) -> Rewrite {
    let held: Mutex<VecDeque<ToNode>> = Mutex::default();
    let old: Mutex<Option<Vec<u8>>> = Mutex::default();
    Arc::new(move |frame| {
        let ToNode::Frame { session, from, bytes } = frame else { return vec![frame] };
        let mode = mode.load(Ordering::Relaxed);
        let mut old = old.lock().unwrap_or_else(PoisonError::into_inner);
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        let honest = ToNode::Frame { session, from, bytes: bytes.clone() };
        if mode == 0 {
            *old = Some(bytes);
            held.clear();
            return vec![honest];
        }
        match ALL.iter().find(|tampering| **tampering as usize == mode) {
            Some(Tampering::WrongParty) => {
                vec![ToNode::Frame { session, from: Party::Recovery, bytes }]
            }
            Some(Tampering::Changed) => {
                let mut bytes = bytes;
                if let Some(last) = bytes.last_mut() {
                    *last ^= 1;
                }
                vec![ToNode::Frame { session, from, bytes }]
            }
            Some(Tampering::OutOfOrder) => {
                // Every frame comes after the one that followed it.
                held.push_back(honest);
                if held.len() < 2 { Vec::new() } else { held.drain(..).rev().collect() }
            }
            Some(Tampering::OldSession) => {
                let bytes = old.clone().unwrap_or(bytes);
                vec![ToNode::Frame { session, from, bytes }]
            }
            _ => vec![ToNode::Frame { session, from, bytes: vec![0; 66_000] }],
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_courier_that_tampers_with_frames_gets_no_signature() -> Result<()> {
    let (mut cluster, wallet) = Cluster::with_wallet(Plan::default()).await?;
    let mode = Arc::new(AtomicUsize::new(0));
    let liar = Liar::start(cluster.coordinator_address(), tampering(Arc::clone(&mode))).await?;
    cluster.house.write_configs(|_| liar.url(), &cluster.plan.text)?;
    for party in Party::ALL {
        cluster.stop_node(party).await;
    }
    for party in Party::EVERYDAY {
        cluster.start_node(party, &[]).await?;
    }
    pays_on(&cluster, wallet, 10_000).await?;
    for (place, tampering) in ALL.into_iter().enumerate() {
        let before = liar.heard().len();
        mode.store(tampering as usize, Ordering::Relaxed);
        let intent = cluster.x402(wallet, PAYEE, 20_000 + place as u128)?;
        let id = intent.id;
        let signed = cluster.house.sign_intent(intent)?;
        let line = cluster.house.line()?;
        let watched = tokio::time::timeout(Duration::from_secs(6), line.pay(signed)).await;
        drop(watched);
        let said = liar.heard().split_off(before);
        let signed = said.iter().any(|heard| {
            matches!(heard.frame, FromNode::Done { outcome: Outcome::Signed { .. }, .. })
        });
        ensure!(!signed, "{tampering:?}: {said:#?}");
        ensure!(line.payment(&id).await?.digest.is_none(), "{tampering:?} got a signature");
        mode.store(0, Ordering::Relaxed);
        // The same intent, no longer tampered with, is signed in the end.
        cluster.payment_when(&id, |v| v.digest.is_some() || v.status.is_terminal()).await?;
        pays_on(&cluster, wallet, 30_000 + place as u128).await?;
    }
    Ok(())
}
