//! The socket at which an agent's processes use the node beside them: who is let in, what is
//! bounded, and what becomes of those who die in the middle.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    unreachable_pub,
    reason = "tests may fail, loudly"
)]

mod support {
    #[allow(dead_code, reason = "shared with other tests")]
    pub mod courier;
    #[allow(dead_code, reason = "shared with other tests")]
    pub mod group;
    #[allow(dead_code, reason = "shared with other tests")]
    pub mod payments;
}

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use support::courier::session;
use support::group::{Group, set_mode};
use support::payments::{claim, intent, make_wallet};
use tercet_api::auth::{self, RequestParts, SignatureHeaders};
use tercet_api::relay::ToNode;
use tercet_policy::document::Ed25519PublicKey;
use tercet_policy::intent::{PaymentIntent, SignedIntent};
use tercet_policy::party::Party;
use tercet_signer_node::config::{NameOrId, SocketConfig};
use tercet_signer_node::socket::{BODY_BYTES_MAX, CONNECTIONS_MAX, Served, Socket};
use tercet_signer_node::{NodeHandle, stop_shared};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);
/// A user and a group that own nothing here.
const NOBODY: u32 = 65_534;
const CHILD: &str = "TERCET_TEST_SOCKET";

struct Desk {
    group: Group,
    node: Arc<NodeHandle>,
    served: Served,
    path: PathBuf,
    folder: tempfile::TempDir,
}

fn config(path: &Path) -> SocketConfig {
    SocketConfig { path: path.to_owned(), users: None, group: None }
}

impl Desk {
    async fn of(group: Group, node: NodeHandle, users: Option<(u32, u32)>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.sock");
        let mut config = config(&path);
        if let Some((user, group)) = users {
            config.users = Some(vec![NameOrId::Id(user)]);
            config.group = Some(NameOrId::Id(group));
            set_mode(folder.path(), 0o755);
        }
        let node = Arc::new(node);
        let served = Socket::bind(&config).await.unwrap().serve(&node);
        Self { group, node, served, path, folder }
    }

    async fn new(users: Option<(u32, u32)>) -> Self {
        let group = Group::new().await;
        let node = group.start(Party::Agent).await.unwrap();
        node.wait_connected(PATIENCE).await.unwrap();
        Self::of(group, node, users).await
    }

    fn client(&self) -> Client {
        client(&self.path)
    }

    async fn close(self) {
        self.served.stop().await;
        assert!(!self.path.exists(), "the file is taken away");
        stop_shared(self.node).await;
        drop((self.group, self.folder));
    }
}

fn client(path: &Path) -> Client {
    Client::builder().unix_socket(path).no_proxy().build().unwrap()
}

async fn ask(client: &Client, method: Method, path: &str, body: Vec<u8>) -> (StatusCode, Value) {
    let sent = client.request(method, format!("http://node{path}")).body(body).send();
    let answer = timeout(PATIENCE, sent).await.unwrap().unwrap();
    let status = answer.status();
    let body = answer.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

async fn get(client: &Client, path: &str) -> (StatusCode, Value) {
    ask(client, Method::GET, path, Vec::new()).await
}

async fn post(client: &Client, path: &str, body: &Value) -> (StatusCode, Value) {
    ask(client, Method::POST, path, serde_json::to_vec(body).unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_that_is_not_listed_is_turned_away_before_it_is_heard() {
    // Whoever runs this test may open the file, and is not listed.
    let desk = Desk::new(Some((NOBODY, NOBODY))).await;
    let client = desk.client();
    for path in ["/v1/node", "/v1/wallets", "/v1/readiness"] {
        let (status, problem) = get(&client, path).await;
        assert_eq!((status.as_u16(), &problem["code"]), (403, &json!("forbidden")), "{problem}");
    }
    if rustix::process::geteuid().is_root() {
        assert_eq!(as_user(NOBODY, &desk.path), "200", "a listed user is let in");
        assert_eq!(as_user(NOBODY - 1, &desk.path), "cannot connect", "the mode holds already");
        set_mode(&desk.path, 0o666);
        assert_eq!(as_user(NOBODY - 1, &desk.path), "403", "the kernel says who asks");
    }
    desk.close().await;
}

/// What another user sees: this program again, as that user.
fn as_user(user: u32, socket: &Path) -> String {
    let told = socket.with_file_name(format!("told-{user}"));
    std::fs::write(&told, "").unwrap();
    set_mode(&told, 0o666);
    let child = Command::new("/proc/self/exe")
        .args(["--exact", "asks_as_another_user", "--ignored"])
        .env(CHILD, socket)
        .env(format!("{CHILD}_TOLD"), &told)
        .uid(user)
        .gid(user)
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    std::fs::read_to_string(told).unwrap()
}

#[test]
#[ignore = "the other half of a_user_that_is_not_listed_is_turned_away_before_it_is_heard"]
fn asks_as_another_user() {
    let Some(socket) = std::env::var_os(CHILD) else { return };
    let told = std::env::var_os(format!("{CHILD}_TOLD")).unwrap();
    let said = match UnixStream::connect(socket) {
        Err(_) => "cannot connect".to_owned(),
        Ok(mut stream) => {
            let asked = "GET /v1/node HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n";
            stream.write_all(asked.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer.split(' ').nth(1).unwrap().to_owned()
        }
    };
    std::fs::write(told, said).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_or_makes_no_sense_is_refused_and_the_node_serves_on() {
    let desk = Desk::new(None).await;
    let client = desk.client();
    let large = vec![b' '; BODY_BYTES_MAX + 1];
    let (status, problem) = ask(&client, Method::POST, "/v1/sign/intent", large).await;
    assert_eq!((status.as_u16(), &problem["code"]), (413, &json!("too_large")));
    for (path, body) in [
        ("/v1/sign/intent", json!({ "version": 1 })),
        ("/v1/sign/request", json!({ "method": "GET", "path": "/", "query": "", "body": "%" })),
        ("/v1/connected", json!({ "patience_ms": 1, "else": 1 })),
        ("/v1/payments/begin", json!([])),
        ("/v1/payments/zz/ticket", json!({ "patience_ms": 1 })),
        ("/v1/wallets/0x12/wake", json!({})),
    ] {
        let (status, problem) = post(&client, path, &body).await;
        assert_eq!((status.as_u16(), &problem["code"]), (400, &json!("malformed")), "{path}");
    }
    assert_eq!(get(&client, "/v2/node").await.0, 404);
    assert_eq!(get(&client, "/v1/payments/begin").await.0, 405);
    for garbage in [&b"\0\x01\x02\xff\r\n\r\n"[..], &[b'x'; 64 * 1024], b"GET / HTTP/9.9\r\n\r\n"] {
        let mut stream = UnixStream::connect(&desk.path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // The node may have hung up before it was all said.
        drop(stream.write_all(garbage));
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{answer:?}");
    }
    let (status, node) = get(&client, "/v1/node").await;
    assert_eq!((status.as_u16(), &node["keys"]["id"]), (200, &json!("research-01")));
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_signed_as_the_agent_but_none_for_the_relay() {
    let desk = Desk::new(None).await;
    let client = desk.client();
    let asked =
        |path: &str| json!({ "method": "POST", "path": path, "query": "a=b", "body": "eA==" });
    let (status, signed) = post(&client, "/v1/sign/request", &asked("/v1/payments")).await;
    assert_eq!(status, 200, "{signed}");
    let header = |name: &str| signed[name].as_str().unwrap().to_owned();
    let headers = SignatureHeaders {
        signature_input: header("signature_input"),
        signature: header("signature"),
        content_digest: header("content_digest"),
    };
    let parts = RequestParts { method: "POST", path: "/v1/payments", query: "a=b", body: b"x" };
    let key = |_: &_| -> Option<Ed25519PublicKey> { Some(desk.group.keys[0].signing) };
    let caller = auth::open(&parts, &headers, key, support::courier::now()).unwrap();
    assert_eq!(caller.node.as_str(), "research-01");
    let (status, problem) = post(&client, "/v1/sign/request", &asked("/v1/relay")).await;
    assert_eq!(status, 403, "whoever signs for the relay is the node: {problem}");
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_bounded_and_come_free_again() {
    let desk = Desk::new(None).await;
    let held: Vec<_> =
        (0..CONNECTIONS_MAX).map(|_| UnixStream::connect(&desk.path).unwrap()).collect();
    let sent = desk.client().get("http://node/v1/node").send().await.unwrap();
    assert_eq!(sent.status(), 429);
    assert_eq!(sent.headers()["retry-after"], "1");
    drop(held);
    let free = async {
        while get(&desk.client(), "/v1/node").await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, free).await.unwrap();
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stops_tells_those_who_wait() {
    let desk = Desk::new(None).await;
    let path = format!("http://node/v1/payments/{}/ticket", "ab".repeat(32));
    let waiting = desk.client().post(path).json(&json!({ "patience_ms": 1_000 })).send();
    let mut waiting = timeout(PATIENCE, waiting).await.unwrap().unwrap();
    assert_eq!(waiting.status(), 200, "the ticket is issued before anything has ended");
    let (path, reading) = (desk.path.clone(), async {
        let line = waiting.chunk().await.unwrap().unwrap();
        let end: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(end["why"]["code"], "stopped", "{end}");
    });
    tokio::join!(desk.close(), reading);
    assert!(UnixStream::connect(path).is_err());
}

async fn ticket(client: &Client, intent: &PaymentIntent) -> reqwest::Response {
    let path = format!("http://node/v1/payments/{}/ticket", intent.id);
    let sent = client.post(path).json(&json!({ "patience_ms": 1_000 })).send().await.unwrap();
    assert_eq!(sent.status(), 200);
    sent
}

async fn ask_to_sign(group: &Group, envelope: &SignedIntent, number: u8) {
    for party in Party::EVERYDAY {
        let (envelope, claim) = (envelope.clone(), claim(&envelope.document));
        let frame =
            ToNode::Sign { session: session(number), envelope, claim, approvals: Vec::new() };
        group.courier.send(party, &frame).await;
    }
}

/// Slow: two nodes sign in rounds, twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_dies_while_it_waits_loses_nothing() {
    let mut group = Group::new().await;
    let [agent, operator, recovery] = group.start_all().await;
    let wallet = make_wallet(&mut group, &agent).await;
    let desk = Desk::of(group, agent, None).await;
    let (one, two) = (desk.client(), desk.client());
    let (_, wallets) = get(&one, "/v1/wallets").await;
    assert_eq!(wallets[0]["address"], json!(wallet), "{wallets}");

    let paid = intent(wallet, 10_000, 1);
    let (status, envelope) =
        post(&one, "/v1/sign/intent", &serde_json::to_value(&paid).unwrap()).await;
    assert_eq!(status, 200, "{envelope}");
    let envelope: SignedIntent = serde_json::from_value(envelope).unwrap();
    let may_have_signed = format!("/v1/payments/{}/may-have-signed", paid.id);
    let (_, said) = get(&one, &may_have_signed).await;
    assert_eq!(said["may_have_signed"], false);

    // The first dies with its ticket in hand, and nobody takes what it asked for.
    drop(ticket(&one, &paid).await);
    drop(one);
    // Until the node has seen it hang up, what is finished would go to it, and be signed again.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut left = ticket(&two, &paid).await;
    ask_to_sign(&desk.group, &envelope, 2).await;
    let first = next_end(&mut left).await;
    assert_eq!(first["kind"], "signed", "the one that lives has it");
    let (_, said) = get(&two, &may_have_signed).await;
    assert_eq!(said["may_have_signed"], true);

    // Asked again, the same intent gives the same authorization.
    let mut again = ticket(&two, &paid).await;
    drop(left);
    ask_to_sign(&desk.group, &envelope, 3).await;
    let second = next_end(&mut again).await;
    let without_signature = |end: &Value| {
        let mut payment = end["payment"].clone();
        payment.as_object_mut().unwrap().remove("signature").unwrap();
        payment
    };
    assert_eq!(without_signature(&first), without_signature(&second));
    drop(again);
    operator.stop().await;
    recovery.stop().await;
    desk.close().await;
}

async fn next_end(waiting: &mut reqwest::Response) -> Value {
    let line = timeout(PATIENCE, waiting.chunk()).await.unwrap().unwrap().unwrap();
    serde_json::from_slice(&line).unwrap()
}
