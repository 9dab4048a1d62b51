//! A house that pays on Tempo, and one service that sells there: the ground of the tests of MPP.
//!
//! Promises: real nodes of our own with the agent's beside its wallets, a chain with the channel
//! reserve, and a wallet with money. Every wallet that is opened under another name has a journal
//! of its own, and so neither sessions nor known payees of the others.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use alloy_primitives::Address;
use anyhow::{Context as _, Result, ensure};
use tercet::Wallet;
use tercet::mpp::{Session, SessionState};
use tercet_cli::demo::house::ConfigText;
use tercet_policy::chain::PATH_USD;
use tercet_policy::intent::Service;
use tercet_policy::mpp::ChannelId;
use tercet_policy::party::Party;

use crate::cluster::{Cluster, Plan};
use crate::mpp_peers::{MerchantTerms, MppParty, MppPeer};
use crate::tempo::TempoNode;

/// What a wallet is given, in base units: 100 pathUSD.
pub const FUNDS_UNITS: u128 = 100_000_000;
/// Between two looks at what takes its time.
const PAUSE: Duration = Duration::from_millis(500);

/// Who sells.
#[derive(Clone, Copy, Debug)]
pub enum Seller<'a> {
    /// The official merchant.
    Official(MerchantTerms<'a>),
    /// The service that cheats.
    Hostile,
}

/// The house, the chain and the service. In rules of either kind, `{service}` and `{payee}` stand
/// for those of the service.
#[derive(Debug)]
pub struct MppShop {
    /// The house.
    pub cluster: Cluster,
    /// Its chain.
    pub tempo: TempoNode,
    /// Who sells.
    pub seller: MppPeer,
    /// Who is paid.
    pub party: MppParty,
    /// The wallet.
    pub address: Address,
}

impl MppShop {
    /// Starts it all, with a policy of these rules (YAML, one a line).
    ///
    /// # Errors
    /// What could not be started.
    pub async fn open(seller: Seller<'_>, rules: &[&str]) -> Result<Self> {
        let tempo = TempoNode::start().await?;
        let seller = match seller {
            Seller::Official(terms) => MppPeer::merchant(&tempo, terms).await?,
            Seller::Hostile => MppPeer::hostile(&tempo).await?,
        };
        let party = seller.party().await?;
        let (url, chain) = (tempo.url(), "eip155:4217");
        let text = ConfigText {
            coordinator_more: format!("\n[[chains]]\nid = \"{chain}\"\nrpc = [\"{url}\"]\n"),
            node_more: format!(
                "\n[[chains]]\nchain = \"{chain}\"\nendpoints = [\"{url}\"]\n\n[limits]\n\
                 reconcile_seconds = 1\n"
            ),
            ..ConfigText::default()
        };
        let cluster = Cluster::started(Plan { policy: None, text, ..Plan::default() }).await?;
        let mut shop = Self { cluster, tempo, seller, party, address: Address::ZERO };
        shop.install(1, rules).await?;
        shop.address = shop.cluster.new_wallet().await?;
        shop.tempo.fund(shop.address, FUNDS_UNITS).await?;
        shop.give_the_agent_a_socket().await?;
        Ok(shop)
    }

    async fn give_the_agent_a_socket(&mut self) -> Result<()> {
        self.cluster.stop_node(Party::Agent).await;
        let path = self.cluster.house.seat(Party::Agent).config();
        let text = std::fs::read_to_string(&path)?;
        std::fs::write(&path, format!("{text}\n[socket]\npath = \"agent.sock\"\n"))?;
        self.cluster.start_node(Party::Agent, &[]).await
    }

    /// Puts a policy of these rules in the place of the one before.
    ///
    /// # Errors
    /// When it is not taken.
    pub async fn install(&self, epoch: u32, rules: &[&str]) -> Result<()> {
        let lines: String = rules.iter().map(|rule| format!("  - {rule}\n")).collect();
        let policy = format!(
            "policy: research-01\nepoch: {epoch}\napplies_to: {{ agent: research-01 }}\n\
             rules:\n{lines}"
        );
        let policy = self.filled(&policy)?;
        self.cluster.house.line()?.install_policy(&policy).await.context("policy")?;
        Ok(())
    }

    /// The folder of the wallet of this name.
    #[must_use]
    pub fn folder(&self, name: &str) -> PathBuf {
        self.cluster.folder().join("wallets").join(name)
    }

    /// Lays out the folder of a wallet whose own rules are these (TOML, from `[rules]` on).
    ///
    /// # Errors
    /// The disk's.
    pub fn lay_out(&self, name: &str, rules: &str) -> Result<PathBuf> {
        let folder = self.folder(name);
        std::fs::create_dir_all(&folder)?;
        let socket = self.cluster.house.seat(Party::Agent).folder.join("agent.sock");
        let text = format!(
            "socket = {socket:?}\ncoordinator = \"{}\"\n\n[[chains]]\nchain = \"eip155:4217\"\n\
             endpoints = [\"{}\"]\n\n{}",
            self.cluster.house.coordinator_url(),
            self.tempo.url(),
            self.filled(rules)?,
        );
        std::fs::write(folder.join("wallet.toml"), text)?;
        Ok(folder)
    }

    /// The wallet of this name, with rules of its own.
    ///
    /// # Errors
    /// When it does not open.
    pub async fn wallet(&self, name: &str, rules: &str) -> Result<Wallet> {
        Ok(Wallet::open(self.lay_out(name, rules)?).await?)
    }

    /// Base units of pathUSD that the wallet has.
    ///
    /// # Errors
    /// When the node is gone.
    pub async fn left(&self) -> Result<u128> {
        self.tempo.balance(PATH_USD, self.address).await
    }

    fn filled(&self, text: &str) -> Result<String> {
        let service = Service::of(self.seller.url().as_str())?;
        let payee = self.party.payee.to_string();
        Ok(text.replace("{service}", service.as_str()).replace("{payee}", &payee))
    }
}

/// Looks after the sessions of a wallet until one of them stands like this.
///
/// # Errors
/// When it does not in time.
pub async fn session_in(
    wallet: &Wallet,
    channel: &ChannelId,
    state: SessionState,
    patience: Duration,
) -> Result<Session> {
    let begun = Instant::now();
    loop {
        wallet.tend_sessions().await?;
        let session = wallet.session(channel).await?;
        if session.state == state {
            return Ok(session);
        }
        ensure!(begun.elapsed() < patience, "not {state}, but {session:?}");
        tokio::time::sleep(PAUSE).await;
    }
}
