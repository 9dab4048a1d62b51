use serde_json::json;
use tercet_policy::intent::IntentId;

use super::fixture::*;
use super::node::{FakeNode, Manner};
use super::payments::pair;
use crate::clerk::Sighting;

#[tokio::test]
async fn a_payment_that_was_only_received_goes_on_after_a_restart() {
    let limits = crate::config::Limits { payment_wait_seconds: 1, ..limits() };
    let house = House::with(limits).await;
    house.pay("research-01", &intent("research-01", 1, x402(10))).await;
    house.until(1, "received").await;
    let house = house.restarted().await;
    let _nodes = pair(&house, Manner::Signs, Manner::Signs).await;
    house.until(1, "signed").await;
}

#[tokio::test]
async fn a_session_that_was_cut_off_is_run_again_with_the_same_claim() {
    let limits = crate::config::Limits { payment_wait_seconds: 1, ..limits() };
    let house = House::with(limits).await;
    let (agent, operator) = pair(&house, Manner::Silent, Manner::Silent).await;
    house.pay("research-01", &intent("research-01", 1, x402(10))).await;
    house.until(1, "signing").await;
    let id = IntentId([1; 32]);
    let before = house.app.store().payment(&id).await.unwrap().unwrap().facts.claim;
    drop((agent, operator));
    let house = house.restarted().await;
    let nodes = pair(&house, Manner::Refuses, Manner::Refuses).await;
    let unknown = house.until(1, "unknown").await;
    assert!(unknown["deadline"].is_u64(), "doubt stays doubt: {unknown}");
    drop(nodes);
    let after = house.app.store().payment(&id).await.unwrap().unwrap().facts.claim;
    assert_eq!(before, after);
}

#[tokio::test]
async fn a_signed_transfer_is_broadcast_after_a_restart_and_a_submitted_one_is_followed() {
    let house = House::new().await;
    let nodes = pair(&house, Manner::Signs, Manner::Signs).await;
    house.pay("research-01", &intent("research-01", 1, transfer(10))).await;
    house.until(1, "submitted").await;
    drop(nodes);
    let house = house.restarted().await;
    let transaction = alloy_primitives::B256::repeat_byte(4);
    house.chain.show(0, Sighting::Settled { transaction, block: 9 });
    assert_eq!(house.until(1, "settled").await["transaction"], json!(transaction));
}

#[tokio::test]
async fn who_is_known_and_what_was_said_outlives_a_restart() {
    let house = House::new().await;
    let node = FakeNode::join(&house, "op-1", Manner::Signs).await;
    while house.look("/v1/nodes").await.1.to_string().matches("journal_rows\":3").count() == 0 {
        tokio::task::yield_now().await;
    }
    drop(node);
    let house = house.restarted().await;
    let (_, agents) = house.look("/v1/agents").await;
    assert_eq!(agents.as_array().unwrap().len(), 2);
    assert_eq!(agents[0]["policy_epoch"], 1);
    let (_, nodes) = house.look("/v1/nodes").await;
    assert!(nodes.to_string().contains("journal_rows\":3"));
}
