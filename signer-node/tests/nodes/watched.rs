//! Many wallets at three nodes, and what a node tells of itself meanwhile.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use alloy_primitives::Address;
use tercet_api::relay::{FromNode, Outcome, SessionId, ToNode};
use tercet_policy::document::{RequestId, WalletRequest};
use tercet_policy::party::Party;
use tercet_signer_node::{NodeHandle, NodeStatus};

use crate::support::courier::{next, now};
use crate::support::group::{Group, agent};

const WALLETS: u8 = 12;

fn session(number: u8, part: u8) -> SessionId {
    let mut id = [number; 16];
    id[0] = part;
    SessionId(id)
}

/// Asks all three for the wallet of a request, in a session of its own each time.
async fn ask(
    group: &mut Group,
    agent_node: &NodeHandle,
    number: u8,
    session: SessionId,
) -> Address {
    let request = WalletRequest {
        agent: agent(),
        request: RequestId([number; 32]),
        label: "test".to_owned(),
        created_at: now(),
    };
    let request = agent_node.identity().sign_wallet_request(request).unwrap();
    for party in Party::ALL {
        let frame = ToNode::Keygen { session, request: request.clone() };
        group.courier.send(party, &frame).await;
    }
    let mut made = Vec::new();
    while made.len() < 3 {
        let told = next(&mut group.heard, |_, frame| match frame {
            FromNode::Done { outcome: Outcome::WalletMade { address, .. }, .. } => Some(address),
            FromNode::Failed { detail, .. } => panic!("{detail}"),
            _ => None,
        });
        made.push(told.await);
    }
    assert!(made.iter().all(|wallet| *wallet == made[0]), "{made:?}");
    made[0]
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The answer to a request under a `Host`, head and body.
fn get(address: SocketAddr, path: &str, host: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}

async fn ask_of(address: SocketAddr, path: &'static str, host: &'static str) -> (u16, String) {
    tokio::task::spawn_blocking(move || get(address, path, host)).await.unwrap()
}

async fn status_of(address: SocketAddr) -> NodeStatus {
    let (status, answer) = ask_of(address, "/status", "127.0.0.1").await;
    assert_eq!(status, 200, "{answer}");
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    serde_json::from_str(body).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wallets_in_a_row_are_told_kept_over_a_restart_and_made_once_each() {
    let mut group = Group::new().await;
    let health = free_address();
    let line = format!("health = \"{health}\"");
    let mut nodes = Vec::new();
    for party in Party::ALL {
        let more = if party == Party::Operator { line.as_str() } else { "" };
        let node = group.start_with(party, more).await.unwrap();
        node.wait_connected(Duration::from_secs(10)).await.unwrap();
        group.courier.send(party, &group.enrolment()).await;
        group.courier.send(party, &group.policy()).await;
        nodes.push(node);
    }
    let mut made = Vec::new();
    for number in 1..=WALLETS {
        made.push(ask(&mut group, &nodes[0], number, session(number, 0)).await);
    }
    let told = status_of(health).await;
    assert_eq!((told.role, told.wallets.held), (Party::Operator, usize::from(WALLETS)));
    assert!(told.ready && told.journal_rows > u64::from(WALLETS), "{told:?}");
    assert_eq!(told.primes.wanted, 0, "these tests search for none");

    let (status, text) = ask_of(health, "/metrics", "localhost:1").await;
    assert_eq!(status, 200);
    assert!(text.contains("application/openmetrics-text"), "{text}");
    let held = format!("\ntercet_node_wallets {WALLETS}.0\n");
    assert!(text.contains(&held) && text.ends_with("# EOF\n"), "{text}");
    let lower = text.to_lowercase();
    let names_one = made.iter().any(|wallet| lower.contains(&hex::encode(wallet)));
    assert!(!names_one && !text.contains("research-01"), "{text}");
    for path in ["/status", "/metrics", "/readyz"] {
        assert_eq!(ask_of(health, path, "evil.example").await.0, 403, "{path}");
    }

    // The same requests make no other wallets, before a restart and after it.
    for node in nodes.drain(..) {
        node.stop().await;
    }
    let nodes = group.start_all().await;
    made.sort_unstable();
    for node in &nodes {
        let held: Vec<_> = node.wallets().unwrap().iter().map(|held| held.address).collect();
        assert_eq!(held, made);
    }
    let again = ask(&mut group, &nodes[0], 1, session(1, 1)).await;
    assert!(made.contains(&again));
    assert_eq!(nodes[1].status().wallets.held, usize::from(WALLETS));
}
