//! Presignatures at running nodes: when they are asked for, and payments signed with them.

use std::time::Duration;

use alloy_primitives::Address;
use tercet_api::relay::{FailureKind, FromNode, Outcome, SealedPart, ToNode};
use tercet_policy::intent::PaymentIntent;
use tercet_policy::party::Party;
use tercet_policy::payload::FinishedPayment;
use tercet_signer_node::{NodeHandle, NotPaid};

use crate::support::courier::{next, session};
use crate::support::group::Group;
use crate::support::payments::{claim, intent, make_wallet};

/// Three nodes, a wallet, and a courier that does what it is told.
struct Shop {
    group: Group,
    nodes: [NodeHandle; 3],
    wallet: Address,
    sessions: u8,
}

impl Shop {
    async fn new() -> Self {
        let mut group = Group::new().await;
        let nodes = group.start_all().await;
        let wallet = make_wallet(&mut group, &nodes[0]).await;
        Self { group, nodes, wallet, sessions: 20 }
    }

    /// What the agent's node asks for next.
    async fn wish(&mut self) -> u16 {
        let wallet = self.wallet;
        next(&mut self.group.heard, |party, frame| match frame {
            FromNode::Restock { wallet: of, count } => {
                assert_eq!((party, of), (Party::Agent, wallet));
                Some(count)
            }
            _ => None,
        })
        .await
    }

    /// Has both make as many, and waits until they have.
    async fn presign(&mut self, count: u16) {
        self.sessions += 1;
        let (session, wallet) = (session(self.sessions), self.wallet);
        for party in Party::EVERYDAY {
            self.group.courier.send(party, &ToNode::Presign { session, wallet, count }).await;
        }
        for _ in Party::EVERYDAY {
            let made = next(&mut self.group.heard, |_, frame| match frame {
                FromNode::Done { outcome: Outcome::Stocked { made }, .. } => Some(made),
                FromNode::Failed { detail, .. } => panic!("{detail}"),
                _ => None,
            });
            assert_eq!(made.await, count);
        }
    }

    async fn begin(&self, intent: &PaymentIntent) -> Option<SealedPart> {
        let envelope = self.nodes[0].identity().sign_intent(intent.clone()).unwrap();
        self.nodes[0].begin(envelope).await.unwrap()
    }

    /// Has the operator's node join a part.
    async fn join(&mut self, intent: &PaymentIntent, part: SealedPart) -> FromNode {
        self.sessions += 1;
        let session = session(self.sessions);
        let envelope = self.nodes[0].identity().sign_intent(intent.clone()).unwrap();
        let (claim, approvals) = (claim(intent), Vec::new());
        let frame = ToNode::Join { session, envelope, claim, approvals, part };
        self.group.courier.send(Party::Operator, &frame).await;
        next(&mut self.group.heard, |party, frame| match &frame {
            FromNode::Done { session: of, .. }
            | FromNode::Refused { session: of, .. }
            | FromNode::Failed { session: of, .. } => {
                (party == Party::Operator && *of == session).then_some(frame)
            }
            _ => None,
        })
        .await
    }
}

fn answer(told: FromNode) -> Vec<u8> {
    match told {
        FromNode::Done { outcome: Outcome::Signed { answer: Some(answer), .. }, .. } => answer.0,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wallet_that_wakes_is_stocked_and_pays_in_one_round_trip() {
    let mut shop = Shop::new().await;
    let paid = intent(shop.wallet, 10_000, 1);
    assert!(shop.begin(&paid).await.is_none(), "there is no stock yet");
    shop.nodes[0].wake(shop.wallet);
    assert_eq!(shop.wish().await, 8, "the floor");
    shop.presign(2).await;
    assert_eq!(shop.nodes[0].presignatures(shop.wallet), 2);
    assert_eq!(shop.wish().await, 6, "what is missing");

    let part = shop.begin(&paid).await.unwrap();
    let told = shop.join(&paid, part).await;
    let FromNode::Done { outcome: Outcome::Signed { transaction, digest, .. }, .. } = &told else {
        panic!("{told:?}")
    };
    assert_eq!(*transaction, None);
    let digest = *digest;
    let answer = answer(told);
    let FinishedPayment::X402(finished) = shop.nodes[0].finish(paid.id, &answer).await.unwrap()
    else {
        panic!("another kind")
    };
    assert_eq!(finished.authorization.from, shop.wallet);
    let again = shop.nodes[0].finish(paid.id, &answer).await.unwrap_err();
    assert!(matches!(again, NotPaid::Failed { kind: FailureKind::NotReady, .. }), "{again:?}");
    assert_ne!(digest, alloy_primitives::B256::ZERO);
    assert_eq!(shop.nodes[0].stock_wishes()[0].per_minute, 2, "the first found nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_that_was_restarted_says_so_and_both_agree_before_the_next_payment() {
    let mut shop = Shop::new().await;
    shop.nodes[0].wake(shop.wallet);
    shop.wish().await;
    shop.presign(3).await;
    let [agent, operator, recovery] = shop.nodes;
    operator.stop().await;
    let operator = shop.group.start(Party::Operator).await.unwrap();
    operator.wait_connected(Duration::from_secs(10)).await.unwrap();
    shop.nodes = [agent, operator, recovery];

    let paid = intent(shop.wallet, 10_000, 1);
    let part = shop.begin(&paid).await.unwrap();
    let told = shop.join(&paid, part).await;
    let gone = matches!(told, FromNode::Failed { kind: FailureKind::NoPresignature, .. });
    assert!(gone, "{told:?}");
    shop.nodes[0].give_up(paid.id);
    let other = intent(shop.wallet, 10_000, 2);
    assert!(shop.begin(&other).await.is_none(), "there is doubt");
    shop.wish().await;
    shop.presign(1).await;
    assert_eq!(shop.nodes[0].presignatures(shop.wallet), 1, "the others went with the operator's");
    let part = shop.begin(&other).await.unwrap();
    let answer = answer(shop.join(&other, part).await);
    shop.nodes[0].finish(other.id, &answer).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_courier_cannot_keep_an_agents_node_busy() {
    let mut shop = Shop::new().await;
    let (session, wallet) = (session(99), shop.wallet);
    let frame = ToNode::Presign { session, wallet, count: 8 };
    shop.group.courier.send(Party::Agent, &frame).await;
    let kind = next(&mut shop.group.heard, |party, frame| match frame {
        FromNode::Failed { session: of, kind, .. } if of == session => Some((party, kind)),
        _ => None,
    });
    assert_eq!(kind.await, (Party::Agent, FailureKind::NotReady));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_agents_own_node_refuses_gives_no_part_and_costs_no_presignature() {
    let mut shop = Shop::new().await;
    shop.nodes[0].wake(shop.wallet);
    shop.wish().await;
    shop.presign(1).await;
    let rows = shop.nodes[0].readiness().journal_rows;
    assert!(shop.begin(&intent(shop.wallet, 900_000, 1)).await.is_none(), "over the limit");
    assert_eq!(shop.nodes[0].presignatures(shop.wallet), 1);
    assert_eq!(shop.nodes[0].readiness().journal_rows, rows);
}
