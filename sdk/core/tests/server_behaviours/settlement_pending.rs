//! Behaviour 3: a 402 with nothing but `settlement_pending`: broadcast, and not seen mined yet.
//! Neither a failure nor a reason to pay again.

use std::sync::Arc;

use tercet::error::Error;
use tercet::journal::State;

use crate::support::chain::transaction_of;
use crate::support::merchant::{challenge, offer, resource_settled_in, settle_failed};
use crate::support::{FakeChain, World, rules};

#[tokio::test]
async fn the_same_bytes_are_sent_once_more_and_the_resource_comes() {
    let chain = Arc::new(FakeChain::default());
    let settling = Arc::clone(&chain);
    let world = World::with(rules(), chain, move |hit| match (hit.number, hit.payment) {
        (_, None) => challenge(&[offer()]),
        (1, Some(payment)) => {
            settle_failed("settlement_pending", &transaction_of(payment.nonce).to_string())
        }
        (_, Some(payment)) => resource_settled_in(settling.settle(&payment)),
    })
    .await;
    assert!(world.get("/paid").await.unwrap().receipt.unwrap().verified);
    let payments = world.merchant.payments();
    assert_eq!(payments.len(), 2);
    assert_eq!(payments[0].header, payments[1].header);
    assert_eq!(world.payer.signed(), 1);
}

#[tokio::test]
async fn pending_without_end_is_unknown_after_two_tries() {
    let world = World::new(|hit| match hit.payment {
        None => challenge(&[offer()]),
        Some(payment) => {
            settle_failed("settlement_pending", &transaction_of(payment.nonce).to_string())
        }
    })
    .await;
    let error = world.get("/paid").await.unwrap_err();
    let Error::Unknown(open) = error else { panic!("{error}") };
    assert_eq!(open.merchant_reason.as_deref(), Some("settlement_pending"));
    assert_eq!(world.merchant.payments().len(), 2);
    world.assert_one_nonce();
}

#[tokio::test]
async fn pending_that_is_mined_without_a_resource_is_paid_not_delivered() {
    let chain = Arc::new(FakeChain::default());
    let settling = Arc::clone(&chain);
    let world = World::with(rules(), chain, move |hit| match hit.payment {
        None => challenge(&[offer()]),
        Some(payment) => {
            let transaction = settling.settle(&payment);
            settle_failed("settlement_pending", &transaction.to_string())
        }
    })
    .await;
    let error = world.get("/paid").await.unwrap_err();
    assert!(matches!(error, Error::PaidNotDelivered { .. }), "{error}");
    assert_eq!(world.state().await, State::PaidNotDelivered);
}
