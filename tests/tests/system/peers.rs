//! The official client pays the official merchant over the official facilitator on our chain: the
//! ground on which everything else stands, and the baseline it is measured against.

use alloy_primitives::address;
use anyhow::{Context, Result, ensure};
use tercet_chain::ChainReader;
use tercet_policy::money::Amount;
use tercet_tests::chain::BaseNode;
use tercet_tests::peers::{BaselineRun, Peer, pay_with_official_client};

const PAYEE: alloy_primitives::Address = address!("0x209693Bc6afc0C5328bA36FaF03C514EF312287C");

#[tokio::test]
async fn the_official_parts_pay_each_other_side_by_side() -> Result<()> {
    let node = BaseNode::start().await?;
    let facilitator = Peer::facilitator(&node).await?;
    let merchant = Peer::merchant(&facilitator, node.chain(), PAYEE, "$0.01").await?;
    let run = BaselineRun { count: 24, warmup: 1, concurrency: 6 };
    let payments = pay_with_official_client(&node, &merchant.route("/paid"), run).await?;
    ensure!(payments.len() == 24, "{payments:?}");
    ensure!(payments.iter().all(|payment| payment.status == 200), "{payments:?}");

    let reader = ChainReader::new(&node.endpoints()?)?;
    let earned = reader.balances(PAYEE, node.token()).await?.token;
    ensure!(earned == Amount::from_base_units(25 * 10_000), "{earned}");
    let tx = payments.first().and_then(|payment| payment.transaction).context("no transaction")?;
    let receipt = reader.receipt(tx).await?.context("no receipt")?;
    ensure!(receipt.succeeded && receipt.logs.len() == 2, "{receipt:?}");
    Ok(())
}

/// What merchants do besides selling: each route does what its name says, for every test that leans on it.
#[tokio::test]
async fn the_merchant_asks_what_its_routes_promise() -> Result<()> {
    let node = BaseNode::start().await?;
    let facilitator = Peer::facilitator(&node).await?;
    let merchant = Peer::merchant(&facilitator, node.chain(), PAYEE, "$0.02").await?;
    let http = reqwest::Client::new();
    for (path, amount, pay_to) in [
        ("/paid", "20000", Some(PAYEE)),
        ("/cheap", "1000", Some(PAYEE)),
        ("/dear", "250000000", Some(PAYEE)),
        ("/other-payee", "10000", None),
        ("/upfront", "10000", Some(PAYEE)),
        ("/boom", "10000", Some(PAYEE)),
    ] {
        let response = http.get(merchant.route(path)).send().await?;
        ensure!(response.status() == 402, "{path}: {}", response.status());
        let header = response.headers().get("PAYMENT-REQUIRED").context("no challenge")?;
        let json = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, header)?;
        let challenge: serde_json::Value = serde_json::from_slice(&json)?;
        let offer = &challenge["accepts"][0];
        ensure!(offer["amount"] == amount, "{path}: {offer}");
        ensure!(offer["network"] == node.chain().caip2(), "{path}: {offer}");
        ensure!(offer["asset"] == node.token().to_string(), "{path}: {offer}");
        let payee: alloy_primitives::Address = serde_json::from_value(offer["payTo"].clone())?;
        ensure!((payee == PAYEE) == pay_to.is_some(), "{path}: {offer}");
        let flow = offer["extra"]["paymentFlow"].as_str();
        ensure!(flow == (path == "/upfront").then_some("upfront"), "{path}: {offer}");
    }
    let free = http.get(merchant.route("/free")).send().await?;
    ensure!(free.status() == 200);
    Ok(())
}
