//! MPP sessions: one deposit, many requests, and what a hostile service does not get.

mod service;

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tercet::choose::Unacceptable;
use tercet::error::{Declined, Error};
use tercet::mpp::SessionState;
use tercet::rules::FetchRules;
use tercet::seam::{ChannelSeen, DepositFate};
use tercet_policy::money::Amount;
use tercet_policy::time::UnixSeconds;

use crate::mpp_charges::tempo_rules;
use crate::support::chain::holding;
use crate::support::merchant::{WORDS, response};
use crate::support::{Answer, NOW, World};

pub(crate) use self::service::{
    PRICE, Till, asks_for, honest, number, only, problem, receipt, served, session, signed, world,
};

#[tokio::test]
async fn one_deposit_pays_for_many_requests_and_is_topped_up_within_the_budget() {
    let (world, till) = served().await;
    for _ in 0..5 {
        let fetched = world.get("/paid?q=1").await.unwrap();
        assert_eq!(fetched.receipt.unwrap().price, "0.01 pathUSD");
    }
    assert_eq!(signed(&world), ["open", "top up"]);
    assert_eq!(world.payer.vouchers(), [10_000, 20_000, 30_000, 40_000, 50_000]);
    let kept = only(&world).await;
    assert_eq!(kept.meter.deposit.base_units(), 60_000);
    assert_eq!(kept.meter.delivered.base_units(), 50_000);
    assert_eq!(till.lock().unwrap().spent, 50_000);
}

#[tokio::test]
async fn a_session_is_closed_at_what_was_used() {
    let (world, till) = served().await;
    world.get("/paid").await.unwrap();
    world.get("/paid").await.unwrap();
    let channel = only(&world).await.channel;
    let sessions = world.buyer.sessions().unwrap();
    let closing = sessions.close(&channel).await.unwrap();
    assert_eq!(closing.state, SessionState::Closing);
    assert_eq!(till.lock().unwrap().actions, ["open", "voucher", "close"]);
    let units = Amount::from_base_units;
    let ended = DepositFate::Ended { share: units(15_000), settled: units(20_000) };
    world.chain.deposit(closing.opened_by.id, ended);
    sessions.tend().await.unwrap();
    let closed = only(&world).await;
    assert_eq!(
        (closed.state, closed.settled),
        (SessionState::Closed, Some(Amount::from_base_units(20_000)))
    );
}

#[tokio::test]
async fn a_crashed_process_goes_on_with_its_session() {
    let (mut world, _) = served().await;
    world.get("/paid").await.unwrap();
    world.restart().await;
    world.get("/paid").await.unwrap();
    assert_eq!(signed(&world), ["open"]);
    assert_eq!(world.payer.vouchers(), [10_000, 20_000]);
}

#[tokio::test]
async fn concurrent_requests_do_not_race_the_channel() {
    let (world, till) = served().await;
    let paths: Vec<String> = (0..3).map(|n| format!("/paid?n={n}")).collect();
    let all = paths.iter().map(|path| world.get(path));
    for fetched in futures_util::future::join_all(all).await {
        fetched.unwrap();
    }
    assert_eq!(signed(&world), ["open"]);
    assert_eq!(world.payer.vouchers(), [10_000, 20_000, 30_000]);
    assert_eq!(till.lock().unwrap().spent, 30_000);
}

/// 1: hints and receipts above what was signed raise nothing.
#[tokio::test]
async fn an_inflated_receipt_is_not_believed() {
    let world = world(|hit| match hit.credential {
        None => {
            let mut hinted = session();
            hinted["methodDetails"]["sessionSnapshot"] = json!({ "requiredCumulative": "90000" });
            asks_for(&hinted)
        }
        Some(credential) => {
            let header = receipt(&credential["payload"]["channelId"], 90_000, 90_000);
            Answer::Respond(response(200, &[("payment-receipt", header)], WORDS))
        }
    })
    .await;
    world.get("/paid").await.unwrap();
    world.get("/paid").await.unwrap();
    assert_eq!(world.payer.vouchers(), [10_000, 20_000]);
    assert_eq!(only(&world).await.meter.claimed, None);
}

/// 2: other terms are refused, not opened anew.
#[tokio::test]
async fn terms_are_frozen_when_the_channel_is_opened() {
    for (path, value) in [
        ("/amount", json!("20000")),
        ("/recipient", json!("0x3333333333333333333333333333333333333333")),
        ("/methodDetails/operator", json!("0x3333333333333333333333333333333333333333")),
    ] {
        let till = Mutex::new(Till::default());
        let world = world(move |hit| {
            let mut switched = session();
            switched["methodDetails"]["operator"] =
                json!("0x4444444444444444444444444444444444444444");
            if hit.number > 0 && hit.credential.is_none() {
                *switched.pointer_mut(path).unwrap() = value.clone();
                return asks_for(&switched);
            }
            if hit.credential.is_none() { asks_for(&switched) } else { honest(&till, &hit) }
        })
        .await;
        world.get("/paid").await.unwrap();
        let error = world.get("/paid").await.unwrap_err();
        let Error::Declined(why) = error else { panic!("{error}") };
        assert!(matches!(*why, Declined::TermsChanged { .. }), "{path}: {why}");
        assert_eq!(signed(&world), ["open"], "{path}");
    }
}

/// 3: escrow, chain and protocol are pinned.
#[tokio::test]
async fn an_escrow_or_a_protocol_of_the_service_s_choice_is_not_opened() {
    let cases = [
        ("escrowContract", json!("0x33b901018174DDabE4841042ab76ba85D4e24f25")),
        ("sessionProtocol", json!("v1")),
        ("sessionProtocol", Value::Null),
        ("chainId", json!(1)),
        ("chainId", Value::Null),
    ];
    for (field, value) in cases {
        let mut request = session();
        request["methodDetails"][field] = value;
        let world = world(move |_| asks_for(&request)).await;
        let Declined::NothingAcceptable { mut skipped } = world.declined("/paid").await else {
            panic!("{field}");
        };
        let why = skipped.remove(0).why;
        let expected = match field {
            "escrowContract" => matches!(why, Unacceptable::Escrow { .. }),
            "sessionProtocol" => matches!(why, Unacceptable::SessionProtocol { .. }),
            _ => matches!(why, Unacceptable::Chain { .. }),
        };
        assert!(expected, "{field}: {why}");
    }
}

/// 4: the budget holds, whatever is suggested.
#[tokio::test]
async fn a_huge_deposit_is_cut_to_the_budget_and_never_passed() {
    let mut greedy = session();
    greedy["suggestedDeposit"] = json!("1000000000");
    let till = Mutex::new(Till::default());
    let world =
        world(
            move |hit| {
                if hit.credential.is_none() { asks_for(&greedy) } else { honest(&till, &hit) }
            },
        )
        .await;
    for _ in 0..10 {
        world.get("/paid").await.unwrap();
    }
    assert_eq!(only(&world).await.meter.deposit.base_units(), 100_000);
    let error = world.get("/paid").await.unwrap_err();
    let Error::Declined(why) = error else { panic!("{error}") };
    assert!(matches!(*why, Declined::SessionBudget { .. }), "{why}");
    assert_eq!(signed(&world), ["open"]);
}

/// 5: an opening that was handed over is followed, and none is opened beside it.
#[tokio::test]
async fn an_opening_that_brings_an_error_is_not_repeated_while_it_may_be_mined() {
    let world = world(|hit| match hit.credential {
        None => asks_for(&session()),
        Some(_) => Answer::Respond(response(500, &[], "")),
    })
    .await;
    for _ in 0..3 {
        assert!(matches!(world.get("/paid").await, Err(Error::Unknown(_))));
    }
    assert_eq!(signed(&world), ["open"]);
    let opened = only(&world).await;
    assert_eq!(opened.state, SessionState::Opening);
    world.chain.deposit(opened.opened_by.id, DepositFate::InChannel);
    assert!(matches!(world.get("/paid").await, Err(Error::UnitNotDelivered { .. })));
    assert_eq!(only(&world).await.state, SessionState::Open, "found again, not lost");
}

#[tokio::test]
async fn an_opening_that_was_never_mined_makes_room_for_another() {
    let world = world(|hit| match hit.credential {
        None => asks_for(&session()),
        Some(_) => Answer::Respond(response(500, &[], "")),
    })
    .await;
    let _ = world.get("/paid").await;
    world.chain.deposit(only(&world).await.opened_by.id, DepositFate::Void);
    let _ = world.get("/paid").await;
    assert_eq!(signed(&world), ["open", "open"]);
}

/// 6 and 7: a voucher that brings nothing is presented again, not followed by the next.
#[tokio::test]
async fn a_unit_that_does_not_come_is_not_paid_twice() {
    let till = Mutex::new(Till::default());
    let world = world(move |hit| match hit.credential {
        Some(_) if hit.number > 1 => Answer::Respond(response(500, &[], "")),
        _ => honest(&till, &hit),
    })
    .await;
    world.get("/paid").await.unwrap();
    for _ in 0..4 {
        let error = world.get("/paid").await.unwrap_err();
        assert!(matches!(error, Error::UnitNotDelivered { .. }), "{error}");
    }
    assert_eq!(world.payer.vouchers(), [10_000, 20_000], "one unit ahead and no more");
}

/// 6 and 7: what a service insists on having used is given up, but only so much of it.
#[tokio::test]
async fn a_service_that_keeps_what_it_was_paid_gets_little_of_it() {
    let world = world(|hit| match &hit.credential {
        Some(credential) if credential["payload"]["action"] == "open" => {
            Answer::Respond(response(200, &[], WORDS))
        }
        Some(credential) if credential["payload"]["action"] == "topUp" => {
            Answer::Respond(response(204, &[], ""))
        }
        Some(_) => problem(402, "insufficient-balance"),
        None => asks_for(&session()),
    })
    .await;
    world.get("/paid").await.unwrap();
    world.chain.channel(only(&world).await.channel, holding(30_000));
    for _ in 0..12 {
        world.get("/paid").await.unwrap_err();
    }
    // One delivered, one ahead, and three that were given up.
    assert_eq!(world.payer.vouchers().iter().max(), Some(&50_000));
    assert_eq!(only(&world).await.state, SessionState::Exiting);
    assert_eq!(signed(&world), ["open", "top up"]);
    // The top-up that nobody has seen is over by then.
    let later = ChannelSeen { at: UnixSeconds(NOW + 30), ..holding(30_000) };
    world.chain.channel(only(&world).await.channel, later);
    world.buyer.sessions().unwrap().tend().await.unwrap();
    assert_eq!(signed(&world), ["open", "top up", "request close"]);
}

/// 7: a service that calls a funded channel gone does not get another one.
#[tokio::test]
async fn a_funded_channel_that_is_called_gone_is_left_by_force() {
    let till = Mutex::new(Till::default());
    let world = world(move |hit| match hit.credential {
        Some(_) if hit.number > 1 => problem(410, "channel-not-found"),
        _ => honest(&till, &hit),
    })
    .await;
    world.get("/paid").await.unwrap();
    world.chain.channel(only(&world).await.channel, holding(30_000));
    world.get("/paid").await.unwrap_err();
    assert_eq!(signed(&world), ["open", "request close"]);
    let error = world.get("/paid").await.unwrap_err();
    let Error::Declined(why) = error else { panic!("{error}") };
    assert!(matches!(*why, Declined::SessionEnding { .. }), "{why}");
    assert_eq!(signed(&world), ["open", "request close"], "nothing is opened or topped up");
}

/// 8: a service that does not close is left by force, and the deposit taken back.
#[tokio::test]
async fn a_service_that_does_not_close_is_left_and_the_deposit_taken_back() {
    let till = Mutex::new(Till::default());
    let world = world(move |hit| match &hit.credential {
        Some(credential) if credential["payload"]["action"] == "close" => {
            Answer::Respond(response(500, &[], ""))
        }
        _ => honest(&till, &hit),
    })
    .await;
    world.get("/paid").await.unwrap();
    let opened = only(&world).await;
    world.chain.channel(opened.channel, holding(30_000));
    world.clock.advance(901);
    let sessions = world.buyer.sessions().unwrap();
    sessions.tend().await.unwrap();
    assert_eq!(signed(&world), ["open", "request close"]);
    let asked = NOW + 905;
    world.chain.channel(
        opened.channel,
        ChannelSeen {
            deposit: Amount::from_base_units(30_000),
            settled: Amount::ZERO,
            close_requested_at: Some(UnixSeconds(asked)),
            at: UnixSeconds(asked + 959),
        },
    );
    world.clock.advance(1_000);
    sessions.tend().await.unwrap();
    let kinds = signed(&world);
    assert!(!kinds.contains(&"withdraw"), "by the chain's clock it is too early: {kinds:?}");
    let later = ChannelSeen {
        close_requested_at: Some(UnixSeconds(asked)),
        at: UnixSeconds(asked + 960),
        ..holding(30_000)
    };
    world.chain.channel(opened.channel, later);
    sessions.tend().await.unwrap();
    assert_eq!(signed(&world), ["open", "request close", "withdraw"]);
    world.chain.channel(opened.channel, holding(0));
    let nothing = DepositFate::Ended { share: Amount::ZERO, settled: Amount::ZERO };
    world.chain.deposit(opened.opened_by.id, nothing);
    sessions.tend().await.unwrap();
    let closed = only(&world).await;
    assert_eq!((closed.state, closed.settled), (SessionState::Closed, Some(Amount::ZERO)));
}

#[tokio::test]
async fn sessions_end_when_their_time_is_over() {
    let (world, till) = served().await;
    world.get("/paid").await.unwrap();
    world.clock.advance(3_601);
    world.buyer.sessions().unwrap().tend().await.unwrap();
    let actions = till.lock().unwrap().actions.clone();
    assert!(only(&world).await.state != SessionState::Open, "{actions:?}");
}

#[tokio::test]
async fn no_session_is_opened_without_a_budget() {
    let mut rules: FetchRules = tempo_rules();
    rules.mpp.max_deposits.clear();
    let world = World::with(rules, Arc::default(), |_| asks_for(&session())).await;
    let Declined::NothingAcceptable { mut skipped } = world.declined("/paid").await else {
        panic!();
    };
    assert!(matches!(skipped.remove(0).why, Unacceptable::NoSessions { .. }));
}

#[tokio::test]
async fn no_more_sessions_are_opened_than_the_rules_allow() {
    let mut rules: FetchRules = tempo_rules();
    rules.mpp.sessions_max = 0;
    let world = World::with(rules, Arc::default(), |_| asks_for(&session())).await;
    let error = world.get("/paid").await.unwrap_err();
    assert!(error.to_string().contains("the limit is 0"), "{error}");
    assert!(world.payer.intents().is_empty());
}

#[tokio::test]
async fn a_refused_opening_leaves_nothing_behind() {
    let (world, _) = served().await;
    world.payer.grant(0);
    assert!(matches!(world.get("/paid").await, Err(Error::Refused { .. })));
    assert_eq!(only(&world).await.state, SessionState::Void);
}
