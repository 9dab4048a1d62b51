use alloy_primitives::B256;
use serde_json::json;

use super::fixture::*;
use super::node::Manner;
use super::payments::pair;
use crate::clerk::Sighting;

#[tokio::test]
async fn a_transfer_is_broadcast_and_settles() {
    let house = House::new().await;
    let _nodes = pair(&house, Manner::Signs, Manner::Signs).await;
    house.pay("research-01", &intent("research-01", 1, transfer(10))).await;
    house.until(1, "submitted").await;
    assert_eq!(house.chain.sent.lock().unwrap().len(), 1);
    let transaction = B256::repeat_byte(4);
    house.chain.show(0, Sighting::Settled { transaction, block: 9 });
    assert_eq!(house.until(1, "settled").await["block"], 9);
}

#[tokio::test]
async fn a_wallet_has_one_transfer_in_flight() {
    let house = House::new().await;
    let (agent, _operator) = pair(&house, Manner::Signs, Manner::Signs).await;
    house.pay("research-01", &intent("research-01", 1, transfer(10))).await;
    house.until(1, "submitted").await;
    let second = intent("research-01", 2, transfer(11));
    let posting = house.pay("research-01", &second);
    let settling = async {
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        assert_eq!(agent.signs_seen(), 1, "the second waits for the first");
        let transaction = B256::repeat_byte(4);
        house.chain.show(0, Sighting::Settled { transaction, block: 9 });
        house.until(1, "settled").await;
        *house.chain.next_nonce.lock().unwrap() = 1;
    };
    tokio::join!(posting, settling);
    let view = house.until(2, "submitted").await;
    assert!(view["slot"].as_str().unwrap().ends_with("/1"), "{view}");
}

#[tokio::test]
async fn an_operators_refusal_reaches_no_agent_and_frees_the_nonce() {
    let house = House::new().await;
    let (agent, operator) = pair(&house, Manner::Signs, Manner::Refuses).await;
    let (status, _) = house.pay("research-01", &intent("research-01", 1, transfer(10))).await;
    assert_eq!((status.as_u16(), agent.signs_seen()), (422, 0));
    operator.becomes(Manner::Signs);
    house.pay("research-01", &intent("research-01", 2, transfer(11))).await;
    let view = house.until(2, "submitted").await;
    assert!(view["slot"].as_str().unwrap().ends_with("/0"), "{view}");
}

#[tokio::test]
async fn a_reverted_transfer_is_void_and_a_forgotten_block_is_forgotten() {
    let house = House::new().await;
    let _nodes = pair(&house, Manner::Signs, Manner::Signs).await;
    house.pay("research-01", &intent("research-01", 1, transfer(10))).await;
    let own = house.until(1, "submitted").await["transaction"].clone();
    let other = B256::repeat_byte(8);
    house.chain.show(0, Sighting::Pending { seen: Some((other, 5)), detail: None });
    while house.until(1, "submitted").await["block"] != 5 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    house.chain.show(0, Sighting::Pending { seen: None, detail: None });
    while !house.until(1, "submitted").await["block"].is_null() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(house.until(1, "submitted").await["transaction"], own);
    let (reason, transaction) = ("it failed".to_owned(), Some(other));
    house.chain.show(0, Sighting::Void { reason, transaction });
    assert_eq!(house.until(1, "void").await["detail"], json!("it failed"));
}

#[tokio::test]
async fn a_transaction_that_is_refused_stays_signed_says_why_and_is_sent_again() {
    let house = House::new().await;
    let _nodes = pair(&house, Manner::Signs, Manner::Signs).await;
    *house.chain.rejects.lock().unwrap() = true;
    house.pay("research-01", &intent("research-01", 1, transfer(10))).await;
    while !house.until(1, "signed").await["detail"].to_string().contains("insufficient funds") {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    *house.chain.rejects.lock().unwrap() = false;
    house.until(1, "submitted").await;
}
