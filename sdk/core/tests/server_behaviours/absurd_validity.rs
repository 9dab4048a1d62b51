//! Behaviour 7: A `maxTimeoutSeconds` of ten years, zero, less than zero, or half a second.

use serde_json::{Value, json};
use tercet::choose::Unacceptable;
use tercet::error::Declined;

use crate::support::merchant::{challenge, offer_with, resource};
use crate::support::{NOW, World};

#[tokio::test]
async fn ten_years_are_cut_to_five_minutes() {
    let world = World::new(|hit| match hit.payment {
        None => challenge(&[offer_with("maxTimeoutSeconds", 315_360_000)]),
        Some(_) => resource(),
    })
    .await;
    world.get("/paid").await.unwrap();
    assert_eq!(world.merchant.payments()[0].valid_before, NOW + 300);
}

#[tokio::test]
async fn what_is_too_short_or_no_whole_number_is_not_signed() {
    let absurd: Vec<Value> = vec![
        json!(0),
        json!(1),
        json!(9),
        json!(-1),
        json!(0.5),
        json!(1e300),
        json!("60"),
        Value::Null,
    ];
    for given in absurd {
        let shown = given.clone();
        let world =
            World::new(move |_| challenge(&[offer_with("maxTimeoutSeconds", given.clone())])).await;
        let why = world.declined("/paid").await;
        let Declined::NothingAcceptable { skipped } = &why else { panic!("{why}") };
        assert!(matches!(skipped[0].why, Unacceptable::Validity { .. }), "{shown}: {why}");
    }
}
