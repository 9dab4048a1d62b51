//! A house that pays on Tempo, the official merchant, and doors in front of it.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tercet::{Fetched, Wallet};
use tercet_cli::demo::house::ConfigText;
use tercet_policy::intent::Service;
use tercet_policy::party::Party;
use tercet_tests::cluster::{Cluster, Plan};
use tercet_tests::mpp_peers::{MerchantTerms, MppPeer};
use tercet_tests::tempo::TempoNode;
use url::Url;

use super::door::Doors;
use crate::house::ms_since;

/// What the wallet is given, in base units: 1,000 pathUSD.
const FUNDS_UNITS: u128 = 1_000_000_000;
/// Of a request, and what a channel is opened with: enough for every request without a top-up.
const TERMS: MerchantTerms<'_> =
    MerchantTerms { price: "0.001", unit_price: "0.001", suggested_deposit: "5" };
/// Presignatures in stock before each opening.
pub(super) const STOCK: usize = 8;
/// How long a stock may take to be made, on shared cores.
pub(super) const STOCK_MAX: Duration = Duration::from_secs(300);
/// Between two looks at it.
pub(super) const STOCK_LOOK: Duration = Duration::from_millis(50);
const CONNECT_MAX: Duration = Duration::from_secs(20);

/// The agent's own rules: room for every session of this program, and none is closed meanwhile.
const RULES: &str = r#"
[rules]
max_price = "0.10 USDC"
chains = ["eip155:4217"]
purchases_per_minute_max = 100000

[rules.mpp]
max_prices = ["0.10 pathUSD"]
max_deposits = ["5 pathUSD"]
sessions_max = 64
idle_seconds = 3600
"#;

pub(super) struct Shop {
    pub(super) cluster: Cluster,
    pub(super) tempo: TempoNode,
    pub(super) doors: Doors,
    merchant: MppPeer,
}

impl Shop {
    /// The policy allows the merchant at its own address and behind so many doors, each a service of
    /// its own.
    pub(super) async fn open(doors: u32) -> Result<Self> {
        let tempo = TempoNode::start().await?;
        let merchant = MppPeer::merchant(&tempo, TERMS).await?;
        let doors = Doors::open(merchant.url(), doors).await?;
        let plan = Plan { policy: None, text: on_tempo(&tempo), ..Plan::default() };
        let mut cluster = Cluster::started(plan).await?;
        let policy = policy([merchant.url()].into_iter().chain(doors.urls()))?;
        cluster.house.line()?.install_policy(&policy).await.context("policy")?;
        let address = cluster.new_wallet().await?;
        tempo.fund(address, FUNDS_UNITS).await?;
        cluster.stop_node(Party::Agent).await;
        let path = cluster.house.seat(Party::Agent).config();
        let text = fs::read_to_string(&path)?;
        fs::write(&path, format!("{text}\n[socket]\npath = \"agent.sock\"\n"))?;
        cluster.start_node(Party::Agent, &[]).await?;
        Ok(Self { cluster, tempo, doors, merchant })
    }

    /// The wallet of this process, whose node runs beside it.
    pub(super) async fn wallet(&self) -> Result<Wallet> {
        let folder = self.buyer();
        fs::create_dir_all(&folder)?;
        let text = format!(
            "socket = {:?}\ncoordinator = \"{}\"\n\n[[chains]]\nchain = \"eip155:4217\"\n\
             endpoints = [\"{}\"]\n{RULES}",
            self.socket(),
            self.cluster.house.coordinator_url(),
            self.tempo.url(),
        );
        fs::write(folder.join("wallet.toml"), text)?;
        let wallet = Wallet::open(folder).await?;
        wallet.wait_connected(CONNECT_MAX).await?;
        Ok(wallet)
    }

    /// The folder of the buyer's own journal.
    pub(super) fn buyer(&self) -> PathBuf {
        self.cluster.folder().join("buyer")
    }

    /// Where the agent's node answers.
    pub(super) fn socket(&self) -> PathBuf {
        self.cluster.house.seat(Party::Agent).folder.join("agent.sock")
    }

    /// What a session is opened for: the same at the merchant and behind each door.
    pub(super) fn resource(&self, at: &Url) -> Result<Url> {
        Ok(at.join("/session")?)
    }

    /// The merchant without a door.
    pub(super) const fn merchant(&self) -> &Url {
        self.merchant.url()
    }

    /// Waits until both nodes have a full stock for the wallet, so that nothing is made meanwhile.
    pub(super) async fn wait_for_stock(&self, wallet: &Wallet) -> Result<()> {
        let url = format!("http://{}/status", self.cluster.house.seat(Party::Operator).health);
        let client = reqwest::Client::builder().no_proxy().build()?;
        let begun = Instant::now();
        loop {
            let status: Value = client.get(&url).send().await?.json().await?;
            let held = status.pointer("/presignatures/in_stock").and_then(Value::as_u64);
            let held = usize::try_from(held.context("the node does not tell its stock")?)?;
            let held = held.min(wallet.presignatures().await?);
            if held >= STOCK {
                return Ok(());
            }
            ensure!(begun.elapsed() < STOCK_MAX, "{held} of {STOCK} presignatures were made");
            tokio::time::sleep(STOCK_LOOK).await;
        }
    }
}

/// Buys once, and yields how many milliseconds it took to the last byte.
pub(super) async fn buy(wallet: &Wallet, url: &Url) -> Result<f64> {
    let begun = Instant::now();
    let Fetched { response, receipt } = wallet.get(url.clone()).await?;
    let body = response.text().await?;
    let took = ms_since(begun);
    ensure!(body.contains("what you paid for"), "the merchant gave something else: {body}");
    ensure!(receipt.is_some(), "nothing was paid");
    Ok(took)
}

fn on_tempo(tempo: &TempoNode) -> ConfigText {
    let url = tempo.url();
    ConfigText {
        coordinator_more: format!("\n[[chains]]\nid = \"eip155:4217\"\nrpc = [\"{url}\"]\n"),
        node_more: format!(
            "\n[stock]\nfloor = {STOCK}\nmax = {STOCK}\n\n[[chains]]\nchain = \"eip155:4217\"\n\
             endpoints = [\"{url}\"]\n"
        ),
        ..ConfigText::default()
    }
}

fn policy<'a>(allowed: impl Iterator<Item = &'a Url>) -> Result<String> {
    let services: Vec<String> = allowed
        .map(|url| Ok(format!("\"{}\"", Service::of(url.as_str())?)))
        .collect::<Result<_>>()?;
    Ok(format!(
        "policy: research-01\nepoch: 1\napplies_to: {{ agent: research-01 }}\nrules:\n  \
         - limit: {{ amount: 1000 pathUSD, per: day }}\n  \
         - mpp: {{ max_deposit: 5 pathUSD, max_concurrent_sessions: 64 }}\n  \
         - allow: {{ services: [{}] }}\n",
        services.join(", ")
    ))
}
