//! Behaviour 1: a fresh 402 after a paid request, which is what the stock server says of a used
//! nonce: a naive payer pays twice.

use std::sync::Arc;

use tercet::error::Error;
use tercet::journal::State;
use tercet_policy::report::ReportKind;

use crate::support::merchant::{challenge, offer, resource};
use crate::support::{FakeChain, World, rules};

#[tokio::test]
async fn a_challenge_after_a_settled_payment_is_paid_not_delivered() {
    let chain = Arc::new(FakeChain::default());
    let settling = Arc::clone(&chain);
    let world = World::with(rules(), chain, move |hit| {
        if let Some(payment) = hit.payment {
            settling.settle(&payment);
        }
        challenge(&[offer()])
    })
    .await;
    let error = world.get("/paid").await.unwrap_err();
    let Error::PaidNotDelivered { receipt } = error else { panic!("{error}") };
    assert!(receipt.verified);
    world.assert_one_nonce();
    assert_eq!(world.state().await, State::PaidNotDelivered);
    assert_eq!(world.payer.reports(), [ReportKind::Undelivered]);
}

#[tokio::test]
async fn asking_again_does_not_pay_again_until_it_is_written_off() {
    let chain = Arc::new(FakeChain::default());
    let settling = Arc::clone(&chain);
    let world = World::with(rules(), chain, move |hit| {
        if let Some(payment) = hit.payment {
            settling.settle(&payment);
        }
        challenge(&[offer()])
    })
    .await;
    let intent = world.get("/paid").await.map(|_| ()).unwrap_err();
    let Error::PaidNotDelivered { receipt } = intent else { panic!("{intent}") };
    for _ in 0..3 {
        let again = world.get("/paid").await.unwrap_err();
        assert!(matches!(again, Error::PaidNotDelivered { .. }), "{again}");
    }
    world.assert_one_nonce();
    assert_eq!(world.merchant.payments().len(), 1);
    world.buyer.write_off(&receipt.intent).await.unwrap();
    world.get("/paid").await.unwrap_err();
    assert_eq!(world.payer.nonces().len(), 2);
}

#[tokio::test]
async fn a_challenge_while_nothing_settled_is_unknown_and_never_a_second_nonce() {
    let world = World::new(|_| challenge(&[offer()])).await;
    for _ in 0..3 {
        let error = world.get("/paid").await.unwrap_err();
        assert!(matches!(&error, Error::Unknown(open) if open.status == Some(402)), "{error}");
    }
    world.assert_one_nonce();
    assert_eq!(world.state().await, State::Unknown);
    assert_eq!(world.payer.reports(), [ReportKind::MerchantRefused; 3]);
}

#[tokio::test]
async fn the_resource_still_comes_if_the_merchant_finds_it_later() {
    let chain = Arc::new(FakeChain::default());
    let settling = Arc::clone(&chain);
    let world = World::with(rules(), chain, move |hit| match (hit.number, hit.payment) {
        (0 | 1, None) => challenge(&[offer()]),
        (_, Some(payment)) => {
            settling.settle(&payment);
            challenge(&[offer()])
        }
        _ => resource(),
    })
    .await;
    world.get("/paid").await.unwrap_err();
    let fetched = world.get("/paid").await.unwrap();
    assert_eq!(fetched.response.status(), 200);
    world.assert_one_nonce();
}
