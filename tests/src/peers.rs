//! The official x402 peers as child processes: facilitator, merchant and client.
//!
//! Promises: a peer that is given out answers; it ends when its value is dropped, and also when
//! this process is killed (its standard input then ends).

#![allow(clippy::expect_used, reason = "a test that is wrong may stop")]

use std::process::Stdio;

use alloy_primitives::{Address, B256};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tercet_policy::chain::Chain;
use tokio::process::{Child, ChildStdin, Command};
use url::Url;

use crate::chain::{BaseNode, first_match, peers_folder};

/// A peer that listens.
#[derive(Debug)]
pub struct Peer {
    _process: Child,
    _stdin: ChildStdin,
    url: Url,
}

#[derive(Deserialize)]
struct Listening {
    listening: Url,
}

impl Peer {
    /// The official facilitator, settling on this node with a fresh gas key of its own.
    ///
    /// # Errors
    /// When node or its packages are missing, or it does not start.
    pub async fn facilitator(node: &BaseNode) -> Result<Self> {
        let rpc = node.url().to_string();
        Self::start("facilitator.mjs", &[("RPC_URL", &rpc), ("NETWORK", node.chain().caip2())])
            .await
    }

    /// The official merchant, paid to `pay_to`. `price` is that of `/paid`, as in `$0.01`.
    ///
    /// # Errors
    /// When node or its packages are missing, or it does not start.
    pub async fn merchant(
        facilitator: &Self,
        chain: Chain,
        pay_to: Address,
        price: &str,
    ) -> Result<Self> {
        let (facilitator, pay_to) = (trimmed(facilitator.url()), pay_to.to_string());
        let settings = [
            ("FACILITATOR_URL", facilitator.as_str()),
            ("NETWORK", chain.caip2()),
            ("PAY_TO", &pay_to),
            ("PRICE", price),
        ];
        Self::start("merchant.mjs", &settings).await
    }

    /// Where it listens.
    #[must_use]
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// A route of it.
    ///
    /// # Panics
    /// When `path` is no path.
    #[must_use]
    pub fn route(&self, path: &str) -> Url {
        self.url.join(path).expect("a path joins")
    }

    pub(crate) async fn start(script: &str, settings: &[(&str, &str)]) -> Result<Self> {
        let mut process = node_script(script)
            .env("PORT", "0")
            .env("EXIT_WITH_STDIN", "1")
            .envs(settings.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("node is missing: run `make setup` first")?;
        let stdin = process.stdin.take().context("no standard input")?;
        let stdout = process.stdout.take().context("no standard output")?;
        let ready = |line: &str| serde_json::from_str::<Listening>(line).ok();
        let Listening { listening } = first_match(stdout, ready)
            .await
            .with_context(|| format!("{script}; are its packages there? run `make setup` first"))?;
        Ok(Self { _process: process, _stdin: stdin, url: listening })
    }
}

/// One payment of the official client.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct BaselinePayment {
    /// From the request to the last byte of what was paid for.
    pub ms: f64,
    /// HTTP status of the last answer; 0 if there was none.
    pub status: u16,
    /// The settlement's transaction.
    pub transaction: Option<B256>,
}

/// How the official client is run.
#[derive(Clone, Copy, Debug)]
pub struct BaselineRun {
    /// Payments that are reported.
    pub count: u32,
    /// Payments before them that are not.
    pub warmup: u32,
    /// Payments at once.
    pub concurrency: u32,
}

/// Lets the official client, with a plain local key and money of its own, pay for `url`.
///
/// # Errors
/// When a payment fails: a baseline with failures is none.
pub async fn pay_with_official_client(
    node: &BaseNode,
    url: &Url,
    run: BaselineRun,
) -> Result<Vec<BaselinePayment>> {
    let output = node_script("client.mjs")
        .env("URL", url.as_str())
        .env("RPC_URL", node.url().as_str())
        .env("NETWORK", node.chain().caip2())
        .env("COUNT", run.count.to_string())
        .env("WARMUP", run.warmup.to_string())
        .env("CONCURRENCY", run.concurrency.to_string())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .await
        .context("node is missing: run `make setup` first")?;
    let lines = String::from_utf8(output.stdout)?;
    if !output.status.success() {
        bail!("the official client did not pay every time:\n{lines}");
    }
    let payments = lines.lines().filter(|line| !line.contains("\"summary\""));
    Ok(payments.map(serde_json::from_str).collect::<Result<_, _>>()?)
}

pub(crate) fn node_script(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(script).current_dir(peers_folder()).kill_on_drop(true);
    command
}

fn trimmed(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}
