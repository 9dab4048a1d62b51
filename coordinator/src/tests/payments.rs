use alloy_primitives::B256;
use reqwest::Method;
use serde_json::{Value, json};
use tercet_policy::chain::{ASSETS, Chain};
use tercet_policy::intent::{IntentId, Payment, X402Cancel};
use tercet_policy::proposal::eip3009_nonce;

use super::fixture::*;
use super::node::{FakeNode, Manner};
use crate::clerk::Sighting;

pub(super) async fn pair(house: &House, agent: Manner, operator: Manner) -> (FakeNode, FakeNode) {
    (
        FakeNode::join(house, "research-01", agent).await,
        FakeNode::join(house, "op-1", operator).await,
    )
}

fn nonce(id: u8) -> B256 {
    eip3009_nonce(Chain::Base, ASSETS[0].token, WALLET, &IntentId([id; 32]))
}

#[tokio::test]
async fn an_authorization_is_signed_and_followed_until_it_is_settled() {
    let house = House::new().await;
    let _nodes = pair(&house, Manner::Signs, Manner::Signs).await;
    let signed = intent("research-01", 1, x402(10));
    let (status, view) = house.pay("research-01", &signed).await;
    assert_eq!((status.as_u16(), view["status"].as_str()), (201, Some("signed")), "{view}");
    assert!(view["slot"].as_str().unwrap().starts_with("eip3009/"));
    assert!(view["deadline"].is_u64());
    let transaction = B256::repeat_byte(3);
    house.chain.show(nonce(1), Sighting::Pending { seen: Some((transaction, 7)), detail: None });
    for _ in 0..60 {
        if house.until(1, "signed").await["block"] == 7 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(house.until(1, "signed").await["block"], 7);
    house.chain.show(nonce(1), Sighting::Settled { transaction, block: 7 });
    let settled = house.until(1, "settled").await;
    assert_eq!(settled["transaction"], json!(transaction));
    let (status, again) = house.pay("research-01", &signed).await;
    assert_eq!((status.as_u16(), again["status"].as_str()), (200, Some("settled")));
    assert_eq!(house.app.store().check_payment_events().await.unwrap(), 5);
}

#[tokio::test]
async fn void_comes_from_the_chain_alone() {
    let house = House::new().await;
    let _nodes = pair(&house, Manner::Signs, Manner::Signs).await;
    house.pay("research-01", &intent("research-01", 1, x402(10))).await;
    let reason = "unused".to_owned();
    house.chain.show(nonce(1), Sighting::Void { reason, transaction: None });
    let void = house.until(1, "void").await;
    assert_eq!((&void["detail"], &void["deadline"]), (&json!("unused"), &Value::Null));
}

#[tokio::test]
async fn the_preview_refuses_with_numbers_before_any_node_is_asked() {
    let house = House::new().await;
    let (agent, operator) = pair(&house, Manner::Signs, Manner::Signs).await;
    let (status, problem) =
        house.pay("research-01", &intent("research-01", 1, x402(600_000))).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (422, Some("refused")));
    let refusal = &problem["refusals"][0];
    assert_eq!(
        (&refusal["by"], &refusal["refusal"]["code"]),
        (&json!("coordinator"), &json!("policy"))
    );
    assert_eq!(agent.signs_seen() + operator.signs_seen(), 0);
    assert_eq!(house.until(1, "refused").await["refusals"][0], *refusal);
    for id in 2..12 {
        let (status, view) =
            house.pay("research-01", &intent("research-01", id, x402(500_000))).await;
        assert_eq!(status, 201, "{view}");
    }
    let (status, _) = house.pay("research-01", &intent("research-01", 12, x402(1))).await;
    assert_eq!(status, 422, "the day's limit is reached");
}

#[tokio::test]
async fn a_nodes_refusal_ends_it_and_names_the_node() {
    let house = House::new().await;
    let _nodes = pair(&house, Manner::Refuses, Manner::Refuses).await;
    let signed = intent("research-01", 1, x402(10));
    let (status, problem) = house.pay("research-01", &signed).await;
    assert_eq!(status, 422);
    let mut by: Vec<_> =
        problem["refusals"].as_array().unwrap().iter().map(|r| r["by"].clone()).collect();
    by.sort_by_key(ToString::to_string);
    assert_eq!(by, [json!("agent"), json!("operator")]);
    let (status, _) = house.pay("research-01", &signed).await;
    assert_eq!(status, 422, "the stored answer is the same");
}

/// A node that took part to the end and says that it refused must not make the payment forgotten:
/// the other one has the signature, so it exists.
#[tokio::test]
async fn a_refusal_beside_a_signature_does_not_hide_the_signature() {
    let house = House::new().await;
    let _nodes = pair(&house, Manner::Refuses, Manner::Signs).await;
    let (status, view) = house.pay("research-01", &intent("research-01", 1, x402(10))).await;
    assert_eq!((status.as_u16(), &view["status"]), (201, &json!("signed")), "{view}");
}

#[tokio::test]
async fn one_id_is_one_payment() {
    let house = House::new().await;
    let (agent, operator) = pair(&house, Manner::Signs, Manner::Signs).await;
    let signed = intent("research-01", 1, x402(10));
    let posts = (0..50).map(|_| house.pay("research-01", &signed));
    let answers = futures_util::future::join_all(posts).await;
    let created = answers.iter().filter(|(status, _)| *status == 201).count();
    assert_eq!(created, 1);
    assert!(answers.iter().all(|(status, view)| {
        matches!(status.as_u16(), 200 | 201) && view["status"] == "signed"
    }));
    assert_eq!((agent.signs_seen(), operator.signs_seen()), (1, 1));
    let other = intent("research-01", 1, x402(11));
    let (status, problem) = house.pay("research-01", &other).await;
    assert_eq!((status.as_u16(), problem["code"].as_str()), (409, Some("id_conflict")));
    let (_, page) = house.look("/v1/payments").await;
    assert_eq!(page["payments"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_session_that_broke_is_tried_again_and_never_called_failed() {
    let house = House::new().await;
    let (agent, operator) = pair(&house, Manner::Silent, Manner::Breaks).await;
    let first = intent("research-01", 1, x402(10));
    let posting = house.pay("research-01", &first);
    let healing = async {
        soon(|| operator.signs_seen() >= 1).await;
        agent.becomes(Manner::Signs);
        operator.becomes(Manner::Signs);
    };
    let ((_, view), ()) = tokio::join!(posting, healing);
    assert_eq!(view["status"], "signed", "{view}");

    agent.becomes(Manner::Silent);
    operator.becomes(Manner::Breaks);
    let second = intent("research-01", 2, x402(10));
    let posting = house.pay("research-01", &second);
    let refusing = async {
        soon(|| operator.signs_seen() >= 3).await;
        operator.becomes(Manner::Refuses);
    };
    let ((_, view), ()) = tokio::join!(posting, refusing);
    assert_eq!(view["status"], "unknown", "a no after doubt does not end the doubt: {view}");
    assert!(view["deadline"].is_u64());
}

#[tokio::test]
async fn an_absent_node_is_named_and_waited_for() {
    let limits = crate::config::Limits { payment_wait_seconds: 2, ..limits() };
    let house = House::with(limits).await;
    let _agent = FakeNode::join(&house, "research-01", Manner::Signs).await;
    let (status, view) = house.pay("research-01", &intent("research-01", 1, x402(10))).await;
    assert_eq!((status.as_u16(), view["status"].as_str()), (202, Some("received")));
    assert!(view["detail"].as_str().unwrap().contains("op-1"), "{view}");
    let _operator = FakeNode::join(&house, "op-1", Manner::Signs).await;
    house.until(1, "signed").await;
}

#[tokio::test]
async fn a_lost_signature_is_made_again_for_its_agent_alone() {
    let house = House::new().await;
    let (agent, operator) = pair(&house, Manner::Signs, Manner::Signs).await;
    house.pay("research-01", &intent("research-01", 1, x402(10))).await;
    let path = format!("/v1/payments/{}/sign", IntentId([1; 32]));
    let again = async |who: &str| house.call(Some(who), Method::POST, &path, &Value::Null).await;
    let (status, view) = again("research-01").await;
    assert_eq!((status.as_u16(), view["status"].as_str()), (200, Some("signed")), "{view}");
    assert_eq!(agent.signs_seen(), 2);
    assert_eq!(again("research-02").await.0, 404);
    agent.becomes(Manner::Refuses);
    operator.becomes(Manner::Silent);
    assert_eq!(again("research-01").await.0, 422);
    assert_eq!(house.until(1, "signed").await["status"], "signed", "it stands where it stood");
}

#[tokio::test]
async fn a_cancellation_needs_something_to_cancel_and_the_chain_tells_which_of_the_two_won() {
    let house = House::new().await;
    let _nodes = pair(&house, Manner::Signs, Manner::Signs).await;
    let cancel = |id: u8, cancels: u8| {
        let cancel = Payment::X402Cancel(X402Cancel {
            chain: Chain::Base,
            token: ASSETS[0].token,
            cancels: IntentId([cancels; 32]),
        });
        intent("research-01", id, cancel)
    };
    let (status, problem) = house.pay("research-01", &cancel(9, 1)).await;
    assert_eq!(status, 422);
    assert_eq!(problem["refusals"][0]["refusal"]["code"], "nothing_to_cancel");
    house.pay("research-01", &intent("research-01", 1, x402(10))).await;
    let (status, view) = house.pay("research-01", &cancel(2, 1)).await;
    assert_eq!(status, 201, "{view}");
    let transaction = B256::repeat_byte(3);
    house.chain.show(nonce(1), Sighting::Cancelled { transaction, block: 7 });
    house.until(1, "void").await;
    house.until(2, "settled").await;
}

#[tokio::test]
async fn a_node_that_is_not_ready_leaves_no_doubt() {
    let house = House::new().await;
    let (_agent, operator) = pair(&house, Manner::Silent, Manner::NotReady).await;
    let first = intent("research-01", 1, x402(10));
    let posting = house.pay("research-01", &first);
    let refusing = async {
        soon(|| operator.signs_seen() >= 1).await;
        operator.becomes(Manner::Refuses);
    };
    let ((status, _), ()) = tokio::join!(posting, refusing);
    assert_eq!(status, 422, "a clear no, twice");
}

#[tokio::test]
async fn pages_follow_each_other_by_cursor() {
    let house = House::new().await;
    let _nodes = pair(&house, Manner::Signs, Manner::Signs).await;
    for id in 1..=5 {
        house.pay("research-01", &intent("research-01", id, x402(u128::from(id)))).await;
    }
    let (mut path, mut ids) = ("/v1/payments?limit=2".to_owned(), Vec::new());
    loop {
        let (_, page) = house.look(&path).await;
        ids.extend(page["payments"].as_array().unwrap().iter().map(|p| p["id"].clone()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/payments?limit=2&cursor={cursor}");
    }
    let expected: Vec<_> = (1..=5).rev().map(|id: u8| json!(IntentId([id; 32]))).collect();
    assert_eq!(ids, expected);
    for (filter, count) in [
        ("status=signed", 5),
        ("status=settled", 0),
        ("agent=research-02", 0),
        (&*format!("wallet={WALLET}"), 5),
    ] {
        let (_, page) = house.look(&format!("/v1/payments?{filter}")).await;
        assert_eq!(page["payments"].as_array().unwrap().len(), count, "{filter}");
    }
}

#[tokio::test]
async fn too_many_open_payments_are_turned_away() {
    let limits = crate::config::Limits { payments_open_per_agent_max: 2, ..limits() };
    let house = House::with(limits).await;
    let _nodes = pair(&house, Manner::Signs, Manner::Signs).await;
    for (id, expected) in [(1, 201), (2, 201), (3, 429)] {
        let (status, _) = house.pay("research-01", &intent("research-01", id, x402(10))).await;
        assert_eq!(status.as_u16(), expected);
    }
}
