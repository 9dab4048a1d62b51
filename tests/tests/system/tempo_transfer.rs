//! Transfers on Tempo, with real nodes of our own and a real chain: from the SDK and from the
//! command line.
//!
//! Slow (a minute): real processes, two chains, and signatures made in rounds.

use alloy_primitives::B256;
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tercet::{Error, Paid};
use tercet_policy::chain::Chain;
use tercet_policy::payload::transfer_memo;
use tercet_tests::cluster::{PAYEE, STRANGER};
use tercet_tests::tempo::TempoNode;

use super::tempo_house::{CENT, FUNDS_UNITS, TempoHouse};

/// More than three transfers pay in fees, at the most that is offered for their gas.
const FEES_UNITS_MAX: u128 = 7 * CENT;

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_on_tempo_is_paid_once_proven_and_bounded_by_the_policy() -> Result<()> {
    let rules = [
        "limit: { amount: 1 pathUSD, per: day }".to_owned(),
        format!("allow: {{ recipients: [\"{PAYEE}\"] }}"),
    ];
    let house = TempoHouse::open(TempoNode::start().await?, &rules).await?;
    let before = house.held().await?.0;
    let wallet = house.wallet().await?;
    let receipt = wallet.transfer(Chain::Tempo, PAYEE, &"0.50 pathUSD".parse()?).await?;
    ensure!(receipt.verified && receipt.price == "0.5 pathUSD", "{receipt:?}");
    ensure!(receipt.memo == Some(transfer_memo(&receipt.intent)), "{receipt:?}");
    let transaction = receipt.transaction.context("no transaction")?;
    let mined = house.tempo.mined(transaction).await?;
    ensure!(mined.get("status") == Some(&Value::from("0x1")), "{mined}");

    // One intent, however often it is paid, with a memo that people chose.
    let memo = B256::repeat_byte(0x4d);
    let price = "0.10 pathUSD".parse()?;
    let draft = wallet.draft_transfer(Chain::Tempo, PAYEE, &price, Some(memo))?;
    let mut transactions = Vec::new();
    for _ in 0..2 {
        let Paid::Transfer(receipt) = wallet.pay(draft.clone()).await? else {
            bail!("a transfer was expected");
        };
        ensure!(receipt.verified && receipt.memo == Some(memo), "{receipt:?}");
        transactions.push(receipt.transaction);
    }
    ensure!(transactions.first() == transactions.last(), "{transactions:?}");
    let view = house.cluster.settled(&draft.id).await?;
    ensure!(view.transaction == transactions.first().copied().flatten(), "{view:?}");
    let fee = view.fee.context("a fee in the token")?.base_units();
    ensure!(
        view.fee_taken && 0 < fee && fee < 2 * CENT,
        "less than the most that is offered: {fee}"
    );

    for (to, price) in [(STRANGER, "0.10 pathUSD"), (PAYEE, "0.60 pathUSD")] {
        let refused = wallet.transfer(Chain::Tempo, to, &price.parse()?).await;
        ensure!(matches!(refused, Err(Error::Refused { .. })), "{to} {price}: {refused:?}");
    }
    wallet.close().await;

    let (payee, memo) = (PAYEE.to_string(), memo.to_string());
    let sent = ["transfer", &payee, "0.05", "--chain", "eip155:4217"];
    let (code, paid) = house.tercet(&[&sent[..], &["--memo", &memo]].concat()).await?;
    ensure!(code == 0 && paid["receipt"]["verified"] == true, "{code}: {paid:#}");
    ensure!(paid["receipt"]["memo"] == memo.as_str(), "{paid:#}");
    let (code, wrong) = house.tercet(&[&sent[..], &["--asset", "USDC"]].concat()).await?;
    ensure!(code != 0 && wrong["receipt"].is_null(), "{code}: {wrong:#}");

    let (paid, left) = house.held().await?;
    ensure!(paid - before == 65 * CENT, "{paid}: half a dollar, a dime and a nickel");
    let fees = FUNDS_UNITS - left - 65 * CENT;
    ensure!(fees < FEES_UNITS_MAX, "{fees}: paid in the token that was moved");
    Ok(())
}
