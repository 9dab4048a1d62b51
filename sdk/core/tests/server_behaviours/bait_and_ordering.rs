//! Behaviour 11: The expensive entry first, fifty entries, keys given twice, a price that rises.

use serde_json::{Value, json};
use tercet::choose::Unacceptable;
use tercet::error::Declined;
use tercet::rules::FetchRules;
use tercet::wire::BadHeader;

use crate::support::merchant::{challenge, offer, offer_with, resource, response};
use crate::support::{Answer, World, rules};
use base64::Engine as _;

#[tokio::test]
async fn the_cheapest_is_paid_wherever_it_stands() {
    for place in 0..3 {
        let world = World::new(move |hit| match hit.payment {
            None => {
                let mut accepts =
                    vec![offer_with("amount", "900000"), offer_with("amount", "20000")];
                accepts.insert(place, offer());
                challenge(&accepts)
            }
            Some(_) => resource(),
        })
        .await;
        world.get("/paid").await.unwrap();
        assert_eq!(world.merchant.payments()[0].value, "10000");
    }
}

#[tokio::test]
async fn more_entries_than_are_looked_at_are_not_a_challenge() {
    let world = World::new(|_| challenge(&vec![json!({}); 50])).await;
    let why = world.declined("/paid").await;
    let expected = Declined::NoChallenge { problem: BadHeader::TooManyAccepts { count: 50 } };
    assert_eq!(why, expected);
}

#[tokio::test]
async fn a_key_given_twice_is_not_read_either_way() {
    let world = World::new(|_| {
        let twice = offer().to_string().replacen('{', r#"{"amount":"1","#, 1);
        let json = format!(r#"{{"x402Version":2,"accepts":[{twice}]}}"#);
        let value = base64::engine::general_purpose::STANDARD.encode(json);
        Answer::Respond(response(402, &[("payment-required", value)], "{}"))
    })
    .await;
    let why = world.declined("/paid").await;
    assert!(matches!(&why, Declined::NoChallenge { problem: BadHeader::NotJson { .. } }), "{why}");
}

#[tokio::test]
async fn a_price_over_the_limit_is_refused_with_its_numbers() {
    let rules = FetchRules { max_price: "0.005 USDC".parse().unwrap(), ..rules() };
    let world = World::with(rules, Default::default(), |_| challenge(&[offer()])).await;
    let why = world.declined("/paid").await;
    let Declined::NothingAcceptable { skipped } = &why else { panic!("{why}") };
    let Unacceptable::TooDear { asked, limit } = &skipped[0].why else { panic!("{why}") };
    assert_eq!((asked.base_units(), limit.base_units()), (10_000, 5_000));
}

#[tokio::test]
async fn a_price_that_rises_with_the_payment_is_not_followed() {
    let world = World::new(|hit| {
        let price: Value = if hit.payment.is_none() { "10000" } else { "20000" }.into();
        challenge(&[offer_with("amount", price)])
    })
    .await;
    world.get("/paid").await.unwrap_err();
    world.get("/paid").await.unwrap_err();
    world.assert_one_nonce();
    assert!(world.merchant.payments().iter().all(|payment| payment.value == "10000"));
}
