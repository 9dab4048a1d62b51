//! Behaviour 12: Another payee, another resource, another origin.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tercet::error::{BadRequest, Declined, Error};
use tercet::rules::FetchRules;
use tercet_policy::chain::Chain;
use tercet_policy::intent::Service;

use crate::support::merchant::{
    PAYEE, challenge, challenge_of, offer, offer_with, resource, response,
};
use crate::support::{Answer, Merchant, World, rules};

const OTHER: &str = "0x00000000000000000000000000000000deadbeef";

/// Pays [`PAYEE`] first, then asks for the payee in the hand.
async fn turncoat(rules: FetchRules) -> (World, Arc<Mutex<&'static str>>) {
    let payee = Arc::new(Mutex::new(PAYEE));
    let named = Arc::clone(&payee);
    let world = World::with(rules, Default::default(), move |hit| match hit.payment {
        None => challenge(&[offer_with("payTo", *named.lock().unwrap())]),
        Some(_) => resource(),
    })
    .await;
    world.get("/first").await.unwrap();
    *payee.lock().unwrap() = OTHER;
    (world, payee)
}

#[tokio::test]
async fn a_payee_that_changes_is_refused_until_somebody_says_so() {
    let (world, _) = turncoat(rules()).await;
    let error = world.get("/second").await.unwrap_err();
    let Error::Declined(why) = error else { panic!("{error}") };
    let Declined::PayeeChanged { service, offered, .. } = *why else { panic!("{why}") };
    assert_eq!(world.payer.signed(), 1);
    world.buyer.trust_payee(&service, Chain::Base, offered).await.unwrap();
    world.get("/second").await.unwrap();
}

#[tokio::test]
async fn listed_payees_are_the_only_ones() {
    let world = World::new(|_| challenge(&[offer()])).await;
    let service = Service::of(world.merchant.url("/").as_str()).unwrap();
    let listed = [(service, [OTHER.parse().unwrap()].into())].into();
    let rules = FetchRules { payees: listed, ..rules() };
    let mut world = world;
    world.restart_with(rules).await;
    let error = world.get("/paid").await;
    assert!(matches!(error, Err(Error::Declined(_))));
    assert_eq!(world.payer.signed(), 0);
}

#[tokio::test]
async fn a_challenge_for_another_resource_is_not_paid() {
    for other in ["https://elsewhere.example/paid", "/other", "http://127.0.0.1:1/paid"] {
        let world = World::new(move |_| {
            challenge_of(&json!({
                "x402Version": 2, "resource": { "url": other }, "accepts": [offer()],
            }))
        })
        .await;
        let why = world.declined("/paid").await;
        assert!(matches!(why, Declined::OtherResource { .. }), "{other}: {why}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_before_or_after_the_payment() {
    let elsewhere = Merchant::start(|_| resource()).await;
    let to = elsewhere.url("/stolen").to_string();
    let before = to.clone();
    let world =
        World::new(move |_| Answer::Respond(response(307, &[("location", before.clone())], "")))
            .await;
    assert_eq!(world.get("/paid").await.unwrap().response.status(), 307);
    let world = World::new(move |hit| match hit.payment {
        None => challenge(&[offer()]),
        Some(_) => Answer::Respond(response(307, &[("location", to.clone())], "")),
    })
    .await;
    let error = world.get("/paid").await.unwrap_err();
    assert!(matches!(error, Error::Unknown(_)), "{error}");
    assert!(elsewhere.hits().is_empty(), "the payment went elsewhere");
}

#[tokio::test]
async fn plain_http_private_hosts_and_credentials_are_not_asked() {
    let world = World::new(|_| resource()).await;
    for url in [
        "http://merchant.example/",
        "https://u:p@merchant.example/",
        "https://192.168.0.1/",
        "https://169.254.169.254/latest",
        "ftp://merchant.example/",
    ] {
        let request = reqwest::Request::new(reqwest::Method::GET, url.parse().unwrap());
        let error = world.fetch(request).await.unwrap_err();
        let refused =
            matches!(error, Error::BadRequest(BadRequest::Url | BadRequest::PrivateHost { .. }));
        assert!(refused, "{url}: {error}");
    }
}
