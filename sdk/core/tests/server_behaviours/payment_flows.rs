//! Behaviour 6: `paymentFlow`: settle first, hold in escrow, or something unknown.

use serde_json::json;
use tercet::choose::Unacceptable;
use tercet::error::{Declined, Error};
use tercet::rules::FetchRules;
use tercet_policy::declared::PaymentFlow;

use crate::support::merchant::{challenge, offer, offer_with_extra, resource, response};
use crate::support::{Answer, World, rules};

fn is_flow(why: &Declined) -> bool {
    let Declined::NothingAcceptable { skipped } = why else { return false };
    matches!(skipped[0].why, Unacceptable::PaymentFlow { .. })
}

#[tokio::test]
async fn unknown_flows_and_upfront_are_skipped() {
    for flow in ["upfront", "escrow", "sometime", ""] {
        let world = World::new(move |_| challenge(&[offer_with_extra("paymentFlow", flow)])).await;
        let why = world.declined("/paid").await;
        assert!(is_flow(&why), "{flow}: {why}");
    }
}

#[tokio::test]
async fn upfront_is_paid_where_the_rules_say_so_and_every_failure_may_have_charged() {
    let rules = FetchRules { allow_upfront: true, ..rules() };
    let world = World::with(rules, Default::default(), |hit| match hit.payment {
        None => challenge(&[offer_with_extra("paymentFlow", "upfront")]),
        Some(_) => Answer::Respond(response(500, &[], "")),
    })
    .await;
    let error = world.get("/paid").await.unwrap_err();
    assert!(matches!(error, Error::Unknown(_)), "{error}");
    world.assert_one_nonce();
    let bought = world.purchase().await;
    assert_eq!(bought.intent.declared.flow, Some(PaymentFlow::Upfront));
}

#[tokio::test]
async fn serving_before_settling_is_preferred() {
    let rules = FetchRules { allow_upfront: true, ..rules() };
    let world = World::with(rules, Default::default(), |hit| match hit.payment {
        None => {
            let mut cheap = offer_with_extra("paymentFlow", "upfront");
            cheap["amount"] = json!("1");
            challenge(&[cheap, offer()])
        }
        Some(_) => resource(),
    })
    .await;
    world.get("/paid").await.unwrap();
    assert_eq!(world.merchant.payments()[0].value, "10000");
}
