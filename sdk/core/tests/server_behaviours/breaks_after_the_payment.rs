//! Behaviour 2: the line breaks, nothing comes in time, or a gateway gives up after the payment was
//! sent. The outcome is unknown; the money stays reserved until the chain says otherwise.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt as _;
use reqwest::Method;
use tercet::buyer::Fetched;
use tercet::error::Error;
use tercet::journal::State;

use crate::support::merchant::{challenge, offer, resource, resource_settled_in, response};
use crate::support::{Answer, FakeChain, NOW, World, rules};

#[tokio::test]
async fn every_silence_is_unknown_with_a_deadline() {
    for status in [500, 502, 503, 504, 400, 409] {
        let world = World::new(move |hit| match hit.payment {
            None => challenge(&[offer()]),
            Some(_) => Answer::Respond(response(status, &[], "")),
        })
        .await;
        let error = world.get("/paid").await.unwrap_err();
        let Error::Unknown(open) = error else { panic!("{status}: {error}") };
        assert_eq!(open.deadline.0, NOW + 60);
        assert_eq!(world.merchant.payments().len(), 1, "{status} is not repeated");
        assert_eq!(world.state().await, State::Unknown);
    }
}

#[tokio::test]
async fn a_broken_line_is_tried_once_more_with_the_same_bytes() {
    let world = World::new(|hit| match hit.payment {
        None => challenge(&[offer()]),
        Some(_) => Answer::Hang,
    })
    .await;
    let error = world.get("/paid").await.unwrap_err();
    assert!(matches!(error, Error::Unknown(_)), "{error}");
    let payments = world.merchant.payments();
    assert_eq!(payments.len(), 2);
    assert_eq!(payments[0].header, payments[1].header);
    assert_eq!(world.payer.signed(), 1);
}

#[tokio::test]
async fn a_post_is_not_repeated_by_itself() {
    let world = World::new(|hit| match hit.payment {
        None => challenge(&[offer()]),
        Some(_) => Answer::Hang,
    })
    .await;
    let request = world.merchant.request(Method::POST, "/paid");
    world.fetch(request).await.unwrap_err();
    assert_eq!(world.merchant.payments().len(), 1);
}

#[tokio::test]
async fn a_body_that_breaks_is_not_a_delivery() {
    let chain = Arc::new(FakeChain::default());
    let settling = Arc::clone(&chain);
    let world = World::with(rules(), chain, move |hit| match hit.payment {
        None => challenge(&[offer()]),
        Some(payment) => {
            settling.settle(&payment);
            Answer::Break
        }
    })
    .await;
    let error = world.get("/paid").await.unwrap_err();
    assert!(matches!(error, Error::PaidNotDelivered { .. }), "{error}");
    world.assert_one_nonce();
}

/// One byte now and then keeps every wait for the next one short, and would hold the caller for ever.
#[tokio::test]
async fn a_body_that_drips_is_handed_on_as_it_comes() {
    let chain = Arc::new(FakeChain::default());
    let settling = Arc::clone(&chain);
    let world = World::with(rules(), chain, move |hit| match hit.payment {
        None => challenge(&[offer()]),
        Some(payment) => {
            settling.settle(&payment);
            let drops = futures_util::stream::repeat(()).then(async |()| {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok::<_, std::io::Error>(Bytes::from_static(b"."))
            });
            Answer::Respond(response(200, &[], Body::from_stream(drops)))
        }
    })
    .await;
    let fetching = tokio::time::timeout(Duration::from_secs(10), world.get("/paid")).await;
    let mut fetched = fetched_in_time(fetching);
    assert_eq!(fetched.receipt.unwrap().resource.unwrap().sha256, None, "not all of it was seen");
    let first = fetched.response.chunk().await.unwrap().unwrap();
    assert!(first.starts_with(b".."), "what came before is not lost");
    assert!(fetched.response.chunk().await.unwrap().is_some(), "and it goes on");
    world.assert_one_nonce();
}

fn fetched_in_time<E>(fetching: Result<Result<Fetched, Error>, E>) -> Fetched {
    match fetching {
        Ok(fetched) => fetched.unwrap(),
        Err(_) => panic!("the caller waits for as long as it drips"),
    }
}

#[tokio::test]
async fn the_same_request_goes_on_with_the_same_intent_after_a_crash() {
    let chain = Arc::new(FakeChain::default());
    let settling = Arc::clone(&chain);
    let mut world = World::with(rules(), chain, move |hit| match (hit.number, hit.payment) {
        (_, None) => challenge(&[offer()]),
        (0..3, Some(_)) => Answer::Respond(response(502, &[], "")),
        (_, Some(payment)) => resource_settled_in(settling.settle(&payment)),
    })
    .await;
    world.get("/paid").await.unwrap_err();
    world.restart().await;
    world.clock.advance(5);
    assert!(matches!(world.get("/paid").await, Err(Error::Unknown(_))));
    world.restart().await;
    let fetched = world.get("/paid").await.unwrap();
    assert!(fetched.receipt.unwrap().verified);
    world.assert_one_nonce();
    assert_eq!(world.payer.signed(), 3, "signed again, not stored");
}

#[tokio::test]
async fn after_the_deadline_only_evidence_lets_it_be_bought_anew() {
    let world = World::new(|hit| match hit.number {
        0 => challenge(&[offer()]),
        1 => Answer::Respond(response(502, &[], "")),
        _ if hit.payment.is_none() => challenge(&[offer()]),
        _ => resource(),
    })
    .await;
    world.get("/paid").await.unwrap_err();
    world.clock.advance(61);
    assert!(matches!(world.get("/paid").await, Err(Error::Unknown(_))), "time alone is no proof");
    world.assert_one_nonce();
    world.chain.bury(world.merchant.payments()[0].nonce);
    world.get("/paid").await.unwrap();
    assert_eq!(world.payer.nonces().len(), 2);
}

#[tokio::test]
async fn a_reconcile_after_a_crash_names_every_open_purchase() {
    let mut world = World::new(|hit| match hit.payment {
        None => challenge(&[offer()]),
        Some(_) => Answer::Respond(response(502, &[], "")),
    })
    .await;
    world.get("/paid").await.unwrap_err();
    world.restart().await;
    let open = world.buyer.resume().await.unwrap();
    assert_eq!((open.len(), open[0].state), (1, State::Unknown));
    assert_eq!(open[0].deadline.unwrap().0, NOW + 60);
    world.chain.be_silent(true);
    assert_eq!(world.buyer.resume().await.unwrap()[0].state, State::Unknown);
    world.chain.be_silent(false);
    world.chain.settle(&world.merchant.payments()[0]);
    let settled = world.buyer.resume().await.unwrap();
    assert_eq!(settled[0].state, State::PaidNotDelivered);
    assert!(settled[0].receipt.as_ref().unwrap().verified);
    assert!(world.buyer.resume().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_crash_before_signing_leaves_a_row_that_goes_on() {
    let chain = Arc::new(FakeChain::default());
    let settling = Arc::clone(&chain);
    let mut world = World::with(rules(), chain, move |hit| match hit.payment {
        None => challenge(&[offer()]),
        Some(payment) => resource_settled_in(settling.settle(&payment)),
    })
    .await;
    world.payer.line_is_down(true);
    let error = world.get("/paid").await.unwrap_err();
    assert!(matches!(error, Error::NotSigned { retryable: true, .. }), "{error}");
    let begun = world.purchase().await;
    assert_eq!(begun.state, State::Chosen);
    world.restart().await;
    world.payer.line_is_down(false);
    let receipt = world.get("/paid").await.unwrap().receipt.unwrap();
    assert_eq!(receipt.intent, begun.intent.id);
}
