//! The agent's node beside short-lived processes of the agent: they share its warm stock over the
//! socket, die when they like, and outlive a restart of the node. No passphrase is where they are.
//!
//! Slow (a minute): real processes, a chain, and presignatures made in the background.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use alloy_primitives::Address;
use anyhow::{Context as _, Result, bail, ensure};
use tercet::node::{AgentNode as _, Beside};
use tercet::{Error, Receipt, Wallet};
use tercet_api::payment::SigningWay;
use tercet_cli::demo::process::program;
use tercet_policy::chain::Chain;
use tercet_policy::intent::Service;
use tercet_policy::party::Party;
use tercet_tests::cluster::{Cluster, FUNDS_UNITS, PATIENCE, PAYEE, Plan};
use tercet_tests::peers::Peer;
use url::Url;

const CENT: u128 = 10_000;

struct Shop {
    cluster: Cluster,
    merchant: Peer,
    _facilitator: Peer,
    address: Address,
}

impl Shop {
    /// A house whose policy allows the official merchant, a funded wallet, and the agent's node
    /// with a socket.
    async fn open() -> Result<Self> {
        let mut cluster = Cluster::started(Plan { policy: None, ..Plan::default() }).await?;
        let facilitator = Peer::facilitator(&cluster.chain).await?;
        let merchant = Peer::merchant(&facilitator, Chain::Base, PAYEE, "$0.01").await?;
        let service = Service::of(merchant.url().as_str())?;
        let policy = format!(
            "policy: research-01\nepoch: 1\napplies_to: {{ agent: research-01 }}\nrules:\n  \
             - limit: {{ amount: 5 USDC, per: day }}\n  \
             - allow: {{ services: [\"{service}\"] }}\n  \
             - allow: {{ recipients: [\"{PAYEE}\"] }}\n"
        );
        cluster.house.line()?.install_policy(&policy).await.context("policy")?;
        let address = cluster.new_wallet().await?;
        cluster.stop_node(Party::Agent).await;
        let path = cluster.house.seat(Party::Agent).config();
        let text = std::fs::read_to_string(&path)?;
        std::fs::write(&path, format!("{text}\n[socket]\npath = \"agent.sock\"\n"))?;
        cluster.start_node(Party::Agent, &[]).await?;
        Ok(Self { cluster, merchant, _facilitator: facilitator, address })
    }

    fn socket(&self) -> PathBuf {
        self.cluster.house.seat(Party::Agent).folder.join("agent.sock")
    }

    /// What an agent's process has: one file, and a journal of purchases beside it.
    fn place(&self, name: &str) -> Result<PathBuf> {
        let folder = self.cluster.folder().join(name);
        std::fs::create_dir(&folder)?;
        let (socket, house) = (self.socket(), &self.cluster.house);
        let text = format!(
            "socket = {socket:?}\ncoordinator = \"{}\"\n\n[[chains]]\nchain = \"eip155:8453\"\n\
             endpoints = [\"{}\"]\n\n[rules]\nmax_price = \"0.10 USDC\"\n",
            house.coordinator_url(),
            house.rpc,
        );
        std::fs::write(folder.join("wallet.toml"), text)?;
        Ok(folder)
    }

    /// A purchase of its own: what is asked for differs, and costs the same.
    fn url(&self, what: &str) -> Url {
        let mut url = self.merchant.route("/paid");
        url.set_query(Some(&format!("at={what}")));
        url
    }

    async fn spent(&self, wallet: &Wallet) -> Result<u128> {
        let balances = wallet.balance().await?;
        let left = balances.first().context("no balance")?.usdc.base_units();
        FUNDS_UNITS.checked_sub(left).context("more than there was")
    }
}

async fn bought(wallet: &Wallet, url: Url) -> Result<Receipt> {
    let fetched = wallet.get(url).await?;
    let receipt = fetched.receipt.context("nothing was paid")?;
    ensure!(fetched.response.text().await?.contains("what you paid for"));
    ensure!(receipt.verified, "{receipt:?}");
    Ok(receipt)
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_of_an_agent_share_the_node_beside_them_and_its_stock() -> Result<()> {
    let shop = Shop::open().await?;
    let (one, two) = (shop.place("one")?, shop.place("two")?);
    let (one, two) = (Wallet::open(one).await?, Wallet::open(two).await?);
    assert_eq!((one.address(), two.address()), (shop.address, shop.address));
    assert!(one.readiness().await?.ready);

    let (first, second) =
        tokio::join!(bought(&one, shop.url("first")), bought(&two, shop.url("second")));
    assert_ne!(first?.nonce, second?.nonce);
    assert_eq!(shop.spent(&one).await?, 2 * CENT);

    // The node keeps the stock that the next process finds.
    one.close().await;
    let begun = Instant::now();
    let mut paid = 2;
    let receipt = loop {
        let receipt = bought(&two, shop.url(&format!("n{paid}"))).await?;
        paid += 1;
        if receipt.signed_by == Some(SigningWay::Presignature) {
            break receipt;
        }
        ensure!(begun.elapsed() < PATIENCE, "nothing is ever signed from stock");
        tokio::time::sleep(Duration::from_secs(2)).await;
    };
    ensure!(receipt.transaction.is_some());
    assert_eq!(shop.spent(&two).await?, paid * CENT);
    let log = shop.cluster.log("agent");
    let authorization = "signature\":\"0x";
    ensure!(!log.contains(authorization), "a bearer instrument is in the log");
    two.close().await;
    assert!(Beside::at(&shop.socket())?.keys().await.is_ok(), "the node runs on");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_restarted_is_waited_for_and_the_same_intent_goes_on() -> Result<()> {
    let mut shop = Shop::open().await?;
    let wallet = Wallet::open(shop.place("one")?).await?;
    bought(&wallet, shop.url("before")).await?;
    shop.cluster.stop_node(Party::Agent).await;
    ensure!(!shop.socket().exists(), "the file is taken away");
    let Err(Error::NotSigned { intent, retryable, detail }) = wallet.get(shop.url("now")).await
    else {
        bail!("something was signed without a node");
    };
    ensure!(retryable && detail.contains("does not answer"), "{detail}");
    shop.cluster.start_node(Party::Agent, &[]).await?;
    let receipt = bought(&wallet, shop.url("now")).await?;
    assert_eq!(receipt.intent, intent, "the same intent goes on");
    assert_eq!(shop.spent(&wallet).await?, 2 * CENT);
    wallet.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_while_it_pays_loses_nothing() -> Result<()> {
    let shop = Shop::open().await?;
    let place = shop.place("one")?;
    let url = shop.url("killed");
    for after_ms in [150, 400, 900] {
        let mut process = Command::new(program("tercet"))
            .arg("--home")
            .arg(&place)
            .args(["fetch", url.as_str()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        tokio::time::sleep(Duration::from_millis(after_ms)).await;
        process.kill()?;
        process.wait()?;
    }
    let wallet = Wallet::open(&place).await?;
    // What was bought to the end may be bought once more; what was not goes on.
    let done = wallet.purchases(10).await?;
    let over = done.iter().filter(|purchase| purchase.receipt.is_some()).count();
    match wallet.get(url).await {
        Ok(_) | Err(Error::PaidNotDelivered { .. }) => {}
        Err(error) => bail!("{error}"),
    }
    let all = wallet.purchases(10).await?;
    ensure!(all.len() <= over.saturating_add(1), "an open purchase was begun anew: {all:?}");
    let spent = shop.spent(&wallet).await?;
    ensure!(spent <= CENT * all.len() as u128, "{spent} for {} purchases", all.len());
    wallet.close().await;
    Ok(())
}
