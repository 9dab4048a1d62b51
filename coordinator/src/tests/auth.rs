use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::*;

#[tokio::test]
async fn who_may_look() {
    let house = House::new().await;
    for path in ["/v1/agents", "/v1/wallets", "/v1/payments", "/v1/nodes", "/v1/health"] {
        let (status, body) = house.call(None, Method::GET, path, &Value::Null).await;
        assert_eq!((status.as_u16(), body["code"].as_str().unwrap()), (401, "unauthenticated"));
        assert_eq!(house.look(path).await.0, 200, "{path}");
        let own = house.call(Some("research-01"), Method::GET, path, &Value::Null).await;
        assert_eq!(own.0, 200, "{path}");
        let (status, _) = house.call(Some("op-1"), Method::GET, path, &Value::Null).await;
        assert_eq!(status, 403, "{path}");
    }
    let wrong = reqwest::Client::new().get(format!("http://{}/v1/agents", house.base));
    assert_eq!(read(wrong.bearer_auth("wrong").send().await.unwrap()).await.0, 401);
}

#[tokio::test]
async fn a_wrong_key_and_a_changed_request_are_noticed() {
    let house = House::new().await;
    let url = |path: &str| format!("http://{}{path}", house.base);
    let send = async |headers: &[(&'static str, String)], path: &str| {
        let mut request = reqwest::Client::new().get(url(path));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        read(request.send().await.unwrap()).await.0.as_u16()
    };
    let good = signature("research-01", &Method::GET, "/v1/agents", b"");
    let renamed: Vec<_> =
        good.iter().map(|(n, v)| (*n, v.replace("research-01", "research-02"))).collect();
    let unknown: Vec<_> =
        good.iter().map(|(n, v)| (*n, v.replace("research-01", "nobody"))).collect();
    assert_eq!(send(&renamed, "/v1/agents").await, 401);
    assert_eq!(send(&unknown, "/v1/agents").await, 401);
    assert_eq!(send(&good, "/v1/wallets").await, 401);
    assert_eq!(send(&good[..2], "/v1/agents").await, 401);
    assert_eq!(send(&good, "/v1/agents").await, 200);
    assert_eq!(send(&good, "/v1/agents").await, 401, "a replayed nonce");
}

#[tokio::test]
async fn other_tenants_things_are_not_there() {
    let house = House::new().await;
    let (status, _) = house.pay("research-01", &intent("research-01", 1, x402(900_000))).await;
    assert_eq!(status, 422);
    let id = "01".repeat(32);
    let request = "77".repeat(32);
    let paths = [
        "/v1/agents/research-01".to_owned(),
        "/v1/agents/research-01/policy".to_owned(),
        "/v1/agents/research-01/policies".to_owned(),
        format!("/v1/wallets/{WALLET}"),
        format!("/v1/wallets/{WALLET}/balance"),
        format!("/v1/payments/{id}"),
        format!("/v1/ceremonies/{request}"),
    ];
    for path in paths {
        for (who, expected) in [("research-02", 404), ("research-01", 200)] {
            let (status, body) = house.call(Some(who), Method::GET, &path, &Value::Null).await;
            assert_eq!(status.as_u16(), expected, "{who} {path} {body}");
        }
    }
    let (_, list) = house.call(Some("research-02"), Method::GET, "/v1/wallets", &Value::Null).await;
    assert_eq!(list.as_array().unwrap().len(), 1);
    let path = "/v1/payments?agent=research-01";
    let (_, page) = house.call(Some("research-02"), Method::GET, path, &Value::Null).await;
    assert_eq!(page["payments"], json!([]));
    let (_, nodes) = house.call(Some("research-02"), Method::GET, "/v1/nodes", &Value::Null).await;
    assert_eq!(nodes.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn only_agents_ask_for_payments_and_only_for_their_own() {
    let house = House::new().await;
    let theirs = json!({ "intent": intent("research-01", 1, x402(10)) });
    let call = async |who| house.call(who, Method::POST, "/v1/payments", &theirs).await.0.as_u16();
    assert_eq!(call(None).await, 401);
    assert_eq!(call(Some("research-02")).await, 403);
    assert_eq!(call(Some("op-1")).await, 403);
    let url = format!("http://{}/v1/payments", house.base);
    let request = reqwest::Client::new().post(url).bearer_auth(TOKEN).body(theirs.to_string());
    assert_eq!(read(request.send().await.unwrap()).await.0, 403);
}

#[tokio::test]
async fn a_stranger_opens_no_relay() {
    let house = House::new().await;
    let (status, _) = house.call(None, Method::GET, "/v1/relay", &Value::Null).await;
    assert_eq!(status, 401);
    let (status, _) = house.call(Some("op-1"), Method::GET, "/v1/relay", &Value::Null).await;
    assert_eq!(status, 400, "signed, but no WebSocket");
}
