use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Once};

use alloy_primitives::{Address, B256, Bytes, keccak256};
use async_trait::async_trait;
use ed25519_dalek::SigningKey;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tercet_api::auth::{self, RequestParts};
use tercet_api::resource::ChainBalance;
use tercet_policy::chain::{ASSETS, Chain};
use tercet_policy::declared::Declared;
use tercet_policy::document::{
    Authority, AuthorityConfig, ContentHash, Document, Ed25519PublicKey, Enrolment, Freeze,
    NodeKeys, RequestId, Signed, WalletRequest, X25519PublicKey,
};
use tercet_policy::intent::{
    IntentId, Payment, PaymentIntent, Service, SignedIntent, Transfer, X402Exact,
};
use tercet_policy::money::Amount;
use tercet_policy::party::{AgentId, NodeId};
use tercet_policy::proposal::ChainTerms;
use tercet_policy::rules::{PolicyDocument, SignedPolicy};
use tercet_policy::time::UnixSeconds;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::{App, Parts};
use crate::clerk::{AuthorizationWish, Clerk, ClerkError, Sighting, TransferWish};
use crate::clock::Clock;
use crate::config::{Config, HouseRole, Limits, NodeConfig, ReadToken};
use crate::crash::CrashPlan;
use crate::server;
use crate::store::{Store, WalletRecord};

pub(super) const TOKEN: &str = "a-read-token-of-the-tests";
pub(super) const PAYEE: Address = Address::repeat_byte(0x55);
pub(super) const WALLET: Address = Address::repeat_byte(0x77);
pub(super) const OTHER_WALLET: Address = Address::repeat_byte(0x78);

pub(super) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(super) fn agent(name: &str) -> AgentId {
    AgentId::new(name).unwrap()
}

pub(super) fn now() -> UnixSeconds {
    Clock::System.now()
}

/// Seeds of the keys: authority 1 and 2, operator 11, recovery 12, agents 21 and 22.
pub(super) fn seed_of(node: &str) -> u8 {
    match node {
        "op-1" => 11,
        "rec-1" => 12,
        "research-01" => 21,
        "research-02" => 22,
        other => panic!("no key for {other}"),
    }
}

fn node_keys(id: &str) -> NodeKeys {
    let seed = seed_of(id);
    NodeKeys {
        id: NodeId::new(id).unwrap(),
        signing: Ed25519PublicKey::of(&key(seed)),
        channel: X25519PublicKey([seed; 32]),
    }
}

pub(super) fn enrolment(name: &str, epoch: u64) -> Enrolment {
    Enrolment {
        agent: agent(name),
        epoch,
        agent_node: node_keys(name),
        operator_node: node_keys("op-1"),
        recovery_node: node_keys("rec-1"),
    }
}

pub(super) fn by_quorum<T: Document>(document: T) -> Signed<T> {
    let mut signed = Signed::by(document, &key(1)).unwrap();
    signed.add_signature(&key(2)).unwrap();
    signed
}

pub(super) fn freeze(name: &str, epoch: u64, frozen: bool) -> Freeze {
    Freeze { agent: agent(name), epoch, frozen, reason: "looks wrong".into() }
}

pub(super) fn policy(name: &str, epoch: u64) -> SignedPolicy {
    by_quorum(PolicyDocument {
        yaml: format!(
            "policy: test\nepoch: {epoch}\napplies_to: {{ agent: {name} }}\nrules:\n  \
             - max_amount: 0.50 USDC\n  - limit: {{ amount: 5 USDC, per: day }}\n  \
             - allow: {{ services: [a.example] }}\n  - allow: {{ recipients: [\"{PAYEE}\"] }}\n"
        ),
    })
}

pub(super) fn intent(name: &str, id: u8, payment: Payment) -> SignedIntent {
    let at = now();
    let intent = PaymentIntent {
        version: 1,
        id: IntentId([id; 32]),
        agent: agent(name),
        wallet: if name == "research-01" { WALLET } else { OTHER_WALLET },
        payment,
        declared: Declared::default(),
        created_at: at,
        expires_at: at.plus(60),
    };
    Signed::by(intent, &key(seed_of(name))).unwrap()
}

pub(super) fn x402(units: u128) -> Payment {
    Payment::X402Exact(X402Exact {
        chain: Chain::Base,
        token: ASSETS[0].token,
        to: PAYEE,
        amount: Amount::from_base_units(units),
        valid_before: now().plus(60),
        resource: "https://a.example/".into(),
        service: Service::of("https://a.example").unwrap(),
    })
}

pub(super) fn transfer(units: u128) -> Payment {
    Payment::Transfer(Transfer {
        chain: Chain::Base,
        token: ASSETS[0].token,
        to: PAYEE,
        amount: Amount::from_base_units(units),
    })
}

pub(super) fn wallet_request(id: u8) -> Signed<WalletRequest> {
    let request = WalletRequest {
        agent: agent("research-01"),
        request: RequestId([id; 32]),
        label: "spending".into(),
        created_at: now(),
    };
    Signed::by(request, &key(21)).unwrap()
}

/// A chain of the tests' own.
#[derive(Debug, Default)]
pub(super) struct FakeChain {
    pub next_nonce: Mutex<u64>,
    pub sent: Mutex<Vec<Bytes>>,
    pub sightings: Mutex<BTreeMap<String, Sighting>>,
    pub rejects: Mutex<bool>,
}

impl FakeChain {
    /// What is to be seen of an EIP-3009 or account nonce.
    pub(super) fn show(&self, nonce: impl ToString, sighting: Sighting) {
        self.sightings.lock().unwrap().insert(nonce.to_string(), sighting);
    }

    fn look(&self, nonce: &str) -> Result<Sighting, ClerkError> {
        let nothing = Sighting::Pending { seen: None, detail: None };
        Ok(self.sightings.lock().unwrap().get(nonce).cloned().unwrap_or(nothing))
    }
}

#[async_trait]
impl Clerk for FakeChain {
    fn chains(&self) -> Vec<Chain> {
        vec![Chain::Base]
    }
    fn poll_seconds(&self, _: Chain) -> u64 {
        1
    }
    async fn answering(&self) -> Vec<Chain> {
        self.chains()
    }
    async fn balance(&self, chain: Chain, _: Address) -> Result<ChainBalance, ClerkError> {
        self.look("")?;
        Ok(ChainBalance { chain, native: Amount::ZERO, usdc: Amount::from_base_units(5) })
    }
    async fn next_nonce(&self, _: Chain, _: Address) -> Result<u64, ClerkError> {
        Ok(*self.next_nonce.lock().unwrap())
    }
    async fn transfer_terms(&self, _: Chain, nonce: u64) -> Result<ChainTerms, ClerkError> {
        Ok(ChainTerms::Eip1559 {
            nonce,
            gas_limit: 60_000,
            max_fee_per_gas: Amount::from_base_units(1_000_000),
            max_priority_fee_per_gas: Amount::from_base_units(1),
        })
    }
    async fn broadcast(&self, chain: Chain, raw: &Bytes) -> Result<B256, ClerkError> {
        if *self.rejects.lock().unwrap() {
            return Err(ClerkError::Rejected { chain, reason: "insufficient funds".into() });
        }
        self.sent.lock().unwrap().push(raw.clone());
        Ok(keccak256(raw))
    }
    async fn authorization(&self, wish: &AuthorizationWish) -> Result<Sighting, ClerkError> {
        self.look(&wish.nonce.to_string())
    }
    async fn transfer(&self, wish: &TransferWish) -> Result<Sighting, ClerkError> {
        self.look(&wish.nonce.to_string())
    }
}

/// A coordinator that serves.
pub(super) struct House {
    pub base: String,
    pub app: App,
    pub chain: Arc<FakeChain>,
    pub database: PathBuf,
    folder: Option<tempfile::TempDir>,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

pub(super) fn limits() -> Limits {
    Limits {
        payment_wait_seconds: 5,
        sign_seconds_max: 5,
        ceremony_nodes_seconds_max: 2,
        keygen_seconds_max: 5,
        prepare_seconds_max: 5,
        ..Limits::default()
    }
}

fn config(database: PathBuf, limits: Limits) -> Config {
    let keys = vec![Ed25519PublicKey::of(&key(1)), Ed25519PublicKey::of(&key(2))];
    let node = |id: &str, role| {
        let NodeKeys { id, signing, .. } = node_keys(id);
        NodeConfig { id, role, signing }
    };
    let sha256 = ContentHash(Sha256::digest(TOKEN).into());
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        database,
        authority: Authority::try_from(AuthorityConfig { keys, threshold: 2 }).unwrap(),
        insecure_plain_http: false,
        nodes: vec![node("op-1", HouseRole::Operator), node("rec-1", HouseRole::Recovery)],
        chains: Vec::new(),
        read_tokens: vec![ReadToken { name: "tests".into(), sha256 }],
        limits,
    }
}

impl House {
    /// A coordinator with two enrolled agents, each with a policy and a wallet.
    pub(super) async fn new() -> Self {
        Self::with(limits()).await
    }

    pub(super) async fn with(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let house = Self::open(folder.path().join("c.sqlite"), limits, Arc::default()).await;
        for (name, wallet) in [("research-01", WALLET), ("research-02", OTHER_WALLET)] {
            let enrol = json!({ "enrolment": by_quorum(enrolment(name, 1)) });
            let (status, body) = house.call(None, Method::POST, "/v1/agents", &enrol).await;
            assert_eq!(status, 201, "{body}");
            house.put_policy(name, 1).await;
            house.add_wallet(name, wallet).await;
        }
        Self { folder: Some(folder), ..house }
    }

    pub(super) async fn open(database: PathBuf, limits: Limits, chain: Arc<FakeChain>) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            rustls::crypto::ring::default_provider().install_default().unwrap();
        });
        let config = config(database.clone(), limits);
        let store = Store::open(&database).await.unwrap();
        let parts = Parts {
            store,
            clerk: Arc::<FakeChain>::clone(&chain),
            clock: Clock::System,
            crash: CrashPlan::default(),
        };
        let app = App::new(&config, parts).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
        let stop = CancellationToken::new();
        let (serve, stopped) = (app.clone(), stop.clone().cancelled_owned());
        let serving = tokio::spawn(async move {
            server::serve(serve, listener, stopped).await.unwrap();
        });
        Self { base, app, chain, database, folder: None, stop, serving }
    }

    /// Stops the coordinator and starts another on the same file.
    pub(super) async fn restarted(self) -> Self {
        let Self { database, chain, folder, stop, serving, app, .. } = self;
        let limits = app.limits();
        drop(app);
        stop.cancel();
        serving.await.unwrap();
        let house = Self::open(database, limits, chain).await;
        Self { folder, ..house }
    }

    pub(super) async fn add_wallet(&self, name: &str, address: Address) {
        let request = RequestId([address.0[0]; 32]);
        let asked = WalletRequest {
            agent: agent(name),
            request,
            label: "made by hand".into(),
            created_at: now(),
        };
        let signed = Signed::by(asked, &key(seed_of(name))).unwrap();
        let store = self.app.store();
        store.insert_ceremony(&signed, ContentHash([1; 32]), now()).await.unwrap();
        let wallet = WalletRecord {
            address,
            agent: agent(name),
            label: "made by hand".into(),
            request,
            transcript: ContentHash([2; 32]),
            created_at: now(),
        };
        store.finish_ceremony(&wallet).await.unwrap();
    }

    pub(super) async fn put_policy(&self, name: &str, epoch: u64) {
        let path = format!("/v1/agents/{name}/policy");
        let body = serde_json::to_value(policy(name, epoch)).unwrap();
        let (status, body) = self.call(None, Method::PUT, &path, &body).await;
        assert_eq!(status, 201, "{body}");
    }

    /// Calls as `node`, or without credentials.
    pub(super) async fn call(
        &self,
        node: Option<&str>,
        method: Method,
        path: &str,
        body: &Value,
    ) -> (StatusCode, Value) {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        read(self.send(node, method, path, text).await).await
    }

    pub(super) async fn send(
        &self,
        node: Option<&str>,
        method: Method,
        path: &str,
        body: String,
    ) -> Response {
        let url = format!("http://{}{path}", self.base);
        let mut request = reqwest::Client::new().request(method.clone(), url);
        if let Some(node) = node {
            for (name, value) in signature(node, &method, path, body.as_bytes()) {
                request = request.header(name, value);
            }
        }
        request.body(body).send().await.unwrap()
    }

    /// Calls with the bearer token.
    pub(super) async fn look(&self, path: &str) -> (StatusCode, Value) {
        let url = format!("http://{}{path}", self.base);
        let request = reqwest::Client::new().get(url).bearer_auth(TOKEN);
        read(request.send().await.unwrap()).await
    }

    pub(super) async fn pay(&self, name: &str, intent: &SignedIntent) -> (StatusCode, Value) {
        self.call(Some(name), Method::POST, "/v1/payments", &json!({ "intent": intent })).await
    }

    /// Looks at a payment until it has this status.
    pub(super) async fn until(&self, id: u8, status: &str) -> Value {
        let path = format!("/v1/payments/{}", IntentId([id; 32]));
        for _ in 0..150 {
            let (_, body) = self.look(&path).await;
            if body["status"] == status {
                return body;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("payment {id} never became {status}: {}", self.look(&path).await.1);
    }
}

/// Waits, with an end, until something is so.
pub(super) async fn soon(so: impl Fn() -> bool) {
    for _ in 0..1_500 {
        if so() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it never came");
}

pub(super) async fn read(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let kind = response.headers().get("content-type").cloned();
    let body: Value = response.json().await.unwrap_or(Value::Null);
    if status.is_client_error() || status.is_server_error() {
        assert_eq!(kind.unwrap(), "application/problem+json", "{body}");
        assert_eq!(body["status"], status.as_u16());
        assert_eq!(body["log_ref"].as_str().unwrap().len(), 16);
        let code = body["code"].as_str().unwrap();
        assert_eq!(body["type"], format!("urn:tercet:problem:{code}"));
    }
    (status, body)
}

pub(super) fn signature(
    node: &str,
    method: &Method,
    path: &str,
    body: &[u8],
) -> [(&'static str, String); 3] {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parts = RequestParts { method: method.as_str(), path, query, body };
    let mut nonce = [0u8; 16];
    getrandom::fill(&mut nonce).unwrap();
    let id = NodeId::new(node).unwrap();
    let headers = auth::sign(&parts, &id, &key(seed_of(node)), now(), nonce);
    [
        (auth::SIGNATURE_INPUT, headers.signature_input),
        (auth::SIGNATURE, headers.signature),
        (auth::CONTENT_DIGEST, headers.content_digest),
    ]
}
