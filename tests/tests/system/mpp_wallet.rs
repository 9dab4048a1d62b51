//! A session whose vouchers the wallet signs itself, with real nodes of our own, a real chain and the
//! official merchant.
//!
//! Slow (a minute): real processes, two chains, and a signature of both nodes for every request.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use tercet::mpp::SessionState;
use tercet_policy::intent::{Payment, Service};
use tercet_tests::cluster::PATIENCE;
use tercet_tests::mpp_peers::{MerchantTerms, MppPeer};
use tercet_tests::tempo::TempoNode;

use super::tempo_house::TempoHouse;

const REQUESTS: u64 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_has_both_nodes_sign_every_voucher_and_the_end() -> Result<()> {
    let tempo = TempoNode::start().await?;
    let merchant = MppPeer::merchant(&tempo, MerchantTerms::default()).await?;
    let service = Service::of(merchant.url().as_str())?;
    let rules = [
        "limit: { amount: 5 pathUSD, per: day }".to_owned(),
        "mpp: { max_deposit: 1 pathUSD, voucher_signer: wallet, max_voucher_step: 0.01 pathUSD }"
            .to_owned(),
        format!("allow: {{ services: [\"{service}\"] }}"),
    ];
    let house = TempoHouse::open(tempo, &rules).await?;
    let wallet = house.wallet().await?;
    for request in 1..=REQUESTS {
        let fetched = wallet.get(merchant.route("/session")).await?;
        ensure!(fetched.response.text().await?.contains("what you paid for"), "request {request}");
    }
    let channels = merchant.channels().await?;
    let [channel] = channels.as_slice() else { bail!("one channel for all: {channels:?}") };
    ensure!(channel.units == REQUESTS && channel.payer == house.address, "{channel:?}");

    let sessions = wallet.sessions(10).await?;
    let live: Vec<_> = sessions.iter().filter(|session| session.state.pays()).collect();
    let [session] = live.as_slice() else { bail!("{sessions:?}") };
    let Payment::MppOpen(open) = &session.opened_by.payment else { bail!("{session:?}") };
    ensure!(open.authorized_signer == house.address, "the wallet signs: {open:?}");
    // Both nodes admitted each voucher by itself.
    let paid = wallet.payments(None).await?.payments;
    let vouchers = paid.iter().filter(|view| matches!(view.payment, Payment::MppVoucher(_)));
    ensure!(vouchers.count() as u64 == REQUESTS, "{paid:?}");
    let closing = wallet.close_session(&session.channel).await?;
    ensure!(matches!(closing.state, SessionState::Closing | SessionState::Closed), "{closing:?}");
    let begun = Instant::now();
    while wallet.session(&session.channel).await?.state != SessionState::Closed {
        ensure!(begun.elapsed() < PATIENCE, "never closed");
        wallet.tend_sessions().await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    wallet.close().await;
    Ok(())
}
