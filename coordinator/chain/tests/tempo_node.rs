//! The readers for Tempo against a real node: anvil as Tempo, with the channel reserve of the
//! tests at its real address.
//!
//! The node and the keys are those of the system tests, included by path, so that this crate is
//! tested without building all the others.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that is wrong may stop"
)]

#[allow(dead_code, unreachable_pub, reason = "shared with the system tests, which use all of it")]
#[path = "../../../tests/src/chain.rs"]
mod chain;
#[allow(dead_code, unreachable_pub, reason = "shared with the system tests, which use all of it")]
#[path = "../../../tests/src/local_key.rs"]
mod local_key;
#[allow(dead_code, unreachable_pub, reason = "shared with the system tests, which use all of it")]
#[path = "../../../tests/src/peers.rs"]
mod peers;
#[allow(dead_code, unreachable_pub, reason = "shared with the system tests, which use all of it")]
#[path = "../../../tests/src/tempo.rs"]
mod tempo;

#[path = "tempo/rows.rs"]
#[allow(dead_code, reason = "shared with the tests against a scripted chain")]
mod rows;
#[path = "tempo_node/scene.rs"]
mod scene;

use alloy_primitives::{Address, B256, address};
use anyhow::{Result, bail};
use tercet_chain::{Fate, TempoOutcome};
use tercet_policy::chain::PATH_USD;
use tercet_policy::evidence::{NoProof, VoidReason};
use tercet_policy::rows::SpendRow;
use tercet_policy::tempo::calls;

use crate::rows::{MEMO, PAYEE, units};
use crate::scene::Scene;

/// Where a receive policy takes what its account does not take (TIP-1028).
const GUARD: Address = address!("0xB10C000000000000000000000000000000000000");

#[tokio::test]
async fn a_transfer_is_settled_by_its_log_and_void_without_one() -> Result<()> {
    let scene = Scene::start().await?;
    let (first, second) = (scene.transfer(1, 10).await?, scene.transfer(2, 10).await?);
    assert_eq!(scene.reader.fate(&first, &[]).await?, Fate::Open);
    // Both have one memo: only one is sent.
    let pay = calls::transfer_with_memo(PATH_USD, PAYEE, first.amount, MEMO);
    let tx = scene.send(&first, pay).await?;
    let fate = scene.until(&first, |fate| matches!(fate, Fate::Settled(_))).await?;
    let Fate::Settled(proof) = fate else { bail!("{fate:?}") };
    assert_eq!((proof.transaction(), proof.amount()), (tx, units(10)));
    assert_eq!(scene.reader.fate(&second, &[]).await?, Fate::Open, "it can still be mined");

    scene.node.advance(60).await?;
    let fate = scene.until(&second, |fate| matches!(fate, Fate::Void(_))).await?;
    assert!(matches!(&fate, Fate::Void(proof) if proof.reason() == VoidReason::NeverMined));
    assert!(matches!(scene.reader.fate(&first, &[]).await?, Fate::Settled(_)), "for good");
    Ok(())
}

#[tokio::test]
async fn a_diverted_transfer_is_an_alarm() -> Result<()> {
    let scene = Scene::start().await?;
    let row = scene.transfer(1, 10).await?;
    // What a receive policy does to a transfer, which this node does not have yet.
    let pay = calls::transfer(PATH_USD, GUARD, row.amount);
    let tx = scene.send(&row, pay).await?;
    scene.node.advance(60).await?;
    scene.node.mine(3).await?;
    let alarm = Fate::Alarm { tx, misfit: NoProof::OtherPayment };
    assert_eq!(scene.until(&row, |fate| *fate != Fate::Open).await?, alarm, "and never void");
    assert_eq!(scene.reader.fate(&row, &[]).await?, alarm);
    Ok(())
}

#[tokio::test]
async fn a_channel_is_seen_open_and_ends_with_the_shares_of_its_deposits() -> Result<()> {
    let scene = Scene::start().await?;
    let (opening, descriptor, open) = scene.open(1, 1_000).await?;
    let tx = scene.send(&opening, open).await?;
    scene.until(&opening, |fate| matches!(fate, Fate::Deposited(_))).await?;
    let outcome = scene.reader.tempo_outcome(&opening).await?;
    let TempoOutcome::InChannel { deposit, .. } = outcome else { bail!("{outcome:?}") };
    assert_eq!(deposit.transaction, tx);
    let more = scene.top_up(2, descriptor, 500).await?;
    let put = calls::top_up(&descriptor, units(500).try_into()?);
    scene.send(&more, put).await?;
    let channel = descriptor.channel_id(scene.node.chain().id());
    scene.node.mine(3).await?;
    assert_eq!(scene.reader.channel_state(channel).await?.deposit, units(1_500));

    scene.close(&descriptor, 1_200).await?;
    for (row, share) in [(&opening, 1_000), (&more, 200)] {
        let fate = scene.until(row, |fate| matches!(fate, Fate::Settled(_))).await?;
        let Fate::Settled(proof) = fate else { bail!("{fate:?}") };
        assert_eq!(proof.amount(), units(share));
    }
    assert!(!scene.reader.channel_state(channel).await?.is_open());
    Ok(())
}

#[tokio::test]
async fn an_opening_that_was_never_sent_is_void() -> Result<()> {
    let scene = Scene::start().await?;
    let (opening, _, _) = scene.open(1, 1_000).await?;
    assert_eq!(scene.reader.fate(&opening, &[]).await?, Fate::Open);
    scene.node.advance(60).await?;
    scene.until(&opening, |fate| matches!(fate, Fate::Void(_))).await?;
    Ok(())
}

#[tokio::test]
async fn receipts_and_balances_of_the_chain_are_read() -> Result<()> {
    let scene = Scene::start().await?;
    let before = scene.reader.balances(scene.wallet.address(), PATH_USD).await?;
    assert_eq!((before.native, before.token), (units(0), units(scene::FUNDS)));
    let row = SpendRow { fee: Some(units(48_000)), ..scene.transfer(1, 10).await? };
    let tx = scene.send(&row, calls::transfer_with_memo(PATH_USD, PAYEE, row.amount, MEMO)).await?;
    let receipt = scene.reader.receipt(tx).await?.expect("it was waited for");
    assert!(receipt.succeeded && receipt.from == scene.wallet.address());
    let held = scene.reader.holdings(scene.wallet.address()).await?;
    let fee = units(scene::FUNDS - 10).checked_sub(held.tokens[0].1).unwrap();
    assert!(fee > units(0) && fee < units(48_000), "{fee:?}");
    let fate = scene.until(&row, |fate| matches!(fate, Fate::Settled(_))).await?;
    let Fate::Settled(proof) = fate else { bail!("{fate:?}") };
    assert_eq!(proof.fee(), Some(fee), "what the chain took, and no more than what left");
    assert_eq!(scene.reader.receipt(B256::repeat_byte(1)).await?, None);
    Ok(())
}
