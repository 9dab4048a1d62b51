//! The holder of an access key of a wallet on Tempo: a plain local key, viem and ox, nothing of ours.

use std::process::Stdio;
use std::time::Duration;

use alloy_primitives::{Address, B256};
use anyhow::{Context as _, Result, anyhow, ensure};
use serde::Deserialize;

use crate::peers::node_script;
use crate::tempo::TempoNode;

/// Longest wait for what the holder sends, in seconds: it gives up waiting by itself before.
const ACT_SECONDS_MAX: u64 = 30;

/// The holder of one key.
#[derive(Clone, Debug)]
pub struct KeyHolder {
    private_key: String,
    /// The key's address.
    pub address: Address,
}

/// What the holder does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAct {
    /// Opens a channel of so many base units of pathUSD.
    Open(u128),
    /// Sends so many to a payee.
    Transfer(u128),
    /// Authorizes a key without bounds.
    Authorize,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Came {
    /// It was mined.
    Mined {
        /// The transaction.
        transaction: B256,
        /// `success` or `reverted`.
        status: String,
    },
    /// The chain took it for no valid transaction: it said so, or dropped it without a word.
    NotTaken {
        /// The transaction that was dropped.
        dropped: Option<B256>,
        /// What the node said.
        refused: Option<String>,
    },
}

impl Came {
    /// Whether it was mined and did what it was for.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        matches!(self, Self::Mined { status, .. } if status == "success")
    }

    /// Whether it was mined and did nothing.
    #[must_use]
    pub fn reverted(&self) -> bool {
        matches!(self, Self::Mined { status, .. } if status == "reverted")
    }
}

#[derive(Deserialize)]
struct Named {
    key: Address,
}

impl KeyHolder {
    /// The holder of the key whose every byte is this.
    ///
    /// # Errors
    /// When node or its packages are missing.
    pub async fn new(byte: u8) -> Result<Self> {
        let private_key = B256::repeat_byte(byte).to_string();
        let text = run(&[("ACT", "name"), ("PRIVATE_KEY", &private_key)]).await?;
        let Named { key: address } = serde_json::from_str(&text).context(text)?;
        Ok(Self { private_key, address })
    }

    /// Acts for a wallet, and waits for what comes of it.
    ///
    /// # Errors
    /// When the node is gone.
    pub async fn act(&self, node: &TempoNode, wallet: Address, act: KeyAct) -> Result<Came> {
        let (chain_id, wallet) = (node.chain().id().to_string(), wallet.to_string());
        let (name, units) = match act {
            KeyAct::Open(units) => ("open", units),
            KeyAct::Transfer(units) => ("transfer", units),
            KeyAct::Authorize => ("authorize", 0),
        };
        let units = units.to_string();
        let settings = [
            ("ACT", name),
            ("PRIVATE_KEY", &self.private_key),
            ("RPC_URL", node.url().as_str()),
            ("CHAIN_ID", &chain_id),
            ("WALLET", &wallet),
            ("UNITS", &units),
        ];
        let text = run(&settings).await?;
        serde_json::from_str(&text).context(text)
    }
}

async fn run(settings: &[(&str, &str)]) -> Result<String> {
    let output = node_script("access-key.mjs")
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output();
    let limit = Duration::from_secs(ACT_SECONDS_MAX);
    let output = tokio::time::timeout(limit, output)
        .await
        .map_err(|_| anyhow!("the holder of the key hangs"))?
        .context("node is missing: run `make setup` first")?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(output.status.success(), "the holder of the key failed: {text}");
    Ok(text)
}
