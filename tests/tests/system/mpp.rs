//! MPP on Tempo, with real nodes of our own, a real chain and the official merchant: a charge, plain
//! and sponsored, and a whole session whose unused deposit comes back to the budget.
//!
//! Slow (a minute): real processes, two chains, and signatures made in rounds.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tercet::Error;
use tercet::mpp::SessionState;
use tercet_policy::chain::PATH_USD;
use tercet_tests::cluster::PATIENCE;
use tercet_tests::mpp_peers::MerchantTerms;
use tercet_tests::mpp_shop::{FUNDS_UNITS, MppShop, Seller, session_in};

const CENT: u128 = 10_000;
/// By then both nodes have looked at the chain, as they do each second here.
const NODES_LOOK: Duration = Duration::from_secs(5);
const RULES: &str = "[rules]\nmax_price = \"0.10 USDC\"\nchains = [\"eip155:4217\"]\n\n\
    [rules.mpp]\nmax_prices = [\"0.10 pathUSD\"]\nmax_deposits = [\"1 pathUSD\"]\n";

/// A house whose policy allows the official merchant `limit` a day and sessions of at most one
/// dollar, one at a time.
async fn shop(limit: &str) -> Result<MppShop> {
    let limit = format!("limit: {{ amount: {limit}, per: day }}");
    let narrow = "mpp: { max_deposit: 1 pathUSD, max_concurrent_sessions: 1 }";
    let allow = "allow: { services: [\"{service}\"] }";
    MppShop::open(Seller::Official(MerchantTerms::default()), &[&limit, narrow, allow]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_merchant_is_paid_by_charge_plain_and_sponsored() -> Result<()> {
    let shop = shop("5 pathUSD").await?;
    let wallet = shop.wallet("agent", RULES).await?;
    let payee = shop.party.payee;
    let before = shop.tempo.balance(PATH_USD, payee).await?;
    let fetched = wallet.get(shop.seller.route("/charge")).await?;
    let receipt = fetched.receipt.context("nothing was paid")?;
    ensure!(fetched.response.text().await?.contains("what you paid for"));
    ensure!(receipt.verified, "{receipt:?}");
    let plain = shop.left().await?;
    ensure!(
        FUNDS_UNITS - plain >= CENT && FUNDS_UNITS - plain < 2 * CENT,
        "{plain}: a cent and a fee"
    );

    let fetched = wallet.get(shop.seller.route("/sponsored/charge")).await?;
    ensure!(fetched.response.text().await?.contains("what you paid for"));
    ensure!(plain - shop.left().await? == CENT, "the merchant pays the fee");
    ensure!(shop.tempo.balance(PATH_USD, payee).await? >= before + 2 * CENT - CENT / 2);
    wallet.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_with_the_official_merchant_counts_its_deposit_until_it_is_closed() -> Result<()>
{
    let shop = shop("1.105 pathUSD").await?;
    let wallet = shop.wallet("agent", RULES).await?;
    for request in 1..=4_u64 {
        let fetched = wallet.get(shop.seller.route("/session")).await?;
        ensure!(fetched.response.text().await?.contains("what you paid for"), "request {request}");
    }
    let channels = shop.seller.channels().await?;
    let [channel] = channels.as_slice() else { anyhow::bail!("one channel for all: {channels:?}") };
    ensure!(channel.units == 4 && channel.payer == shop.address, "{channel:?}");
    ensure!(shop.left().await? < FUNDS_UNITS - 99 * CENT, "a dollar is in the channel");

    let sessions = wallet.sessions(10).await?;
    let [session] = sessions.as_slice() else { anyhow::bail!("{sessions:?}") };
    ensure!(session.state == SessionState::Open, "{session:?}");
    let closed = wallet.close_session(&session.channel).await?;
    ensure!(closed.state == SessionState::Closing || closed.state == SessionState::Closed);
    let ended = session_in(&wallet, &session.channel, SessionState::Closed, PATIENCE).await?;
    ensure!(ended.settled.context("no settled amount")?.base_units() == 4 * CENT, "{ended:?}");
    ensure!(shop.left().await? > FUNDS_UNITS - 20 * CENT, "the rest came back");

    let opening = shop.cluster.settled(&ended.opened_by.id).await?;
    ensure!(opening.settled_amount.context("no settled amount")?.base_units() == 4 * CENT);
    // There is room for the next session only because the first gave back what it did not use, of its
    // fee as well; each node sees that for itself.
    tokio::time::sleep(NODES_LOOK).await;
    let fetched = wallet.get(shop.seller.route("/session")).await?;
    ensure!(fetched.response.text().await?.contains("what you paid for"));
    let other = wallet.get(shop.seller.route("/charge")).await;
    ensure!(matches!(other, Err(Error::Refused { .. })), "over the limit: {other:?}");
    wallet.close().await;
    Ok(())
}
