use alloy_primitives::B256;
use reqwest::Method;
use serde_json::{Value, json};
use tercet_api::relay::ToNode;
use tercet_policy::chain::{ASSETS, Chain};
use tercet_policy::document::Signed;
use tercet_policy::intent::{IntentId, SignedIntent};
use tercet_policy::proposal::eip3009_nonce;
use tercet_policy::registry::RegistryDocument;
use tercet_policy::report::{Report, ReportKind, SignedReport};

use super::approvals::word;
use super::fixture::*;
use super::node::{FakeNode, Manner};
use super::payments::pair;
use crate::clerk::Sighting;

pub(super) fn registry(epoch: u64, trust: u8) -> RegistryDocument {
    RegistryDocument {
        yaml: format!(
            "registry: vendors\nepoch: {epoch}\ncounterparties:\n  - name: search\n    \
             services: [a.example]\n    country: DE\n    category: data\n    trust: {trust}\n  \
             - name: payee\n    recipients: [\"{PAYEE}\"]\n    trust: 50\n"
        ),
    }
}

/// What research-01 says became of a payment that it asked for by this intent.
pub(super) fn report(paid: &SignedIntent, kind: ReportKind) -> SignedReport {
    let paid = word(paid, true);
    let report = Report {
        agent: agent("research-01"),
        intent: paid.intent,
        content_hash: paid.content_hash,
        outcome: kind,
        at: now(),
    };
    Signed::by(report, &key(21)).unwrap()
}

async fn trust(house: &House) -> Value {
    let (status, view) = house.look("/v1/counterparties/search").await;
    assert_eq!(status, 200, "{view}");
    view["trust"].clone()
}

async fn settle(house: &House, id: u8) {
    let nonce = eip3009_nonce(Chain::Base, ASSETS[0].token, WALLET, &IntentId([id; 32]));
    let transaction = B256::repeat_byte(id);
    house.chain.show(nonce, Sighting::Settled { transaction, block: 7 });
    house.until(id, "settled").await;
}

#[tokio::test]
async fn a_registry_takes_the_quorum_and_only_rises() {
    let house = House::new().await;
    assert_eq!(house.look("/v1/registry").await.0, 404);
    let node = FakeNode::join(&house, "op-1", Manner::Signs).await;
    let signed = by_quorum(registry(3, 80));
    assert_eq!(house.put("/v1/registry", &signed).await.0, 201);
    assert_eq!(house.put("/v1/registry", &signed).await.0, 200, "the same again");
    soon(|| node.count(|frame| matches!(frame, ToNode::Registry { .. })) >= 1).await;
    let twice =
        RegistryDocument { yaml: registry(9, 80).yaml.replace("name: payee", "name: search") };
    let over = RegistryDocument { yaml: registry(9, 101).yaml };
    let nowhere = RegistryDocument { yaml: registry(9, 80).yaml.replace("DE", "XX") };
    for (name, signed, status, code, said) in [
        ("older", by_quorum(registry(2, 80)), 409, "stale_epoch", "epoch 2"),
        ("other text", by_quorum(registry(3, 81)), 409, "stale_epoch", "epoch 3"),
        ("too few", Signed::by(registry(9, 1), &key(1)).unwrap(), 422, "bad_document", "2"),
        ("a name twice", by_quorum(twice), 422, "bad_document", "line 9"),
        ("too trusted", by_quorum(over), 422, "bad_document", "line 8"),
        ("no such country", by_quorum(nowhere), 422, "bad_document", "line 6"),
    ] {
        let (found, problem) = house.put("/v1/registry", &signed).await;
        assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{name}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(said), "{name}: {problem}");
    }
    let house = house.restarted().await;
    let (_, view) = house.look("/v1/registry").await;
    assert_eq!((&view["epoch"], &view["counterparties"]), (&json!(3), &json!(2)));
    assert_eq!(view["document"], serde_json::to_value(&signed).unwrap());
    assert_eq!(house.look("/v1/agents/research-01").await.1["registry_epoch"], 3);
    let late = FakeNode::join(&house, "rec-1", Manner::Signs).await;
    soon(|| late.count(|frame| matches!(frame, ToNode::Registry { .. })) >= 1).await;
}

#[tokio::test]
async fn counterparties_are_listed_by_page() {
    let house = House::new().await;
    let (_, none) = house.look("/v1/counterparties").await;
    assert_eq!(none["counterparties"], json!([]));
    house.put("/v1/registry", &by_quorum(registry(1, 80))).await;
    let (_, first) = house.look("/v1/counterparties?limit=1").await;
    let who = &first["counterparties"][0];
    assert_eq!(
        (&who["name"], &who["country"], &who["category"], &who["services"], &who["trust"]["score"]),
        (&json!("search"), &json!("DE"), &json!("data"), &json!(["a.example"]), &json!(80))
    );
    let cursor = first["next_cursor"].as_str().unwrap();
    let (_, second) = house.look(&format!("/v1/counterparties?limit=1&cursor={cursor}")).await;
    assert_eq!(
        (&second["counterparties"][0]["name"], &second["next_cursor"]),
        (&json!("payee"), &Value::Null)
    );
    assert_eq!(house.look("/v1/counterparties/nobody").await.0, 404);
    assert_eq!(house.look("/v1/counterparties?limit=0").await.0, 400);
    let own =
        house.call(Some("research-01"), Method::GET, "/v1/counterparties", &Value::Null).await;
    assert_eq!(own.0, 200, "agents may look");
}

/// The formula of the registry: floor(80 * (10 + settled) / (10 + settled + bad)).
#[tokio::test]
async fn outcomes_move_the_score_and_a_restart_does_not() {
    let house = House::new().await;
    house.put("/v1/registry", &by_quorum(registry(1, 80))).await;
    let _nodes = pair(&house, Manner::Signs, Manner::Signs).await;
    let [first, second] = [1, 2].map(|id| intent("research-01", id, x402(10)));
    house.pay("research-01", &first).await;
    house.pay("research-01", &second).await;
    assert_eq!(trust(&house).await["score"], 80);
    for (kind, score) in [
        (ReportKind::MerchantRefused, 72),
        (ReportKind::Undelivered, 53),
        (ReportKind::Disputed, 32),
    ] {
        let path = format!("/v1/payments/{}/reports", IntentId([1; 32]));
        let body = json!({ "report": report(&first, kind) });
        for expected in [201, 200] {
            let (status, body) = house.call(Some("research-01"), Method::POST, &path, &body).await;
            assert_eq!(status.as_u16(), expected, "{body}");
            assert_eq!(trust(&house).await["score"], score, "each kind counts once");
        }
    }
    settle(&house, 2).await;
    let healed = trust(&house).await;
    assert_eq!((&healed["settled"], &healed["score"]), (&json!(1), &json!(33)));
    let house = house.restarted().await;
    assert_eq!(trust(&house).await, healed);
}
