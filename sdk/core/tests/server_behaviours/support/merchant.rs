//! A merchant on loopback that does what its script says, and remembers what it was sent.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use alloy_primitives::B256;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use reqwest::{Method, Request, Url};
use serde_json::{Value, json};

pub(crate) const PAYEE: &str = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C";
pub(crate) const USDC: &str = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";
pub(crate) const WORDS: &str = "what you paid for";

/// One request as the merchant saw it.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    /// From 0, over all requests.
    pub(crate) number: usize,
    pub(crate) method: String,
    pub(crate) body: Bytes,
    pub(crate) payment: Option<SentPayment>,
    /// The MPP credential.
    pub(crate) credential: Option<Value>,
}

/// A payment that arrived.
#[derive(Clone, Debug)]
pub(crate) struct SentPayment {
    pub(crate) header: String,
    pub(crate) document: Value,
    pub(crate) nonce: B256,
    pub(crate) value: String,
    pub(crate) valid_before: u64,
}

impl SentPayment {
    fn read(headers: &HeaderMap) -> Option<Self> {
        let header = headers.get("payment-signature")?.to_str().unwrap().to_owned();
        let document: Value = serde_json::from_slice(&STANDARD.decode(&header).unwrap()).unwrap();
        let field =
            |name: &str| document["payload"]["authorization"][name].as_str().unwrap().to_owned();
        Some(Self {
            header,
            nonce: field("nonce").parse().unwrap(),
            value: field("value"),
            valid_before: field("validBefore").parse().unwrap(),
            document,
        })
    }
}

fn credential(headers: &HeaderMap) -> Option<Value> {
    let name = ["authorization", "payment-authorization"];
    let value = name.iter().find_map(|name| headers.get(*name))?.to_str().unwrap();
    let text = value.strip_prefix("Payment ")?;
    Some(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap())
}

/// What the merchant does.
pub(crate) enum Answer {
    Respond(Response),
    /// The connection breaks before anything is answered.
    Break,
    /// Nothing is answered for longer than the buyer waits.
    Hang,
}

pub(crate) struct Merchant {
    base: Url,
    hits: Arc<Mutex<Vec<Hit>>>,
}

impl Merchant {
    pub(crate) async fn start(script: impl Fn(Hit) -> Answer + Send + Sync + 'static) -> Self {
        let hits: Arc<Mutex<Vec<Hit>>> = Arc::default();
        let (script, seen) = (Arc::new(script), Arc::clone(&hits));
        let answer = move |request: axum::extract::Request| {
            let (script, seen) = (Arc::clone(&script), Arc::clone(&seen));
            async move {
                let (parts, body) = request.into_parts();
                let body = to_bytes(body, 1 << 20).await.unwrap();
                let hit = {
                    let mut seen = seen.lock().unwrap();
                    let hit = Hit {
                        number: seen.len(),
                        method: parts.method.to_string(),
                        payment: SentPayment::read(&parts.headers),
                        credential: credential(&parts.headers),
                        body,
                    };
                    seen.push(hit.clone());
                    hit
                };
                match script(hit) {
                    Answer::Respond(response) => response,
                    Answer::Break => broken(),
                    Answer::Hang => {
                        tokio::time::sleep(Duration::from_secs(20)).await;
                        Response::default()
                    }
                }
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let router = Router::new().fallback(answer);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base, hits }
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        self.base.join(path).unwrap()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> Request {
        Request::new(method, self.url(path))
    }

    pub(crate) fn hits(&self) -> Vec<Hit> {
        self.hits.lock().unwrap().clone()
    }

    /// Every payment that arrived, in order.
    pub(crate) fn payments(&self) -> Vec<SentPayment> {
        self.hits().into_iter().filter_map(|hit| hit.payment).collect()
    }
}

/// A response whose body breaks before its announced end.
fn broken() -> Response {
    let chunks = futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("broken"))]);
    let mut response = Response::new(Body::from_stream(chunks));
    response.headers_mut().insert("content-length", HeaderValue::from_static("100"));
    response
}

/// An acceptable requirement: 0.01 USDC on Base.
pub(crate) fn offer() -> Value {
    json!({
        "scheme": "exact", "network": "eip155:8453", "amount": "10000", "asset": USDC,
        "payTo": PAYEE, "maxTimeoutSeconds": 60,
        "extra": { "name": "USD Coin", "version": "2" },
    })
}

/// The acceptable requirement with one field changed.
pub(crate) fn offer_with(field: &str, value: impl Into<Value>) -> Value {
    let mut offer = offer();
    offer[field] = value.into();
    offer
}

/// The acceptable requirement with one field of `extra` changed.
pub(crate) fn offer_with_extra(field: &str, value: impl Into<Value>) -> Value {
    let mut offer = offer();
    offer["extra"][field] = value.into();
    offer
}

pub(crate) fn response(
    status: u16,
    headers: &[(&'static str, String)],
    body: impl Into<Body>,
) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        response.headers_mut().append(*name, HeaderValue::from_str(value).unwrap());
    }
    response
}

pub(crate) fn base64(value: &Value) -> String {
    STANDARD.encode(value.to_string())
}

/// A 402 with this document as its challenge.
pub(crate) fn challenge_of(document: &Value) -> Answer {
    Answer::Respond(response(402, &[("payment-required", base64(document))], "{}"))
}

/// A 402 that offers these requirements.
pub(crate) fn challenge(accepts: &[Value]) -> Answer {
    challenge_of(&json!({ "x402Version": 2, "error": "payment required", "accepts": accepts }))
}

/// The resource, with nothing said about settlement.
pub(crate) fn resource() -> Answer {
    Answer::Respond(response(200, &[], WORDS))
}

/// The resource, and a settlement in this transaction.
pub(crate) fn resource_settled_in(transaction: B256) -> Answer {
    let claim = json!({
        "success": true, "transaction": transaction, "network": "eip155:8453",
        "payer": super::wallet(),
    });
    Answer::Respond(response(200, &[("payment-response", base64(&claim))], WORDS))
}

/// A 402 that says only how the settlement failed.
pub(crate) fn settle_failed(reason: &str, transaction: &str) -> Answer {
    let claim = json!({
        "success": false, "errorReason": reason, "transaction": transaction,
        "network": "eip155:8453",
    });
    Answer::Respond(response(402, &[("payment-response", base64(&claim))], "{}"))
}
