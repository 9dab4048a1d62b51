//! Channels of the escrow contract from before TIP-1034, made for whoever is to leave them.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::{SolCall as _, SolValue as _, sol};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tercet_policy::chain::PATH_USD;
use tercet_policy::intent::V1_ESCROWS;

use crate::tempo::TempoNode;

/// More than a channel takes.
const OPEN_GAS: u64 = 5_000_000;

sol! {
    function openFor(address payer, address payee, address token, uint128 deposit, bytes32 salt)
        returns (bytes32 channelId);
}

/// Opens a channel with so many base units of pathUSD, as if `payer` had; its id.
///
/// # Errors
/// When the node refuses.
pub async fn open_v1(
    node: &TempoNode,
    payer: Address,
    payee: Address,
    units: u128,
) -> Result<B256> {
    let (token, salt) = (PATH_USD, B256::repeat_byte(0x5a));
    let found = V1_ESCROWS.iter().find(|(chain, _)| *chain == node.chain());
    let escrow = found.context("a chain without an older escrow")?.1;
    node.fund(escrow, units).await?;
    let open = openForCall { payer, payee, token, deposit: units, salt };
    let accounts = node.rpc("eth_accounts", json!([])).await?;
    let from = accounts.get(0).context("no account")?;
    let transaction = json!({
        "from": from, "to": escrow, "data": Bytes::from(open.abi_encode()),
        "gas": U256::from(OPEN_GAS),
    });
    let sent = node.rpc("eth_sendTransaction", json!([transaction])).await?;
    let mined = node.mined(serde_json::from_value(sent)?).await?;
    ensure!(mined.get("status") == Some(&Value::from("0x1")), "{mined}");
    let chain_id = U256::from(node.chain().id());
    let named = (payer, payee, token, salt, Address::ZERO, escrow, chain_id);
    Ok(keccak256(named.abi_encode()))
}
