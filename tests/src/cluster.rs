//! A whole house of real processes on loopback: a Base node, a coordinator, three nodes.
//!
//! Promises: everything it started ends when it is dropped, and prints the ends of its logs when
//! the test has failed. Takes the group's aux info from TEST-ONLY fixtures unless told otherwise,
//! so that a cluster is up within seconds.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256, address};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tercet_api::payment::{PaymentStatus, PaymentView};
use tercet_api::problem::ProblemCode;
use tercet_cli::demo::house::{ActError, ConfigText, House, now};
use tercet_cli::demo::process::{Process, program};
use tercet_cli::demo::testbed::{ONE_ETHER_WEI, Rpc, peers_in, usdc};
use tercet_policy::chain::Chain;
use tercet_policy::intent::{
    INTENT_VERSION, IntentId, Payment, PaymentIntent, Service, Transfer, X402Exact,
};
use tercet_policy::money::Amount;
use tercet_policy::party::{AgentId, Party};
use tercet_signer::sealed::SealedName;

use crate::chain::BaseNode;

/// A payee that the usual policy allows.
pub const PAYEE: Address = address!("0x209693Bc6afc0C5328bA36FaF03C514EF312287C");
/// A payee that no policy of a test allows.
pub const STRANGER: Address = address!("0x00000000000000000000000000000000DeaDBeef");
/// What a wallet is given, in base units: 1,000 USDC.
pub const FUNDS_UNITS: u128 = 1_000_000_000;
/// A service that the usual policy allows.
pub const RESOURCE: &str = "https://api.search.example/report";
/// How long a test waits for what should come at once.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The usual policy: at most 0.50 a payment and 5 a day, for one service and one payee.
pub const POLICY: &str = r#"
policy: research-01
epoch: 1
applies_to: { agent: research-01 }
rules:
  - max_amount: 0.50 USDC
  - limit: { amount: 5 USDC, per: day }
  - allow: { services: ["api.search.example"] }
  - allow: { recipients: ["0x209693Bc6afc0C5328bA36FaF03C514EF312287C"] }
"#;

/// Where the tree begins.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Fails with what to do when the programs of the house are not built.
///
/// # Errors
/// Names the program that is missing.
pub fn programs_are_built() -> Result<()> {
    for name in ["tercet", "tercet-coordinator", "tercet-signer-node"] {
        let path = program(name);
        ensure!(
            path.exists(),
            "{} is not built: run `make test`, or `cargo build --workspace --bins` first",
            path.display()
        );
    }
    ensure!(
        peers_in(&root()).join("node_modules").is_dir(),
        "the test chain is not installed: run `make setup` first"
    );
    Ok(())
}

/// How a cluster is to be.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The policy, if one is to be installed.
    pub policy: Option<String>,
    /// Whether to seal the TEST-ONLY aux info.
    pub fixtures: bool,
    /// More configuration.
    pub text: ConfigText,
}

impl Default for Plan {
    fn default() -> Self {
        Self { policy: Some(POLICY.to_owned()), fixtures: true, text: ConfigText::default() }
    }
}

/// The processes and what is known about them.
#[derive(Debug)]
pub struct Cluster {
    /// Files, keys, addresses.
    pub house: House,
    /// The Base node.
    pub chain: BaseNode,
    /// Its JSON-RPC.
    pub rpc: Rpc,
    /// How it was to be.
    pub plan: Plan,
    /// The coordinator; none while it is down.
    pub coordinator: Option<Process>,
    /// Nodes that run as processes.
    pub nodes: BTreeMap<Party, Process>,
    folder: TempDir,
}

impl Cluster {
    /// Starts a chain and lays the house out; nothing of ours runs yet.
    ///
    /// # Errors
    /// What could not be started.
    pub async fn laid_out(plan: Plan) -> Result<Self> {
        programs_are_built()?;
        let folder = tempfile::tempdir()?;
        let chain = BaseNode::start().await?;
        let rpc = Rpc::new(chain.url().to_string());
        let agent = AgentId::new("research-01")?;
        let house = House::lay_out(&folder.path().join("house"), &agent, rpc.url())?;
        house.write_configs(|_| house.coordinator_url(), &plan.text)?;
        if plan.fixtures {
            seal_fixtures(&house)?;
        }
        Ok(Self { house, chain, rpc, plan, coordinator: None, nodes: BTreeMap::new(), folder })
    }

    /// A coordinator and three nodes, the agent enrolled, the policy installed.
    ///
    /// # Errors
    /// What could not be started.
    pub async fn started(plan: Plan) -> Result<Self> {
        let mut cluster = Self::laid_out(plan).await?;
        cluster.start_coordinator(&[]).await?;
        let line = cluster.house.line()?;
        line.enrol().await.context("enrolment")?;
        if let Some(policy) = &cluster.plan.policy {
            line.install_policy(policy).await.context("policy")?;
        }
        for party in Party::ALL {
            cluster.start_node(party, &[]).await?;
        }
        Ok(cluster)
    }

    /// A started cluster with a funded wallet.
    ///
    /// # Errors
    /// What could not be started or made.
    pub async fn with_wallet(plan: Plan) -> Result<(Self, Address)> {
        let cluster = Self::started(plan).await?;
        let wallet = cluster.new_wallet().await?;
        Ok((cluster, wallet))
    }

    /// Starts the coordinator again, or for the first time.
    ///
    /// # Errors
    /// [`tercet_cli::demo::house::HouseError`].
    pub async fn start_coordinator(&mut self, more: &[&str]) -> Result<()> {
        self.coordinator = Some(self.house.start_coordinator(more).await?);
        Ok(())
    }

    /// Starts a node again, or for the first time, and waits until it is ready.
    ///
    /// # Errors
    /// [`tercet_cli::demo::house::HouseError`].
    pub async fn start_node(&mut self, party: Party, more: &[&str]) -> Result<()> {
        let node = self.house.start_node(party, more).await?;
        self.nodes.insert(party, node);
        Ok(())
    }

    /// Ends a node in order, so that its home is free.
    pub async fn stop_node(&mut self, party: Party) {
        if let Some(node) = self.nodes.remove(&party) {
            node.stop().await;
        }
    }

    /// Makes a wallet with the three nodes, and funds it.
    ///
    /// # Errors
    /// The ceremony's failure.
    pub async fn new_wallet(&self) -> Result<Address> {
        let line = self.house.line()?;
        let ceremony = line.ask_for_wallet("test").await?;
        let wallet = line.follow(&ceremony, |_| {}).await?;
        self.rpc.fund(wallet, FUNDS_UNITS, ONE_ETHER_WEI).await?;
        Ok(wallet)
    }

    /// An x402 intent of this house's agent.
    ///
    /// # Errors
    /// A resource that is none.
    pub fn x402(&self, wallet: Address, to: Address, units: u128) -> Result<PaymentIntent> {
        let created_at = now();
        let service = Service::of(RESOURCE)?;
        let payment = Payment::X402Exact(X402Exact {
            chain: Chain::Base,
            token: usdc(),
            to,
            amount: Amount::from_base_units(units),
            valid_before: created_at.plus(300),
            resource: RESOURCE.to_owned(),
            service,
        });
        self.intent(wallet, payment)
    }

    /// A transfer intent of this house's agent.
    ///
    /// # Errors
    /// Without randomness.
    pub fn transfer(&self, wallet: Address, to: Address, units: u128) -> Result<PaymentIntent> {
        let amount = Amount::from_base_units(units);
        self.intent(
            wallet,
            Payment::Transfer(Transfer { chain: Chain::Base, token: usdc(), to, amount }),
        )
    }

    fn intent(&self, wallet: Address, payment: Payment) -> Result<PaymentIntent> {
        let created_at = now();
        Ok(PaymentIntent {
            version: INTENT_VERSION,
            id: IntentId(random()?),
            agent: self.house.agent.clone(),
            wallet,
            payment,
            declared: tercet_policy::declared::Declared::default(),
            created_at,
            expires_at: created_at.plus(300),
        })
    }

    /// Signs and posts an intent, and yields where the payment stands, refused or not.
    ///
    /// # Errors
    /// [`ActError`] other than a refusal.
    pub async fn pay(&self, intent: PaymentIntent) -> Result<PaymentView> {
        let (id, line) = (intent.id, self.house.line()?);
        match line.pay(self.house.sign_intent(intent)?).await {
            Err(ActError::Problem(problem)) if problem.code == ProblemCode::Refused => {
                Ok(line.payment(&id).await?)
            }
            answer => Ok(answer?),
        }
    }

    /// Follows a payment until `until` holds.
    ///
    /// # Errors
    /// When it does not within [`PATIENCE`].
    pub async fn payment_when(
        &self,
        id: &IntentId,
        until: impl Fn(&PaymentView) -> bool,
    ) -> Result<PaymentView> {
        let line = self.house.line()?;
        let begun = Instant::now();
        let mut last = None;
        while begun.elapsed() < PATIENCE {
            if let Ok(view) = line.payment(id).await {
                if until(&view) {
                    return Ok(view);
                }
                last = Some(view);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("payment {id} is still {last:#?}")
    }

    /// Follows a payment until it is settled.
    ///
    /// # Errors
    /// When it is not within [`PATIENCE`].
    pub async fn settled(&self, id: &IntentId) -> Result<PaymentView> {
        self.payment_when(id, |view| view.status == PaymentStatus::Settled).await
    }

    /// A node's log.
    #[must_use]
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.house.log(name)).unwrap_or_default()
    }

    /// The coordinator's address.
    #[must_use]
    pub const fn coordinator_address(&self) -> SocketAddr {
        self.house.coordinator
    }

    /// Where everything of this cluster lies.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Cluster {
    #[allow(clippy::print_stderr, reason = "a test that failed shows why")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            for process in self.nodes.values().chain(&self.coordinator) {
                eprintln!("--- {} ---\n{}", process.name(), process.log_tail());
            }
        }
    }
}

/// 32 random bytes.
///
/// # Errors
/// Without randomness.
pub fn random() -> Result<[u8; 32]> {
    let mut bytes = B256::ZERO.0;
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(bytes)
}

/// Seals the TEST-ONLY aux info into the three homes.
///
/// # Errors
/// A home or a fixture that cannot be used.
pub fn seal_fixtures(house: &House) -> Result<()> {
    let folder = root().join("signer-node/signer/tests/fixtures");
    for seat in &house.seats {
        let path = folder.join(format!("TEST-ONLY-group-aux-{}.json", seat.party));
        let fixture: Value = serde_json::from_str(&std::fs::read_to_string(&path)?)?;
        let payload = fixture.get("payload").context("a fixture without payload")?;
        let (home, kek) = seat.open()?;
        let name = SealedName::AuxInfo { agent: house.agent.clone() };
        home.seal(&name, now(), &serde_json::to_vec(payload)?, &kek)?;
    }
    Ok(())
}
