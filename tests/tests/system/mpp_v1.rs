//! A channel of the escrow contract from before TIP-1034, which another client opened for the
//! wallet: left from the command line where the policy names it, and refused where it does not.
//!
//! Slow (two minutes): real processes, signatures made in rounds, and a chain whose clock is moved
//! past the grace period.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tercet_api::payment::PaymentStatus;
use tercet_cli::demo::house::now;
use tercet_policy::time::UnixSeconds;
use tercet_tests::cluster::PAYEE;
use tercet_tests::escrow::open_v1;
use tercet_tests::tempo::TempoNode;
use tokio::time::sleep;

use super::tempo_house::{CENT, FUNDS_UNITS, TempoHouse};

const DEPOSIT: u128 = 200 * CENT;
/// More than two steps cost, at the most that is offered for their gas.
const FEES_UNITS_MAX: u128 = 5 * CENT;
/// The contract's grace period, in seconds.
const GRACE_SECONDS: u64 = 900;
/// Time of the machine that passes before the chain's clock is moved past the grace period: no lane
/// may end more than 900 seconds from now, and the chain must be short of its end.
const HEAD_START_SECONDS: u64 = 40;
/// By then what was mined is safe.
const SAFE_BLOCKS: u64 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_from_before_tip_1034_is_left_once_the_policy_names_it() -> Result<()> {
    let usual = [
        "limit: { amount: 1 pathUSD, per: day }".to_owned(),
        format!("allow: {{ recipients: [\"{PAYEE}\"] }}"),
    ];
    let house = TempoHouse::open(TempoNode::start().await?, &usual).await?;
    let channel = open_v1(&house.tempo, house.address, PAYEE, DEPOSIT).await?.to_string();
    house.tempo.mine(SAFE_BLOCKS).await?;

    let unnamed = step(&house, &channel, "request-close").await?;
    says(&unnamed, "channel_not_listed")?;
    says(&unnamed, "v1_channels")?;
    let [limit, allow] = usual;
    house.install(2, &[limit, allow, format!("v1_channels: [\"{channel}\"]")]).await?;
    says(&step(&house, &channel, "withdraw").await?, "ask for its end first")?;
    let asked = done(step(&house, &channel, "request-close").await?)?;
    let from = UnixSeconds(asked["withdraw_from"].as_u64().context("no end")?);
    says(&step(&house, &channel, "withdraw").await?, "15 minutes have to pass")?;

    let head_start = from.minus(GRACE_SECONDS).plus(HEAD_START_SECONDS);
    sleep(Duration::from_secs(head_start.0.saturating_sub(now().0))).await;
    let chain = house.tempo.now().await?;
    house.tempo.advance(from.plus(1).0.saturating_sub(chain.0)).await?;
    house.tempo.mine(SAFE_BLOCKS).await?;
    let before = house.held().await?.1;
    ensure!(before < FUNDS_UNITS, "the first step cost a fee: {before}");
    let taken = done(step(&house, &channel, "withdraw").await?)?;
    ensure!(taken["left"] == DEPOSIT.to_string(), "{taken:#}");
    let back = house.held().await?.1;
    ensure!(back > FUNDS_UNITS + DEPOSIT - FEES_UNITS_MAX, "{back}: the deposit, less two fees");
    ensure!(back < FUNDS_UNITS + DEPOSIT, "{back}: two fees were paid");

    for exit in [&asked, &taken] {
        let id = exit["intent"].as_str().context("no intent")?.parse()?;
        let view = house.cluster.settled(&id).await?;
        ensure!(view.status == PaymentStatus::Settled, "{view:?}");
        ensure!(view.payment.amount().base_units() == 0, "no income and no payment: {view:?}");
    }
    says(&step(&house, &channel, "withdraw").await?, "it has ended")
}

/// Takes a step from the command line; its exit code and its answer.
async fn step(house: &TempoHouse, channel: &str, step: &str) -> Result<(i32, Value)> {
    house.tercet(&["session", "exit", channel, "--step", step]).await
}

fn done((code, answer): (i32, Value)) -> Result<Value> {
    ensure!(code == 0, "{code}: {answer:#}");
    Ok(answer)
}

fn says((code, answer): &(i32, Value), why: &str) -> Result<()> {
    ensure!(*code != 0 && answer.to_string().contains(why), "{why}: {code}, {answer:#}");
    Ok(())
}
