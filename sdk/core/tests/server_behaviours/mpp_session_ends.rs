//! How sessions end: what the chain says of them comes first.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tercet::error::Error;
use tercet::mpp::SessionState;
use tercet::seam::{ChannelSeen, DepositFate};
use tercet_policy::money::Amount;
use tercet_policy::time::UnixSeconds;

use crate::mpp_charges::{EXPIRES, asks, charge, header_of};
use crate::mpp_sessions::{
    PRICE, Till, honest, number, only, problem, served, session, signed, world,
};
use crate::support::chain::holding;
use crate::support::merchant::{resource, response};
use crate::support::{Answer, Hit, NOW, World};

/// A service that answers everything but a close.
async fn keeping() -> World {
    let till = Mutex::new(Till::default());
    world(move |hit| match action(&hit) {
        "close" => Answer::Respond(response(500, &[], "")),
        _ => honest(&till, &hit),
    })
    .await
}

fn action(hit: &Hit) -> &str {
    let credential = hit.credential.as_ref();
    credential.and_then(|made| made["payload"]["action"].as_str()).unwrap_or("")
}

/// A service may answer 200 and never bring the opening to the chain.
#[tokio::test]
async fn an_opening_that_was_answered_and_never_mined_is_no_session() {
    let (world, _) = served().await;
    world.get("/paid").await.unwrap();
    world.chain.deposit(only(&world).await.opened_by.id, DepositFate::Void);
    world.get("/paid").await.unwrap();
    assert_eq!(signed(&world), ["open"], "it may still be mined");
    world.clock.advance(30);
    world.get("/paid").await.unwrap();
    assert_eq!(signed(&world), ["open", "open"]);
}

#[tokio::test]
async fn an_opening_that_the_chain_showed_is_not_looked_for_again() {
    let (world, _) = served().await;
    world.get("/paid").await.unwrap();
    let opened = only(&world).await;
    assert!(!opened.funded, "the service's word alone");
    world.chain.deposit(opened.opened_by.id, DepositFate::InChannel);
    world.clock.advance(30);
    world.buyer.sessions().unwrap().tend().await.unwrap();
    let shown = only(&world).await;
    assert_eq!((shown.state, shown.funded), (SessionState::Open, true));
}

#[tokio::test]
async fn a_channel_that_never_was_is_not_left_by_force() {
    let world = keeping().await;
    world.get("/paid").await.unwrap();
    let sessions = world.buyer.sessions().unwrap();
    for _ in 0..4 {
        world.clock.advance(901);
        sessions.tend().await.unwrap();
    }
    assert_eq!(only(&world).await.state, SessionState::Exiting);
    assert_eq!(signed(&world), ["open"], "no fee for a channel that holds nothing");
    world.chain.deposit(only(&world).await.opened_by.id, DepositFate::Void);
    sessions.tend().await.unwrap();
    assert_eq!(only(&world).await.state, SessionState::Void);
    assert_eq!(signed(&world), ["open"]);
}

#[tokio::test]
async fn an_exit_that_could_not_be_signed_is_signed_at_the_next_look() {
    let world = keeping().await;
    world.get("/paid").await.unwrap();
    world.chain.channel(only(&world).await.channel, holding(30_000));
    world.clock.advance(901);
    world.payer.line_is_down(true);
    let sessions = world.buyer.sessions().unwrap();
    sessions.tend().await.unwrap();
    let first = only(&world).await.leaving.unwrap();
    assert!(!first.signed);
    let tended = sessions.tend().await.unwrap();
    assert!(tended[0].trouble.as_ref().unwrap().contains("nobody answers"), "{tended:?}");
    assert_eq!(signed(&world), ["open"]);
    world.payer.line_is_down(false);
    sessions.tend().await.unwrap();
    let second = only(&world).await.leaving.unwrap();
    assert!(second.signed);
    assert_eq!(second.intent.id, first.intent.id, "the same intent, not one beside it");
    sessions.tend().await.unwrap();
    assert_eq!(signed(&world), ["open", "request close"], "and once");
}

/// The signers let a step be taken again after a quarter of an hour, whichever clock they have.
#[tokio::test]
async fn a_step_out_is_signed_again_when_the_signers_let_it_be() {
    let world = keeping().await;
    world.get("/paid").await.unwrap();
    world.chain.channel(only(&world).await.channel, holding(30_000));
    world.clock.advance(901);
    let sessions = world.buyer.sessions().unwrap();
    for _ in 0..16 {
        let tended = sessions.tend().await.unwrap();
        assert_eq!(tended[0].trouble, None);
        assert_eq!(signed(&world), ["open", "request close"]);
        world.clock.advance(60);
    }
    sessions.tend().await.unwrap();
    assert_eq!(signed(&world), ["open", "request close", "request close"]);
    let [_, first, second] = world.payer.intents().try_into().unwrap();
    assert_eq!(first.payment.valid_before(), Some(first.created_at.plus(900)));
    assert_eq!(second.created_at, first.created_at.plus(960));
}

/// A step that the signers have under way for an intent that was lost here.
#[tokio::test]
async fn signers_that_say_when_a_step_may_follow_are_not_asked_before() {
    let world = keeping().await;
    world.get("/paid").await.unwrap();
    world.chain.channel(only(&world).await.channel, holding(30_000));
    world.clock.advance(901);
    let until = UnixSeconds(NOW + 901 + 400);
    world.payer.let_exits_wait(until);
    let sessions = world.buyer.sessions().unwrap();
    for _ in 0..5 {
        sessions.tend().await.unwrap();
        assert_eq!(only(&world).await.leaving.unwrap().not_before, Some(until));
        assert_eq!(world.payer.submitted(), 1);
        world.clock.advance(60);
    }
    world.clock.advance(100);
    sessions.tend().await.unwrap();
    assert_eq!((world.payer.submitted(), signed(&world)), (2, vec!["open", "request close"]));
}

/// What was paid and did not come may be used by the service's count.
#[tokio::test]
async fn a_service_that_counts_more_is_left_in_agreement_with_what_it_holds() {
    let (till, closes) = (Mutex::new(Till::default()), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&closes);
    let world = world(move |hit| match action(&hit) {
        "voucher" => Answer::Respond(response(500, &[], "")),
        "close" => {
            let asked = number(&hit.credential.unwrap()["payload"], "cumulativeAmount");
            seen.lock().unwrap().push(asked);
            if asked < 2 * PRICE {
                return problem(402, "insufficient-balance");
            }
            Answer::Respond(response(204, &[], ""))
        }
        _ => honest(&till, &hit),
    })
    .await;
    world.get("/paid").await.unwrap();
    world.get("/paid").await.unwrap_err();
    let opened = only(&world).await;
    world.chain.channel(opened.channel, holding(30_000));
    let closing = world.buyer.sessions().unwrap().close(&opened.channel).await.unwrap();
    assert_eq!(closing.state, SessionState::Closing);
    assert_eq!(*closes.lock().unwrap(), [PRICE, 2 * PRICE]);
    assert_eq!(signed(&world), ["open"], "and not by force");
}

/// A resource may be gone, and the session stay.
#[tokio::test]
async fn a_resource_that_is_gone_is_not_a_channel_that_is_gone() {
    let till = Mutex::new(Till::default());
    let world = world(move |hit| match hit.credential {
        Some(_) if hit.number > 1 => Answer::Respond(response(410, &[], "gone")),
        _ => honest(&till, &hit),
    })
    .await;
    world.get("/paid").await.unwrap();
    let opened = only(&world).await;
    world.chain.channel(opened.channel, holding(30_000));
    let error = world.get("/paid").await.unwrap_err();
    assert!(matches!(error, Error::UnitNotDelivered { status: Some(410), .. }), "{error}");
    assert_eq!(only(&world).await.state, SessionState::Open);
    assert_eq!(signed(&world), ["open"]);
    world.chain.channel(opened.channel, holding(0));
    let units = Amount::from_base_units(10_000);
    let ended = DepositFate::Ended { share: units, settled: units };
    world.chain.deposit(opened.opened_by.id, ended);
    world.get("/paid").await.unwrap_err();
    assert_eq!(only(&world).await.state, SessionState::Closed, "the chain says so");
}

/// A chain that forgot its logs keeps no session from its end: what was signed counts as paid.
#[tokio::test]
async fn a_funded_channel_that_holds_nothing_is_over_whatever_the_logs_say() {
    for forgotten in [true, false] {
        let (world, _) = served().await;
        world.get("/paid").await.unwrap();
        let opened = only(&world).await;
        world.chain.deposit(opened.opened_by.id, DepositFate::InChannel);
        world.clock.advance(30);
        let sessions = world.buyer.sessions().unwrap();
        sessions.tend().await.unwrap();
        sessions.close(&opened.channel).await.unwrap();
        let fate = if forgotten { DepositFate::Void } else { DepositFate::Open };
        world.chain.deposit(opened.opened_by.id, fate);
        if !forgotten {
            sessions.tend().await.unwrap();
            assert_ne!(only(&world).await.state, SessionState::Closed, "its end may be seen yet");
            world.clock.advance(86_400);
        }
        sessions.tend().await.unwrap();
        let closed = only(&world).await;
        let settled = closed.settled.map(|settled| settled.base_units());
        assert_eq!((closed.state, settled), (SessionState::Closed, Some(PRICE)), "{forgotten}");
    }
}

/// A service may answer 204 to a top-up and never bring it to the chain.
#[tokio::test]
async fn a_top_up_that_is_not_shown_is_followed_by_no_other_one() {
    for mined in [true, false] {
        let (world, _) = served().await;
        for _ in 0..6 {
            world.get("/paid").await.unwrap();
        }
        let believed = only(&world).await.believed.unwrap();
        assert!(matches!(world.get("/paid").await, Err(Error::Unknown(_))));
        assert_eq!(signed(&world), ["open", "top up"]);
        let fate = if mined { DepositFate::InChannel } else { DepositFate::Void };
        world.chain.deposit(believed.id, fate);
        world.clock.advance(30);
        world.buyer.sessions().unwrap().tend().await.unwrap();
        let shown = only(&world).await;
        let expected = if mined { 60_000 } else { 30_000 };
        assert_eq!((shown.meter.deposit.base_units(), shown.believed), (expected, None));
        world.get("/paid").await.unwrap();
        assert_eq!(signed(&world), ["open", "top up", "top up"]);
    }
}

/// On the chain a top-up takes back that its payer asked to leave, and a service may keep it until
/// after.
#[tokio::test]
async fn a_channel_s_end_is_not_asked_for_while_a_top_up_may_come_after_it() {
    for mined in [true, false] {
        let world = keeping().await;
        for _ in 0..4 {
            world.get("/paid").await.unwrap();
        }
        let session = only(&world).await;
        let top_up = session.believed.unwrap();
        let end = top_up.payment.valid_before().unwrap();
        let at = |at| ChannelSeen { at, ..holding(30_000) };
        world.chain.channel(session.channel, at(end.minus(1)));
        world.clock.advance(901);
        let sessions = world.buyer.sessions().unwrap();
        sessions.tend().await.unwrap();
        assert_eq!(only(&world).await.state, SessionState::Exiting);
        assert_eq!(signed(&world), ["open", "top up"], "by the chain's clock it can be mined");
        if mined {
            world.chain.deposit(top_up.id, DepositFate::InChannel);
        } else {
            world.chain.channel(session.channel, at(end));
        }
        sessions.tend().await.unwrap();
        assert_eq!(signed(&world), ["open", "top up", "request close"], "{mined}");
    }
}

/// A session that ends is no reason to do without what may be paid for at once.
#[tokio::test]
async fn while_a_session_ends_a_charge_beside_it_is_taken() {
    let till = Mutex::new(Till::default());
    let world = world(move |hit| match &hit.credential {
        Some(made) if made["payload"]["action"].is_null() => resource(),
        Some(_) => honest(&till, &hit),
        None => {
            let mut dear = charge();
            dear["amount"] = json!("12000");
            let offers = [("session", session()), ("charge", dear)];
            let header = |(intent, request)| header_of(intent, &request, EXPIRES);
            let headers = offers.map(|offer| ("www-authenticate", header(offer)));
            Answer::Respond(response(402, &headers, "{}"))
        }
    })
    .await;
    world.get("/paid").await.unwrap();
    let channel = only(&world).await.channel;
    world.buyer.sessions().unwrap().close(&channel).await.unwrap();
    world.get("/paid").await.unwrap();
    assert_eq!(signed(&world), ["open", "other"]);
}

/// What is asked for anew to close a session is judged like every challenge.
#[tokio::test]
async fn a_challenge_of_other_terms_is_not_answered_to_close() {
    let till = Mutex::new(Till::default());
    let world = world(move |hit| {
        if hit.credential.is_some() || hit.number == 0 {
            return honest(&till, &hit);
        }
        let mut other = session();
        other["recipient"] = json!("0x3333333333333333333333333333333333333333");
        asks(header_of("session", &other, ", expires=\"2027-01-15T08:20:00Z\""))
    })
    .await;
    world.get("/paid").await.unwrap();
    world.clock.advance(901);
    world.buyer.sessions().unwrap().tend().await.unwrap();
    let echoed = |wanted: &str| -> Value {
        let hits = world.merchant.hits();
        let hit = hits.iter().find(|hit| action(hit) == wanted).unwrap();
        hit.credential.clone().unwrap()["challenge"].clone()
    };
    assert_eq!(echoed("close"), echoed("open"));
}
