//! The test token behaves like USDC where a payer can tell.

use alloy_primitives::{B256, Bytes, U256};
use anyhow::{Context as _, Result};
use serde_json::json;
use tercet_policy::chain::Chain;

use crate::chain::{BaseNode, NodeOptions};
use crate::local_key::{call_with, digest, with_high_s};
use crate::scene::{PAYEE, Scene};

alloy_sol_types::sol! {
    function DOMAIN_SEPARATOR() returns (bytes32);
    function name() returns (string);
    function decimals() returns (uint8);
}

#[tokio::test]
async fn its_domain_is_the_pinned_one_on_both_chains() -> Result<()> {
    use alloy_sol_types::SolCall as _;
    for chain in [Chain::Base, Chain::BaseSepolia] {
        let node = BaseNode::start_with(NodeOptions { chain, ..NodeOptions::default() }).await?;
        let domain = node.asset().eip3009.as_ref().context("no EIP-3009")?;
        let ask = |call: Vec<u8>| node.call(node.token(), Bytes::from(call));
        let separator = ask(DOMAIN_SEPARATORCall {}.abi_encode()).await?;
        assert_eq!(separator.as_ref(), domain.separator.as_slice(), "{chain}");
        let name = nameCall::abi_decode_returns(&ask(nameCall {}.abi_encode()).await?)?;
        assert_eq!(name, domain.name);
        let decimals = decimalsCall::abi_decode_returns(&ask(decimalsCall {}.abi_encode()).await?)?;
        assert_eq!(decimals, node.asset().decimals);
    }
    Ok(())
}

#[tokio::test]
async fn it_refuses_what_usdc_refuses() -> Result<()> {
    let scene = Scene::still(1).await?;
    let asset = scene.node.asset();
    let now = scene.node.now().await?;
    let good = scene.authorization(1, PAYEE).await?;
    let signature = scene.payer.sign(digest(asset, &good));
    let with_v = |v: u8| {
        let mut bytes = signature.as_bytes();
        bytes[64] = v;
        call_with(&good, bytes.to_vec())
    };
    let mut late = good.clone();
    late.validBefore = U256::from(now.0);
    let mut early = good.clone();
    early.validAfter = U256::from(now.0 + 50);
    let mut dear = good.clone();
    dear.value = U256::from(u64::MAX);
    let mut changed = good.clone();
    changed.value += U256::from(1);
    for (name, call, reason) in [
        ("v of 0", with_v(signature.as_bytes()[64] - 27), "'v' value"),
        ("v of 29", with_v(29), "'v' value"),
        ("high s", call_with(&good, with_high_s(&signature).as_bytes().to_vec()), "'s' value"),
        ("64 bytes", call_with(&good, signature.as_bytes()[..64].to_vec()), "signature length"),
        ("another value", call_with(&changed, signature.as_bytes().to_vec()), "invalid signature"),
        ("too late", scene.payer.pay(asset, &late), "authorization is expired"),
        ("too early", scene.payer.pay(asset, &early), "not yet valid"),
        ("too much", scene.payer.pay(asset, &dear), "exceeds balance"),
    ] {
        let refused = scene.node.call(asset.token, call).await;
        let error = refused.expect_err(name).to_string();
        assert!(error.contains(reason), "{name}: {error}");
    }
    scene.node.call(asset.token, scene.payer.pay(asset, &good)).await?;
    Ok(())
}

#[tokio::test]
async fn a_nonce_is_used_or_cancelled_once() -> Result<()> {
    let scene = Scene::still(1).await?;
    let asset = scene.node.asset();
    let used = scene.authorization(1, PAYEE).await?;
    scene.relay(scene.payer.pay(asset, &used)).await?;
    let cancelled = scene.authorization(2, PAYEE).await?;
    scene.relay(scene.payer.cancel(asset, cancelled.nonce)).await?;
    for (name, call) in [
        ("used twice", scene.payer.pay(asset, &used)),
        ("used after cancelling", scene.payer.pay(asset, &cancelled)),
        ("cancelled after using", scene.payer.cancel(asset, used.nonce)),
        ("cancelled twice", scene.payer.cancel(asset, B256::repeat_byte(2))),
    ] {
        let error = scene.node.call(asset.token, call).await.expect_err(name).to_string();
        assert!(error.contains("used or canceled"), "{name}: {error}");
    }
    Ok(())
}

#[tokio::test]
async fn time_bounds_are_strict() -> Result<()> {
    let scene = Scene::still(1).await?;
    let asset = scene.node.asset();
    let mut bounded = scene.authorization(1, PAYEE).await?;
    let moment = scene.node.now().await?.plus(30);
    bounded.validAfter = U256::from(moment.0);
    bounded.validBefore = U256::from(moment.0 + 2);
    let call = scene.payer.pay(asset, &bounded);
    for (seconds, allowed) in [(0, false), (1, true), (2, false)] {
        // The call runs in a pending block of this time.
        let request = json!([
            { "to": asset.token, "data": call },
            "latest",
            {},
            { "time": U256::from(moment.0 + seconds) }
        ]);
        let outcome = scene.node.rpc("eth_call", request).await;
        assert_eq!(outcome.is_ok(), allowed, "{seconds} s after validAfter: {outcome:?}");
    }
    Ok(())
}
