use reqwest::Method;
use serde_json::{Value, json};
use tercet_policy::intent::IntentId;

use super::fixture::*;
use crate::http::BODY_BYTES_MAX;

#[tokio::test]
async fn bad_bodies_are_problems() {
    let house = House::new().await;
    let good = json!({ "intent": intent("research-01", 1, x402(10)) });
    let with_amount = |amount: &str| {
        let mut body = good.clone();
        body["intent"]["document"]["payment"]["amount"] = json!(amount);
        body.to_string()
    };
    let with = |pointer: &str, value: Value| {
        let mut body = good.clone();
        *body.pointer_mut(pointer).unwrap() = value;
        body.to_string()
    };
    let cases = [
        ("".to_owned(), 400),
        ("{".to_owned(), 400),
        ("[]".to_owned(), 400),
        ("{\"intent\":1}".to_owned(), 400),
        (good.to_string().replacen('{', "{\"more\":1,", 1), 400),
        (with_amount("1e6"), 400),
        (with_amount("-1"), 400),
        (with_amount("0x10"), 400),
        (with_amount("１"), 400),
        (with_amount("007"), 400),
        (with_amount(&"9".repeat(80)), 400),
        (with("/intent/document/payment/kind", json!("mpp")), 400),
        (with("/intent/document/payment/chain", json!("eip155:1")), 400),
        (with("/intent/document/id", json!("01")), 400),
        (with("/intent/document/agent", json!("nobody")), 403),
        (with_amount("11"), 422),
        (with("/intent/document/payment/token", json!(PAYEE)), 422),
        (with("/intent/document/version", json!(2)), 422),
        (with("/intent/signatures", json!([])), 422),
    ];
    for (body, expected) in cases {
        let sent =
            house.send(Some("research-01"), Method::POST, "/v1/payments", body.clone()).await;
        let (status, problem) = read(sent).await;
        assert_eq!(status.as_u16(), expected, "{body}: {problem}");
    }
    let (status, _) = house.look(&format!("/v1/payments/{}", IntentId([1; 32]))).await;
    assert_eq!(status, 404, "nothing of it was stored");
}

#[tokio::test]
async fn too_large_is_said_whether_announced_or_not() {
    let house = House::new().await;
    let body = " ".repeat(BODY_BYTES_MAX + 1);
    let sent = house.send(Some("research-01"), Method::POST, "/v1/payments", body.clone()).await;
    let (status, problem) = read(sent).await;
    assert_eq!((status.as_u16(), problem["code"].as_str().unwrap()), (413, "too_large"));
}

#[tokio::test]
async fn wrong_routes_and_methods_are_problems() {
    let house = House::new().await;
    let cases = [
        (Method::GET, "/nowhere", 404, "not_found"),
        (Method::DELETE, "/v1/payments", 405, "method_not_allowed"),
        (Method::GET, "/v1/payments/xyz", 400, "malformed"),
        (Method::GET, "/v1/wallets/0x12", 400, "malformed"),
        (Method::GET, "/v1/agents/NOT_A_NAME", 400, "malformed"),
        (Method::GET, "/v1/payments?limit=0", 400, "malformed"),
        (Method::GET, "/v1/payments?limit=9999", 400, "malformed"),
        (Method::GET, "/v1/payments?cursor=%21", 400, "malformed"),
        (Method::GET, "/v1/payments?colour=red", 400, "malformed"),
        (Method::GET, "/v1/payments?status=paid", 400, "malformed"),
    ];
    for (method, path, expected, code) in cases {
        let (status, body) = house.call(Some("research-01"), method, path, &Value::Null).await;
        assert_eq!((status.as_u16(), body["code"].as_str().unwrap()), (expected, code), "{path}");
    }
}

#[tokio::test]
async fn more_than_fits_is_turned_away_with_a_time_to_come_back() {
    let limits = crate::config::Limits { requests_in_flight_max: 1, ..limits() };
    let house = House::with(limits).await;
    let place = house.app.request_places().try_acquire_owned().unwrap();
    let sent = house.send(None, Method::GET, "/livez", String::new()).await;
    assert!(sent.headers().contains_key("retry-after"));
    assert!(sent.headers().contains_key("x-request-id"));
    assert_eq!(read(sent).await.0, 429);
    drop(place);
    assert_eq!(house.send(None, Method::GET, "/livez", String::new()).await.status(), 200);
    assert_eq!(house.send(None, Method::GET, "/readyz", String::new()).await.status(), 200);
}
