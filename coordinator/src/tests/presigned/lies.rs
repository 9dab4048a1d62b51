//! Nodes that report what is not so: no lie makes a payment signed, or refused.

use serde_json::json;

use super::super::fixture::*;
use super::super::node::{FakeNode, Lie, Manner};
use super::super::payments::pair;
use super::answer;

#[tokio::test]
async fn a_lie_about_what_was_joined_is_a_doubt_and_rounds_follow() {
    let lies = [
        Lie::Intent,
        Lie::Slot,
        Lie::Digest,
        Lie::NoAnswer,
        Lie::LongAnswer,
        Lie::Part,
        Lie::AdmittedWithoutStock,
    ];
    let house = House::new().await;
    let (_agent, operator) = pair(&house, Manner::Signs, Manner::Signs).await;
    for (id, lie) in (1..).zip(lies) {
        operator.becomes(Manner::Lies(lie));
        let signed = intent("research-01", id, x402(10));
        let (status, view) = house.pay_with_part("research-01", &signed).await;
        let seen = (status.as_u16(), &view["status"], &view["signed_by"]);
        assert_eq!(seen, (201, &json!("signed"), &json!("interactive")), "{lie:?}: {view}");
        assert_eq!(answer(&view), None, "{lie:?}");
        let stored = house.app.store().payment(&signed.document.id).await.unwrap().unwrap();
        assert_eq!(stored.facts.digest, stored.facts.asks, "{lie:?}");
        assert_eq!(operator.joins_seen(), usize::from(id));
    }
}

#[tokio::test]
async fn a_lie_and_then_a_no_is_unknown() {
    let house = House::new().await;
    let (_agent, operator) = pair(&house, Manner::Refuses, Manner::Lies(Lie::Slot)).await;
    let signed = intent("research-01", 1, x402(10));
    let posting = house.pay_with_part("research-01", &signed);
    let refusing = async {
        soon(|| operator.joins_seen() == 1).await;
        operator.becomes(Manner::Refuses);
    };
    let ((_, view), ()) = tokio::join!(posting, refusing);
    assert_eq!(view["status"], "unknown", "{view}");
}

#[tokio::test]
async fn a_word_on_another_session_is_no_word() {
    let limits = crate::config::Limits { sign_seconds_max: 1, ..limits() };
    let house = House::with(limits).await;
    let operator = FakeNode::join(&house, "op-1", Manner::Lies(Lie::OtherSession)).await;
    let signed = intent("research-01", 1, x402(10));
    let (status, view) = house.pay_with_part("research-01", &signed).await;
    assert_eq!(status, 202, "{view}");
    assert!(view["digest"].is_null());
    assert_eq!(operator.joins_seen(), 1);
}
