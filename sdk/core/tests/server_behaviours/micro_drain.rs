//! Behaviour 15: Many small 402s, equal requests side by side, challenges out of a cache.

use std::sync::Arc;

use tercet::error::{Declined, Error};
use tercet::rules::FetchRules;

use crate::support::merchant::{base64, challenge, offer, resource_settled_in, response};
use crate::support::{Answer, FakeChain, World, rules};
use serde_json::json;

async fn honest(rules: FetchRules) -> World {
    let chain = Arc::new(FakeChain::default());
    let settling = Arc::clone(&chain);
    World::with(rules, chain, move |hit| match hit.payment {
        None => challenge(&[offer()]),
        Some(payment) => resource_settled_in(settling.settle(&payment)),
    })
    .await
}

#[tokio::test]
async fn the_day_has_a_limit_over_all_paths() {
    let day = FetchRules { max_per_day: Some("0.03 USDC".parse().unwrap()), ..rules() };
    let world = honest(day).await;
    for path in ["/a", "/b", "/c"] {
        world.get(path).await.unwrap();
    }
    let error = world.get("/d").await.unwrap_err();
    let Error::Declined(why) = error else { panic!("{error}") };
    assert!(matches!(*why, Declined::DailyLimit { .. }), "{why}");
    world.clock.advance(86_400);
    world.get("/d").await.unwrap();
}

#[tokio::test]
async fn the_policys_refusal_is_told_and_ends_the_intent() {
    let world = honest(rules()).await;
    world.payer.grant(2);
    world.get("/a").await.unwrap();
    world.get("/b").await.unwrap();
    let error = world.get("/c").await.unwrap_err();
    let Error::Refused { refusals, .. } = error else { panic!("{error}") };
    assert_eq!(refusals[0].by, "operator");
    assert_eq!(world.merchant.payments().len(), 2);
}

#[tokio::test]
async fn a_minute_has_a_limit() {
    let slow = FetchRules { purchases_per_minute_max: 2, ..rules() };
    let world = honest(slow).await;
    world.get("/a").await.unwrap();
    world.get("/b").await.unwrap();
    let error = world.get("/c").await.unwrap_err();
    assert!(matches!(&error, Error::Declined(why) if matches!(**why, Declined::TooFast { .. })));
}

#[tokio::test]
async fn equal_requests_side_by_side_share_an_open_intent() {
    let world = World::new(|hit| match hit.payment {
        None => challenge(&[offer()]),
        Some(_) => Answer::Respond(response(502, &[], "")),
    })
    .await;
    let (one, two, three) =
        tokio::join!(world.get("/paid"), world.get("/paid"), world.get("/paid"));
    for outcome in [one, two, three] {
        assert!(matches!(outcome, Err(Error::Unknown(_))));
    }
    world.assert_one_nonce();
}

#[tokio::test]
async fn a_challenge_out_of_a_cache_is_not_paid() {
    for age in ["3600", "31", "yesterday"] {
        let world = World::new(move |_| {
            let value = base64(&json!({ "x402Version": 2, "accepts": [offer()] }));
            let headers = [("payment-required", value), ("age", age.to_owned())];
            Answer::Respond(response(402, &headers, "{}"))
        })
        .await;
        let why = world.declined("/paid").await;
        assert!(matches!(why, Declined::StaleChallenge { .. }), "{age}: {why}");
    }
}

#[tokio::test]
async fn a_body_that_can_be_sent_once_only_is_refused_before_anything_is_sent() {
    let world = honest(rules()).await;
    let mut request = world.merchant.request(reqwest::Method::POST, "/paid");
    let stream = futures_util::stream::iter([Ok::<_, std::io::Error>("a body")]);
    *request.body_mut() = Some(reqwest::Body::wrap_stream(stream));
    let error = world.fetch(request).await.unwrap_err();
    assert!(matches!(error, Error::BadRequest(_)), "{error}");
    assert!(world.merchant.hits().is_empty());
}
