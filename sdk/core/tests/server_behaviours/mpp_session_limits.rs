//! What bounds sessions: one channel for one thing, the day's limit, a known payee, a unit that
//! came counts.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use alloy_primitives::Address;
use axum::body::Body;
use futures_util::stream;
use reqwest::Method;
use serde_json::json;
use tercet::buyer::Buyer;
use tercet::error::{Declined, Error};
use tercet::mpp::SessionState;
use tercet::rules::FetchRules;
use tercet::seam::DepositFate;
use tokio::sync::Notify;

use crate::mpp_charges::{EXPIRES, asks, charge, header_of, tempo_rules};
use crate::mpp_sessions::{PRICE, Till, asks_for, honest, only, served, session, signed, world};
use crate::support::merchant::{WORDS, resource, response};
use crate::support::{Answer, Hit, World};

const STRANGER: &str = "0x3333333333333333333333333333333333333333";

fn day_of(price: &str) -> FetchRules {
    FetchRules { max_per_day: Some(price.parse().unwrap()), ..tempo_rules() }
}

fn is(hit: &Hit, action: &str) -> bool {
    hit.credential.as_ref().is_some_and(|made| made["payload"]["action"] == action)
}

fn why(error: Error) -> Declined {
    match error {
        Error::Declined(why) => *why,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn of_two_processes_over_one_journal_one_opens_a_channel() {
    let (world, _) = served().await;
    let other = world.another().await;
    world.payer.gather(2);
    let request = || world.merchant.request(Method::GET, "/paid");
    let (one, two) = tokio::join!(world.fetch(request()), other.fetch(request()));
    let refused = match (one, two) {
        (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => why(refused),
        both => panic!("{both:?}"),
    };
    assert!(matches!(refused, Declined::AlreadyOpened { .. }), "{refused}");
    assert_eq!(signed(&world), ["open"]);
    other.fetch(request()).await.unwrap();
    assert_eq!(signed(&world), ["open"], "asked again, it is drawn on");
}

/// Deposit 30,000, and a top-up of as much whose outcome nobody knows.
#[tokio::test]
async fn a_top_up_on_its_way_counts_for_the_day_until_it_is_void() {
    let (till, charging) = (Mutex::new(Till::default()), Arc::new(AtomicBool::new(false)));
    let switch = Arc::clone(&charging);
    let script = move |hit: Hit| match &hit.credential {
        Some(_) if is(&hit, "topUp") => Answer::Respond(response(500, &[], "")),
        Some(made) if made["payload"]["type"] == "transaction" && !is(&hit, "open") => resource(),
        None if switch.load(Ordering::SeqCst) => asks(header_of("charge", &charge(), EXPIRES)),
        _ => honest(&till, &hit),
    };
    let world = World::with(day_of("0.065 pathUSD"), Arc::default(), script).await;
    for _ in 0..3 {
        world.get("/paid").await.unwrap();
    }
    assert!(matches!(world.get("/paid").await, Err(Error::Unknown(_))));
    let filling = only(&world).await;
    assert_eq!(filling.state, SessionState::ToppingUp);
    charging.store(true, Ordering::SeqCst);
    let over = why(world.get("/paid").await.unwrap_err());
    assert!(matches!(over, Declined::DailyLimit { .. }), "{over}");
    let sessions = world.buyer.sessions().unwrap();
    sessions.close(&filling.channel).await.unwrap();
    let over = why(world.get("/paid").await.unwrap_err());
    assert!(matches!(over, Declined::DailyLimit { .. }), "it may still be mined: {over}");
    world.chain.deposit(filling.flight.unwrap().id, DepositFate::Void);
    sessions.tend().await.unwrap();
    world.get("/paid").await.unwrap();
}

/// A top-up counts from when it was put in, not from when its session was opened.
#[tokio::test]
async fn a_top_up_of_yesterday_s_session_counts_today() {
    let (till, hour) = (Mutex::new(Till::default()), Arc::new(AtomicU8::new(0)));
    let hours = Arc::clone(&hour);
    let script = move |hit: Hit| {
        let late = |at: &str| format!(", expires=\"2027-01-16T{at}:05:00Z\"");
        match (&hit.credential, hours.load(Ordering::SeqCst)) {
            (None, 23) => asks(header_of("session", &session(), &late("07"))),
            (None, 25) => {
                let mut dear = charge();
                dear["amount"] = "36000".into();
                asks(header_of("charge", &dear, &late("09")))
            }
            _ => honest(&till, &hit),
        }
    };
    let mut rules = day_of("0.065 pathUSD");
    rules.mpp.session_seconds = 200_000;
    let world = World::with(rules, Arc::default(), script).await;
    for _ in 0..3 {
        world.get("/paid").await.unwrap();
    }
    world.clock.advance(23 * 3_600);
    hour.store(23, Ordering::SeqCst);
    world.get("/paid").await.unwrap();
    assert_eq!(signed(&world), ["open", "top up"]);
    world.clock.advance(2 * 3_600);
    hour.store(25, Ordering::SeqCst);
    let Declined::DailyLimit { spent, .. } = why(world.get("/paid").await.unwrap_err()) else {
        panic!("the limit was expected");
    };
    assert_eq!(spent.base_units(), 30_000, "the top-up, and no longer the first deposit");
}

#[tokio::test]
async fn a_session_makes_its_payee_known() {
    let (till, charging) = (Mutex::new(Till::default()), Arc::new(AtomicBool::new(false)));
    let switch = Arc::clone(&charging);
    let world = world(move |hit| {
        if hit.credential.is_some() || !switch.load(Ordering::SeqCst) {
            return honest(&till, &hit);
        }
        let mut other = charge();
        other["recipient"] = json!(STRANGER);
        asks(header_of("charge", &other, EXPIRES))
    })
    .await;
    world.get("/paid").await.unwrap();
    charging.store(true, Ordering::SeqCst);
    let refused = why(world.get("/paid").await.unwrap_err());
    assert!(matches!(refused, Declined::PayeeChanged { .. }), "{refused}");
    assert_eq!(signed(&world), ["open"]);
}

#[tokio::test]
async fn a_refused_session_makes_no_payee_known() {
    let till = Mutex::new(Till::default());
    let world = world(move |hit| {
        let mut bait = session();
        bait["recipient"] = json!(STRANGER);
        if hit.number == 0 { asks_for(&bait) } else { honest(&till, &hit) }
    })
    .await;
    world.payer.grant(0);
    assert!(matches!(world.get("/paid").await, Err(Error::Refused { .. })));
    world.payer.grant(9);
    world.get("/paid").await.unwrap();
}

/// The row may change under a request: somebody closes the session while its resource comes.
#[tokio::test]
async fn a_paid_resource_is_handed_over_whatever_becomes_of_the_row() {
    let (asked, closed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, wait) = (Arc::clone(&asked), Arc::clone(&closed));
    let mut rules = tempo_rules();
    rules.patience.resource_ms = 5_000;
    let world = World::with(rules, Arc::default(), move |hit| match &hit.credential {
        None => asks_for(&session()),
        Some(_) if hit.method == "POST" => Answer::Respond(response(204, &[], "")),
        Some(_) if is(&hit, "open") => resource(),
        Some(_) => {
            tell.notify_one();
            let wait = Arc::clone(&wait);
            let body = async move {
                wait.notified().await;
                Ok::<_, std::io::Error>(WORDS)
            };
            Answer::Respond(response(200, &[], Body::from_stream(stream::once(body))))
        }
    })
    .await;
    world.get("/paid").await.unwrap();
    let (channel, other) = (only(&world).await.channel, world.another().await);
    let closing = async {
        asked.notified().await;
        let ended = other.sessions().unwrap().close(&channel).await;
        closed.notify_one();
        ended.unwrap()
    };
    let (fetched, ended) = tokio::join!(world.get("/paid"), closing);
    assert_eq!(ended.state, SessionState::Closing);
    assert_eq!(fetched.unwrap().response.text().await.unwrap(), WORDS);
    let kept = only(&world).await;
    assert_eq!(kept.state, SessionState::Closing, "what the other one wrote stands");
    assert_eq!(kept.meter.delivered.base_units(), 20_000, "and the unit is counted");
}

/// Two processes over one journal: what one has on its way is no unit ahead for the other.
#[tokio::test]
async fn a_unit_on_its_way_is_not_taken_for_a_lost_one_by_another_process() {
    let (asked, come) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, wait) = (Arc::clone(&asked), Arc::clone(&come));
    let till = Mutex::new(Till::default());
    let mut rules = tempo_rules();
    rules.patience.resource_ms = 5_000;
    let world = World::with(rules, Arc::default(), move |hit| {
        let is_second = till.lock().unwrap().spent == PRICE && hit.credential.is_some();
        let answer = honest(&till, &hit);
        if !is_second {
            return answer;
        }
        tell.notify_one();
        let wait = Arc::clone(&wait);
        let body = async move {
            wait.notified().await;
            Ok::<_, std::io::Error>(WORDS)
        };
        Answer::Respond(response(200, &[], Body::from_stream(stream::once(body))))
    })
    .await;
    world.get("/paid").await.unwrap();
    let other = world.another().await;
    let request = || world.merchant.request(Method::GET, "/paid");
    let meanwhile = async {
        asked.notified().await;
        let refused = other.fetch(request()).await;
        come.notify_one();
        refused.unwrap_err()
    };
    let (fetched, refused) = tokio::join!(world.get("/paid"), meanwhile);
    let refused = why(refused);
    assert!(matches!(refused, Declined::SessionStreams { .. }), "{refused}");
    assert_eq!(fetched.unwrap().response.text().await.unwrap(), WORDS);
    other.fetch(request()).await.unwrap();
    assert_eq!(world.payer.vouchers(), [10_000, 20_000, 30_000]);
    assert_eq!(only(&world).await.meter.lost.base_units(), 0);
}

/// A process whose second request is not answered, so that it has a claim to the unit, and another
/// one, which is refused the session.
async fn two_claimants() -> (World, Buyer) {
    let till = Mutex::new(Till::default());
    let world = world(move |hit| {
        let answer = honest(&till, &hit);
        if hit.number == 3 { Answer::Hang } else { answer }
    })
    .await;
    world.get("/paid").await.unwrap();
    let error = world.get("/paid").await.unwrap_err();
    assert!(matches!(error, Error::UnitNotDelivered { status: None, .. }), "{error}");
    let other = world.another().await;
    let request = world.merchant.request(Method::GET, "/paid");
    let refused = why(other.fetch(request).await.unwrap_err());
    assert!(matches!(refused, Declined::SessionStreams { .. }), "{refused}");
    (world, other)
}

#[tokio::test]
async fn a_claim_lapses_though_its_process_runs() {
    let (world, other) = two_claimants().await;
    world.clock.advance(60);
    other.fetch(world.merchant.request(Method::GET, "/paid")).await.unwrap();
}

#[tokio::test]
async fn the_claim_of_a_process_that_is_gone_is_gone_with_it() {
    let (mut world, other) = two_claimants().await;
    assert!(only(&world).await.drawn_by.unwrap().locked);
    // The first process ends without a word: its row is as it was, and its lock is free.
    world.restart().await;
    other.fetch(world.merchant.request(Method::GET, "/paid")).await.unwrap();
}

/// Several wallets may keep one journal.
#[tokio::test]
async fn a_session_is_its_own_wallet_s() {
    let (world, _) = served().await;
    world.get("/paid").await.unwrap();
    let first = only(&world).await;
    let other = world.of_wallet(Address::repeat_byte(0x22)).await;
    let sessions = other.sessions().unwrap();
    assert_eq!(sessions.tend().await.unwrap(), []);
    assert!(matches!(sessions.close(&first.channel).await, Err(Error::NotReady(_))));
    other.fetch(world.merchant.request(Method::GET, "/paid")).await.unwrap();
    assert_eq!(signed(&world), ["open", "open"]);
    let [_, second] = world.payer.intents().try_into().unwrap();
    assert_eq!(second.wallet, Address::repeat_byte(0x22));
}

/// The node's bytes are held against the intent before the service gets them.
#[tokio::test]
async fn a_top_up_of_another_channel_is_not_handed_over() {
    let (world, till) = served().await;
    for _ in 0..3 {
        world.get("/paid").await.unwrap();
    }
    world.payer.swap_payee();
    let error = world.get("/paid").await.unwrap_err();
    assert!(matches!(error, Error::NotSigned { retryable: false, .. }), "{error}");
    assert!(!till.lock().unwrap().actions.contains(&"topUp".to_owned()));
}

/// People take minutes, and a transaction that a service brings to the chain lives for seconds.
#[tokio::test]
async fn a_payment_that_people_must_approve_is_refused_early() {
    for intent in ["charge", "session"] {
        let world = world(move |_| {
            let request = if intent == "charge" { charge() } else { session() };
            asks(header_of(intent, &request, EXPIRES))
        })
        .await;
        world.payer.needs_people(true);
        let error = world.get("/paid").await.unwrap_err();
        assert!(matches!(error, Error::NeedsApproval { .. }), "{intent}: {error}");
        assert_eq!(world.merchant.hits().len(), 1, "{intent}: nothing was sent");
    }
}
