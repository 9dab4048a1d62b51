//! Payments that are signed with presignatures.

mod again;
mod durable;
mod lies;
mod transfers;

use alloy_primitives::B256;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use tercet_api::relay::{SEALED_PART_BYTES_MAX, ToNode};
use tercet_policy::chain::{ASSETS, Chain};
use tercet_policy::intent::{IntentId, Payment, X402Cancel};

use super::fixture::*;
use super::node::{ANSWER, FakeNode, Manner};
use super::payments::pair;

fn answer(view: &Value) -> Option<Vec<u8>> {
    view["answer"].as_str().map(|text| STANDARD.decode(text).unwrap())
}

#[tokio::test]
async fn an_authorization_is_signed_in_one_round_trip_with_the_operator_alone() {
    let house = House::new().await;
    let operator = FakeNode::join(&house, "op-1", Manner::Signs).await;
    let signed = intent("research-01", 1, x402(10));
    let (status, view) = house.pay_with_part("research-01", &signed).await;
    assert_eq!((status.as_u16(), &view["status"]), (201, &json!("signed")), "{view}");
    assert_eq!(
        (&view["signed_by"], answer(&view).as_deref()),
        (&json!("presignature"), Some(ANSWER))
    );
    assert!(view["slot"].is_string() && view["digest"].is_string());
    assert_eq!((operator.joins_seen(), operator.rounds_seen()), (1, 0));
    let seen = operator.seen.lock().unwrap().clone();
    let part = seen.iter().find_map(|frame| match frame {
        ToNode::Join { part, .. } => Some(part.clone()),
        _ => None,
    });
    let part = part.unwrap();
    assert_eq!((part.presignature, &*part.sealed.0), (B256::repeat_byte(7), PART));
    assert_eq!(house.app.store().check_payment_events().await.unwrap(), 3);
    let looked = house.until(1, "signed").await;
    assert_eq!((&looked["answer"], &looked["signed_by"]), (&Value::Null, &json!("presignature")));
    let (status, again) = house.pay("research-01", &signed).await;
    assert_eq!((status.as_u16(), &again["answer"]), (200, &Value::Null));
}

#[tokio::test]
async fn a_cancellation_is_signed_in_one_round_trip() {
    let house = House::new().await;
    let _operator = FakeNode::join(&house, "op-1", Manner::Signs).await;
    house.pay_with_part("research-01", &intent("research-01", 1, x402(10))).await;
    let cancel = Payment::X402Cancel(X402Cancel {
        chain: Chain::Base,
        token: ASSETS[0].token,
        cancels: IntentId([1; 32]),
    });
    let (status, view) =
        house.pay_with_part("research-01", &intent("research-01", 2, cancel)).await;
    assert_eq!((status.as_u16(), &view["signed_by"]), (201, &json!("presignature")), "{view}");
    assert_eq!(answer(&view).as_deref(), Some(ANSWER));
}

#[tokio::test]
async fn without_a_part_the_nodes_sign_in_rounds() {
    let house = House::new().await;
    let (_agent, operator) = pair(&house, Manner::Signs, Manner::Signs).await;
    let (_, view) = house.pay("research-01", &intent("research-01", 1, x402(10))).await;
    assert_eq!((&view["signed_by"], &view["answer"]), (&json!("interactive"), &Value::Null));
    assert_eq!((operator.joins_seen(), operator.rounds_seen()), (0, 1));
}

#[tokio::test]
async fn a_part_of_no_use_falls_back_to_rounds_in_the_same_attempt() {
    let house = House::new().await;
    let (agent, operator) = pair(&house, Manner::Signs, Manner::NoStock).await;
    let (status, view) =
        house.pay_with_part("research-01", &intent("research-01", 1, x402(10))).await;
    assert_eq!((status.as_u16(), &view["signed_by"]), (201, &json!("interactive")), "{view}");
    assert_eq!(view["answer"], Value::Null);
    assert_eq!((operator.joins_seen(), operator.rounds_seen()), (1, 1));
    assert_eq!((agent.joins_seen(), agent.rounds_seen()), (0, 1));
    assert_eq!(house.app.store().check_payment_events().await.unwrap(), 3, "one attempt");
}

#[tokio::test]
async fn a_join_that_broke_is_followed_by_rounds_and_leaves_doubt() {
    let house = House::new().await;
    let (agent, operator) = pair(&house, Manner::Signs, Manner::Breaks).await;
    let first = intent("research-01", 1, x402(10));
    let posting = house.pay_with_part("research-01", &first);
    let healing = async {
        soon(|| operator.joins_seen() >= 1).await;
        operator.becomes(Manner::Signs);
    };
    let ((status, view), ()) = tokio::join!(posting, healing);
    assert_eq!((status.as_u16(), &view["signed_by"]), (201, &json!("interactive")), "{view}");

    operator.becomes(Manner::Breaks);
    agent.becomes(Manner::Refuses);
    let second = intent("research-01", 2, x402(10));
    let posting = house.pay_with_part("research-01", &second);
    let refusing = async {
        soon(|| operator.joins_seen() >= 2).await;
        operator.becomes(Manner::Refuses);
    };
    let ((_, view), ()) = tokio::join!(posting, refusing);
    assert_eq!(view["status"], "unknown", "a no after doubt does not end the doubt: {view}");
}

#[tokio::test]
async fn the_operators_refusal_is_a_refusal_and_reaches_no_agent() {
    let house = House::new().await;
    let (agent, operator) = pair(&house, Manner::Signs, Manner::Refuses).await;
    let signed = intent("research-01", 1, x402(10));
    let (status, problem) = house.pay_with_part("research-01", &signed).await;
    assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("refused")));
    assert_eq!(problem["refusals"][0]["by"], "operator");
    assert_eq!((agent.signs_seen(), operator.joins_seen()), (0, 1));
    operator.becomes(Manner::Signs);
    assert_eq!(house.pay_with_part("research-01", &signed).await.0, 422, "it is over");
    assert_eq!(operator.joins_seen(), 1);
}

#[tokio::test]
async fn the_preview_refuses_before_the_part_goes_anywhere_and_counts_nothing() {
    let house = House::new().await;
    let operator = FakeNode::join(&house, "op-1", Manner::Signs).await;
    let signed = intent("research-01", 1, x402(600_000));
    let (status, problem) = house.pay_with_part("research-01", &signed).await;
    assert_eq!((status.as_u16(), &problem["refusals"][0]["by"]), (422, &json!("coordinator")));
    assert_eq!(operator.signs_seen(), 0);
    assert_eq!(house.until(1, "refused").await["refusals"], problem["refusals"]);
    assert_eq!(house.app.store().check_payment_events().await.unwrap(), 2);
}

#[tokio::test]
async fn parts_have_bounds_and_belong_to_authorizations() {
    let house = House::new().await;
    let operator = FakeNode::join(&house, "op-1", Manner::Signs).await;
    let post = async |payment, sealed: Vec<u8>| {
        let part = json!({
            "presignature": B256::repeat_byte(7), "sealed": STANDARD.encode(sealed),
        });
        let body = json!({ "intent": intent("research-01", 1, payment), "part": part });
        house.call(Some("research-01"), Method::POST, "/v1/payments", &body).await
    };
    let (status, problem) = post(x402(1), vec![0; SEALED_PART_BYTES_MAX + 1]).await;
    assert_eq!((status.as_u16(), &problem["code"]), (413, &json!("too_large")));
    assert_eq!(post(x402(1), Vec::new()).await.0, 400);
    assert_eq!(post(transfer(1), vec![1]).await.0, 400);
    assert_eq!(operator.signs_seen(), 0);
    let (status, _) = house.look(&format!("/v1/payments/{}", IntentId([1; 32]))).await;
    assert_eq!(status, 404, "nothing of it was stored");
    assert_eq!(post(x402(1), vec![0; SEALED_PART_BYTES_MAX]).await.0, 201);
}

#[tokio::test]
async fn a_part_waits_for_the_operators_node_while_its_request_does() {
    let house = House::new().await;
    let signed = intent("research-01", 1, x402(10));
    let posting = house.pay_with_part("research-01", &signed);
    let coming = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        FakeNode::join(&house, "op-1", Manner::Signs).await
    };
    let ((status, view), _operator) = tokio::join!(posting, coming);
    assert_eq!((status.as_u16(), &view["signed_by"]), (201, &json!("presignature")), "{view}");
    assert_eq!(answer(&view).as_deref(), Some(ANSWER));
}

#[tokio::test]
async fn a_stop_in_the_middle_of_a_join_is_taken_up_in_rounds() {
    let limits = crate::config::Limits { payment_wait_seconds: 1, ..limits() };
    let house = House::with(limits).await;
    let operator = FakeNode::join(&house, "op-1", Manner::Silent).await;
    let signed = intent("research-01", 1, x402(10));
    let (status, view) = house.pay_with_part("research-01", &signed).await;
    assert_eq!((status.as_u16(), &view["status"]), (202, &json!("signing")), "{view}");
    drop(operator);
    let house = house.restarted().await;
    let (_agent, operator) = pair(&house, Manner::Signs, Manner::Signs).await;
    let view = house.until(1, "signed").await;
    assert_eq!(view["signed_by"], "interactive");
    assert_eq!((operator.joins_seen(), operator.rounds_seen()), (0, 1));
}

#[tokio::test]
async fn a_stop_in_the_middle_of_a_join_leaves_doubt() {
    let limits = crate::config::Limits { payment_wait_seconds: 1, ..limits() };
    let house = House::with(limits).await;
    let operator = FakeNode::join(&house, "op-1", Manner::Silent).await;
    house.pay_with_part("research-01", &intent("research-01", 1, x402(10))).await;
    drop(operator);
    let house = house.restarted().await;
    let _nodes = pair(&house, Manner::Refuses, Manner::Refuses).await;
    assert!(house.until(1, "unknown").await["deadline"].is_u64());
}
