//! The MPP peers as child processes: the official merchant and client, and a hostile service.
//!
//! Promises: a peer that is given out answers; it ends when its value is dropped, and also when
//! this process is killed. What each route does stands in the script that serves it.

use std::process::Stdio;
use std::time::Duration;

use alloy_primitives::{Address, B256, U256};
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use url::Url;

use crate::chain::http_client;
use crate::peers::{Peer, node_script};
use crate::tempo::TempoNode;

/// Longest wait for a payment of the official client that is made on demand.
const PACE_MAX: Duration = Duration::from_secs(60);

/// How the official merchant sells, in dollars as text.
#[derive(Clone, Copy, Debug)]
pub struct MerchantTerms<'a> {
    /// Of a charge, and of a session's request.
    pub price: &'a str,
    /// Of a streamed word.
    pub unit_price: &'a str,
    /// What it suggests to put into a channel.
    pub suggested_deposit: &'a str,
}

impl Default for MerchantTerms<'_> {
    fn default() -> Self {
        Self { price: "0.01", unit_price: "0.001", suggested_deposit: "1" }
    }
}

/// Who is paid, and by whose grace.
#[derive(Clone, Debug, Deserialize)]
pub struct MppParty {
    /// Who is paid.
    pub payee: Address,
    /// Who pays the fees below `/sponsored`; a stranger to the payer, at a hostile service.
    #[serde(alias = "stranger")]
    pub sponsor: Address,
}

/// A channel as the merchant knows it. Amounts are base units, in decimal.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MerchantChannel {
    /// Its id.
    pub channel_id: B256,
    /// Who pays.
    pub payer: Address,
    /// The highest voucher that was accepted.
    pub highest_voucher_amount: String,
    /// What was sold.
    pub spent: String,
    /// How many requests or words.
    pub units: u64,
    /// Whether it was closed.
    pub finalized: bool,
}

/// A peer that speaks MPP.
#[derive(Debug)]
pub struct MppPeer {
    peer: Peer,
    http: reqwest::Client,
}

impl MppPeer {
    /// The official merchant, with keys of its own that have money.
    ///
    /// # Errors
    /// When node or its packages are missing, or it does not start.
    pub async fn merchant(node: &TempoNode, terms: MerchantTerms<'_>) -> Result<Self> {
        let more = [
            ("PRICE", terms.price),
            ("UNIT_PRICE", terms.unit_price),
            ("SUGGESTED_DEPOSIT", terms.suggested_deposit),
        ];
        Self::start("mpp-merchant.mjs", node, &more).await
    }

    /// A service that cheats in every known way, each at a route of its own.
    ///
    /// # Errors
    /// When node or its packages are missing, or it does not start.
    pub async fn hostile(node: &TempoNode) -> Result<Self> {
        Self::start("mpp-hostile.mjs", node, &[]).await
    }

    async fn start(script: &str, node: &TempoNode, more: &[(&str, &str)]) -> Result<Self> {
        let chain_id = node.chain().id().to_string();
        let mut settings = vec![("RPC_URL", node.url().as_str()), ("CHAIN_ID", &chain_id)];
        settings.extend_from_slice(more);
        Ok(Self { peer: Peer::start(script, &settings).await?, http: http_client()? })
    }

    /// Where it listens.
    #[must_use]
    pub const fn url(&self) -> &Url {
        self.peer.url()
    }

    /// A route of it.
    ///
    /// # Panics
    /// When `path` is no path.
    #[must_use]
    pub fn route(&self, path: &str) -> Url {
        self.peer.route(path)
    }

    /// Who is paid.
    ///
    /// # Errors
    /// When the peer is gone.
    pub async fn party(&self) -> Result<MppParty> {
        self.control("/control").await
    }

    /// The merchant's channels, as it knows them.
    ///
    /// # Errors
    /// When the peer is gone, or no merchant.
    pub async fn channels(&self) -> Result<Vec<MerchantChannel>> {
        self.control("/control/channels").await
    }

    /// Every receipt the merchant gave, in order.
    ///
    /// # Errors
    /// When the peer is gone, or no merchant.
    pub async fn receipts(&self) -> Result<Vec<Value>> {
        self.control("/control/receipts").await
    }

    /// Every credential the hostile service was given, in order: `{url, challenge, payload, source}`.
    ///
    /// # Errors
    /// When the peer is gone, or not hostile.
    pub async fn credentials(&self) -> Result<Vec<Value>> {
        self.control("/control/credentials").await
    }

    /// Lets the payee settle the highest voucher it has.
    ///
    /// # Errors
    /// When the chain refuses.
    pub async fn settle(&self, channel: B256) -> Result<()> {
        let answer = self.http.post(self.route(&format!("/control/settle/{channel}"))).send();
        let answer = answer.await?;
        ensure!(answer.status() == 200, "{}", answer.text().await?);
        Ok(())
    }

    /// What one of the free routes for tests answers.
    ///
    /// # Errors
    /// When the peer is gone, or has no such route.
    pub async fn control<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let answer = self.http.get(self.route(path)).send().await?.error_for_status()?;
        Ok(answer.json().await?)
    }
}

/// What the official client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MppMode {
    /// A charge for each payment.
    Charge,
    /// One channel, and a voucher for each payment; closed at the end.
    Session,
    /// One channel, and a voucher for each word of one stream; closed at the end.
    Stream,
}

impl MppMode {
    const fn name(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Session => "session",
            Self::Stream => "stream",
        }
    }
}

/// How the official client is run.
#[derive(Clone, Copy, Debug)]
pub struct MppRun {
    /// What it does.
    pub mode: MppMode,
    /// Payments that are reported.
    pub count: u32,
    /// Payments before them that are not; none for a stream.
    pub warmup: u32,
}

/// One payment of the official client.
#[derive(Clone, Debug, Deserialize)]
pub struct MppPayment {
    /// From the request to the last byte of what was paid for.
    pub ms: f64,
    /// HTTP status of the last answer; 0 if there was none.
    pub status: u16,
    /// The transaction, the channel or the word.
    pub reference: Option<String>,
}

/// What the official client did beside paying.
#[derive(Clone, Debug, Deserialize)]
pub struct MppSummary {
    /// Its address.
    pub payer: Address,
    /// How many payments were made.
    pub paid: u32,
    /// The first request, which opened the channel.
    pub open_ms: Option<f64>,
    /// The close.
    pub close_ms: Option<f64>,
    /// The channel.
    pub channel: Option<B256>,
    /// The highest voucher it signed, in base units.
    pub cumulative: Option<U256>,
}

#[derive(Deserialize)]
struct LastLine {
    summary: MppSummary,
}

#[derive(Deserialize)]
struct Proof {
    proved: String,
}

/// Lets the official client, with a plain local key and money of its own, pay for `url`.
///
/// # Errors
/// When a payment fails: a baseline with failures is none.
pub async fn pay_with_official_mpp_client(
    node: &TempoNode,
    url: &Url,
    run: MppRun,
) -> Result<(Vec<MppPayment>, MppSummary)> {
    let output = client(node, url, run.mode)
        .env("COUNT", run.count.to_string())
        .env("WARMUP", run.warmup.to_string())
        .stdin(Stdio::null())
        .output()
        .await
        .context("node is missing: run `make setup` first")?;
    let text = String::from_utf8(output.stdout)?;
    if !output.status.success() {
        bail!("the official client did not pay every time:\n{text}");
    }
    let mut lines: Vec<&str> = text.lines().collect();
    let last = lines.pop().context("the official client said nothing")?;
    let payments = lines.into_iter().map(serde_json::from_str).collect::<Result<_, _>>()?;
    Ok((payments, serde_json::from_str::<LastLine>(last)?.summary))
}

fn client(node: &TempoNode, url: &Url, mode: MppMode) -> Command {
    let mut command = node_script("mpp-client.mjs");
    command
        .env("URL", url.as_str())
        .env("RPC_URL", node.url().as_str())
        .env("CHAIN_ID", node.chain().id().to_string())
        .env("MODE", mode.name())
        .stderr(Stdio::inherit());
    command
}

/// The official client with one session, a payment at a time: for whoever takes turns with it, each
/// as warm as the other.
#[derive(Debug)]
pub struct PacedMppClient {
    process: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl PacedMppClient {
    /// Starts it, with a plain local key and money of its own. It opens its channel by itself.
    ///
    /// # Errors
    /// When node is missing.
    pub fn start(node: &TempoNode, url: &Url) -> Result<Self> {
        let mut process = client(node, url, MppMode::Session)
            .env("PACED", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("node is missing: run `make setup` first")?;
        let stdin = process.stdin.take().context("no standard input")?;
        let stdout = process.stdout.take().context("no standard output")?;
        Ok(Self { process, stdin, lines: BufReader::new(stdout).lines() })
    }

    /// Lets it pay once.
    ///
    /// # Errors
    /// When it does not, or not in time.
    pub async fn pay(&mut self) -> Result<MppPayment> {
        self.stdin.write_all(b"\n").await?;
        let payment: MppPayment = serde_json::from_str(&said(&mut self.lines).await?)?;
        let is_paid = payment.status == 200 && payment.reference.is_some();
        ensure!(is_paid, "the official client did not pay: {payment:?}");
        Ok(payment)
    }

    /// Lets it close its channel and end.
    ///
    /// # Errors
    /// When it does not.
    pub async fn finish(self) -> Result<MppSummary> {
        let Self { mut process, stdin, mut lines } = self;
        drop(stdin);
        let last = said(&mut lines).await?;
        let status = process.wait().await?;
        ensure!(status.success(), "the official client ended with {status}: {last}");
        Ok(serde_json::from_str::<LastLine>(&last)?.summary)
    }
}

async fn said(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<String> {
    let line = tokio::time::timeout(PACE_MAX, lines.next_line()).await;
    let line = line.context("the official client says nothing")??;
    line.context("the official client ended")
}

/// Runs the testbed's proof of itself: the official peers alone, and the rules of the reserve.
///
/// # Errors
/// With what it printed, when a proof fails.
pub async fn self_test() -> Result<Vec<String>> {
    let output = node_script("mpp-selftest.mjs").stdin(Stdio::null()).output().await;
    let output = output.context("node is missing: run `make setup` first")?;
    let text = String::from_utf8(output.stdout)?;
    if !output.status.success() {
        bail!("{text}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    let proofs = text.lines().map(|line| Ok(serde_json::from_str::<Proof>(line)?.proved));
    proofs.collect()
}
