//! The Tempo node, the channel reserve and the MPP peers, by themselves: the ground on which every
//! test of MPP stands. No program of Tercet takes part.

use alloy_primitives::address;
use anyhow::{Context, Result, ensure};
use serde_json::json;
use tercet_policy::chain::{Chain, PATH_USD};
use tercet_tests::mpp_peers::{
    MerchantTerms, MppMode, MppPeer, MppRun, pay_with_official_mpp_client, self_test,
};
use tercet_tests::tempo::{ALPHA_USD, ChannelState, TempoNode};

/// Slow: it starts a chain and eleven programs, one after the other.
#[tokio::test]
async fn the_official_peers_pay_each_other_and_the_reserve_keeps_its_rules() -> Result<()> {
    let proofs = self_test().await?;
    let has = |wanted: &str| proofs.iter().any(|proof| proof == wanted);
    for wanted in [
        "charge",
        "charge, sponsored",
        "session: open, requests, top-up, close",
        "session: open, requests, top-up, close, sponsored",
        "stream, a voucher a word",
        "reserve: forcedExit",
    ] {
        ensure!(has(wanted), "{wanted} is not among {proofs:?}");
    }
    Ok(())
}

/// What the harness reads of a session, on the chain and at the merchant, fits together.
#[tokio::test]
async fn the_harness_reads_what_the_official_client_did() -> Result<()> {
    let node = TempoNode::start_as(Chain::TempoModerato).await?;
    let terms = MerchantTerms { price: "0.02", suggested_deposit: "2", ..Default::default() };
    let merchant = MppPeer::merchant(&node, terms).await?;
    let run = MppRun { mode: MppMode::Session, count: 3, warmup: 1 };
    let (payments, summary) =
        pay_with_official_mpp_client(&node, &merchant.route("/session"), run).await?;
    ensure!(payments.len() == 3 && summary.paid == 3, "{payments:?}");

    let channel = summary.channel.context("no channel")?;
    let opened = node.opened().await?;
    let [opened] = opened.as_slice() else { anyhow::bail!("{opened:?}") };
    ensure!(opened.channelId == channel && opened.payer == summary.payer, "{opened:?}");
    ensure!(opened.deposit.to::<u128>() == 2_000_000, "{opened:?}");
    let closed = node.closed().await?;
    let [closed] = closed.as_slice() else { anyhow::bail!("{closed:?}") };
    ensure!(closed.settledToPayee.to::<u128>() == 100_000, "{closed:?}");
    ensure!(node.channel(channel).await? == ChannelState::default());

    let party = merchant.party().await?;
    ensure!(opened.payee == party.payee, "{party:?}");
    let known = merchant.channels().await?;
    let [known] = known.as_slice() else { anyhow::bail!("{known:?}") };
    ensure!(known.finalized && known.units == 5 && known.spent == "100000", "{known:?}");
    Ok(())
}

/// Money, blocks and time, for every test that leans on them.
#[tokio::test]
async fn a_test_makes_money_and_time() -> Result<()> {
    let node = TempoNode::start().await?;
    let wallet = address!("0x209693Bc6afc0C5328bA36FaF03C514EF312287C");
    node.fund(wallet, 1_234_567).await?;
    node.fund_with(ALPHA_USD, wallet, 5).await?;
    ensure!(node.balance(PATH_USD, wallet).await? == 1_234_567);
    ensure!(node.balance(ALPHA_USD, wallet).await? == 5);

    let before = node.now().await?;
    node.advance(901).await?;
    ensure!(node.now().await?.0 >= before.0 + 901);
    let number = |tag: &'static str| {
        let node = &node;
        async move {
            let block = node.rpc("eth_getBlockByNumber", json!([tag, false])).await?;
            anyhow::Ok(serde_json::from_value::<alloy_primitives::U64>(block["number"].clone())?)
        }
    };
    let head = number("latest").await?;
    node.mine(3).await?;
    ensure!(number("finalized").await? >= head);
    Ok(())
}
