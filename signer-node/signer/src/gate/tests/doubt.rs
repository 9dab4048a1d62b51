//! When a node's own journal says that a signature may exist, whatever others say.

use super::house::{House, honest, policy_text, x402};
use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_signed_cannot_be_called_refused() {
    let house = House::new().await;
    let wallet = house.wallet().await;
    let agent = house.signer(Party::Agent);
    let envelope = house.sign_intent(x402(wallet, 10_000));
    let id = envelope.document.id;
    assert!(!agent.may_have_signed(id).await, "nobody asked yet");
    for result in house.pay(&envelope, &house.claim(&envelope), honest()).await {
        result.unwrap();
    }
    assert!(agent.may_have_signed(id).await);
    assert!(house.signer(Party::Operator).may_have_signed(id).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_peer_refused_before_the_rounds_was_not_signed() {
    let own = policy_text(1, "0.001 USDC");
    let house = House::with_operator_rules(Some(&own)).await;
    let wallet = house.wallet().await;
    let agent = house.signer(Party::Agent);
    let envelope = house.sign_intent(x402(wallet, 10_000));
    let ended = house.pay(&envelope, &house.claim(&envelope), honest()).await;
    assert!(ended.iter().all(Result::is_err), "{ended:?}");
    assert!(!agent.may_have_signed(envelope.document.id).await, "admitted, and nothing left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_cannot_tell_means_that_it_may_be_signed() {
    let house = House::new().await;
    let agent = house.signer(Party::Agent);
    let envelope = house.sign_intent(x402(Address::ZERO, 10_000));
    agent.close().await.unwrap();
    assert!(agent.may_have_signed(envelope.document.id).await);
}
