use reqwest::Method;
use serde_json::{Value, json};
use tercet_api::relay::ToNode;
use tercet_policy::document::Signed;

use super::fixture::*;
use super::node::{FakeNode, Manner};

#[tokio::test]
async fn enrolments_need_the_quorum_fit_the_house_and_only_rise() {
    let house = House::new().await;
    let put = async |enrolment: Value| {
        let body = json!({ "enrolment": enrolment });
        let (status, body) = house.call(None, Method::POST, "/v1/agents", &body).await;
        (status.as_u16(), body["code"].as_str().unwrap_or_default().to_owned())
    };
    let signed = |e| serde_json::to_value(by_quorum(e)).unwrap();
    let one = Signed::by(enrolment("research-01", 2), &key(1)).unwrap();
    assert_eq!(put(serde_json::to_value(one).unwrap()).await, (422, "bad_document".into()));
    let mut stranger = enrolment("research-01", 2);
    stranger.operator_node.signing = enrolment("research-02", 1).agent_node.signing;
    assert_eq!(put(signed(stranger)).await.0, 422);
    let mut named = enrolment("research-01", 2);
    named.agent_node.id = enrolment("research-02", 1).agent_node.id;
    assert_eq!(put(signed(named)).await.0, 422);
    assert_eq!(put(signed(enrolment("research-01", 1))).await.0, 200, "the same again");
    assert_eq!(put(signed(enrolment("research-01", 0))).await, (409, "stale_epoch".into()));
    assert_eq!(put(signed(enrolment("research-01", 2))).await.0, 201);
}

#[tokio::test]
async fn one_key_freezes_the_quorum_thaws() {
    let house = House::new().await;
    let operator = FakeNode::join(&house, "op-1", Manner::Signs).await;
    let put = async |verb: &str, freeze: Value| {
        let path = format!("/v1/agents/research-01/{verb}");
        house.call(None, Method::POST, &path, &json!({ "freeze": freeze })).await
    };
    let one = |f| serde_json::to_value(Signed::by(f, &key(1)).unwrap()).unwrap();
    let (status, view) = put("freeze", one(freeze("research-01", 1, true))).await;
    assert_eq!((status.as_u16(), &view["frozen"]), (200, &json!(true)));
    let refused = house.pay("research-01", &intent("research-01", 1, x402(10))).await;
    assert_eq!(refused.0, 422);
    assert_eq!(refused.1["refusals"][0]["refusal"]["code"], "agent_frozen");
    assert_eq!(put("unfreeze", one(freeze("research-01", 2, false))).await.0, 422);
    assert_eq!(put("unfreeze", one(freeze("research-01", 2, true))).await.0, 400);
    let thaw =
        |epoch| serde_json::to_value(by_quorum(freeze("research-01", epoch, false))).unwrap();
    assert_eq!(put("unfreeze", thaw(1)).await.0, 409);
    let (status, view) = put("unfreeze", thaw(2)).await;
    assert_eq!(
        (status.as_u16(), &view["frozen"], &view["freeze_epoch"]),
        (200, &json!(false), &json!(2))
    );
    soon(|| operator.count(|frame| matches!(frame, ToNode::Freeze { .. })) == 2).await;
}

#[tokio::test]
async fn of_a_freeze_and_a_thaw_of_one_epoch_the_freeze_stands() {
    let house = House::new().await;
    // Made once: a document says its second, and "the same again" is the same to the letter.
    let documents = [false, true].map(|frozen| by_quorum(freeze("research-01", 3, frozen)));
    let put = async |verb: &str, frozen: bool| {
        let path = format!("/v1/agents/research-01/{verb}");
        let body = json!({ "freeze": documents[usize::from(frozen)] });
        house.call(None, Method::POST, &path, &body).await
    };
    assert_eq!(put("unfreeze", false).await.1["frozen"], json!(false));
    let (status, view) = put("freeze", true).await;
    assert_eq!((status.as_u16(), &view["frozen"]), (200, &json!(true)));
    assert_eq!(put("unfreeze", false).await.0, 409);
    assert_eq!(put("freeze", true).await.1["frozen"], json!(true), "the same again");
}

#[tokio::test]
async fn policies_rise_and_keep_their_history() {
    let house = House::new().await;
    let put = async |name: &str, body: Value| {
        let path = format!("/v1/agents/{name}/policy");
        let (status, body) = house.call(None, Method::PUT, &path, &body).await;
        (status.as_u16(), body["code"].as_str().unwrap_or_default().to_owned())
    };
    let signed = |epoch| serde_json::to_value(policy("research-01", epoch)).unwrap();
    assert_eq!(put("research-01", signed(3)).await.0, 201);
    assert_eq!(put("research-01", signed(3)).await.0, 200);
    assert_eq!(put("research-01", signed(2)).await, (409, "stale_epoch".into()));
    assert_eq!(put("research-02", signed(4)).await, (422, "bad_document".into()));
    assert_eq!(put("nobody", signed(4)).await, (404, "not_found".into()));
    let mut changed = signed(4);
    changed["document"]["yaml"] = json!("policy: x");
    assert_eq!(put("research-01", changed).await, (422, "bad_document".into()));
    let (_, history) = house.look("/v1/agents/research-01/policies").await;
    let epochs: Vec<_> = history.as_array().unwrap().iter().map(|p| p["epoch"].clone()).collect();
    assert_eq!(epochs, [json!(3), json!(1)]);
    let (_, current) = house.look("/v1/agents/research-01/policy").await;
    assert_eq!(current["epoch"], 3);
}

#[tokio::test]
async fn a_node_is_sent_its_groups_documents_and_no_others() {
    let house = House::new().await;
    let agent = FakeNode::join(&house, "research-01", Manner::Signs).await;
    let operator = FakeNode::join(&house, "op-1", Manner::Signs).await;
    let enrolments = |node: &FakeNode| node.count(|f| matches!(f, ToNode::Enrolment { .. }));
    let policies = |node: &FakeNode| node.count(|f| matches!(f, ToNode::Policy { .. }));
    soon(|| policies(&agent) >= 1 && policies(&operator) >= 2).await;
    assert_eq!((enrolments(&agent), policies(&agent)), (1, 1));
    assert_eq!((enrolments(&operator), policies(&operator)), (2, 2));
    house.put_policy("research-02", 2).await;
    soon(|| policies(&operator) >= 3).await;
    assert_eq!(policies(&agent), 1);
    let (_, nodes) = house.look("/v1/nodes").await;
    let operator_view = nodes.as_array().unwrap().iter().find(|n| n["id"] == "op-1").unwrap();
    assert_eq!(
        (&operator_view["connected"], &operator_view["journal_rows"]),
        (&json!(true), &json!(3))
    );
}
