//! Behaviour 4: `success: false` with a reverted or an empty hash, while another transaction used
//! the nonce: the log decides, not the code and not the hash.

use std::sync::Arc;

use alloy_primitives::B256;
use tercet::error::Error;

use crate::support::chain::transaction_of;
use crate::support::merchant::{challenge, offer, settle_failed};
use crate::support::{FakeChain, World, rules};

#[tokio::test]
async fn a_failure_that_the_chain_contradicts_is_paid_not_delivered() {
    let reverted = B256::repeat_byte(0x0e).to_string();
    for hash in [String::new(), reverted] {
        let chain = Arc::new(FakeChain::default());
        let settling = Arc::clone(&chain);
        let world = World::with(rules(), chain, move |hit| match hit.payment {
            None => challenge(&[offer()]),
            Some(payment) => {
                settling.settle(&payment);
                settle_failed("transaction_failed", &hash)
            }
        })
        .await;
        let error = world.get("/paid").await.unwrap_err();
        let Error::PaidNotDelivered { receipt } = error else { panic!("{error}") };
        let nonce = world.merchant.payments()[0].nonce;
        assert_eq!(receipt.transaction, Some(transaction_of(nonce)));
    }
}

#[tokio::test]
async fn a_failure_that_the_chain_does_not_settle_is_unknown() {
    let world = World::new(|hit| match hit.payment {
        None => challenge(&[offer()]),
        Some(_) => settle_failed("insufficient_funds", ""),
    })
    .await;
    let error = world.get("/paid").await.unwrap_err();
    assert!(matches!(error, Error::Unknown(_)), "a code is a hint: {error}");
    world.assert_one_nonce();
}
