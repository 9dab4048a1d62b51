//! Three nodes around a courier in miniature: a wallet, a payment, and a line that breaks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    missing_docs,
    unreachable_pub,
    reason = "tests may fail, loudly"
)]

mod support {
    pub mod courier;
    pub mod group;
    pub mod payments;
}
mod nodes {
    mod paperwork;
    mod stock;
    mod watched;
}

use std::time::Duration;

use support::courier::{next, now, session};
use support::group::{Group, agent};
use support::payments::{claim, intent, make_wallet};
use tercet_api::relay::{FailureKind, FromNode, Outcome, RELAY_FRAME_BYTES_MAX, ToNode};
use tercet_policy::document::{RequestId, WalletRequest};
use tercet_policy::intent::PaymentIntent;
use tercet_policy::party::Party;
use tercet_policy::payload::FinishedPayment;
use tercet_policy::refusal::Refusal;
use tercet_signer_node::{NodeHandle, NotPaid, PaymentEnd};

async fn ask_to_sign(group: &Group, node: &NodeHandle, intent: &PaymentIntent, number: u8) {
    let envelope = node.identity().sign_intent(intent.clone()).unwrap();
    for party in Party::EVERYDAY {
        let (envelope, claim) = (envelope.clone(), claim(intent));
        let frame =
            ToNode::Sign { session: session(number), envelope, claim, approvals: Vec::new() };
        group.courier.send(party, &frame).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_make_a_wallet_and_two_pay() {
    let mut group = Group::new().await;
    let nodes = group.start_all().await;
    let wallet = make_wallet(&mut group, &nodes[0]).await;
    assert_eq!(nodes[2].wallets().unwrap()[0].address, wallet);

    let paid = intent(wallet, 10_000, 1);
    let ticket = nodes[0].expect(paid.id);
    ask_to_sign(&group, &nodes[0], &paid, 2).await;
    let finished = ticket.finished(Duration::from_secs(30)).await.unwrap();
    let FinishedPayment::X402(finished) = finished else { panic!("{finished:?}") };
    assert_eq!(finished.authorization.from, wallet);
    // The courier learns slot and digest, never the authorization.
    let told = next(&mut group.heard, |party, frame| match frame {
        FromNode::Done { outcome, .. } if party == Party::Operator => Some(outcome),
        _ => None,
    })
    .await;
    let Outcome::Signed { intent: id, transaction: None, slot, .. } = told else {
        panic!("{told:?}")
    };
    assert_eq!(id, paid.id);
    assert!(slot.starts_with("eip3009/eip155:8453/"), "{slot}");

    let refused = intent(wallet, 900_000, 2);
    let ticket = nodes[0].expect(refused.id);
    ask_to_sign(&group, &nodes[0], &refused, 3).await;
    let why = ticket.finished(Duration::from_secs(30)).await.unwrap_err();
    assert!(matches!(why, NotPaid::Refused(Refusal::Policy(_))), "{why:?}");

    let head = nodes[1].readiness();
    assert!(head.ready && head.journal_rows >= 5, "{head:?}");
    for node in nodes {
        node.stop().await;
    }
    // The homes are free, and what was made is there.
    let again = group.start(Party::Operator).await.unwrap();
    assert_eq!(again.wallets().unwrap()[0].address, wallet);
    assert!(again.readiness().journal_rows >= head.journal_rows);
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_line_ends_its_sessions_and_is_dialled_again() {
    let mut group = Group::new().await;
    let nodes = group.start_all().await;
    let wallet = make_wallet(&mut group, &nodes[0]).await;
    let paid = intent(wallet, 10_000, 1);
    let mut ticket = nodes[0].expect(paid.id);
    let envelope = nodes[0].identity().sign_intent(paid.clone()).unwrap();
    let (claim, approvals) = (claim(&paid), Vec::new());
    let frame = ToNode::Sign { session: session(2), envelope, claim, approvals };
    // Only the agent is asked; the operator never answers, and then the line breaks.
    group.courier.send(Party::Agent, &frame).await;
    next(&mut group.heard, |_, f| matches!(f, FromNode::Admitted { .. }).then_some(())).await;
    group.courier.cut(Party::Agent);
    let ended = tokio::time::timeout(Duration::from_secs(5), ticket.next_end()).await;
    let Some(PaymentEnd::NotPaid(NotPaid::Failed { kind, .. })) = ended.unwrap() else {
        panic!("another end")
    };
    assert_eq!(kind, FailureKind::Network);
    tokio::time::sleep(Duration::from_millis(50)).await;
    nodes[0].wait_connected(Duration::from_secs(10)).await.unwrap();
    // The same intent is signed over the new line.
    ask_to_sign(&group, &nodes[0], &paid, 3).await;
    assert!(ticket.finished(Duration::from_secs(30)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_and_foreign_frames_are_dropped_and_counted() {
    let group = Group::new().await;
    let node = group.start(Party::Operator).await.unwrap();
    node.wait_connected(Duration::from_secs(10)).await.unwrap();
    let foreign = ToNode::Frame { session: session(9), from: Party::Agent, bytes: vec![1; 100] };
    group.courier.send(Party::Operator, &foreign).await;
    group.courier.send_text(Party::Operator, "{\"type\":\"sing\"}".to_owned()).await;
    group.courier.send_text(Party::Operator, "not json".to_owned()).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while node.readiness().dropped_frames < 3 && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(node.readiness().dropped_frames, 3);
    // Over the limit the line itself breaks, and is dialled again.
    group.courier.send_text(Party::Operator, " ".repeat(RELAY_FRAME_BYTES_MAX + 1)).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    node.wait_connected(Duration::from_secs(10)).await.unwrap();
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_frame_may_overtake_the_word_that_begins_its_session() {
    let mut group = Group::new().await;
    let nodes = group.start_all().await;
    let request = WalletRequest {
        agent: agent(),
        request: RequestId([1; 32]),
        label: "test".to_owned(),
        created_at: now(),
    };
    let request = nodes[0].identity().sign_wallet_request(request).unwrap();
    for party in Party::ALL {
        let frame = ToNode::Keygen { session: session(1), request: request.clone() };
        group.courier.send(party, &frame).await;
        // By now the first messages of this party are at the ones after it.
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    for _ in Party::ALL {
        let made = next(&mut group.heard, |_, frame| match frame {
            FromNode::Done { .. } => Some(Ok(())),
            FromNode::Failed { detail, .. } => Some(Err(detail)),
            _ => None,
        });
        made.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_over_the_limit_are_told_that_the_node_is_busy() {
    let mut group = Group::new().await;
    let node = group.start(Party::Recovery).await.unwrap();
    node.wait_connected(Duration::from_secs(10)).await.unwrap();
    group.courier.send(Party::Recovery, &group.enrolment()).await;
    for number in 1..=3 {
        let frame = ToNode::Prepare { session: session(number), agent: agent() };
        group.courier.send(Party::Recovery, &frame).await;
    }
    let (busy, kind) = next(&mut group.heard, |_, frame| match frame {
        FromNode::Failed { session, kind, .. } => Some((session, kind)),
        _ => None,
    })
    .await;
    assert_eq!((busy, kind), (session(3), FailureKind::NotReady));
    // Called off, the others end at once and make room.
    for number in 1..=2 {
        let frame = ToNode::Abort { session: session(number), reason: "test".to_owned() };
        group.courier.send(Party::Recovery, &frame).await;
    }
    for _ in 1..=2 {
        let kind = next(&mut group.heard, |_, frame| match frame {
            FromNode::Failed { kind, .. } => Some(kind),
            _ => None,
        })
        .await;
        assert_eq!(kind, FailureKind::Network);
    }
    node.stop().await;
}
