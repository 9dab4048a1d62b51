use std::time::Duration;

use alloy_primitives::Address;
use tercet_api::relay::{FromNode, PRESIGN_RUNS_MAX, ToNode};

use super::fixture::*;
use super::node::{FakeNode, Manner};
use super::payments::pair;
use crate::restock::PRESIGN_SESSIONS_PER_NODE_MAX;

const fn wish(wallet: Address, count: u16) -> FromNode {
    FromNode::Restock { wallet, count }
}

fn asked(node: &FakeNode) -> Vec<(Address, u16)> {
    let seen = node.seen.lock().unwrap();
    let presign = |frame: &ToNode| match frame {
        ToNode::Presign { wallet, count, .. } => Some((*wallet, *count)),
        _ => None,
    };
    seen.iter().filter_map(presign).collect()
}

async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(200)).await;
}

#[tokio::test]
async fn a_wish_of_either_node_of_the_pair_opens_a_session_of_both() {
    let house = House::new().await;
    let (agent, operator) = pair(&house, Manner::Signs, Manner::Signs).await;
    agent.says(wish(WALLET, 3));
    soon(|| !asked(&agent).is_empty() && !asked(&operator).is_empty()).await;
    assert_eq!((asked(&agent), asked(&operator)), (vec![(WALLET, 3)], vec![(WALLET, 3)]));
    soon(|| house.app.restocking().running() == 0).await;
    operator.says(wish(WALLET, 0));
    soon(|| asked(&agent).len() == 2 && asked(&operator).len() == 2).await;
    soon(|| house.app.restocking().running() == 0).await;
}

#[tokio::test]
async fn strangers_and_wishes_for_too_much_are_not_heard() {
    let house = House::new().await;
    let (agent, operator) = pair(&house, Manner::Signs, Manner::Signs).await;
    let other = FakeNode::join(&house, "research-02", Manner::Signs).await;
    let recovery = FakeNode::join(&house, "rec-1", Manner::Signs).await;
    other.says(wish(WALLET, 1));
    recovery.says(wish(WALLET, 1));
    agent.says(wish(OTHER_WALLET, 1));
    agent.says(wish(OWN_WALLET, 1));
    agent.says(wish(WALLET, PRESIGN_RUNS_MAX + 1));
    a_moment().await;
    for node in [&agent, &operator, &other, &recovery] {
        assert_eq!(asked(node), []);
    }
    assert_eq!(house.app.restocking().running(), 0);
}

#[tokio::test]
async fn a_wallet_has_one_session_and_an_absent_node_none() {
    let house = House::new().await;
    let agent = FakeNode::join(&house, "research-01", Manner::Silent).await;
    agent.says(wish(WALLET, 1));
    a_moment().await;
    assert_eq!((asked(&agent), house.app.restocking().running()), (vec![], 0));
    let operator = FakeNode::join(&house, "op-1", Manner::Silent).await;
    for _ in 0..5 {
        agent.says(wish(WALLET, 1));
    }
    soon(|| asked(&operator).len() == 1).await;
    a_moment().await;
    assert_eq!((asked(&operator).len(), house.app.restocking().running()), (1, 1));
    drop(agent);
    soon(|| house.app.restocking().running() == 0).await;
}

#[tokio::test]
async fn an_operators_node_makes_for_so_many_wallets_at_once_and_payments_go_on() {
    let house = House::new().await;
    let (agent, operator) = pair(&house, Manner::Silent, Manner::Silent).await;
    let wallets: Vec<_> = (0..2 * PRESIGN_SESSIONS_PER_NODE_MAX)
        .map(|place| Address::repeat_byte(0x20 + u8::try_from(place).unwrap()))
        .collect();
    for wallet in &wallets {
        house.add_wallet("research-01", *wallet).await;
        agent.says(wish(*wallet, 1));
    }
    soon(|| asked(&operator).len() == PRESIGN_SESSIONS_PER_NODE_MAX).await;
    a_moment().await;
    assert_eq!(asked(&operator).len(), PRESIGN_SESSIONS_PER_NODE_MAX);
    operator.becomes(Manner::Signs);
    let (status, view) =
        house.pay_with_part("research-01", &intent("research-01", 1, x402(10))).await;
    assert_eq!(status, 201, "{view}");
}
