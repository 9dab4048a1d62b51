use alloy_primitives::Address;
use reqwest::Method;
use serde_json::{Value, json};
use tercet_policy::document::{Signed, WalletRequest};

use super::fixture::*;
use super::node::{FakeNode, Manner};

const NEW: Address = Address::repeat_byte(0x90);

async fn all_three(house: &House) -> [FakeNode; 3] {
    let nodes = [
        FakeNode::join(house, "research-01", Manner::Signs).await,
        FakeNode::join(house, "op-1", Manner::Signs).await,
        FakeNode::join(house, "rec-1", Manner::Signs).await,
    ];
    nodes.iter().for_each(|node| *node.wallet.lock().unwrap() = NEW);
    nodes
}

async fn ask(house: &House, id: u8) -> (u16, Value) {
    ask_for(house, &wallet_request(id)).await
}

async fn ask_for(house: &House, request: &Signed<WalletRequest>) -> (u16, Value) {
    let body = json!({ "request": request });
    let (status, body) = house.call(Some("research-01"), Method::POST, "/v1/wallets", &body).await;
    (status.as_u16(), body)
}

async fn over(house: &House, id: u8) -> Value {
    let path = format!("/v1/ceremonies/{}", hex::encode([id; 32]));
    for _ in 0..100 {
        let (_, body) = house.look(&path).await;
        if body["status"] == "done" || body["status"] == "failed" {
            return body;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the ceremony does not end");
}

#[tokio::test]
async fn three_nodes_make_a_wallet_once() {
    let house = House::new().await;
    let _nodes = all_three(&house).await;
    let request = wallet_request(1);
    assert_eq!(ask_for(&house, &request).await.0, 202);
    let done = over(&house, 1).await;
    assert_eq!((done["status"].as_str(), &done["wallet"]), (Some("done"), &json!(NEW)));
    let (status, again) = ask_for(&house, &request).await;
    assert_eq!((status, &again["wallet"]), (200, &json!(NEW)));
    let (_, agent) = house.look("/v1/agents/research-01").await;
    assert_eq!(agent["aux"], "05".repeat(32));
    assert_eq!(house.look(&format!("/v1/wallets/{NEW}")).await.0, 200);
    let mut other = request.document;
    other.label = "another".into();
    let other = Signed::by(other, &key(21)).unwrap();
    let (status, body) = ask_for(&house, &other).await;
    assert_eq!((status, body["code"].as_str()), (409, Some("id_conflict")));
}

#[tokio::test]
async fn no_wallet_comes_of_different_reports_or_of_a_failure() {
    let house = House::new().await;
    let nodes = all_three(&house).await;
    *nodes[2].wallet.lock().unwrap() = Address::repeat_byte(0x91);
    ask(&house, 1).await;
    let failed = over(&house, 1).await;
    assert_eq!(failed["status"], "failed");
    assert!(failed["detail"].as_str().unwrap().contains("different"));
    nodes[1].becomes(Manner::Breaks);
    ask(&house, 2).await;
    let failed = over(&house, 2).await;
    assert!(failed["detail"].as_str().unwrap().contains("bad proof"), "{failed}");
    let (_, wallets) = house.look("/v1/wallets").await;
    assert_eq!(wallets.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_missing_node_is_named() {
    let house = House::new().await;
    let _agent = FakeNode::join(&house, "research-01", Manner::Signs).await;
    let _operator = FakeNode::join(&house, "op-1", Manner::Signs).await;
    ask(&house, 1).await;
    let failed = over(&house, 1).await;
    assert!(failed["detail"].as_str().unwrap().contains("rec-1"), "{failed}");
}

#[tokio::test]
async fn a_stop_fails_what_was_going_on() {
    let house = House::new().await;
    ask(&house, 1).await;
    let house = house.restarted().await;
    let (_, body) = house.look(&format!("/v1/ceremonies/{}", hex::encode([1; 32]))).await;
    assert_eq!(body["status"], "failed");
}
