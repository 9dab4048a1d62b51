use reqwest::Method;
use serde_json::{Value, json};
use tercet_api::relay::ToNode;
use tercet_policy::document::Signed;
use tercet_policy::intent::IntentId;
use tercet_policy::report::ReportKind;

use super::fixture::*;
use super::node::{FakeNode, Manner};
use super::payments::pair;
use super::registry::report;

fn path(id: u8) -> String {
    format!("/v1/payments/{}/reports", IntentId([id; 32]))
}

async fn bring(house: &House, who: &str, id: u8, report: &Value) -> (u16, Value) {
    let body = json!({ "report": report });
    let (status, body) = house.call(Some(who), Method::POST, &path(id), &body).await;
    (status.as_u16(), body)
}

fn reports(node: &FakeNode) -> usize {
    node.count(|frame| matches!(frame, ToNode::Report { .. }))
}

#[tokio::test]
async fn only_its_agent_reports_a_payment_that_was_let_through() {
    let house = House::new().await;
    let _nodes = pair(&house, Manner::Signs, Manner::Signs).await;
    let [first, second] =
        [(1, 10), (2, 600_000)].map(|(id, units)| intent("research-01", id, x402(units)));
    let good = serde_json::to_value(report(&first, ReportKind::Disputed)).unwrap();
    assert_eq!(bring(&house, "research-01", 1, &good).await.0, 404, "never paid");
    house.pay("research-01", &first).await;
    house.pay("research-01", &second).await;
    let refused = serde_json::to_value(report(&second, ReportKind::Disputed)).unwrap();
    assert_eq!(bring(&house, "research-01", 2, &refused).await.0, 403, "it was refused");
    assert_eq!(bring(&house, "research-01", 2, &good).await.0, 400, "of another than the path");
    assert_eq!(bring(&house, "research-02", 1, &good).await.0, 404);
    let mut forged = good.clone();
    forged["document"]["outcome"] = json!("undelivered");
    assert_eq!(bring(&house, "research-01", 1, &forged).await.1["code"], "bad_document");
    let mut other = report(&first, ReportKind::Disputed).document;
    other.content_hash = report(&second, ReportKind::Disputed).document.content_hash;
    let other = serde_json::to_value(Signed::by(other, &key(21)).unwrap()).unwrap();
    assert_eq!(bring(&house, "research-01", 1, &other).await.1["code"], "bad_document");
    assert_eq!(house.look(&path(1)).await.1, json!([]));
    assert_eq!(bring(&house, "research-01", 1, &good).await.0, 201);
    assert_eq!(house.look(&path(1)).await.1, json!([good]));
    let get = house.call(Some("research-02"), Method::GET, &path(1), &Value::Null).await;
    assert_eq!(get.0, 404);
}

#[tokio::test]
async fn a_report_is_sent_until_the_operators_node_answers_it() {
    let house = House::new().await;
    let (agent, operator) = pair(&house, Manner::Signs, Manner::Signs).await;
    let paid = intent("research-01", 1, x402(10));
    house.pay("research-01", &paid).await;
    drop(operator);
    soon(|| !house.app.relay().connected().iter().any(|node| node.as_str() == "op-1")).await;
    let made = serde_json::to_value(report(&paid, ReportKind::Undelivered)).unwrap();
    assert_eq!(bring(&house, "research-01", 1, &made).await.0, 201);

    let deaf = FakeNode::join(&house, "op-1", Manner::Silent).await;
    soon(|| reports(&deaf) == 1).await;
    drop(deaf);
    let house = house.restarted().await;
    let operator = FakeNode::join(&house, "op-1", Manner::Signs).await;
    soon(|| reports(&operator) == 1).await;
    let agents = [super::fixture::agent("research-01")].into();
    while !house.app.store().reports_not_taken(&agents).await.unwrap().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    drop(operator);
    let again = FakeNode::join(&house, "op-1", Manner::Signs).await;
    soon(|| again.count(|frame| matches!(frame, ToNode::Policy { .. })) == 2).await;
    let second = serde_json::to_value(report(&paid, ReportKind::Disputed)).unwrap();
    assert_eq!(bring(&house, "research-01", 1, &second).await.0, 201);
    soon(|| reports(&again) == 1).await;
    assert_eq!(reports(&again), 1, "what was answered is not sent again");
    assert_eq!(reports(&agent), 0, "it is for the operator's node");
}
