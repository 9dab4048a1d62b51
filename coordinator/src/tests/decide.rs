use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::*;

async fn ask(house: &House, who: Option<&str>, body: &Value) -> (u16, Value) {
    let (status, body) = house.call(who, Method::POST, "/v1/policy/decide", body).await;
    (status.as_u16(), body)
}

#[tokio::test]
async fn asking_reserves_nothing_and_says_every_rule() {
    let house = House::new().await;
    let signed = intent("research-01", 1, x402(500_000));
    for _ in 0..20 {
        let (status, view) = ask(&house, Some("research-01"), &json!({ "intent": signed })).await;
        assert_eq!((status, view["verdict"].as_str()), (200, Some("approve")), "{view}");
    }
    let unsigned = json!({ "unsigned": signed.document });
    let (_, view) = ask(&house, Some("research-01"), &unsigned).await;
    let findings = view["decision"]["policies"][0]["findings"].as_array().unwrap();
    let kinds: Vec<_> = findings.iter().map(|found| found["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["max_amount", "limit", "allow", "allow"]);
    assert_eq!(
        (&findings[1]["limit"], &findings[1]["current"]),
        (&json!("5 USDC"), &json!("0 USDC"))
    );
    let zero = ["limit", "null", "0", "0"].map(str::to_owned);
    assert_eq!(house.budgets("").await, [zero]);
    let (_, page) = house.look("/v1/payments").await;
    assert_eq!(page["payments"].as_array().unwrap().len(), 0, "nothing is stored");
}

#[tokio::test]
async fn a_no_comes_with_its_reason() {
    let house = House::new().await;
    let (_, view) = ask(
        &house,
        Some("research-01"),
        &json!({ "unsigned": intent("research-01", 1, x402(600_000)).document }),
    )
    .await;
    assert_eq!(view["verdict"], "refuse");
    assert_eq!(view["refusals"][0]["refusal"]["code"], "policy");
    let findings = view["decision"]["policies"][0]["findings"].as_array().unwrap();
    assert_eq!((&findings[0]["outcome"], findings.len()), (&json!("refuses"), 4));
    let mut forged = serde_json::to_value(intent("research-01", 1, x402(1))).unwrap();
    forged["document"]["payment"]["amount"] = json!("2");
    let (status, view) = ask(&house, Some("research-01"), &json!({ "intent": forged })).await;
    assert_eq!((status, &view["refusals"][0]["refusal"]["code"]), (200, &json!("bad_signature")));
    let strange = intent_from("research-01", 1, OWN_WALLET, x402(1), 60);
    let (_, view) = ask(&house, Some("research-01"), &json!({ "intent": strange })).await;
    assert_eq!(view["refusals"][0]["refusal"]["code"], "unknown_wallet");
}

#[tokio::test]
async fn who_may_ask_about_whom() {
    let house = House::new().await;
    let own = json!({ "unsigned": intent("research-01", 1, x402(1)).document });
    assert_eq!(ask(&house, Some("research-02"), &own).await.0, 404);
    assert_eq!(ask(&house, None, &own).await.0, 401);
    let mut both = own.clone();
    both["intent"] = json!(intent("research-01", 1, x402(1)));
    assert_eq!(ask(&house, Some("research-01"), &both).await.0, 400);
    assert_eq!(ask(&house, Some("research-01"), &json!({})).await.0, 400);
    assert_eq!(ask(&house, Some("research-01"), &json!({ "more": 1 })).await.0, 400);
}
