//! A Tempo node for a test: anvil on loopback as Tempo, with the channel reserve of TIP-1034.
//!
//! Promises: a fresh chain on a free port, ended when the value is dropped. What is missing is a
//! loud error that names `make setup`, never a skipped test.
//!
//! Does not show: gas as main net has it, storage credits, forks after T4, reorganisations (Tempo
//! has none). An invalid 0x76 transaction is dropped without a word, as `tests/peers/README.md`
//! says; whoever waits for one must stop waiting.

use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, U256, address};
use alloy_sol_types::{SolCall, SolEvent, sol};
use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};
use tercet_chain::Endpoints;
use tercet_policy::chain::{Chain, PATH_USD};
use tercet_policy::time::UnixSeconds;
use url::Url;

use crate::chain::http_client;
use crate::peers::Peer;

/// The channel reserve, the same on every chain.
pub const RESERVE: Address = address!("0x4D50500000000000000000000000000000000000");
/// AlphaUSD: another token that fees can be paid with.
pub const ALPHA_USD: Address = address!("0x20c0000000000000000000000000000000000001");

/// Longest wait for a transaction to be mined, in seconds.
const MINED_SECONDS_MAX: u64 = 20;
const MINED_POLL: Duration = Duration::from_millis(10);

sol! {
    function balanceOf(address owner) returns (uint256);
    function getChannelState(bytes32 channelId)
        returns (uint96 settled, uint96 deposit, uint32 closeRequestedAt);

    /// A channel was opened.
    #[derive(Debug, PartialEq, Eq)]
    event ChannelOpened(
        bytes32 indexed channelId,
        address indexed payer,
        address indexed payee,
        address operator,
        address token,
        address authorizedSigner,
        bytes32 salt,
        bytes32 expiringNonceHash,
        uint96 deposit
    );

    /// A channel was closed, by the payee or by the payer's withdrawal.
    #[derive(Debug, PartialEq, Eq)]
    event ChannelClosed(
        bytes32 indexed channelId,
        address indexed payer,
        address indexed payee,
        uint96 settledToPayee,
        uint96 refundedToPayer
    );
}

/// What the chain holds of a channel, in base units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelState {
    /// What the payee has had of it.
    pub settled: u128,
    /// All that was put in; zero says closed, or never open.
    pub deposit: u128,
    /// When the payer asked for a close; zero says never.
    pub close_requested_at: UnixSeconds,
}

/// A running node.
#[derive(Debug)]
pub struct TempoNode {
    peer: Peer,
    chain: Chain,
    http: reqwest::Client,
}

impl TempoNode {
    /// Tempo main net, mining.
    ///
    /// # Errors
    /// When anvil or node are missing, or it does not start.
    pub async fn start() -> Result<Self> {
        Self::start_as(Chain::Tempo).await
    }

    /// A node that plays this one of Tempo's chains.
    ///
    /// # Errors
    /// When anvil or node are missing, or it does not start.
    pub async fn start_as(chain: Chain) -> Result<Self> {
        let peer = Peer::start("tempo-node.mjs", &[("CHAIN_ID", &chain.id().to_string())]).await?;
        Ok(Self { peer, chain, http: http_client()? })
    }

    /// Where it listens.
    #[must_use]
    pub const fn url(&self) -> &Url {
        self.peer.url()
    }

    /// The chain it plays.
    #[must_use]
    pub const fn chain(&self) -> Chain {
        self.chain
    }

    /// This node as the only endpoint.
    ///
    /// # Errors
    /// Never for a running node; the signature is that of [`Endpoints::new`].
    pub fn endpoints(&self) -> Result<Endpoints> {
        Ok(Endpoints::new(self.chain, vec![self.url().clone()], None)?)
    }

    /// One JSON-RPC call.
    ///
    /// # Errors
    /// When the node is gone, or answers an error.
    pub async fn rpc(&self, method: &str, params: Value) -> Result<Value> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer = self.http.post(self.url().clone()).json(&request).send().await?;
        let mut answer: Value = answer.json().await?;
        if let Some(error) = answer.get("error") {
            bail!("{method}: {error}");
        }
        Ok(answer.get_mut("result").map(Value::take).unwrap_or_default())
    }

    /// Gives `wallet` base units of pathUSD.
    ///
    /// # Errors
    /// When the node refuses.
    pub async fn fund(&self, wallet: Address, units: u128) -> Result<()> {
        self.fund_with(PATH_USD, wallet, units).await
    }

    /// Gives `wallet` base units of a token that the development accounts hold.
    ///
    /// # Errors
    /// When the node refuses.
    pub async fn fund_with(&self, token: Address, wallet: Address, units: u128) -> Result<()> {
        let params = json!([wallet, U256::from(units), token]);
        self.rpc("tempo_fundAddress", params).await.map(|_| ())
    }

    /// Base units of a TIP-20 that `owner` holds.
    ///
    /// # Errors
    /// When the node refuses.
    pub async fn balance(&self, token: Address, owner: Address) -> Result<u128> {
        let units = self.call(token, &balanceOfCall { owner }).await?;
        Ok(units.try_into()?)
    }

    /// What the chain holds of a channel.
    ///
    /// # Errors
    /// When the node refuses.
    pub async fn channel(&self, channel: B256) -> Result<ChannelState> {
        let state = self.call(RESERVE, &getChannelStateCall { channelId: channel }).await?;
        Ok(ChannelState {
            settled: state.settled.to(),
            deposit: state.deposit.to(),
            close_requested_at: UnixSeconds(state.closeRequestedAt.into()),
        })
    }

    /// Every channel opened since the first block, in order.
    ///
    /// # Errors
    /// When the node refuses.
    pub async fn opened(&self) -> Result<Vec<ChannelOpened>> {
        self.events().await
    }

    /// Every channel closed since the first block, in order.
    ///
    /// # Errors
    /// When the node refuses.
    pub async fn closed(&self) -> Result<Vec<ChannelClosed>> {
        self.events().await
    }

    /// The receipt of a transaction, once it is mined.
    ///
    /// # Errors
    /// When it is not mined in time.
    pub async fn mined(&self, tx: B256) -> Result<Value> {
        let wait = async {
            loop {
                let receipt = self.rpc("eth_getTransactionReceipt", json!([tx])).await?;
                if !receipt.is_null() {
                    return Ok(receipt);
                }
                tokio::time::sleep(MINED_POLL).await;
            }
        };
        let limit = Duration::from_secs(MINED_SECONDS_MAX);
        tokio::time::timeout(limit, wait).await.map_err(|_| anyhow!("{tx} is not mined"))?
    }

    /// Mines so many blocks.
    ///
    /// # Errors
    /// When the node refuses.
    pub async fn mine(&self, blocks: u64) -> Result<()> {
        self.rpc("anvil_mine", json!([U256::from(blocks)])).await.map(|_| ())
    }

    /// Moves the chain's clock on by so many seconds, for good, and mines. Transactions that expire
    /// must from then on be dated by [`TempoNode::now`].
    ///
    /// # Errors
    /// When the node refuses.
    pub async fn advance(&self, seconds: u64) -> Result<()> {
        self.rpc("evm_increaseTime", json!([U256::from(seconds)])).await?;
        self.mine(1).await
    }

    /// Time of the newest block.
    ///
    /// # Errors
    /// When the node is gone.
    pub async fn now(&self) -> Result<UnixSeconds> {
        let block = self.rpc("eth_getBlockByNumber", json!(["latest", false])).await?;
        let time = block.get("timestamp").cloned().context("a block without a time")?;
        Ok(UnixSeconds(serde_json::from_value::<U256>(time)?.try_into()?))
    }

    async fn call<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return> {
        let data = Bytes::from(call.abi_encode());
        let output = self.rpc("eth_call", json!([{ "to": to, "data": data }, "latest"])).await?;
        let output: Bytes = serde_json::from_value(output)?;
        Ok(C::abi_decode_returns(&output)?)
    }

    async fn events<E: SolEvent>(&self) -> Result<Vec<E>> {
        let filter = json!([{
            "address": RESERVE, "fromBlock": "0x0", "toBlock": "latest",
            "topics": [E::SIGNATURE_HASH],
        }]);
        let logs = self.rpc("eth_getLogs", filter).await?;
        let logs: Vec<Value> = serde_json::from_value(logs)?;
        logs.iter().map(decoded).collect()
    }
}

fn decoded<E: SolEvent>(log: &Value) -> Result<E> {
    let topics: Vec<B256> = serde_json::from_value(log.get("topics").cloned().unwrap_or_default())?;
    let data: Bytes = serde_json::from_value(log.get("data").cloned().unwrap_or_default())?;
    Ok(E::decode_raw_log(topics, &data)?)
}
