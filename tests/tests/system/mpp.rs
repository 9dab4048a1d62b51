//! MPP on Tempo, with real nodes of our own, a real chain and the official merchant: a charge, plain
//! and sponsored, and a whole session whose unused deposit comes back to the budget.
//!
//! Slow (a minute): real processes, two chains, and signatures made in rounds.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use alloy_primitives::Address;
use anyhow::{Context as _, Result, ensure};
use tercet::mpp::SessionState;
use tercet::{Error, Wallet};
use tercet_cli::demo::house::ConfigText;
use tercet_policy::chain::PATH_USD;
use tercet_policy::intent::Service;
use tercet_policy::party::Party;
use tercet_tests::cluster::{Cluster, PATIENCE, Plan};
use tercet_tests::mpp_peers::{MerchantTerms, MppPeer};
use tercet_tests::tempo::TempoNode;

/// What a wallet is given, in base units: 100 pathUSD.
const FUNDS_UNITS: u128 = 100_000_000;
const CENT: u128 = 10_000;
/// By then both nodes have looked at the chain, as they do each second here.
const NODES_LOOK: Duration = Duration::from_secs(5);

struct Shop {
    cluster: Cluster,
    tempo: TempoNode,
    merchant: MppPeer,
    address: Address,
}

impl Shop {
    /// A house that pays on Tempo, whose policy allows the merchant `limit` a day and sessions of at
    /// most one dollar, one at a time.
    async fn open(limit: &str) -> Result<Self> {
        let tempo = TempoNode::start().await?;
        let merchant = MppPeer::merchant(&tempo, MerchantTerms::default()).await?;
        let text = ConfigText {
            coordinator_more: format!(
                "\n[[chains]]\nid = \"eip155:4217\"\nrpc = [\"{}\"]\n",
                tempo.url()
            ),
            node_more: format!(
                "\n[[chains]]\nchain = \"eip155:4217\"\nendpoints = [\"{}\"]\n\n[limits]\n\
                 reconcile_seconds = 1\n",
                tempo.url()
            ),
            ..ConfigText::default()
        };
        let plan = Plan { policy: None, text, ..Plan::default() };
        let mut cluster = Cluster::started(plan).await?;
        let service = Service::of(merchant.url().as_str())?;
        let policy = format!(
            "policy: research-01\nepoch: 1\napplies_to: {{ agent: research-01 }}\nrules:\n  \
             - limit: {{ amount: {limit}, per: day }}\n  \
             - mpp: {{ max_deposit: 1 pathUSD, max_concurrent_sessions: 1 }}\n  \
             - allow: {{ services: [\"{service}\"] }}\n"
        );
        cluster.house.line()?.install_policy(&policy).await.context("policy")?;
        let address = cluster.new_wallet().await?;
        tempo.fund(address, FUNDS_UNITS).await?;
        cluster.stop_node(Party::Agent).await;
        let path = cluster.house.seat(Party::Agent).config();
        let text = std::fs::read_to_string(&path)?;
        std::fs::write(&path, format!("{text}\n[socket]\npath = \"agent.sock\"\n"))?;
        cluster.start_node(Party::Agent, &[]).await?;
        Ok(Self { cluster, tempo, merchant, address })
    }

    /// A wallet of the agent's, with rules of its own.
    async fn wallet(&self) -> Result<Wallet> {
        Ok(Wallet::open(self.place()?).await?)
    }

    fn place(&self) -> Result<PathBuf> {
        let folder = self.cluster.folder().join("agent");
        std::fs::create_dir_all(&folder)?;
        let socket = self.cluster.house.seat(Party::Agent).folder.join("agent.sock");
        let text = format!(
            "socket = {socket:?}\ncoordinator = \"{}\"\n\n[[chains]]\nchain = \"eip155:4217\"\n\
             endpoints = [\"{}\"]\n\n[rules]\nmax_price = \"0.10 USDC\"\n\
             chains = [\"eip155:4217\"]\n\n[rules.mpp]\nmax_prices = [\"0.10 pathUSD\"]\n\
             max_deposits = [\"1 pathUSD\"]\n",
            self.cluster.house.coordinator_url(),
            self.tempo.url(),
        );
        std::fs::write(folder.join("wallet.toml"), text)?;
        Ok(folder)
    }

    async fn left(&self) -> Result<u128> {
        self.tempo.balance(PATH_USD, self.address).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_merchant_is_paid_by_charge_plain_and_sponsored() -> Result<()> {
    let shop = Shop::open("5 pathUSD").await?;
    let wallet = shop.wallet().await?;
    let payee = shop.merchant.party().await?.payee;
    let before = shop.tempo.balance(PATH_USD, payee).await?;
    let fetched = wallet.get(shop.merchant.route("/charge")).await?;
    let receipt = fetched.receipt.context("nothing was paid")?;
    ensure!(fetched.response.text().await?.contains("what you paid for"));
    ensure!(receipt.verified, "{receipt:?}");
    let plain = shop.left().await?;
    ensure!(
        FUNDS_UNITS - plain >= CENT && FUNDS_UNITS - plain < 2 * CENT,
        "{plain}: a cent and a fee"
    );

    let fetched = wallet.get(shop.merchant.route("/sponsored/charge")).await?;
    ensure!(fetched.response.text().await?.contains("what you paid for"));
    ensure!(plain - shop.left().await? == CENT, "the merchant pays the fee");
    ensure!(shop.tempo.balance(PATH_USD, payee).await? >= before + 2 * CENT - CENT / 2);
    wallet.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_with_the_official_merchant_counts_its_deposit_until_it_is_closed() -> Result<()>
{
    let shop = Shop::open("1.12 pathUSD").await?;
    let wallet = shop.wallet().await?;
    for request in 1..=4_u64 {
        let fetched = wallet.get(shop.merchant.route("/session")).await?;
        ensure!(fetched.response.text().await?.contains("what you paid for"), "request {request}");
    }
    let channels = shop.merchant.channels().await?;
    let [channel] = channels.as_slice() else { anyhow::bail!("one channel for all: {channels:?}") };
    ensure!(channel.units == 4 && channel.payer == shop.address, "{channel:?}");
    ensure!(shop.left().await? < FUNDS_UNITS - 99 * CENT, "a dollar is in the channel");

    let sessions = wallet.sessions(10).await?;
    let [session] = sessions.as_slice() else { anyhow::bail!("{sessions:?}") };
    ensure!(session.state == SessionState::Open, "{session:?}");
    let closed = wallet.close_session(&session.channel).await?;
    ensure!(closed.state == SessionState::Closing || closed.state == SessionState::Closed);
    let begun = Instant::now();
    let ended = loop {
        wallet.tend_sessions().await?;
        let session = wallet.session(&session.channel).await?;
        if session.state == SessionState::Closed {
            break session;
        }
        ensure!(begun.elapsed() < PATIENCE, "never closed: {session:?}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    ensure!(ended.settled.context("no settled amount")?.base_units() == 4 * CENT, "{ended:?}");
    ensure!(shop.left().await? > FUNDS_UNITS - 20 * CENT, "the rest came back");

    let opening = shop.cluster.settled(&ended.opened_by.id).await?;
    ensure!(opening.settled_amount.context("no settled amount")?.base_units() == 4 * CENT);
    // There is room for the next session only because the first gave back what it did not use; each
    // node sees that for itself.
    tokio::time::sleep(NODES_LOOK).await;
    let fetched = wallet.get(shop.merchant.route("/session")).await?;
    ensure!(fetched.response.text().await?.contains("what you paid for"));
    let other = wallet.get(shop.merchant.route("/charge")).await;
    ensure!(matches!(other, Err(Error::Refused { .. })), "over the limit: {other:?}");
    wallet.close().await;
    Ok(())
}
