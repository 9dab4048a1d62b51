//! What is not ours: two chains, and on each the official merchant of its protocol.

use alloy_primitives::Address;
use serde_json::Value;
use tokio::try_join;

use super::{MERCHANT_PAYEE, failed};
use crate::demo::process::Process;
use crate::demo::show::Show;
use crate::demo::testbed::{Peers, TestChain};
use crate::error::CliError;

/// What one unit costs at the MPP merchant, be it a request or a word, and what it suggests to
/// deposit.
const MPP_TERMS: [(&str, &str); 3] =
    [("PRICE", "0.01"), ("UNIT_PRICE", "0.01"), ("SUGGESTED_DEPOSIT", "0.5")];

/// Everything outside of the house.
pub(super) struct Outside {
    /// The Base node.
    pub(super) base: TestChain,
    /// The Tempo node.
    pub(super) tempo: TestChain,
    /// Where the x402 merchant listens.
    pub(super) merchant: String,
    /// Where the MPP merchant listens.
    pub(super) mpp_merchant: String,
    /// The merchants and the facilitator.
    pub(super) processes: Vec<Process>,
}

impl Outside {
    /// Starts all of it.
    pub(super) async fn start(peers: &Peers, show: &mut Show<'_>) -> Result<Self, CliError> {
        let ((base, mut processes, merchant), (tempo, mpp_process, mpp_merchant)) =
            try_join!(base(peers), tempo(peers))?;
        processes.push(mpp_process);
        let control = mpp_control(&mpp_merchant, "").await?;
        let payee: Option<Address> =
            control.get("payee").and_then(Value::as_str).and_then(|payee| payee.parse().ok());
        let payee = payee.ok_or_else(|| failed(format!("the MPP merchant says {control}")))?;
        show.step(
            "a Base and a Tempo node, and the official merchants",
            &[
                format!("Base        {} (anvil, chain id 8453, fresh each run)", base.rpc.url()),
                format!("merchant    {merchant}, x402, paid at {MERCHANT_PAYEE}"),
                format!("Tempo       {} (anvil, chain id 4217, fresh each run)", tempo.rpc.url()),
                format!("merchant    {mpp_merchant}, MPP, paid at {payee}"),
            ],
        );
        Ok(Self { base, tempo, merchant, mpp_merchant, processes })
    }
}

async fn base(peers: &Peers) -> Result<(TestChain, Vec<Process>, String), CliError> {
    let chain = peers.chain().await.map_err(failed)?;
    let (facilitator, at) = peers.facilitator(chain.rpc.url()).await.map_err(failed)?;
    let (merchant, url) = peers.merchant(&at, MERCHANT_PAYEE).await.map_err(failed)?;
    Ok((chain, vec![facilitator, merchant], url))
}

async fn tempo(peers: &Peers) -> Result<(TestChain, Process, String), CliError> {
    let chain = peers.tempo().await.map_err(failed)?;
    let (merchant, url) = peers.mpp_merchant(chain.rpc.url(), &MPP_TERMS).await.map_err(failed)?;
    Ok((chain, merchant, url))
}

/// What the MPP merchant says of itself, free of charge.
pub(super) async fn mpp_control(merchant: &str, path: &str) -> Result<Value, CliError> {
    let answer = reqwest::get(format!("{merchant}/control{path}")).await.map_err(failed)?;
    answer.json().await.map_err(failed)
}
