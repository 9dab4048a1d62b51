//! The base line: one payment, one receipt.

use std::sync::Arc;

use reqwest::Method;
use tercet::Declaration;
use tercet::journal::State;
use tercet::receipt::SettlementEvidence;
use tercet_policy::context::{Context, ContextValue};
use tercet_policy::declared::{HttpMethod, PaymentFlow};
use tercet_policy::document::ContentHash;

use crate::support::merchant::{PAYEE, WORDS, challenge, offer, resource, resource_settled_in};
use crate::support::{FakeChain, World, rules};

async fn honest() -> World {
    let chain = Arc::new(FakeChain::default());
    let settling = Arc::clone(&chain);
    World::with(rules(), chain, move |hit| match hit.payment {
        None => challenge(&[offer()]),
        Some(payment) => resource_settled_in(settling.settle(&payment)),
    })
    .await
}

#[tokio::test]
async fn a_paid_request_brings_the_resource_and_a_verified_receipt() {
    let world = honest().await;
    let fetched = world.get("/paid").await.unwrap();
    let receipt = fetched.receipt.unwrap();
    assert_eq!(fetched.response.text().await.unwrap(), WORDS);
    assert!(receipt.verified && receipt.transaction.is_some());
    assert!(matches!(receipt.evidence, SettlementEvidence::Chain { .. }));
    assert_eq!(receipt.payee.unwrap().to_checksum(None), PAYEE);
    assert_eq!(receipt.price, "0.01 USDC");
    let bought = receipt.resource.unwrap();
    assert_eq!(bought.sha256, Some(ContentHash(sha256(WORDS))));
    assert_eq!((world.payer.signed(), world.state().await), (1, State::Delivered));
}

#[tokio::test]
async fn what_is_free_is_not_paid_for() {
    let world = World::new(|_| resource()).await;
    let fetched = world.get("/free").await.unwrap();
    assert!(fetched.receipt.is_none());
    assert_eq!(world.payer.signed(), 0);
}

#[tokio::test]
async fn the_chosen_requirement_goes_back_as_it_came() {
    let world = honest().await;
    world.get("/paid").await.unwrap();
    let payment = &world.merchant.payments()[0];
    assert_eq!(payment.document["accepted"], offer());
    assert_eq!(payment.document["x402Version"], 2);
    assert_eq!(payment.value, "10000");
    assert_eq!(world.purchase().await.requirement.get(), offer().to_string());
}

#[tokio::test]
async fn what_the_agent_declares_is_signed_with_the_intent() {
    let world = honest().await;
    let sure = ContextValue::Text("nightly".to_owned());
    let declaration = Declaration {
        session: Some("index-7".parse().unwrap()),
        context: Context::default().with("task", sure).unwrap(),
    };
    let request = world.merchant.request(Method::GET, "/paid");
    world.buyer.fetch_declaring(request, declaration.clone()).await.unwrap();
    let declared = world.purchase().await.intent.declared;
    assert_eq!(declared.method, Some(HttpMethod::Get));
    assert_eq!(declared.flow, Some(PaymentFlow::Authorization));
    assert_eq!((declared.session, declared.context), (declaration.session, declaration.context));
    assert!(world.payer.reports().is_empty());
}

#[tokio::test]
async fn the_same_method_and_body_are_sent_with_the_payment() {
    let world = honest().await;
    let mut request = world.merchant.request(Method::POST, "/paid");
    *request.body_mut() = Some("a question".into());
    world.fetch(request).await.unwrap();
    let hits = world.merchant.hits();
    assert_eq!(hits.len(), 2);
    for hit in hits {
        assert_eq!((hit.method.as_str(), &hit.body[..]), ("POST", &b"a question"[..]));
    }
}

#[tokio::test]
async fn two_purchases_are_two_payments() {
    let world = honest().await;
    world.get("/paid").await.unwrap();
    world.get("/paid").await.unwrap();
    assert_eq!(world.payer.nonces().len(), 2);
}

#[tokio::test]
async fn an_authorization_of_something_else_is_not_sent() {
    let world = honest().await;
    world.payer.swap_payee();
    world.get("/paid").await.unwrap_err();
    assert!(world.merchant.payments().is_empty());
}

fn sha256(text: &str) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(text).into()
}
