use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::*;
use super::node::Manner;
use super::payments::pair;

fn figures(kind: &str, of: &str, reserved: &str, spent: &str) -> [String; 4] {
    [kind, of, reserved, spent].map(str::to_owned)
}

#[tokio::test]
async fn what_is_reserved_spent_and_left_is_told_for_each_rule_and_service() {
    let house = House::new().await;
    let rules = "  - limit: { amount: 5 USDC, per: day }\n  \
        - limit: { amount: 3 USDC, per: week, by: service, calendar: Europe/Berlin }\n  \
        - rate: { count: 10, per: hour }\n  - allow: { services: [a.example] }\n";
    let yaml =
        format!("policy: test\nepoch: 2\napplies_to: {{ agent: research-01 }}\nrules:\n{rules}");
    assert_eq!(house.put("/v1/policies", &signed_policy(&yaml)).await.0, 201);
    let (agent, operator) = pair(&house, Manner::Signs, Manner::Signs).await;
    let before = now();
    house.pay("research-01", &intent("research-01", 1, x402(250_000))).await;
    agent.becomes(Manner::Silent);
    operator.becomes(Manner::Silent);
    let slow = intent("research-01", 2, x402(100_000));
    let (status, _) = house.pay("research-01", &slow).await;
    assert_eq!(status, 202);
    assert_eq!(
        house.budgets("").await,
        [
            figures("limit", "null", "0.1", "0.25"),
            figures("limit", "a.example", "0.1", "0.25"),
            figures("rate", "null", "1", "1"),
        ]
    );
    let (_, page) = house.look(&format!("/v1/budgets?wallet={WALLET}")).await;
    let line = &page["budgets"][0];
    assert_eq!(page["agent"], "research-01");
    assert_eq!(
        (&line["limit"], &line["available"], &line["unit"], &line["per"], &line["mode"]),
        (&json!("5"), &json!("4.65"), &json!("USDC"), &json!("day"), &json!("enforce"))
    );
    let resets = line["resets_at"].as_u64().unwrap();
    assert!((before.0 + 86_400..=now().0 + 86_400).contains(&resets), "{page}");
    assert_eq!(page["budgets"][1]["per"], "week in Europe/Berlin by service");
    assert_eq!(
        house.budgets("&service=b.example").await[1],
        figures("limit", "b.example", "0", "0"),
        "what was never paid has its budget too"
    );
    let house = house.restarted().await;
    assert_eq!(house.budgets("").await[1], figures("limit", "a.example", "0.1", "0.25"));
}

#[tokio::test]
async fn an_agent_sees_its_own_and_of_others_no_names() {
    let house = House::new().await;
    let yaml = "policy: house\nepoch: 1\napplies_to: { organisation: acme }\nrules:\n  \
        - limit: { amount: 9 USDC, per: day }\n  - limit: { amount: 9 USDC, per: day, by: service }\n";
    assert_eq!(house.put("/v1/policies", &signed_policy(yaml)).await.0, 201);
    let _nodes = pair(&house, Manner::Signs, Manner::Signs).await;
    house.pay("research-01", &intent("research-01", 1, x402(250_000))).await;
    let get = async |who: &str, query: &str| {
        let path = format!("/v1/budgets{query}");
        let (status, page) = house.call(Some(who), Method::GET, &path, &Value::Null).await;
        (status.as_u16(), page)
    };
    let (_, own) = get("research-01", "").await;
    assert_eq!(own["budgets"].as_array().unwrap().len(), 3);
    let (_, other) = get("research-02", "").await;
    let lines: Vec<_> =
        other["budgets"].as_array().unwrap().iter().map(|l| (&l["policy"], &l["spent"])).collect();
    assert_eq!(lines, [(&json!("house"), &json!("0.25")), (&json!("test"), &json!("0"))]);
    assert_eq!(get("research-02", "?agent=research-01").await.0, 404);
    assert_eq!(get("research-02", &format!("?wallet={WALLET}")).await.0, 404);
    assert_eq!(get("research-01", &format!("?wallet={OWN_WALLET}")).await.0, 404);
    assert_eq!(house.look("/v1/budgets").await.0, 400, "a reader says whose");
    for bad in ["wallet=12", "service=A.example", "service=a/b", "colour=red", "agent=%21"] {
        assert_eq!(get("research-01", &format!("?{bad}")).await.0, 400, "{bad}");
    }
}
