use serde_json::{Value, json};
use tercet_api::relay::ToNode;
use tercet_policy::document::Signed;
use tercet_policy::rules::{PolicyDocument, SignedPolicy};

use super::fixture::*;
use super::node::{FakeNode, Manner};

fn organisation(epoch: u64, rules: &str) -> SignedPolicy {
    signed_policy(&format!(
        "policy: house\nepoch: {epoch}\napplies_to: {{ organisation: acme }}\nrules:\n{rules}"
    ))
}

fn of_wallet(epoch: u64, wallet: impl ToString, agent: &str, rules: &str) -> SignedPolicy {
    let wallet = wallet.to_string();
    signed_policy(&format!(
        "policy: purse\nepoch: {epoch}\napplies_to: {{ wallet: \"{wallet}\", agent: {agent} }}\n\
         rules:\n{rules}"
    ))
}

fn of_agent(epoch: u64, rules: &str) -> PolicyDocument {
    PolicyDocument {
        yaml: format!(
            "policy: test\nepoch: {epoch}\napplies_to: {{ agent: research-01 }}\nrules:\n{rules}"
        ),
    }
}

async fn decided(house: &House, units: u128) -> Value {
    let asked = json!({ "unsigned": intent("research-01", 77, x402(units)).document });
    let agent = Some("research-01");
    house.call(agent, reqwest::Method::POST, "/v1/policy/decide", &asked).await.1
}

#[tokio::test]
async fn policies_of_every_subject_are_kept_with_their_history() {
    let house = House::new().await;
    let wide = "  - max_amount: 2 USDC\n";
    let first = organisation(1, wide);
    assert_eq!(house.put("/v1/policies", &first).await.0, 201);
    assert_eq!(house.put("/v1/policies", &first).await.0, 200, "the same again");
    assert_eq!(house.put("/v1/policies", &organisation(4, wide)).await.0, 201);
    let purse = of_wallet(1, WALLET, "research-01", wide);
    assert_eq!(house.put("/v1/policies", &purse).await.0, 201);

    let (_, all) = house.look("/v1/policies").await;
    let subjects: Vec<_> =
        all["policies"].as_array().unwrap().iter().map(|p| p["subject"].clone()).collect();
    let agent = |name: &str| json!({ "agent": name });
    let wallet = json!({ "wallet": WALLET.to_string().to_lowercase() });
    assert_eq!(
        subjects,
        [wallet, json!("organisation"), agent("research-02"), agent("research-01")]
    );
    let (_, page) = house.look("/v1/policies?subject=organisation").await;
    assert_eq!(
        (page["policies"].as_array().unwrap().len(), &page["policies"][0]["epoch"]),
        (1, &json!(4))
    );
    let (_, history) = house.look("/v1/policies/house").await;
    let history = history["policies"].as_array().unwrap();
    let epochs: Vec<_> = history.iter().map(|p| (&p["epoch"], &p["in_force"])).collect();
    assert_eq!(epochs, [(&json!(4), &json!(true)), (&json!(1), &json!(false))]);
    assert_eq!(history[1]["document"], serde_json::to_value(&first).unwrap(), "as it was signed");
    assert_eq!(house.look("/v1/policies/nowhere").await.0, 404);
    for bad in ["subject=nobody", "subject=wallet/12", "limit=0", "limit=201", "cursor=%21"] {
        assert_eq!(house.look(&format!("/v1/policies?{bad}")).await.0, 400, "{bad}");
    }

    let other = Some("research-02");
    let get = reqwest::Method::GET;
    let (_, seen) = house.call(other, get, "/v1/policies", &Value::Null).await;
    let names: Vec<_> = seen["policies"].as_array().unwrap().iter().map(|p| &p["name"]).collect();
    assert_eq!(names, ["house", "test"], "not the other agent's");
    let (_, view) = house.look("/v1/agents/research-01").await;
    let epochs: Vec<_> =
        view["policies"].as_array().unwrap().iter().map(|p| (&p["name"], &p["epoch"])).collect();
    assert_eq!(
        epochs,
        [(&json!("house"), &json!(4)), (&json!("test"), &json!(1)), (&json!("purse"), &json!(1))]
    );
}

#[tokio::test]
async fn pages_of_policies_follow_each_other() {
    let house = House::new().await;
    for epoch in 1..=5 {
        house.put("/v1/policies", &organisation(epoch, "  - max_amount: 2 USDC\n")).await;
    }
    let (mut path, mut epochs) = ("/v1/policies/house?limit=2".to_owned(), Vec::new());
    loop {
        let (_, page) = house.look(&path).await;
        epochs.extend(page["policies"].as_array().unwrap().iter().map(|p| p["epoch"].clone()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/policies/house?limit=2&cursor={cursor}");
    }
    assert_eq!(epochs, [json!(5), json!(4), json!(3), json!(2), json!(1)]);
}

#[tokio::test]
async fn a_policy_that_is_not_good_is_refused_with_its_place_and_the_old_one_stays() {
    let house = House::new().await;
    house.put_policy("research-01", 3).await;
    let by_one = |document| Signed::by(document, &key(1)).unwrap();
    let by_nobody = |document| Signed { document, signatures: Vec::new() };
    let by_stranger = |document| {
        let mut signed = Signed::by(document, &key(1)).unwrap();
        signed.add_signature(&key(99)).unwrap();
        signed
    };
    let any = "  - max_amount: 9 USDC\n";
    let changed = {
        let mut signed = by_quorum(of_agent(9, any));
        signed.document.yaml.push_str("  - max_amount: 8 USDC\n");
        signed
    };
    let cases: [(&str, SignedPolicy, u16, &str, &str); 15] = [
        ("an older epoch", by_quorum(of_agent(2, any)), 409, "stale_epoch", "epoch 2"),
        ("another text of one epoch", by_quorum(of_agent(3, any)), 409, "stale_epoch", "epoch 3"),
        ("epoch 0", by_quorum(of_agent(0, any)), 422, "bad_document", "line 2"),
        ("too few", by_one(of_agent(9, any)), 422, "bad_document", "2"),
        ("nobody", by_nobody(of_agent(9, any)), 422, "bad_document", "sign"),
        ("a stranger", by_stranger(of_agent(9, any)), 422, "bad_document", "sign"),
        ("changed", changed, 422, "bad_document", "sign"),
        (
            "no such rule",
            by_quorum(of_agent(9, "  - max_amont: 9 USDC\n")),
            422,
            "bad_document",
            "line 5",
        ),
        ("no asset", by_quorum(of_agent(9, "  - max_amount: 9\n")), 422, "bad_document", "line 5"),
        (
            "no such zone",
            by_quorum(of_agent(
                9,
                "  - limit: { amount: 1 USDC, per: day, calendar: Mars/Base }\n",
            )),
            422,
            "bad_document",
            "Mars/Base",
        ),
        (
            "a window of zero",
            by_quorum(of_agent(9, "  - limit: { amount: 1 USDC, per: 0m }\n")),
            422,
            "bad_document",
            "line 5",
        ),
        ("no yaml", signed_policy("{"), 422, "bad_document", "line"),
        (
            "another's wallet",
            of_wallet(1, OTHER_WALLET, "research-01", any),
            422,
            "bad_document",
            "another agent's",
        ),
        ("no wallet", of_wallet(1, PAYEE, "research-01", any), 404, "not_found", "wallet"),
        ("no agent", of_wallet(1, WALLET, "nobody", any), 404, "not_found", "agent"),
    ];
    for (name, signed, status, code, said) in cases {
        let (found, problem) = house.put("/v1/policies", &signed).await;
        assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{name}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(said), "{name}: {problem}");
    }
    assert_eq!(house.look("/v1/agents/research-01/policy").await.1["epoch"], 3);
    the_old_one_judges(house).await;
}

async fn the_old_one_judges(house: House) {
    let elsewhere = by_quorum(of_agent(9, "  - max_amount: 9 USDC\n"));
    let (status, problem) = house.put("/v1/agents/research-02/policy", &elsewhere).await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("bad_document")));
    assert!(problem["detail"].as_str().unwrap().contains("research-02"), "{problem}");
    assert_eq!(decided(&house, 600_000).await["verdict"], "refuse", "the old one judges");
    assert_eq!(decided(&house, 500_000).await["verdict"], "approve");
    let house = house.restarted().await;
    assert_eq!(decided(&house, 600_000).await["verdict"], "refuse", "also after a restart");
}

#[tokio::test]
async fn a_policy_without_allow_is_taken_and_another_grants() {
    let house = House::new().await;
    let only_bound = by_quorum(of_agent(2, "  - max_amount: 0.20 USDC\n"));
    assert_eq!(house.put("/v1/policies", &only_bound).await.0, 201);
    assert_eq!(decided(&house, 100_000).await["verdict"], "refuse", "nobody grants");
    let grants = organisation(1, "  - allow: { services: [a.example] }\n");
    assert_eq!(house.put("/v1/policies", &grants).await.0, 201);
    assert_eq!(decided(&house, 100_000).await["verdict"], "approve");
    assert_eq!(decided(&house, 200_001).await["verdict"], "refuse", "deny wins");
    let nothing = organisation(2, "  - block: { services: [a.example] }\n");
    assert_eq!(house.put("/v1/policies", &nothing).await.0, 201);
    let refused = decided(&house, 1).await;
    assert_eq!(refused["verdict"], "refuse");
    let policies: Vec<_> = refused["decision"]["policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|opinion| (&opinion["policy"], &opinion["epoch"]))
        .collect();
    assert_eq!(policies, [(&json!("house"), &json!(2)), (&json!("test"), &json!(2))]);
}

#[tokio::test]
async fn one_key_tightens_and_a_restart_and_a_new_node_understand_why() {
    let house = House::new().await;
    let rules = |most: &str| {
        format!(
            "  - max_amount: {most} USDC\n  - limit: {{ amount: 5 USDC, per: day }}\n  \
             - allow: {{ services: [a.example] }}\n  - allow: {{ recipients: [\"{PAYEE}\"] }}\n"
        )
    };
    let by_one = |epoch, most| Signed::by(of_agent(epoch, &rules(most)), &key(1)).unwrap();
    let (status, problem) = house.put("/v1/policies", &by_one(2, "0.60")).await;
    assert_eq!(status, 422, "wider takes the quorum: {problem}");
    assert_eq!(house.put("/v1/policies", &by_one(2, "0.20")).await.0, 201);
    assert_eq!(house.put("/v1/policies", &by_one(3, "0.10")).await.0, 201);
    assert_eq!(decided(&house, 200_000).await["verdict"], "refuse");
    let house = house.restarted().await;
    assert_eq!(decided(&house, 200_000).await["verdict"], "refuse");
    assert_eq!(decided(&house, 100_000).await["verdict"], "approve");
    let node = FakeNode::join(&house, "research-01", Manner::Signs).await;
    let policies = || node.count(|frame| matches!(frame, ToNode::Policy { .. }));
    soon(|| policies() >= 3).await;
    assert_eq!(policies(), 3, "the quorum's, and both that only tighten it");
}
