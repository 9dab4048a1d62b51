//! The other side of a payment, from `tests/peers`: a Base node with a USDC that anyone may mint,
//! and the official x402 facilitator and merchant; a Tempo node with a channel reserve, and the
//! official MPP merchant. On loopback, for the demo and the tests.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use alloy_primitives::{Address, B256, U256, hex, keccak256};
use serde_json::{Value, json};
use tercet_policy::chain::ASSETS;
use tercet_policy::money::Amount;

use super::process::{Process, ProcessError};

const CALL_SECONDS_MAX: u64 = 30;
const RECEIPT_POLLS_MAX: u32 = 500;
const RECEIPT_POLL: Duration = Duration::from_millis(20);
/// One ether, in wei.
pub const ONE_ETHER_WEI: u128 = 1_000_000_000_000_000_000;

/// Why the chain does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ChainTrouble {
    /// It does not answer.
    #[error("the chain does not answer: {0}")]
    Line(#[from] reqwest::Error),
    /// It answers with an error.
    #[error("{method}: {error}")]
    Rpc {
        /// The method.
        method: String,
        /// The error, as it came.
        error: String,
    },
    /// It answers with something else than was asked for.
    #[error("{method} answered {answer}")]
    Answer {
        /// The method.
        method: String,
        /// The answer.
        answer: String,
    },
    /// A transaction failed.
    #[error("transaction {0} reverted")]
    Reverted(B256),
}

/// Where the peers lie, and where they log.
#[derive(Clone, Debug)]
pub struct Peers {
    /// The folder with the scripts.
    pub scripts: PathBuf,
    /// The folder for logs.
    pub logs: PathBuf,
}

impl Peers {
    async fn start(
        &self,
        name: &str,
        settings: &[(&str, &str)],
    ) -> Result<(Process, String), ProcessError> {
        let mut command = Command::new("node");
        command.arg(self.scripts.join(format!("{name}.mjs")));
        command.envs(settings.iter().copied());
        Process::start_peer(name, &mut command, &self.logs.join(format!("{name}.log"))).await
    }

    /// Starts a Base node with the USDC at its real address.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub async fn chain(&self) -> Result<TestChain, ProcessError> {
        let (process, url) = self.start("base-node", &[]).await?;
        Ok(TestChain { process, rpc: Rpc::new(url) })
    }

    /// Starts the official facilitator.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub async fn facilitator(&self, rpc: &str) -> Result<(Process, String), ProcessError> {
        self.start("facilitator", &[("RPC_URL", rpc)]).await
    }

    /// Starts the official merchant, which is paid at `pay_to`.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub async fn merchant(
        &self,
        facilitator: &str,
        pay_to: Address,
    ) -> Result<(Process, String), ProcessError> {
        let pay_to = pay_to.to_string();
        self.start("merchant", &[("FACILITATOR_URL", facilitator), ("PAY_TO", &pay_to)]).await
    }

    /// Starts a Tempo node with the channel reserve at its real address.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub async fn tempo(&self) -> Result<TestChain, ProcessError> {
        let (process, url) = self.start("tempo-node", &[]).await?;
        Ok(TestChain { process, rpc: Rpc::new(url) })
    }

    /// Starts the official MPP merchant, which is paid over this Tempo node, with terms as its
    /// script documents them.
    ///
    /// # Errors
    /// [`ProcessError`].
    pub async fn mpp_merchant(
        &self,
        rpc: &str,
        terms: &[(&str, &str)],
    ) -> Result<(Process, String), ProcessError> {
        let settings = [&[("RPC_URL", rpc)], terms].concat();
        self.start("mpp-merchant", &settings).await
    }

    /// Whether the scripts and what they need are there.
    #[must_use]
    pub fn are_installed(&self) -> bool {
        self.scripts.join("node_modules").is_dir() && self.scripts.join("base-node.mjs").is_file()
    }
}

/// A running node.
#[derive(Debug)]
pub struct TestChain {
    /// The node.
    pub process: Process,
    /// Its JSON-RPC.
    pub rpc: Rpc,
}

/// JSON-RPC of a test chain.
#[derive(Clone, Debug)]
pub struct Rpc {
    url: String,
    http: reqwest::Client,
}

/// A `Transfer` of the USDC, as a log shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Who paid.
    pub from: Address,
    /// Who was paid.
    pub to: Address,
    /// Base units.
    pub amount: Amount,
    /// In which transaction.
    pub transaction: B256,
}

impl Rpc {
    /// A line to an endpoint.
    #[must_use]
    pub fn new(url: String) -> Self {
        crate::tls::install();
        Self { url, http: reqwest::Client::new() }
    }

    /// The endpoint.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Calls a method.
    ///
    /// # Errors
    /// [`ChainTrouble`].
    pub async fn call(&self, method: &str, params: Value) -> Result<Value, ChainTrouble> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let sent = self.http.post(&self.url).json(&body);
        let sent = sent.timeout(Duration::from_secs(CALL_SECONDS_MAX)).send().await?;
        let mut answer: Value = sent.json().await?;
        if let Some(error) = answer.get("error") {
            let (method, error) = (method.to_owned(), error.to_string());
            return Err(ChainTrouble::Rpc { method, error });
        }
        Ok(answer.get_mut("result").map(Value::take).unwrap_or_default())
    }

    async fn text(&self, method: &str, params: Value) -> Result<String, ChainTrouble> {
        let answer = self.call(method, params).await?;
        answer.as_str().map(str::to_owned).ok_or_else(|| unexpected(method, &answer))
    }

    async fn number(&self, method: &str, params: Value) -> Result<U256, ChainTrouble> {
        let text = self.text(method, params).await?;
        text.parse().map_err(|_| unexpected(method, &Value::String(text)))
    }

    /// Base units of USDC.
    ///
    /// # Errors
    /// [`ChainTrouble`].
    pub async fn usdc(&self, of: Address) -> Result<Amount, ChainTrouble> {
        self.balance(usdc(), of).await
    }

    /// Base units of a token.
    ///
    /// # Errors
    /// [`ChainTrouble`].
    pub async fn balance(&self, token: Address, of: Address) -> Result<Amount, ChainTrouble> {
        let data = call_data("balanceOf(address)", &[of.into_word()]);
        let call = json!([{ "to": token, "data": data }, "latest"]);
        let units = self.number("eth_call", call).await?;
        Ok(Amount::from_base_units(u128::try_from(units).unwrap_or(u128::MAX)))
    }

    /// Gives somebody USDC and, for gas, ether.
    ///
    /// # Errors
    /// [`ChainTrouble`].
    pub async fn fund(&self, who: Address, units: u128, wei: u128) -> Result<(), ChainTrouble> {
        self.call("anvil_setBalance", json!([who, format!("{wei:#x}")])).await?;
        let accounts = self.call("eth_accounts", json!([])).await?;
        let from = accounts.get(0).ok_or_else(|| unexpected("eth_accounts", &accounts))?;
        let amount = B256::from(U256::from(units));
        let data = call_data("mint(address,uint256)", &[who.into_word(), amount]);
        let transaction = json!([{ "from": from, "to": usdc(), "data": data }]);
        let hash = self.text("eth_sendTransaction", transaction).await?;
        let hash: B256 =
            hash.parse().map_err(|_| unexpected("eth_sendTransaction", &hash.into()))?;
        self.mined(hash).await
    }

    /// Gives somebody pathUSD, on the Tempo node.
    ///
    /// # Errors
    /// [`ChainTrouble`].
    pub async fn fund_path_usd(&self, who: Address, units: u128) -> Result<(), ChainTrouble> {
        self.call("tempo_fundAddress", json!([who, U256::from(units)])).await.map(|_| ())
    }

    /// Waits until a transaction is mined.
    ///
    /// # Errors
    /// [`ChainTrouble::Reverted`], [`ChainTrouble::Answer`] when it is not mined in time.
    pub async fn mined(&self, hash: B256) -> Result<(), ChainTrouble> {
        for _ in 0..RECEIPT_POLLS_MAX {
            let receipt = self.call("eth_getTransactionReceipt", json!([hash])).await?;
            match receipt.get("status").and_then(Value::as_str) {
                Some("0x1") => return Ok(()),
                Some(_) => return Err(ChainTrouble::Reverted(hash)),
                None => tokio::time::sleep(RECEIPT_POLL).await,
            }
        }
        Err(unexpected("eth_getTransactionReceipt", &Value::Null))
    }

    /// Every USDC that left `from` since the first block.
    ///
    /// # Errors
    /// [`ChainTrouble`].
    pub async fn moved_from(&self, from: Address) -> Result<Vec<Moved>, ChainTrouble> {
        let event = keccak256("Transfer(address,address,uint256)");
        let filter = json!([{
            "address": usdc(), "fromBlock": "0x0", "toBlock": "latest",
            "topics": [event, from.into_word()],
        }]);
        let logs = self.call("eth_getLogs", filter).await?;
        let logs = logs.as_array().ok_or_else(|| unexpected("eth_getLogs", &logs))?;
        logs.iter().map(|log| moved(log).ok_or_else(|| unexpected("eth_getLogs", log))).collect()
    }
}

fn moved(log: &Value) -> Option<Moved> {
    let word = |value: &Value| value.as_str()?.parse::<B256>().ok();
    let topics = log.get("topics")?;
    let amount = word(log.get("data")?)?;
    Some(Moved {
        from: Address::from_word(word(topics.get(1)?)?),
        to: Address::from_word(word(topics.get(2)?)?),
        amount: Amount::from_base_units(u128::try_from(U256::from_be_bytes(amount.0)).ok()?),
        transaction: word(log.get("transactionHash")?)?,
    })
}

fn call_data(signature: &str, words: &[B256]) -> String {
    let mut data: Vec<u8> = keccak256(signature).iter().take(4).copied().collect();
    words.iter().for_each(|word| data.extend_from_slice(word.as_slice()));
    hex::encode_prefixed(data)
}

/// The USDC of Base.
#[must_use]
pub fn usdc() -> Address {
    let [base, ..] = &ASSETS;
    base.token
}

fn unexpected(method: &str, answer: &Value) -> ChainTrouble {
    ChainTrouble::Answer { method: method.to_owned(), answer: answer.to_string() }
}

/// Where the peers lie, seen from the root of the tree.
#[must_use]
pub fn peers_in(root: &Path) -> PathBuf {
    root.join("tests").join("peers")
}
