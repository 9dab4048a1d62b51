//! `kill -9` while an agent buys from the official merchant: of its own process (also while it
//! transfers), of the operator's node and of the coordinator. After a restart the purchase goes on
//! with the same intent; the merchant is paid once; what nobody goes on with is void once the chain
//! proves it, by every party's own look.
//!
//! Slow (two minutes): every point is a crash, a restart and a payment on a real chain.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256, keccak256};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;
use tercet::journal::{Purchase, State};
use tercet::{Error, Fetched, Wallet, WalletConfig};
use tercet_api::payment::{PaymentStatus, PaymentView};
use tercet_cli::demo::house::{ConfigText, now};
use tercet_cli::demo::process::{Process, program};
use tercet_cli::demo::testbed::usdc;
use tercet_policy::chain::Chain;
use tercet_policy::intent::{IntentId, Service};
use tercet_policy::ledger::SpendState;
use tercet_policy::party::Party;
use tercet_policy::proposal::eip3009_nonce;
use tercet_signer::gate::CrashPoint;
use tercet_signer::journal::{Journal, Pins};
use tercet_signer_node::config::NodeConfig;
use tercet_tests::cluster::{Cluster, FUNDS_UNITS, PATIENCE, PAYEE, Plan};
use tercet_tests::peers::Peer;
use url::Url;

const FLAG: &str = "--insecure-crash-at";
/// The points that an authorization passes; the coordinator never broadcasts one.
const COORDINATOR_POINTS: [&str; 3] = ["after_insert", "after_sign_sent", "after_signed_stored"];
const SIGABRT: i32 = 6;
const CENT: u128 = 10_000;
/// Blocks that certainly are safe on the test chain.
const SAFE_BLOCKS: u64 = 8;

struct Shop {
    cluster: Cluster,
    merchant: Peer,
    _facilitator: Peer,
    address: Address,
}

impl Shop {
    /// A house, its wallet and the official merchant. The agent's home is free for its own process.
    async fn open() -> Result<Self> {
        let node_more = "\n[limits]\nreconcile_seconds = 1\n".to_owned();
        let text = ConfigText { node_more, ..ConfigText::default() };
        let mut cluster = Cluster::started(Plan { policy: None, text, ..Plan::default() }).await?;
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
        let rules = "[rules]\nmax_price = \"0.10 USDC\"\nallow_private_hosts = true\n";
        let folder = &cluster.house.seat(Party::Agent).folder;
        std::fs::write(folder.join("wallet.toml"), rules)?;
        Ok(Self { cluster, merchant, _facilitator: facilitator, address })
    }

    /// A purchase of its own: what is asked for differs, and costs the same.
    fn url(&self, what: &str) -> Url {
        let mut url = self.merchant.route("/paid");
        url.set_query(Some(&format!("at={what}")));
        url
    }

    /// Runs `tercet` until it kills itself at `point`.
    async fn crash(&self, point: CrashPoint, arguments: &[&str]) -> Result<()> {
        let house = &self.cluster.house;
        let mut command = Command::new(program("tercet"));
        command.arg("--json").arg("--home").arg(&house.seat(Party::Agent).folder).args(arguments);
        command.args([FLAG, point.word()]);
        let mut agent = Process::start("tercet", &mut command, &house.log("tercet"))?;
        has_crashed(&mut agent, point.word()).await
    }

    async fn wallet(&self) -> Result<Wallet> {
        let folder = &self.cluster.house.seat(Party::Agent).folder;
        let wallet = Wallet::open_with(WalletConfig::read(folder)?).await?;
        wallet.wait_connected(PATIENCE).await?;
        Ok(wallet)
    }

    /// Dies while it buys; the intent that it left behind.
    async fn crash_buying(&self, point: CrashPoint, url: &Url) -> Result<IntentId> {
        self.crash(point, &["fetch", url.as_str()]).await?;
        let wallet = self.wallet().await?;
        let standing = wallet.resume().await?;
        let [left] = standing.as_slice() else { bail!("{}: {standing:?}", point.word()) };
        ensure!(left.url == url.as_str(), "{left:?}");
        ensure!(left.state == State::Chosen && left.deadline.is_some(), "{left:?}");
        wallet.close().await;
        Ok(left.intent)
    }

    /// Dies while it buys, is started again, and asks for the same: the same intent brings it.
    async fn buys_once(&self, point: CrashPoint) -> Result<IntentId> {
        let url = self.url(point.word());
        let left = self.crash_buying(point, &url).await?;
        let view = self.cluster.payment_when(&left, |_| true).await?;
        ensure!(view.status != PaymentStatus::Settled, "nothing was sent: {view:#?}");
        let wallet = self.wallet().await?;
        let fetched = get(&wallet, &url).await?;
        let receipt = fetched.receipt.context("it was not paid for")?;
        ensure!(receipt.intent == left, "{}: {receipt:?} is not {left}", point.word());
        ensure!(fetched.response.text().await?.contains("what you paid for"));
        let bought = bought(&wallet, &url).await?;
        let [one] = bought.as_slice() else { bail!("{bought:?}") };
        ensure!(matches!(one.state, State::Delivered | State::Unverified), "{one:?}");
        wallet.close().await;
        Ok(left)
    }

    /// Dies while it transfers, and is started again: the coordinator goes on with the intent.
    async fn transfers_once(&self, point: CrashPoint, known: &[IntentId]) -> Result<IntentId> {
        self.crash(point, &["transfer", &PAYEE.to_string(), "0.02"]).await?;
        let wallet = self.wallet().await?;
        let page = wallet.payments(None).await?;
        let new: Vec<_> = page.payments.iter().filter(|v| !known.contains(&v.id)).collect();
        let [left] = new.as_slice() else { bail!("{new:#?}") };
        self.cluster.settled(&left.id).await.context(point.word())?;
        wallet.close().await;
        Ok(left.id)
    }

    /// The operator's node, or else the coordinator, dies while this wallet buys, and is started
    /// again.
    async fn buys_while_another_dies(
        &mut self,
        wallet: &Wallet,
        node: Option<Party>,
        point: &str,
    ) -> Result<IntentId> {
        let url = self.url(&format!("{point}-of-{}", node.map_or("coordinator", Party::word)));
        let mut doomed = self.doom(node, point).await?;
        wallet.wait_connected(PATIENCE).await?;
        let cluster = &mut self.cluster;
        let restart = async {
            has_crashed(&mut doomed, point).await?;
            match node {
                Some(party) => cluster.start_node(party, &[]).await,
                None => cluster.start_coordinator(&[]).await,
            }
        };
        let (fetched, restarted) = tokio::join!(get(wallet, &url), restart);
        restarted?;
        let receipt = fetched?.receipt.context("it was not paid for")?;
        let bought = bought(wallet, &url).await?;
        let [one] = bought.as_slice() else { bail!("{bought:?}") };
        ensure!(one.intent.id == receipt.intent, "{one:?}");
        Ok(receipt.intent)
    }

    /// Starts a process again, so that it dies at `point`.
    async fn doom(&mut self, node: Option<Party>, point: &str) -> Result<Process> {
        let cluster = &mut self.cluster;
        let doomed = match node {
            Some(party) => {
                cluster.stop_node(party).await;
                cluster.start_node(party, &[FLAG, point]).await?;
                cluster.nodes.remove(&party)
            }
            None => {
                drop(cluster.coordinator.take());
                cluster.start_coordinator(&[FLAG, point]).await?;
                cluster.coordinator.take()
            }
        };
        doomed.context("it was started")
    }

    /// The nonces that the token shows as used by the wallet, each as often as it shows it.
    async fn used_nonces(&self) -> Result<Vec<B256>> {
        let event = keccak256("AuthorizationUsed(address,bytes32)");
        let topics = [event, self.address.into_word()];
        let filter = json!([{ "address": usdc(), "fromBlock": "0x0", "topics": topics }]);
        let logs = self.cluster.rpc.call("eth_getLogs", filter).await?;
        let logs = logs.as_array().context("logs")?;
        logs.iter().map(|log| Ok(serde_json::from_value(log["topics"][2].clone())?)).collect()
    }

    /// What the journals of both everyday nodes, which must not run, say of an intent.
    async fn journals(&self, ids: &[IntentId]) -> Result<Vec<(Party, Vec<Option<SpendState>>)>> {
        let mut found = Vec::new();
        for party in Party::EVERYDAY {
            let seat = self.cluster.house.seat(party);
            let authority = NodeConfig::read(&seat.config())?.authority;
            let (home, _) = seat.open()?;
            let pins = Pins { authority, own_policies: Vec::new() };
            let journal = Journal::open(Arc::new(home), pins, now()).await?;
            let mut states = Vec::new();
            for id in ids {
                states.push(journal.spend_state(*id).await?);
            }
            journal.close().await?;
            found.push((party, states));
        }
        Ok(found)
    }
}

async fn has_crashed(process: &mut Process, point: &str) -> Result<()> {
    let ended = process.wait(PATIENCE).await?;
    ensure!(ended.signal() == Some(SIGABRT), "{point}: {ended}\n{}", process.log_tail());
    Ok(())
}

/// Asks until it comes: an earlier session may have to end first.
async fn get(wallet: &Wallet, url: &Url) -> Result<Fetched> {
    let begun = Instant::now();
    loop {
        match wallet.get(url.clone()).await {
            Err(Error::NotSigned { retryable: true, .. } | Error::Unknown(_))
                if begun.elapsed() < PATIENCE =>
            {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            ended => return Ok(ended?),
        }
    }
}

async fn bought(wallet: &Wallet, url: &Url) -> Result<Vec<Purchase>> {
    let mut purchases = wallet.purchases(100).await?;
    purchases.retain(|purchase| purchase.url == url.as_str());
    Ok(purchases)
}

/// Void needs evidence: the chain's own clock past the end, the authorization still unused.
async fn void_once_the_chain_proves_it(shop: &Shop, left: IntentId, url: &Url) -> Result<()> {
    let chain = &shop.cluster.chain;
    let view = shop.cluster.payment_when(&left, |v| v.deadline.is_some()).await?;
    ensure!(!view.status.is_terminal(), "{view:#?}");
    let end = view.deadline.context("no deadline")?;
    chain.advance_to(end.plus(1)).await?;
    chain.mine(SAFE_BLOCKS).await?;
    shop.cluster.payment_when(&left, |view| view.status == PaymentStatus::Void).await?;
    let wallet = shop.wallet().await?;
    let purchases = bought(&wallet, url).await?;
    let [one] = purchases.as_slice() else { bail!("{purchases:?}") };
    ensure!(one.state == State::Void, "{one:?}");
    wallet.close().await;
    // The operator's node looks for itself, every second.
    let (begun, name) = (Instant::now(), left.to_string());
    let is_void = |log: String| log.lines().any(|l| l.contains("void") && l.contains(&name));
    while !is_void(shop.cluster.log("operator")) {
        ensure!(begun.elapsed() < PATIENCE, "the operator does not call {left} void");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_dies_while_an_agent_buys_it_pays_once() -> Result<()> {
    let mut shop = Shop::open().await?;
    let mut bought = Vec::new();
    for point in CrashPoint::ALL {
        bought.push(Box::pin(shop.buys_once(point)).await.context(point.word())?);
    }
    bought.extend(Box::pin(others_die(&mut shop)).await?);
    let mut known = bought.clone();
    for point in CrashPoint::ALL {
        known.push(shop.transfers_once(point, &known).await.context(point.word())?);
    }
    let url = shop.url("nobody-goes-on");
    let left = shop.crash_buying(CrashPoint::AfterSignature, &url).await?;
    void_once_the_chain_proves_it(&shop, left, &url).await?;
    known.push(left);
    agree(&mut shop, &bought, &known).await
}

async fn others_die(shop: &mut Shop) -> Result<Vec<IntentId>> {
    let wallet = shop.wallet().await?;
    let mut bought = Vec::new();
    let operator = CrashPoint::ALL.map(|point| (Some(Party::Operator), point.word()));
    for (node, point) in operator.into_iter().chain(COORDINATOR_POINTS.map(|point| (None, point))) {
        let id = shop.buys_while_another_dies(&wallet, node, point).await;
        bought.push(id.with_context(|| format!("{node:?} at {point}"))?);
    }
    wallet.close().await;
    Ok(bought)
}

/// Chain, coordinator and both journals tell one story.
async fn agree(shop: &mut Shop, bought: &[IntentId], known: &[IntentId]) -> Result<()> {
    let moved = shop.cluster.rpc.moved_from(shop.address).await?;
    let transfers = known.len() - bought.len() - 1;
    ensure!(moved.len() == bought.len() + transfers, "{moved:?}");
    ensure!(moved.iter().all(|m| m.to == PAYEE), "{moved:?}");
    let has = shop.cluster.rpc.usdc(shop.address).await?.base_units();
    let spent = (bought.len() as u128 + 2 * transfers as u128) * CENT;
    ensure!(has == FUNDS_UNITS - spent, "the wallet has {has}");

    let mut used = shop.used_nonces().await?;
    let nonce = |id| eip3009_nonce(Chain::Base, usdc(), shop.address, id);
    let mut expected: Vec<_> = bought.iter().map(nonce).collect();
    used.sort();
    expected.sort();
    ensure!(used == expected, "used {used:?}, expected {expected:?}");

    let (mut slots, mut views) = (BTreeSet::new(), Vec::<PaymentView>::new());
    for id in known {
        views.push(shop.cluster.payment_when(id, |v| v.status.is_terminal()).await?);
    }
    for view in &views {
        ensure!(slots.insert(view.slot.clone()), "two payments in one slot: {views:#?}");
    }
    shop.cluster.stop_node(Party::Operator).await;
    let journals = shop.journals(known).await?;
    for (party, states) in journals {
        for (view, state) in views.iter().zip(states) {
            let fits = match view.status {
                PaymentStatus::Settled => {
                    matches!(state, Some(SpendState::Settled | SpendState::Spent))
                }
                PaymentStatus::Void => matches!(state, Some(SpendState::Void | SpendState::Spent)),
                _ => false,
            };
            ensure!(fits, "the {party} holds {state:?} of {view:#?}");
            let own_look = party == Party::Operator;
            ensure!(!own_look || state != Some(SpendState::Spent), "not reconciled: {view:#?}");
        }
    }
    Ok(())
}
