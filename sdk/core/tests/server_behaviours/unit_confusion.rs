//! Behaviour 8: Amounts in other units, scripts and notations.

use serde_json::json;
use tercet::choose::Unacceptable;
use tercet::error::Declined;

use crate::support::World;
use crate::support::merchant::{challenge, offer_with};

#[tokio::test]
async fn only_plain_digits_within_the_cap_are_paid() {
    let two_to_256 =
        "115792089237316195423570985008687907853269984665640564039457584007913129639936";
    let odd = [
        json!("0.01"),
        json!("1e4"),
        json!("0x2710"),
        json!("010000"),
        json!("+10000"),
        json!("-10000"),
        json!(" 10000"),
        json!("１００００"),
        json!(""),
        json!("0"),
        json!(two_to_256),
        json!(10_000),
        json!(0.01),
        json!(null),
    ];
    for amount in odd {
        let shown = amount.clone();
        let world = World::new(move |_| challenge(&[offer_with("amount", amount.clone())])).await;
        let why = world.declined("/paid").await;
        let Declined::NothingAcceptable { skipped } = &why else { panic!("{why}") };
        let kind = &skipped[0].why;
        assert!(
            matches!(kind, Unacceptable::Amount { .. } | Unacceptable::Field { .. }),
            "{shown}: {why}"
        );
    }
}

#[tokio::test]
async fn an_amount_for_eighteen_decimals_is_over_the_cap() {
    let world = World::new(|_| challenge(&[offer_with("amount", "10000000000000000")])).await;
    let why = world.declined("/paid").await;
    let Declined::NothingAcceptable { skipped } = &why else { panic!("{why}") };
    assert!(matches!(skipped[0].why, Unacceptable::TooDear { .. }), "{why}");
}
