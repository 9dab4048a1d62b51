//! An endpoint that passes everything on to a real node, and lies about one thing.

use std::sync::Arc;

use anyhow::Result;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use url::Url;

/// What it lies about.
pub(crate) type Lie = fn(request: &Value, honest: Value) -> Value;

/// A lying endpoint; it ends when this is dropped.
pub(crate) struct Liar {
    pub(crate) url: Url,
    serving: JoinHandle<()>,
}

struct Behind {
    node: Url,
    http: reqwest::Client,
    lie: Lie,
}

impl Liar {
    pub(crate) async fn before(node: &Url, lie: Lie) -> Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = Url::parse(&format!("http://{}", listener.local_addr()?))?;
        let http = crate::chain::http_client()?;
        let behind = Arc::new(Behind { node: node.clone(), http, lie });
        let app = Router::new().route("/", post(answer)).with_state(behind);
        let serving = tokio::spawn(async move {
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { url, serving })
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(behind): State<Arc<Behind>>, Json(request): Json<Value>) -> Json<Value> {
    let sent = behind.http.post(behind.node.clone()).json(&request).send().await;
    let mut answer: Value = sent.unwrap().json().await.unwrap();
    if let Some(honest) = answer.get_mut("result").map(Value::take) {
        answer["result"] = (behind.lie)(&request, honest);
    }
    Json(answer)
}

/// Says of every authorization that it was never used.
pub(crate) fn denies_every_use(request: &Value, honest: Value) -> Value {
    let zero = format!("0x{}", "0".repeat(64));
    if is_view(request, "0xe94a0102") { json!(zero) } else { honest }
}

/// Says that the newest safe block is years ahead of the truth.
pub(crate) fn lives_in_the_future(request: &Value, mut honest: Value) -> Value {
    if request["method"] == "eth_getBlockByNumber" {
        honest["timestamp"] = json!("0xffffffff");
    }
    honest
}

/// Claims another chain.
pub(crate) fn claims_another_chain(request: &Value, honest: Value) -> Value {
    if request["method"] == "eth_chainId" { json!("0x1") } else { honest }
}

/// Has every receipt fail.
pub(crate) fn fails_every_receipt(request: &Value, mut honest: Value) -> Value {
    if request["method"] == "eth_getTransactionReceipt" && !honest.is_null() {
        honest["status"] = json!("0x0");
        honest["logs"] = json!([]);
    }
    honest
}

/// Knows no receipt and no newer account nonce: as if nothing had been mined.
pub(crate) fn has_seen_nothing(request: &Value, honest: Value) -> Value {
    match request["method"].as_str() {
        Some("eth_getTransactionReceipt") => Value::Null,
        Some("eth_getTransactionCount") => json!("0x0"),
        _ => honest,
    }
}

/// Pads every answer beyond what anybody reads.
pub(crate) fn never_stops_talking(_: &Value, _: Value) -> Value {
    json!("0".repeat(tercet_chain::RESPONSE_BYTES_MAX))
}

/// A tenth of the money in every wallet.
pub(crate) fn makes_wallets_rich(request: &Value, honest: Value) -> Value {
    let fortune = format!("0x{:064x}", u64::MAX);
    match request["method"].as_str() {
        Some("eth_getBalance") => json!("0xffffffffffffffff"),
        _ if is_view(request, "0x70a08231") => json!(fortune),
        _ => honest,
    }
}

fn is_view(request: &Value, selector: &str) -> bool {
    let call = &request["params"][0];
    let input = call["input"].as_str().or_else(|| call["data"].as_str());
    request["method"] == "eth_call" && input.is_some_and(|input| input.starts_with(selector))
}
