//! The fence on a real chain: an access key that our nodes let Tempo authorize, in the hands of
//! somebody who holds nothing of ours.
//!
//! Slow (a minute): real processes, two chains, and signatures made in rounds. The reserve of this
//! chain is a stand-in that moves a deposit as any contract would, which the chain's limit does not
//! see before its fork T5: what is tried here is the scope, the revocation, and that the key's fees
//! are taken from its limit.

use alloy_primitives::{Address, Bytes};
use alloy_sol_types::{SolCall as _, sol};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tercet::{Error, Fence, Wallet};
use tercet_policy::chain::{Chain, PATH_USD};
use tercet_policy::tempo::keychain::ACCOUNT_KEYCHAIN;
use tercet_tests::access_key::{KeyAct, KeyHolder};
use tercet_tests::cluster::PAYEE;
use tercet_tests::tempo::TempoNode;

use super::tempo_house::{CENT, TempoHouse};

const DAY_SECONDS: u64 = 86_400;
/// What the key may take in a day, in base units: 1 pathUSD.
const DAILY_UNITS: u128 = 100 * CENT;

sol! {
    function getRemainingLimitWithPeriod(address account, address keyId, address token)
        returns (uint256 remaining, uint64 periodEnd);
}

fn fence(key: Address, limit: &str) -> Result<Fence> {
    Ok(Fence {
        chain: Chain::Tempo,
        key,
        limit: limit.parse()?,
        period_seconds: DAY_SECONDS,
        lasts_seconds: 2 * DAY_SECONDS,
    })
}

async fn left_of_limit(house: &TempoHouse, key: Address) -> Result<u128> {
    let call =
        getRemainingLimitWithPeriodCall { account: house.address, keyId: key, token: PATH_USD };
    let data = Bytes::from(call.abi_encode());
    let asked = json!([{ "to": ACCOUNT_KEYCHAIN, "data": data }, "latest"]);
    let answer: Bytes = serde_json::from_value(house.tempo.rpc("eth_call", asked).await?)?;
    Ok(getRemainingLimitWithPeriodCall::abi_decode_returns(&answer)?.remaining.to())
}

/// A policy of 5 pathUSD a day, of which a key of 1 a day for two days takes 2.
async fn authorized(house: &TempoHouse, wallet: &Wallet, key: Address) -> Result<()> {
    let receipt = wallet.authorize_access_key(&fence(key, "1 pathUSD")?).await?;
    ensure!(receipt.verified && receipt.price == "2 pathUSD", "two periods: {receipt:?}");
    let mined = house.tempo.mined(receipt.transaction.context("no transaction")?).await?;
    ensure!(mined.get("status") == Some(&Value::from("0x1")), "{mined}");
    for (limit, other) in [("1.01 pathUSD", Address::repeat_byte(0x77)), ("1 pathUSD", PATH_USD)] {
        let refused = wallet.authorize_access_key(&fence(other, limit)?).await;
        ensure!(refused.is_err(), "{limit} {other}: {refused:?}");
    }
    // The whole is spent, whatever the key does.
    let transfer = wallet.transfer(Chain::Tempo, PAYEE, &"3 pathUSD".parse()?).await;
    ensure!(matches!(transfer, Err(Error::Refused { .. })), "2 and 3 and fees: {transfer:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_channels_within_its_fence_and_does_nothing_else() -> Result<()> {
    let rules = [
        "access_key: { max: 1 pathUSD, max_life: 2d }".to_owned(),
        "limit: { amount: 5 pathUSD, per: day }".to_owned(),
        format!("allow: {{ recipients: [\"{PAYEE}\"] }}"),
    ];
    let house = TempoHouse::open(TempoNode::start().await?, &rules).await?;
    let holder = KeyHolder::new(0x46).await?;
    let wallet = house.wallet().await?;
    let before = holder.act(&house.tempo, house.address, KeyAct::Open(10 * CENT)).await?;
    ensure!(!before.succeeded(), "nobody let it: {before:?}");
    authorized(&house, &wallet, holder.address).await?;

    let (paid, held) = house.held().await?;
    let opened = holder.act(&house.tempo, house.address, KeyAct::Open(10 * CENT)).await?;
    ensure!(opened.succeeded(), "{opened:?}");
    let channels = house.tempo.opened().await?;
    let own = channels.iter().filter(|channel| channel.payer == house.address).count();
    ensure!(own == 1 && house.held().await?.1 <= held - 10 * CENT, "{channels:?}");
    let left = left_of_limit(&house, holder.address).await?;
    ensure!(left < DAILY_UNITS, "{left}: its fee is taken from its limit");
    for outside in [KeyAct::Transfer(CENT), KeyAct::Authorize] {
        let came = holder.act(&house.tempo, house.address, outside).await?;
        ensure!(came.reverted(), "{outside:?}: {came:?}");
    }
    ensure!(house.held().await?.0 == paid, "the payee got nothing of the key");
    wallet.close().await;

    let key = holder.address.to_string();
    let (code, revoked) = house.tercet(&["fence", "revoke", &key]).await?;
    ensure!(code == 0 && revoked["receipt"]["verified"] == true, "{code}: {revoked:#}");
    let after = holder.act(&house.tempo, house.address, KeyAct::Open(CENT)).await?;
    ensure!(!after.succeeded(), "{after:?}");
    ensure!(house.tempo.opened().await?.len() == channels.len(), "nothing was opened since");
    Ok(())
}
