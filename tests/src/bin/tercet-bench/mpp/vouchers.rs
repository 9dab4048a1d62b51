//! Vouchers by themselves: signed by a session's key at the agent's node, asked as the SDK asks.

use std::sync::Arc;
use std::time::Instant;

use alloy_primitives::Address;
use anyhow::{Context as _, Result, ensure};
use tercet::mpp::{Session, VoucherAsk};
use tercet::node::{AgentNode, Beside, Within};
use tercet_policy::money::Amount;
use tercet_policy::party::Party;
use tercet_signer_node::config::NodeConfig;
use tercet_signer_node::{NodeHandle, stop_shared};

use super::shop::{STOCK, STOCK_LOOK, STOCK_MAX, Shop};
use crate::Scale;
use crate::figures::{Figures, quantile};
use crate::house::ms_since;

/// Vouchers before those that count.
const WARMUP: u32 = 200;

/// Over the socket of the node's own process. Yields the last voucher that was asked for.
pub(super) async fn beside(
    shop: &Shop,
    session: &Session,
    scale: Scale,
    figures: &mut Figures,
) -> Result<VoucherAsk> {
    let node = Beside::at(&shop.socket())?;
    let cumulative = session.meter.signed;
    let mut ask = VoucherAsk { chain: session.chain, channel: session.descriptor, cumulative };
    let took_ms = sign(&node, &mut ask, scale).await?;
    figures.add("mpp_voucher_p50_ms", quantile(&took_ms, 0.5)?)?;
    figures.add("mpp_voucher_p99_ms", quantile(&took_ms, 0.99)?)?;
    Ok(ask)
}

/// In this process, in the home of the node that ran beside it.
pub(super) async fn within(
    mut shop: Shop,
    mut ask: VoucherAsk,
    scale: Scale,
    figures: &mut Figures,
) -> Result<()> {
    shop.cluster.stop_node(Party::Agent).await;
    let config = NodeConfig::read(&shop.cluster.house.seat(Party::Agent).config())?;
    let node = Arc::new(Box::pin(NodeHandle::start(config)).await?);
    let took_ms = match wait_for_stock(&node, ask.channel.payer).await {
        Ok(()) => sign(&Within::new(&node), &mut ask, scale).await,
        Err(error) => Err(error),
    };
    stop_shared(node).await;
    let took_ms = took_ms?;
    figures.add("mpp_voucher_within_p50_ms", quantile(&took_ms, 0.5)?)?;
    figures.add("mpp_voucher_within_p99_ms", quantile(&took_ms, 0.99)?)?;
    figures.note(format!(
        "Vouchers: {} in each housing, one after another, by the session's key, each higher than the \
         one before: `mpp_voucher_*` over the Unix socket of the agent's node, in a process beside the \
         buyer, with its JSON; `mpp_voucher_within_*` with the node in the buyer's process. Each is \
         checked against the deposit, the last one and the policy; none is on disk before the buyer's \
         own journal has it.",
        took_ms.len()
    ));
    Ok(())
}

/// A node that starts has no stock: it is made before anything is measured, not meanwhile.
async fn wait_for_stock(node: &NodeHandle, wallet: Address) -> Result<()> {
    let begun = Instant::now();
    node.wake(wallet);
    while node.presignatures(wallet) < STOCK {
        ensure!(begun.elapsed() < STOCK_MAX, "no full stock in {STOCK_MAX:?}");
        tokio::time::sleep(STOCK_LOOK).await;
    }
    Ok(())
}

/// Each for a base unit more.
async fn sign(node: &dyn AgentNode, ask: &mut VoucherAsk, scale: Scale) -> Result<Vec<f64>> {
    let mut took_ms = Vec::new();
    for n in 0..scale.of(5_000, 1_000).saturating_add(WARMUP) {
        let next = ask.cumulative.checked_add(Amount::from_base_units(1));
        ask.cumulative = next.context("no such amount")?;
        let begun = Instant::now();
        node.sign_voucher(*ask).await?;
        let took = ms_since(begun);
        if n >= WARMUP {
            took_ms.push(took);
        }
    }
    Ok(took_ms)
}
