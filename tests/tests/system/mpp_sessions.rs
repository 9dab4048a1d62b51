//! Sessions with the official merchant: streams paid word by word, processes that are killed in the
//! middle of one, deposits that grow and are refused, fees that the merchant pays, and a merchant
//! that is gone.
//!
//! Slow (minutes): three houses, one after the other where the machine has few cores, and blocks of
//! a second.

mod steps;

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tercet::Wallet;
use tercet::mpp::{Session, SessionState};
use tercet_api::payment::PaymentStatus;
use tercet_cli::demo::house::now;
use tercet_policy::intent::Payment;
use tercet_policy::mpp::ChannelId;
use tercet_policy::time::UnixSeconds;
use tercet_tests::cluster::PATIENCE;
use tercet_tests::mpp_peers::MerchantTerms;
use tercet_tests::mpp_shop::{FUNDS_UNITS, MppShop, Seller, session_in};
use tokio::time::sleep;

use self::steps::{
    answer, buys, close, newest, refused_by, settled, share, tercet, the_channel, withdrawal, words,
};

const CENT: u128 = 10_000;
/// By then both nodes have looked at the chain, as they do each second here.
const NODES_LOOK: Duration = Duration::from_secs(5);
/// Base units of a streamed word.
const WORD: u128 = 1_000;
const RULES: &str = "[rules]\nmax_price = \"0.50 USDC\"\nchains = [\"eip155:4217\"]\n\n\
    [rules.mpp]\nmax_prices = [\"0.50 pathUSD\"]\nmax_deposits = [\"5 pathUSD\"]\n\n\
    [rules.patience]\npaid_ms = 20000\nresource_ms = 5000\n";
const ALLOW: &str = "allow: { services: [\"{service}\"] }";
const LIMIT: &str = "limit: { amount: 50 pathUSD, per: day }";
/// The reserve's grace period, in seconds.
const GRACE_SECONDS: u64 = 900;
/// Time of the machine that passes before the chain's clock is moved past the grace period: no lane
/// may end more than 900 seconds from now, and the chain must be short of its end.
const HEAD_START_SECONDS: u64 = 40;

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_paid_word_by_word_and_goes_on_after_a_kill() -> Result<()> {
    let rules = [LIMIT, "mpp: { max_deposit: 5 pathUSD, max_concurrent_sessions: 1 }", ALLOW];
    let shop = MppShop::open(Seller::Official(MerchantTerms::default()), &rules).await?;
    a_proof_costs_nothing(&shop).await?;
    let channel = words_and_vouchers(&shop).await?;
    a_killed_process(&shop).await?;
    goes_on(&shop, channel).await?;
    from_the_command_line(&shop, channel).await
}

async fn a_proof_costs_nothing(shop: &MppShop) -> Result<()> {
    let wallet = shop.wallet("agent", RULES).await?;
    let fetched = wallet.get(shop.seller.route("/proof")).await?;
    ensure!(fetched.response.text().await?.contains("what you paid for"));
    ensure!(shop.left().await? == FUNDS_UNITS, "a proof moves nothing");
    wallet.close().await;
    Ok(())
}

/// Twenty words, twenty vouchers of a word each; the channel.
async fn words_and_vouchers(shop: &MppShop) -> Result<ChannelId> {
    let wallet = shop.wallet("agent", RULES).await?;
    ensure!(words(&wallet, shop, "/stream/20").await? == 20);
    let known = the_channel(shop).await?;
    ensure!(known.units == 20 && known.spent == (20 * WORD).to_string(), "{known:?}");
    ensure!(known.highest_voucher_amount == (20 * WORD).to_string(), "{known:?}");
    let receipts = shop.seller.receipts().await?;
    let accepted = |receipt: &Value| receipt["acceptedCumulative"].as_str()?.parse().ok();
    let accepted: BTreeSet<u128> = receipts.iter().filter_map(accepted).collect();
    let each: BTreeSet<u128> = (1..=20).map(|word| word * WORD).collect();
    ensure!(accepted == each, "a voucher a word: {accepted:?}");
    let session = newest(&wallet).await?;
    let meter = &session.meter;
    ensure!(meter.signed.base_units() == 20 * WORD && meter.signed == meter.delivered, "{meter:?}");
    // Dropped, not closed: the session is as a crash leaves it.
    drop(wallet);
    Ok(session.channel)
}

/// Another process draws on the session, and is killed in the middle of a stream.
async fn a_killed_process(shop: &MppShop) -> Result<()> {
    let url = shop.seller.route("/stream/900");
    let mut child = tercet(&shop.folder("agent"), &["fetch", url.as_str()]);
    let mut child = child.kill_on_drop(true).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let begun = Instant::now();
    while the_channel(shop).await?.units < 30 {
        ensure!(begun.elapsed() < PATIENCE, "the stream does not begin");
        sleep(Duration::from_millis(100)).await;
    }
    child.kill().await?;
    Ok(())
}

/// Opened again from the same folder, the wallet draws on the same channel.
async fn goes_on(shop: &MppShop, channel: ChannelId) -> Result<()> {
    let wallet = shop.wallet("agent", RULES).await?;
    let before = wallet.session(&channel).await?;
    ensure!(before.state == SessionState::Open, "{before:?}");
    ensure!(before.meter.signed.base_units() >= 30 * WORD, "{before:?}");
    let claim = before.drawn_by.as_ref().context("nobody was killed in the middle of a unit")?;
    ensure!(claim.locked && now() < claim.until, "{claim:?}");
    // The claim of the killed process to the unit ahead has gone with its lock.
    let came = words(&wallet, shop, "/stream/5").await?;
    ensure!(came == 5, "{came} words");
    let after = newest(&wallet).await?;
    ensure!(after.channel == channel, "another channel was opened: {after:?}");
    let known = the_channel(shop).await?;
    // Of what was paid when the process was killed, one word may not have come.
    let lost = after.meter.signed.base_units() - before.meter.signed.base_units();
    ensure!((4 * WORD..=6 * WORD).contains(&lost), "{before:?}\n{after:?}");
    ensure!(known.highest_voucher_amount == after.meter.signed.base_units().to_string());
    wallet.close().await;
    Ok(())
}

async fn from_the_command_line(shop: &MppShop, channel: ChannelId) -> Result<()> {
    let (home, id) = (shop.folder("agent"), channel.to_string());
    let listed = answer(&home, &["session", "list"]).await?;
    ensure!(listed["sessions"].as_array().is_some_and(|all| all.len() == 1), "{listed:#}");
    ensure!(listed["sessions"][0]["channel"] == id, "{listed:#}");
    let shown = answer(&home, &["session", "show", &id]).await?;
    ensure!(shown["state"] == "open" && shown["settled"].is_null(), "{shown:#}");
    let closed = answer(&home, &["session", "close", &id]).await?;
    ensure!(["closing", "closed"].iter().any(|state| closed["state"] == *state), "{closed:#}");
    let begun = Instant::now();
    let ended = loop {
        answer(&home, &["session", "reconcile"]).await?;
        let shown = answer(&home, &["session", "show", &id]).await?;
        if shown["state"] == "closed" {
            break shown;
        }
        ensure!(begun.elapsed() < PATIENCE, "never closed: {shown:#}");
    };
    let known = the_channel(shop).await?;
    ensure!(known.finalized, "{known:?}");
    ensure!(ended["settled"] == known.spent, "{ended:#}\n{known:?}");
    let nobody = tercet(&home, &["session", "show", &"0".repeat(64)]).output().await?;
    ensure!(nobody.status.code() == Some(2), "{nobody:?}");
    Ok(())
}

/// Deposits of 0.50 at 0.20 a request: the third request needs more than is there.
#[tokio::test(flavor = "multi_thread")]
async fn deposits_grow_within_the_policy_and_not_beyond_it() -> Result<()> {
    let terms = MerchantTerms { price: "0.20", unit_price: "0.001", suggested_deposit: "0.50" };
    let narrow = "mpp: { max_deposit: 0.80 pathUSD, max_concurrent_sessions: 1 }";
    let shop = MppShop::open(Seller::Official(terms), &[LIMIT, narrow, ALLOW]).await?;
    let wallet = shop.wallet("agent", RULES).await?;
    top_up(&shop, &wallet).await?;
    one_at_a_time(&shop, &wallet).await?;
    settles_by_deposit(&shop, &wallet).await?;
    sponsored(&shop, &wallet).await?;
    let small = "mpp: { max_deposit: 0.40 pathUSD, max_concurrent_sessions: 1 }";
    shop.install(3, &[LIMIT, small, ALLOW]).await?;
    refused_by(&shop, &wallet, "/session", "mpp.max_deposit").await?;
    wallet.close().await;
    Ok(())
}

/// The policy refuses the top-up that the wallet's own rules would make, until it is a wider one.
async fn top_up(shop: &MppShop, wallet: &Wallet) -> Result<()> {
    for _ in 0..2 {
        buys(shop, wallet, "/session").await?;
    }
    refused_by(shop, wallet, "/session", "mpp.max_deposit").await?;
    let session = newest(wallet).await?;
    ensure!(session.state == SessionState::Open && session.flight.is_none(), "{session:?}");
    ensure!(session.meter.signed.base_units() == 40 * CENT, "nothing was signed: {session:?}");
    let wide = "mpp: { max_deposit: 1 pathUSD, max_concurrent_sessions: 1 }";
    shop.install(2, &[LIMIT, wide, ALLOW]).await?;
    for _ in 0..2 {
        buys(shop, wallet, "/session").await?;
    }
    let session = newest(wallet).await?;
    ensure!(session.meter.deposit.base_units() == 100 * CENT, "{session:?}");
    let there = shop.tempo.channel(session.channel.into()).await?;
    ensure!(there.deposit == 100 * CENT, "{there:?}");
    ensure!(shop.tempo.opened().await?.len() == 1, "topped up, not opened anew");
    Ok(())
}

/// Other terms at another route would be another session.
async fn one_at_a_time(shop: &MppShop, wallet: &Wallet) -> Result<()> {
    refused_by(shop, wallet, "/stream/3", "mpp.max_concurrent_sessions").await?;
    ensure!(shop.tempo.opened().await?.len() == 1, "nothing was opened");
    Ok(())
}

/// Of 0.80 that were paid, 0.50 are the first deposit's and 0.30 the top-up's.
async fn settles_by_deposit(shop: &MppShop, wallet: &Wallet) -> Result<()> {
    let opened = newest(wallet).await?;
    let closed = close(wallet, &opened.channel).await?;
    ensure!(settled(&closed) == Some(80 * CENT), "{closed:?}");
    let ends = shop.tempo.closed().await?;
    let [end] = ends.as_slice() else { anyhow::bail!("{ends:?}") };
    ensure!(end.settledToPayee.to::<u128>() == 80 * CENT, "{end:?}");
    ensure!(end.refundedToPayer.to::<u128>() == 20 * CENT, "{end:?}");
    let first = shop.cluster.settled(&opened.opened_by.id).await?;
    ensure!(share(&first) == Some(50 * CENT), "{first:?}");
    let page = wallet.payments(None).await?.payments;
    let settled_top_up = page.iter().find(|view| {
        matches!(view.payment, Payment::MppTopUp(_)) && view.status != PaymentStatus::Refused
    });
    let later = shop.cluster.settled(&settled_top_up.context("no top-up")?.id).await?;
    ensure!(share(&later) == Some(30 * CENT), "{later:?}");
    Ok(())
}

/// The merchant pays the fees: the wallet pays the deposit, and gets back what is left of it.
async fn sponsored(shop: &MppShop, wallet: &Wallet) -> Result<()> {
    let before = shop.left().await?;
    // Each node sees for itself that the session before this one has ended.
    sleep(NODES_LOOK).await;
    buys(shop, wallet, "/sponsored/session").await?;
    ensure!(before - shop.left().await? == 50 * CENT, "the deposit, and no fee");
    buys(shop, wallet, "/sponsored/session").await?;
    let session = newest(wallet).await?;
    let terms = session.opened_by.payment.tempo_terms().context("no terms")?;
    ensure!(terms.fee_token.is_none(), "{terms:?}");
    let closed = close(wallet, &session.channel).await?;
    ensure!(settled(&closed) == Some(40 * CENT), "{closed:?}");
    ensure!(before - shop.left().await? == 40 * CENT, "two requests, and no fee");
    shop.cluster.settled(&session.opened_by.id).await.map(drop)
}

/// The merchant takes part of what it was given and is gone. The wallet asks the chain for the
/// channel's end; after the grace period the deposit comes back, and what was paid is what counts.
///
/// The chain's clock is moved, the nodes' is not: the withdrawal is asked for by hand, and what it
/// brought is seen by wallet and coordinator as they see everything.
#[tokio::test(flavor = "multi_thread")]
async fn a_merchant_that_is_gone_is_left_by_force_and_the_deposit_comes_back() -> Result<()> {
    let rules = [LIMIT, "mpp: { max_deposit: 1 pathUSD, max_concurrent_sessions: 1 }", ALLOW];
    let shop = MppShop::open(Seller::Official(MerchantTerms::default()), &rules).await?;
    let wallet = shop.wallet("agent", RULES).await?;
    for _ in 0..3 {
        buys(&shop, &wallet, "/session").await?;
    }
    let session = newest(&wallet).await?;
    shop.seller.settle(session.channel.into()).await?;
    buys(&shop, &wallet, "/session").await?;
    let MppShop { cluster, tempo, seller, address, .. } = shop;
    drop(seller);
    let left = wallet.close_session(&session.channel).await?;
    ensure!(left.state == SessionState::Exiting, "{left:?}");
    let asked_at = close_requested_at(&wallet, &tempo, &session).await?;
    let early = wallet.tend_sessions().await?;
    ensure!(early.iter().all(|one| one.state == SessionState::Exiting), "{early:?}");

    let head_start = asked_at.plus(HEAD_START_SECONDS);
    sleep(Duration::from_secs(head_start.0.saturating_sub(now().0))).await;
    let chain = tempo.now().await?;
    tempo.advance(asked_at.plus(GRACE_SECONDS + 1).0.saturating_sub(chain.0)).await?;
    let exit = withdrawal(&session)?;
    let id = exit.id;
    let taken = cluster.pay(exit).await?;
    ensure!(taken.refusals.is_empty(), "{taken:?}");
    cluster.payment_when(&id, |view| view.transaction.is_some()).await?;
    let closed = session_in(&wallet, &session.channel, SessionState::Closed, PATIENCE).await?;
    ensure!(settled(&closed) == Some(3 * CENT), "what the merchant took: {closed:?}");
    let first = cluster.settled(&session.opened_by.id).await?;
    ensure!(share(&first) == Some(3 * CENT), "{first:?}");
    let back = tempo.balance(tercet_policy::chain::PATH_USD, address).await?;
    ensure!(FUNDS_UNITS - back < 13 * CENT, "three cents and fees: {back}");
    wallet.close().await;
    Ok(())
}

/// When the chain was asked for the end; the coordinator brings it there.
async fn close_requested_at(
    wallet: &Wallet,
    tempo: &tercet_tests::tempo::TempoNode,
    session: &Session,
) -> Result<UnixSeconds> {
    let begun = Instant::now();
    loop {
        let seen = tempo.channel(session.channel.into()).await?;
        if seen.close_requested_at.0 > 0 {
            ensure!(seen.settled == 3 * CENT && seen.deposit == 100 * CENT, "{seen:?}");
            return Ok(seen.close_requested_at);
        }
        ensure!(begun.elapsed() < PATIENCE, "the end is not asked for: {seen:?}");
        wallet.tend_sessions().await?;
        sleep(Duration::from_millis(500)).await;
    }
}
