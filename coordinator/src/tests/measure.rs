//! What the coordinator's share of a payment costs, with nodes that answer at once. No test: it
//! fails on nothing but a payment that is not signed.

use std::time::{Duration, Instant};

use alloy_primitives::B256;
use reqwest::{Client, Method};
use serde_json::json;
use tercet_policy::document::Signed;
use tercet_policy::intent::{IntentId, SignedIntent};

use super::fixture::*;
use super::node::{FakeNode, Manner};
use crate::config::Limits;

const PAYMENTS: usize = 4_000;

fn numbered(number: usize) -> SignedIntent {
    let SignedIntent { mut document, .. } = intent("research-01", 0, x402(1));
    let mut id = [0xaa; 32];
    id[..8].copy_from_slice(&number.to_be_bytes());
    document.id = IntentId(id);
    Signed::by(document, &key(seed_of("research-01"))).unwrap()
}

async fn pay(house: &House, client: &Client, number: usize) -> Duration {
    let part = json!({ "presignature": B256::repeat_byte(7), "sealed": "A".repeat(400) });
    let body = json!({ "intent": numbered(number), "part": part }).to_string();
    let headers = signature("research-01", &Method::POST, "/v1/payments", body.as_bytes());
    let mut request = client.post(format!("http://{}/v1/payments", house.base)).body(body);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let begun = Instant::now();
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    assert!(status == 201 && text.contains("\"signed_by\":\"presignature\""), "{text}");
    begun.elapsed()
}

/// Of this whole process, with the client and the node.
fn rss() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default().to_owned()
}

fn tell(what: &str, mut took: Vec<Duration>, all: Duration) {
    took.sort();
    let last = took.len().saturating_sub(1);
    let at = |share: usize| took[last.saturating_mul(share) / 100].as_secs_f64() * 1_000.0;
    let per_second = took.len() as f64 / all.as_secs_f64();
    println!(
        "{what}: p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms, {per_second:.0} payments/s",
        at(50),
        at(95),
        at(99)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, for people"]
async fn what_a_payment_costs() {
    let much = u64::try_from(4 * PAYMENTS).unwrap();
    let limits =
        Limits { payments_open_max: much, payments_open_per_agent_max: much, ..Limits::default() };
    let house = House::with(limits).await;
    let _operator = FakeNode::join(&house, "op-1", Manner::Signs).await;
    let client = Client::new();
    let (begun, mut took) = (Instant::now(), Vec::new());
    for number in 0..300 {
        took.push(pay(&house, &client, number).await);
    }
    println!("{}", rss());
    tell("one after the other", took, begun.elapsed());
    for at_once in [16, 64] {
        let begun = Instant::now();
        let first = at_once * 100_000;
        let mut took = Vec::new();
        let lines = (0..at_once).map(|line| {
            let (house, client) = (&house, &client);
            async move {
                let mut took = Vec::new();
                for place in 0..PAYMENTS / at_once {
                    took.push(pay(house, client, first + line * 1_000 + place).await);
                }
                took
            }
        });
        for line in futures_util::future::join_all(lines).await {
            took.extend(line);
        }
        tell(&format!("{at_once} at once"), took, begun.elapsed());
        println!("{}", rss());
    }
}
