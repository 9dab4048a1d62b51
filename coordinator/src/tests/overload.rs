//! More than there is room for: told so, and nothing of what was let in is lost.

use reqwest::Method;
use serde_json::json;
use tercet_policy::intent::IntentId;

use super::fixture::*;
use super::node::{FakeNode, Manner};
use crate::config::Limits;

#[tokio::test]
async fn what_there_is_no_room_for_is_told_to_come_again_and_is_not_stored() {
    let house = House::with(Limits { payments_in_flight_max: 2, ..limits() }).await;
    let operator = FakeNode::join(&house, "op-1", Manner::Holds).await;
    let intents: Vec<_> = (1..=10).map(|id| intent("research-01", id, x402(10))).collect();
    let post = async |signed| {
        let body = json!({ "intent": signed, "part": {
            "presignature": alloy_primitives::B256::repeat_byte(7), "sealed": "AAAA",
        }});
        let text = body.to_string();
        let sent = house.send(Some("research-01"), Method::POST, "/v1/payments", text).await;
        let wait = sent.headers().get("retry-after").cloned();
        let (status, view) = read(sent).await;
        (status.as_u16(), wait, view)
    };
    let posting = futures_util::future::join_all(intents.iter().map(post));
    let releasing = async {
        soon(|| operator.joins_seen() >= 1).await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        operator.becomes(Manner::Signs);
    };
    let (answers, ()) = tokio::join!(posting, releasing);
    let (mut let_in, mut busy) = (Vec::new(), Vec::new());
    for (id, (status, wait, view)) in (1..).zip(answers) {
        let (stored, _) = house.look(&format!("/v1/payments/{}", IntentId([id; 32]))).await;
        match status {
            201 => {
                let_in.push(id);
                assert_eq!((stored.as_u16(), &view["status"]), (200, &json!("signed")));
            }
            429 => {
                busy.push(id);
                assert!(wait.unwrap().to_str().unwrap().parse::<u64>().unwrap() > 0);
                assert_eq!((stored.as_u16(), &view["code"]), (404, &json!("busy")));
            }
            other => panic!("{other}: {view}"),
        }
    }
    assert_eq!((let_in.len(), busy.len()), (2, 8));
    for signed in &intents {
        let (status, view) = house.pay_with_part("research-01", signed).await;
        assert!(matches!(status.as_u16(), 200 | 201), "{view}");
    }
    // What was turned away counted nowhere.
    assert_eq!(house.budgets("").await[0][2], "0");
}

#[tokio::test]
async fn payments_that_wait_for_rounds_take_no_room_of_others() {
    let house = House::with(Limits { payments_in_flight_max: 1, ..limits() }).await;
    let (_agent, operator) = super::payments::pair(&house, Manner::Holds, Manner::NoStock).await;
    let first = intent("research-01", 1, x402(10));
    let posting = house.pay_with_part("research-01", &first);
    let others = async {
        soon(|| operator.rounds_seen() == 1).await;
        operator.becomes(Manner::Signs);
        let second = intent("research-01", 2, x402(10));
        let (status, view) = house.pay_with_part("research-01", &second).await;
        assert_eq!((status.as_u16(), &view["signed_by"]), (201, &json!("presignature")), "{view}");
    };
    let _ = tokio::join!(posting, others);
}
