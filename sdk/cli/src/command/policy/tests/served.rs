//! What the commands ask of a coordinator.

use super::*;
use crate::fixture::Desk as Served;

fn held(subject: Value, agent: Value, name: &str, yaml: &str) -> Value {
    json!({
        "subject": subject, "agent": agent, "name": name, "epoch": 7, "in_force": true,
        "document": { "document": { "yaml": yaml }, "signatures": [] }, "installed_at": 1,
    })
}

fn payment(service: &str, at: u64) -> Value {
    json!({
        "id": "11".repeat(32), "agent": "research-01", "wallet": PAYEE,
        "payment": {
            "kind": "x402_exact", "chain": "eip155:8453",
            "token": "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913",
            "to": "0x00000000000000000000000000000000000000aa", "amount": "400000",
            "valid_before": at + 60, "resource": format!("https://{service}/q"),
            "service": service,
        },
        "status": "settled", "refusals": [], "slot": null, "digest": null,
        "transaction": null, "block": null, "deadline": null, "detail": null,
        "created_at": at, "updated_at": at,
    })
}

#[tokio::test]
async fn a_backtest_fetches_payments_and_the_policies_in_force() {
    let now = moment::now().0;
    let us = "policy: us\nepoch: 1\napplies_to: { organisation: us }\nrules:\n  \
              - max_amount: 0.30 USDC\n    then: warn\n";
    let answers = [
        (
            "GET /v1/payments?limit=200&agent=research-01",
            json!({ "payments": [payment("api.search.example", now - 60)], "next_cursor": "c" }),
        ),
        (
            "GET /v1/payments?cursor=c&limit=200&agent=research-01",
            json!({ "payments": [payment("api.search.example", now - 120)], "next_cursor": null }),
        ),
        (
            "GET /v1/policies?limit=200",
            json!({ "policies": [
                held(json!({ "agent": "research-01" }), json!("research-01"), "research-01", POLICY),
                held(json!({ "agent": "other" }), json!("other"), "other",
                    &POLICY.replace("research-01", "other")),
                held(json!("organisation"), Value::Null, "us", us),
            ], "next_cursor": null }),
        ),
    ];
    let desk = Served::with(&answers).await;
    let draft = desk.file("draft.yaml", &POLICY.replace("1 USDC, per", "0.50 USDC, per"));
    let words = ["policy", "backtest", draft.to_str().unwrap(), "--since", "30d"];
    let answer = desk.ask(&words).await.unwrap();
    assert_eq!(answer.json["replayed"], 2, "{}", answer.text);
    assert_eq!(answer.json["compared_with"]["epoch"], 7);
    assert_eq!(answer.json["newly_refused"]["number"], 1, "{}", answer.text);
}

#[tokio::test]
async fn explain_without_a_policy_asks_the_coordinator() {
    let decision = json!({
        "verdict": "refuse", "tzdb": "2025b",
        "policies": [{
            "policy": "research-01", "epoch": 7, "subject": { "agent": "research-01" },
            "mode": "enforce",
            "findings": [{
                "rule": 0, "kind": "max_amount", "outcome": "refuses", "limit": "0.5 USDC",
                "asked": "0.6 USDC",
            }],
        }],
    });
    let refusal = json!({ "by": "coordinator", "refusal": {
        "code": "policy", "verdict": "refuse", "tzdb": "2025b", "policies": decision["policies"],
    }});
    let view = json!({ "verdict": "refuse", "decision": null, "refusals": [refusal] });
    let desk = Served::with(&[("POST /v1/policy/decide", view)]).await;
    let asked =
        ["policy", "explain", "--agent", "research-01", "--wallet", PAYEE, "--amount", "0.60"];
    let words = [&asked[..], &["--service", "api.search.example"]].concat();
    let answer = desk.ask(&words).await.unwrap();
    assert_eq!((answer.exit, answer.json["verdict"].as_str()), (Exit::Refused, Some("refuse")));
    assert!(answer.text.contains("0.5 USDC"), "{}", answer.text);
    let (_, body) = desk.asked().pop().unwrap();
    assert_eq!(body["unsigned"]["payment"]["amount"], "600000");
    let with_at = [&words[..], &["--at", "1700000000"]].concat();
    assert_eq!(desk.ask(&with_at).await.unwrap_err().exit(), Exit::Usage);
}

#[tokio::test]
async fn a_signed_policy_is_put_as_it_is() {
    let view = held(json!({ "agent": "research-01" }), json!("research-01"), "research-01", POLICY);
    let desk = Served::with(&[("PUT /v1/policies", view)]).await;
    let key = desk.folder.path().join("a.key");
    crate::keyfile::AuthorityKey::create(&key).unwrap();
    let policy = desk.file("p.yaml", POLICY);
    let signed = desk.folder.path().join("p.json");
    let [policy, signed, key] = [&policy, &signed, &key].map(|path| path.to_str().unwrap());
    desk.ask(&["policy", "sign", policy, "--key", key, "--out", signed]).await.unwrap();
    let answer = desk.ask(&["policy", "put", signed]).await.unwrap();
    assert_eq!((answer.exit, &answer.json["epoch"]), (Exit::Ok, &json!(7)));
    let (_, body) = desk.asked().pop().unwrap();
    assert_eq!(body["document"]["yaml"], POLICY);
}
