//! Behaviour 13: challenges that are in a body, twice, too long, in another alphabet or of another
//! version.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use serde_json::json;
use tercet::error::Declined;
use tercet::wire::BadHeader;

use crate::support::merchant::{base64, challenge_of, offer, resource, response};
use crate::support::{Answer, World};

fn good() -> String {
    base64(&json!({ "x402Version": 2, "accepts": [offer()] }))
}

async fn problem(headers: Vec<(&'static str, String)>, body: String) -> BadHeader {
    let world = World::new(move |_| Answer::Respond(response(402, &headers, body.clone()))).await;
    match world.declined("/paid").await {
        Declined::NoChallenge { problem } => problem,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_body_is_never_a_challenge() {
    let v1 = json!({ "x402Version": 1, "accepts": [offer()] }).to_string();
    let v2 = json!({ "x402Version": 2, "accepts": [offer()] }).to_string();
    for body in [v1.clone(), v2, String::new()] {
        assert!(matches!(problem(vec![], body).await, BadHeader::Missing { .. }));
    }
    let bad = vec![("payment-required", "%".to_owned())];
    let kind = problem(bad, v1).await;
    assert!(matches!(kind, BadHeader::NotBase64 { .. }), "no way back to version 1: {kind}");
}

#[tokio::test]
async fn malformed_headers_are_told_apart_and_not_paid() {
    let twice = vec![("payment-required", good()), ("payment-required", good())];
    assert!(matches!(problem(twice, String::new()).await, BadHeader::Repeated { count: 2, .. }));
    let long = vec![("payment-required", "A".repeat(20_000))];
    assert!(matches!(problem(long, String::new()).await, BadHeader::TooLong { .. }));
    let text = json!({ "x402Version": 2, "error": "\u{ff}?>\u{fe}~", "accepts": [offer()] });
    let url_safe = URL_SAFE.encode(text.to_string());
    assert!(url_safe.contains(['-', '_']));
    let kind = problem(vec![("payment-required", url_safe)], String::new()).await;
    assert!(matches!(kind, BadHeader::NotBase64 { .. }), "{kind}");
    for version in [json!(1), json!(3), json!("2"), json!(2.5)] {
        let other = base64(&json!({ "x402Version": version, "accepts": [offer()] }));
        let kind = problem(vec![("payment-required", other)], String::new()).await;
        let known = matches!(kind, BadHeader::Version { .. } | BadHeader::NotJson { .. });
        assert!(known, "{version}: {kind}");
    }
    let not_json = STANDARD.encode("accepts everything");
    let kind = problem(vec![("payment-required", not_json)], String::new()).await;
    assert!(matches!(kind, BadHeader::NotJson { .. }), "{kind}");
}

#[tokio::test]
async fn missing_padding_is_forgiven() {
    let world = World::new(|hit| match hit.payment {
        None => {
            let json = json!({ "x402Version": 2, "accepts": [offer()] }).to_string();
            // Of a length that needs padding.
            let json = if json.len().is_multiple_of(3) { format!("{json} ") } else { json };
            let value = STANDARD_NO_PAD.encode(json);
            Answer::Respond(response(402, &[("payment-required", value)], "{}"))
        }
        Some(_) => resource(),
    })
    .await;
    assert!(world.get("/paid").await.unwrap().receipt.is_some());
}

#[tokio::test]
async fn a_challenge_beside_a_resource_is_not_paid() {
    let world =
        World::new(|_| Answer::Respond(response(200, &[("payment-required", good())], "here")))
            .await;
    assert!(world.get("/free").await.unwrap().receipt.is_none());
    assert_eq!(world.payer.signed(), 0);
}

#[tokio::test]
async fn a_megabyte_of_header_pays_nothing() {
    let world = World::new(|_| {
        Answer::Respond(response(402, &[("payment-required", "A".repeat(1 << 20))], ""))
    })
    .await;
    world.get("/paid").await.unwrap_err();
    assert_eq!(world.payer.signed(), 0);
}

#[tokio::test]
async fn a_challenge_without_a_resource_is_bound_to_the_url_we_asked() {
    let world = World::new(|hit| match hit.payment {
        None => challenge_of(&json!({ "x402Version": 2, "resource": null, "accepts": [offer()] })),
        Some(_) => resource(),
    })
    .await;
    world.get("/paid?of=mine").await.unwrap();
    let asked = world.merchant.url("/paid?of=mine").to_string();
    assert_eq!(world.purchase().await.url, asked);
}
