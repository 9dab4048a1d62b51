//! A Base node for a test: anvil on loopback with the test USDC at the real address.
//!
//! Promises: a fresh chain on a free port, ended when the value is dropped. A missing anvil is a
//! loud error that names `make setup`, never a skipped test.
//!
//! Does not show: the L1 data fee, or a sequencer that holds transactions back.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test that is wrong may stop")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{SolCall, sol};
use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};
use tercet_chain::Endpoints;
use tercet_policy::chain::{Asset, Chain};
use tercet_policy::money::Amount;
use tercet_policy::time::UnixSeconds;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;
use url::Url;

/// Longest wait for a program to say that it listens, in seconds. The machine may be busy building.
pub(crate) const START_SECONDS_MAX: u64 = 60;
/// Longest wait for a transaction to be mined, in seconds.
const MINED_SECONDS_MAX: u64 = 20;
const SETUP: &str = "run `make setup` first";

sol! {
    /// The test token's own door, which the real one keeps locked.
    function mint(address to, uint256 value) returns (bool);
}

/// How a node behaves.
#[derive(Clone, Copy, Debug)]
pub struct NodeOptions {
    /// Which chain it plays.
    pub chain: Chain,
    /// How many blocks `safe` trails the head; `finalized` trails twice as many.
    pub safe_lag_blocks: u64,
    /// Whether transactions are mined as they come, and a block every second besides. Without it,
    /// only [`BaseNode::mine`] makes blocks.
    pub mines: bool,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self { chain: Chain::Base, safe_lag_blocks: 1, mines: true }
    }
}

/// A running anvil.
#[derive(Debug)]
pub struct BaseNode {
    _process: Child,
    url: Url,
    chain: Chain,
    http: reqwest::Client,
}

impl BaseNode {
    /// Base, mining.
    ///
    /// # Errors
    /// When anvil is missing or does not start.
    pub async fn start() -> Result<Self> {
        Self::start_with(NodeOptions::default()).await
    }

    /// A node with these options.
    ///
    /// # Errors
    /// When anvil is missing or does not start.
    pub async fn start_with(options: NodeOptions) -> Result<Self> {
        let mut process = Command::new(anvil()?)
            .args(flags(options))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("anvil does not start")?;
        let stdout = process.stdout.take().context("anvil has no output")?;
        let address =
            first_match(stdout, |line| line.strip_prefix("Listening on ").map(str::to_owned));
        let url = Url::parse(&format!("http://{}", address.await.context("anvil")?))?;
        let node = Self { _process: process, url, chain: options.chain, http: http_client()? };
        node.rpc("anvil_setCode", json!([node.token(), usdc_runtime().await?])).await?;
        Ok(node)
    }

    /// Where it listens.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// The chain it plays.
    #[must_use]
    pub const fn chain(&self) -> Chain {
        self.chain
    }

    /// The USDC of that chain.
    ///
    /// # Panics
    /// When the registry has none, which is a defect.
    #[must_use]
    pub fn asset(&self) -> &'static Asset {
        Asset::by_symbol(self.chain, "USDC").expect("every chain of the registry has USDC")
    }

    /// Its contract.
    #[must_use]
    pub fn token(&self) -> Address {
        self.asset().token
    }

    /// This node as the only endpoint.
    ///
    /// # Errors
    /// Never for a running node; the signature is that of [`Endpoints::new`].
    pub fn endpoints(&self) -> Result<Endpoints> {
        Ok(Endpoints::new(self.chain, vec![self.url.clone()], None)?)
    }

    /// One JSON-RPC call.
    ///
    /// # Errors
    /// When the node is gone, or answers an error.
    pub async fn rpc(&self, method: &str, params: Value) -> Result<Value> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let answer = self.http.post(self.url.clone()).json(&request).send().await?;
        let mut answer: Value = answer.json().await?;
        match answer.get("error") {
            Some(error) => bail!("{method}: {error}"),
            None => Ok(answer["result"].take()),
        }
    }

    /// Gives `wallet` this much USDC.
    ///
    /// # Errors
    /// When the node refuses.
    pub async fn mint(&self, wallet: Address, amount: Amount) -> Result<()> {
        let call = mintCall { to: wallet, value: U256::from(amount.base_units()) };
        self.send(self.token(), call.abi_encode().into()).await.map(|_| ())
    }

    /// Sets the ether of `wallet`, in wei.
    ///
    /// # Errors
    /// When the node refuses.
    pub async fn set_ether(&self, wallet: Address, wei: u128) -> Result<()> {
        self.rpc("anvil_setBalance", json!([wallet, U256::from(wei)])).await.map(|_| ())
    }

    /// Sends a call from an account that anvil holds, and waits until it is mined with success.
    ///
    /// # Errors
    /// When it is refused, reverts, or is not mined in time.
    pub async fn send(&self, to: Address, data: Bytes) -> Result<B256> {
        let accounts = self.rpc("eth_accounts", json!([])).await?;
        let call = json!({ "from": accounts[0], "to": to, "data": data });
        let hash = self.rpc("eth_sendTransaction", json!([call])).await?;
        let tx: B256 = serde_json::from_value(hash)?;
        let receipt = self.mined(tx).await?;
        if receipt["status"] == "0x1" { Ok(tx) } else { bail!("{tx} reverted") }
    }

    /// Runs a call without a transaction, and gives its output.
    ///
    /// # Errors
    /// With the revert reason, when it reverts.
    pub async fn call(&self, to: Address, data: Bytes) -> Result<Bytes> {
        let output = self.rpc("eth_call", json!([{ "to": to, "data": data }, "latest"])).await?;
        Ok(serde_json::from_value(output)?)
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
                tokio::time::sleep(Duration::from_millis(20)).await;
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

    /// Moves the chain's clock on and mines, so that the newest block has this time or a later one.
    ///
    /// # Errors
    /// When that time is already past by the chain.
    pub async fn advance_to(&self, time: UnixSeconds) -> Result<()> {
        self.rpc("evm_setNextBlockTimestamp", json!([time.0])).await?;
        self.mine(1).await
    }

    /// Replaces the newest blocks by empty ones.
    ///
    /// # Errors
    /// When the node refuses.
    pub async fn reorganise(&self, depth_blocks: u64) -> Result<()> {
        self.rpc("anvil_reorg", json!([depth_blocks, []])).await.map(|_| ())
    }

    /// Time of the newest block.
    ///
    /// # Errors
    /// When the node is gone.
    pub async fn now(&self) -> Result<UnixSeconds> {
        let block = self.rpc("eth_getBlockByNumber", json!(["latest", false])).await?;
        let seconds: U256 = serde_json::from_value(block["timestamp"].clone())?;
        Ok(UnixSeconds(seconds.try_into()?))
    }
}

fn flags(options: NodeOptions) -> Vec<String> {
    let mut flags = vec![
        "--network=optimism".to_owned(),
        format!("--chain-id={}", options.chain.id()),
        "--host=127.0.0.1".to_owned(),
        "--port=0".to_owned(),
        format!("--slots-in-an-epoch={}", options.safe_lag_blocks),
    ];
    // Plain automine lets block times go stale and lets a client miss the only block there is.
    let mining: &[&str] = match options.mines {
        true => &["--block-time=1", "--mixed-mining"],
        false => &["--no-mining"],
    };
    flags.extend(mining.iter().map(|&flag| flag.to_owned()));
    flags
}

/// The folder of the npm package, from whichever crate of the workspace this is compiled in.
pub(crate) fn peers_folder() -> PathBuf {
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut peers = folders.map(|folder| folder.join("tests/peers"));
    peers.find(|folder| folder.is_dir()).unwrap_or_else(|| PathBuf::from("tests/peers"))
}

fn anvil() -> Result<PathBuf> {
    let bundled = "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil";
    let path =
        std::env::var_os("ANVIL").map_or_else(|| peers_folder().join(bundled), PathBuf::from);
    if path.is_file() {
        Ok(path)
    } else {
        bail!("there is no anvil at {}: {SETUP}", path.display())
    }
}

/// The token's runtime code as 0x hex, compiled when its source has changed.
async fn usdc_runtime() -> Result<&'static str> {
    static RUNTIME: OnceCell<String> = OnceCell::const_new();
    let build = || async {
        let built =
            Command::new("node").arg("build.mjs").current_dir(peers_folder()).output().await;
        let built = built.with_context(|| format!("node is missing: {SETUP}"))?;
        if !built.status.success() {
            bail!("build.mjs: {}: {SETUP}", String::from_utf8_lossy(&built.stderr));
        }
        let artefact = tokio::fs::read(peers_folder().join("build/TestUSDC.json")).await?;
        let artefact: Value = serde_json::from_slice(&artefact)?;
        artefact["runtime"]
            .as_str()
            .map(str::to_owned)
            .context("build/TestUSDC.json has no runtime")
    };
    RUNTIME.get_or_try_init(build).await.map(String::as_str)
}

/// Waits for the line of a program's output that `wanted` takes something from; what follows is
/// read and dropped, so that the program never blocks on its output.
pub(crate) async fn first_match<T>(
    output: impl AsyncRead + Unpin + Send + 'static,
    wanted: impl Fn(&str) -> Option<T>,
) -> Result<T> {
    let mut lines = BufReader::new(output).lines();
    let wait = async {
        while let Some(line) = lines.next_line().await? {
            if let Some(found) = wanted(&line) {
                return Ok(found);
            }
        }
        Err(anyhow!("ended before it was ready"))
    };
    let limit = Duration::from_secs(START_SECONDS_MAX);
    let found =
        tokio::time::timeout(limit, wait).await.map_err(|_| anyhow!("is not ready in time"))??;
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok(found)
}

/// A client for loopback.
pub(crate) fn http_client() -> Result<reqwest::Client> {
    // reqwest is built without a TLS provider of its own; where the process has none yet, it is ring.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    Ok(reqwest::Client::builder().no_proxy().build()?)
}
