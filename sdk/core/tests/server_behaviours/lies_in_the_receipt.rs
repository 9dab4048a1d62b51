//! Behaviour 5: A `PAYMENT-RESPONSE` that lies, or none: delivered is not settled.

use std::sync::Arc;

use alloy_primitives::B256;
use tercet::journal::State;
use tercet::receipt::SettlementEvidence;

use crate::support::chain::transaction_of;
use crate::support::merchant::{
    challenge, offer, resource, resource_settled_in, response, settle_failed,
};
use crate::support::{Answer, FakeChain, World, rules};

const ANOTHER: B256 = B256::repeat_byte(0x77);

#[tokio::test]
async fn a_named_transaction_that_shows_nothing_is_not_evidence() {
    let world = World::new(|hit| match hit.payment {
        None => challenge(&[offer()]),
        Some(_) => resource_settled_in(ANOTHER),
    })
    .await;
    let receipt = world.get("/paid").await.unwrap().receipt.unwrap();
    assert!(!receipt.verified);
    assert!(matches!(receipt.evidence, SettlementEvidence::None { .. }));
    assert_eq!((receipt.transaction, receipt.merchant_transaction), (None, Some(ANOTHER)));
    assert_eq!(world.state().await, State::Unverified);
}

#[tokio::test]
async fn the_true_transaction_is_found_by_nonce() {
    let chain = Arc::new(FakeChain::default());
    let settling = Arc::clone(&chain);
    let world = World::with(rules(), chain, move |hit| match hit.payment {
        None => challenge(&[offer()]),
        Some(payment) => {
            settling.settle(&payment);
            resource_settled_in(ANOTHER)
        }
    })
    .await;
    let receipt = world.get("/paid").await.unwrap().receipt.unwrap();
    let nonce = world.merchant.payments()[0].nonce;
    assert!(receipt.verified);
    assert_eq!(receipt.transaction, Some(transaction_of(nonce)));
    assert_eq!(receipt.merchant_transaction, Some(ANOTHER), "the lie is kept");
}

#[tokio::test]
async fn silence_and_nonsense_are_settled_by_the_chain_later() {
    let nonsense = || {
        let headers = [("payment-response", "%%%".to_owned())];
        Answer::Respond(response(200, &headers, "words"))
    };
    for spoken in [false, true] {
        let world = World::new(move |hit| match (hit.payment, spoken) {
            (None, _) => challenge(&[offer()]),
            (Some(_), false) => resource(),
            (Some(_), true) => nonsense(),
        })
        .await;
        assert!(!world.get("/paid").await.unwrap().receipt.unwrap().verified);
        world.chain.settle(&world.merchant.payments()[0]);
        let standing = world.buyer.resume().await.unwrap().remove(0);
        assert_eq!(standing.state, State::Delivered);
        assert!(standing.receipt.unwrap().verified);
    }
}

#[tokio::test]
async fn a_resource_that_was_never_charged_is_void_in_the_end() {
    let world = World::new(|hit| match hit.payment {
        None => challenge(&[offer()]),
        Some(_) => resource(),
    })
    .await;
    world.get("/paid").await.unwrap();
    world.chain.bury(world.merchant.payments()[0].nonce);
    assert_eq!(world.buyer.resume().await.unwrap()[0].state, State::Void);
}

#[tokio::test]
async fn a_failure_in_the_header_of_a_402_is_no_reason_to_pay_again() {
    let world = World::new(|hit| match hit.payment {
        None => challenge(&[offer()]),
        Some(_) => settle_failed("unexpected_settle_error", ""),
    })
    .await;
    for _ in 0..3 {
        world.get("/paid").await.unwrap_err();
    }
    world.assert_one_nonce();
}
