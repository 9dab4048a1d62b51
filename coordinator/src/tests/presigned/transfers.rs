//! Transfers: the operator's part first, then the agent's node joins it.

use serde_json::{Value, json};

use super::super::fixture::*;
use super::super::node::{FakeNode, Lie, Manner};
use super::super::payments::pair;

async fn paid(house: &House, id: u8) -> (u16, Value) {
    let (status, view) = house.pay("research-01", &intent("research-01", id, transfer(10))).await;
    (status.as_u16(), view)
}

#[tokio::test]
async fn a_transfer_is_signed_by_two_parts() {
    let house = House::new().await;
    let (agent, operator) = pair(&house, Manner::Signs, Manner::Signs).await;
    paid(&house, 1).await;
    let view = house.until(1, "submitted").await;
    assert_eq!((&view["signed_by"], &view["answer"]), (&json!("presignature"), &Value::Null));
    assert_eq!((operator.parts_seen(), operator.joins_seen(), operator.rounds_seen()), (1, 0, 0));
    assert_eq!((agent.parts_seen(), agent.joins_seen(), agent.rounds_seen()), (0, 1, 0));
    assert_eq!(house.chain.sent.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn where_either_node_has_no_stock_the_nodes_sign_in_rounds() {
    for (agent, operator, joins) in
        [(Manner::Signs, Manner::NoStock, 0), (Manner::NoStock, Manner::Signs, 1)]
    {
        let house = House::new().await;
        let (agent, operator) = pair(&house, agent, operator).await;
        paid(&house, 1).await;
        let view = house.until(1, "submitted").await;
        assert_eq!(view["signed_by"], "interactive");
        assert_eq!((operator.parts_seen(), operator.rounds_seen()), (1, 1));
        assert_eq!((agent.joins_seen(), agent.rounds_seen()), (joins, 1));
        let events = house.app.store().check_payment_events().await.unwrap();
        assert_eq!(events, 4, "taken in, prepared, signed in one attempt, broadcast");
    }
}

/// Nothing of it reaches the agent's node, whose journal would take the account nonce for it.
#[tokio::test]
async fn what_the_operator_does_not_sign_reaches_no_agent() {
    for (manner, expected) in [
        (Manner::Refuses, "refused"),
        (Manner::NotReady, "signing"),
        (Manner::Breaks, "signing"),
        (Manner::Lies(Lie::LongPart), "signing"),
        (Manner::Lies(Lie::Done), "signing"),
    ] {
        let limits = crate::config::Limits { payment_wait_seconds: 1, ..limits() };
        let house = House::with(limits).await;
        let (agent, operator) = pair(&house, Manner::Signs, manner).await;
        let posting = paid(&house, 1);
        let looking = async {
            soon(|| operator.parts_seen() == 1).await;
            // The attempts after it are interactive.
            operator.becomes(if manner == Manner::Refuses { manner } else { Manner::Holds });
        };
        let ((_, view), ()) = tokio::join!(posting, looking);
        assert_eq!((agent.parts_seen(), agent.joins_seen()), (0, 0), "{manner:?}");
        let stored = house.app.store().payment(&intent_id(1)).await.unwrap().unwrap();
        let status = serde_json::to_value(stored.state.status()).unwrap();
        assert_eq!(status, expected, "{manner:?}: {view}");
    }
}

/// The account nonce of what certainly was not signed is given on.
#[tokio::test]
async fn a_failure_before_the_agent_is_asked_is_clean_and_one_after_it_is_not() {
    for (agent, operator, expected) in [
        (Manner::Signs, Manner::NotReady, "refused"),
        (Manner::Signs, Manner::Breaks, "refused"),
        (Manner::NotReady, Manner::Signs, "refused"),
        (Manner::Breaks, Manner::Signs, "unknown"),
        (Manner::Lies(Lie::Slot), Manner::Signs, "unknown"),
        (Manner::Lies(Lie::Digest), Manner::Signs, "unknown"),
        (Manner::Lies(Lie::Part), Manner::Signs, "unknown"),
    ] {
        let house = House::new().await;
        let (first, second) = pair(&house, agent, operator).await;
        let posting = paid(&house, 1);
        let refusing = async {
            if operator == Manner::Signs {
                soon(|| first.joins_seen() == 1).await;
            } else {
                soon(|| second.parts_seen() == 1).await;
            }
            second.becomes(Manner::Refuses);
        };
        let (_, ()) = tokio::join!(posting, refusing);
        house.until(1, expected).await;
    }
}

#[tokio::test]
async fn the_agents_refusal_of_a_join_ends_it() {
    let house = House::new().await;
    let (_agent, _operator) = pair(&house, Manner::Refuses, Manner::Signs).await;
    let (status, problem) = paid(&house, 1).await;
    assert_eq!((status, &problem["refusals"][0]["by"]), (422, &json!("agent")), "{problem}");
}

#[tokio::test]
async fn a_transfer_that_was_cut_off_is_taken_up_in_rounds() {
    let limits = crate::config::Limits { payment_wait_seconds: 1, ..limits() };
    let house = House::with(limits).await;
    let (agent, operator) = pair(&house, Manner::Silent, Manner::Signs).await;
    paid(&house, 1).await;
    assert_eq!((operator.parts_seen(), agent.joins_seen()), (1, 1));
    drop((agent, operator));
    let house = house.restarted().await;
    let (agent, operator) = pair(&house, Manner::Signs, Manner::Signs).await;
    let view = house.until(1, "submitted").await;
    assert_eq!(view["signed_by"], "interactive");
    assert_eq!((operator.parts_seen(), agent.joins_seen()), (0, 0));
}

#[tokio::test]
async fn a_part_on_a_line_of_nobodys_session_is_dropped() {
    let house = House::new().await;
    let (agent, operator) = pair(&house, Manner::Signs, Manner::Lies(Lie::OtherSession)).await;
    let stranger = FakeNode::join(&house, "rec-1", Manner::Signs).await;
    let posting = paid(&house, 1);
    let healing = async {
        soon(|| operator.parts_seen() == 1).await;
        operator.becomes(Manner::Signs);
    };
    let ((_, _view), ()) = tokio::join!(posting, healing);
    assert_eq!((agent.joins_seen(), stranger.signs_seen()), (0, 0));
    assert_eq!(house.until(1, "submitted").await["signed_by"], "interactive");
}

fn intent_id(id: u8) -> tercet_policy::intent::IntentId {
    tercet_policy::intent::IntentId([id; 32])
}
