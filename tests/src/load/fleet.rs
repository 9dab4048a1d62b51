//! A coordinator, an operator's node and many agents, laid out on disk and started.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::Method;
use serde_json::Value;
use tempfile::TempDir;
use tercet_api::policy::PolicyView;
use tercet_api::resource::{AgentView, EnrolAgent};
use tercet_cli::demo::house::{ConfigText, House, NodeText, now};
use tercet_cli::demo::process::Process;
use tercet_policy::document::{Enrolment, NodeKeys, Signed};
use tercet_policy::intent::Service;
use tercet_policy::party::{AgentId, NodeId, Party};
use tercet_policy::rules::PolicyDocument;
use tercet_signer::home::Home;
use tercet_signer::identity::NodeIdentity;
use tercet_signer::kek::{Argon2Cost, Kek, PassphraseSource};
use tercet_signer::sealed::SealedName;

use super::agent::LoadAgent;
use super::ledger::Ledger;
use super::operator::{self, Deal, Operator};
use crate::chain::BaseNode;
use crate::cluster::{PAYEE, RESOURCE, programs_are_built, root};
use crate::cost::{CpuSeconds, cpu_s};

/// Ceremonies at once: as many as the coordinator runs.
const CEREMONIES_AT_ONCE: usize = 4;
/// Presignatures that a wallet may have in stock.
pub const STOCK_MAX: u64 = tercet_signer::stock::PRESIGNATURES_PER_WALLET_MAX as u64;
/// An operator's node serves as many sessions as it can be told to. Nothing that is signed here goes
/// to the chain, so nobody looks there: what ran out would leave the journal's open rows, by which the
/// end is checked.
const NODE_LIMITS: &str = "\n[limits]\nsessions = 256\nreconcile_seconds = 86400\n";
const COORDINATOR_LIMITS: &str =
    "\n[limits]\npayments_open_max = 1000000\npayments_open_per_agent_max = 100000\n";
/// What is in stock was dealt; making more, or searching primes for groups to come, would take the
/// cores that are measured.
const NO_PRODUCTION: &str = "\n[stock]\nmax = 0\nfloor = 0\n\n[primes]\nstock = 0\n";
const RARELY: &str = "poll_seconds = 3600";

/// What a fleet is to be.
#[derive(Clone, Debug)]
pub struct FleetPlan {
    /// How many agents.
    pub agents: usize,
    /// The load program, which runs the operator's node.
    pub program: PathBuf,
    /// What all agents together may spend in a day, in millionths of a USDC.
    pub budget_units: u128,
}

/// A running fleet.
#[derive(Debug)]
pub struct Fleet {
    /// The agents.
    pub agents: Vec<Arc<LoadAgent>>,
    /// The operator's node.
    pub operator: Operator,
    house: House,
    coordinator: Process,
    dealt: u64,
    policy_epoch: u64,
    _chain: BaseNode,
    _folder: TempDir,
}

/// An agent's place on disk.
struct Place {
    id: AgentId,
    keys: NodeKeys,
    config: PathBuf,
}

impl Fleet {
    /// Lays everything out, starts it, and makes every agent a wallet. Homes, stores and journals
    /// lie in `folder`, which must be on a disk.
    ///
    /// # Errors
    /// What could not be started or made.
    pub async fn start(plan: &FleetPlan, folder: &Path) -> Result<Self> {
        programs_are_built()?;
        let folder = tempfile::Builder::new().prefix("fleet-").tempdir_in(folder)?;
        let chain = BaseNode::start().await?;
        let house = lay_out(folder.path(), chain.url().as_str())?;
        let places = (0..plan.agents).map(|n| place(&house, folder.path(), n));
        let places: Vec<_> = places.collect::<Result<_>>()?;
        share_fixtures(&house, &places)?;
        let coordinator = house.start_coordinator(&[]).await?;
        for place in &places {
            enrol(&house, place).await.context("enrolment")?;
        }
        let (config, log) = (house.seat(Party::Operator).config(), house.log("operator"));
        let operator = Operator::start(&plan.program, &config, &log).await?;
        let recovery = house.start_node(Party::Recovery, &[]).await?;
        let agents = start_agents(places).await?;
        recovery.stop().await;
        let mut fleet = Self {
            agents,
            operator,
            house,
            coordinator,
            dealt: 0,
            policy_epoch: 0,
            _chain: chain,
            _folder: folder,
        };
        fleet.allow(plan.budget_units).await?;
        Ok(fleet)
    }

    /// Puts an organisation's budget in force, for all agents together, beside each agent's own
    /// policy.
    ///
    /// # Errors
    /// When the coordinator does not take it.
    pub async fn allow(&mut self, budget_units: u128) -> Result<()> {
        self.policy_epoch = self.policy_epoch.saturating_add(1);
        let (whole, rest) = (budget_units / 1_000_000, budget_units % 1_000_000);
        let yaml = format!(
            "policy: fleet\nepoch: {}\napplies_to: {{ organisation: acme }}\nrules:\n  \
             - limit: {{ amount: {whole}.{rest:06} USDC, per: day }}\n",
            self.policy_epoch
        );
        install(&self.house, yaml).await.context("the budget")?;
        self.deliver().await
    }

    /// Fills the stocks of so many agents up to `level`, at both sides, INSECURE. What was refused
    /// or sent away was used up at the agent's side alone, so the operator's may have more, and that
    /// takes its room.
    ///
    /// # Errors
    /// Where there is no room for so many.
    pub async fn fill(&mut self, agents: usize, level: u64) -> Result<()> {
        for n in 0..agents {
            let agent = self.agents.get(n).context("there are fewer agents")?;
            let (wallet, from) = (agent.wallet, self.dealt);
            let held = self.operator.deal(Deal { wallet, from, count: 0 }).await?.held;
            let mine = u64::try_from(agent.node().presignatures(wallet))?;
            let count = level.saturating_sub(held.max(mine));
            self.dealt = self.dealt.saturating_add(count);
            let deal = Deal { wallet, from, count };
            let dealt =
                [operator::deal(agent.node(), deal).await?, self.operator.deal(deal).await?];
            let whole = dealt.iter().all(|dealt| dealt.stocked == count);
            ensure!(whole, "{agent:?} has no room for {count}: {dealt:?}");
        }
        Ok(())
    }

    /// What the processes have taken so far.
    ///
    /// # Errors
    /// When one has ended.
    pub fn cpu(&self) -> Result<CpuSeconds> {
        Ok(CpuSeconds {
            coordinator: cpu_s(self.coordinator.id())?,
            operator: cpu_s(self.operator.id()?)?,
            agents: cpu_s(std::process::id())?,
        })
    }

    /// The coordinator's process id.
    #[must_use]
    pub fn coordinator(&self) -> u32 {
        self.coordinator.id()
    }

    /// Stops the operator's node in order and reads its journal.
    ///
    /// # Errors
    /// A node that does not stop, or a journal that cannot be read.
    pub async fn close(self) -> Result<Ledger> {
        let Self { operator, house, agents, .. } = self;
        operator.stop().await?;
        drop(agents);
        Ledger::read(house.seat(Party::Operator)).await
    }

    /// Waits until every agent's node, and so the operator's, holds the documents: a decision of
    /// theirs names the policies' epochs.
    async fn deliver(&self) -> Result<()> {
        // Documents go out in the order they were stored, before any payment that is judged by them.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        Ok(())
    }
}

fn lay_out(folder: &Path, rpc: &str) -> Result<House> {
    let house = House::lay_out(&folder.join("house"), &AgentId::new("nobody")?, rpc)?;
    let text = ConfigText {
        coordinator_more: COORDINATOR_LIMITS.to_owned(),
        node_more: NODE_LIMITS.to_owned(),
        ..ConfigText::default()
    };
    house.write_configs(|_| house.coordinator_url(), &text)?;
    let path = house.coordinator_config();
    let config = fs::read_to_string(&path)?;
    ensure!(config.contains("poll_seconds = 1"), "the coordinator's configuration has changed");
    fs::write(&path, config.replace("poll_seconds = 1", RARELY))?;
    Ok(house)
}

/// A home with an identity; deriving its key costs nothing, for it guards nothing.
fn place(house: &House, folder: &Path, n: usize) -> Result<Place> {
    let id = AgentId::new(&format!("load-{n:02}"))?;
    let folder = folder.join(id.as_str());
    fs::DirBuilder::new().mode(0o700).create(&folder)?;
    write(&folder.join("passphrase"), "a passphrase of a load test, worth nothing")?;
    let passphrase = PassphraseSource::File(folder.join("passphrase")).read()?;
    let home = Home::create(&folder.join("home"))?;
    let kek = Kek::create(&home, &passphrase, Argon2Cost::insecure_for_tests())?;
    let identity = NodeIdentity::generate(NodeId::from(id.clone()))?;
    identity.seal(&home, &kek, now())?;
    let name = SealedName::AuxInfo { agent: id.clone() };
    home.seal(&name, now(), &fixture(Party::Agent)?, &kek)?;
    let keys = identity.public().clone();
    let config = folder.join("agent.toml");
    let text = NodeText {
        party: Party::Agent,
        keys: &keys,
        home: Path::new("home"),
        passphrase: Path::new("passphrase"),
        courier: &house.coordinator_url(),
        health: None,
        authority: &format!("keys = [\"{}\"]\nthreshold = 1", house.authority.public()),
        chain: ("eip155:8453", &format!("\"{}\"", house.rpc)),
    };
    write(&config, &format!("{}{NO_PRODUCTION}", text.toml()))?;
    Ok(Place { id, keys, config })
}

/// Seals the TEST-ONLY aux info for every agent's group at the operator and at the recovery officer.
fn share_fixtures(house: &House, places: &[Place]) -> Result<()> {
    for party in [Party::Operator, Party::Recovery] {
        let (home, kek) = house.seat(party).open()?;
        let fixture = fixture(party)?;
        for place in places {
            let name = SealedName::AuxInfo { agent: place.id.clone() };
            home.seal(&name, now(), &fixture, &kek)?;
        }
    }
    Ok(())
}

fn fixture(party: Party) -> Result<Vec<u8>> {
    let folder = root().join("signer-node/signer/tests/fixtures");
    let text = fs::read_to_string(folder.join(format!("TEST-ONLY-group-aux-{party}.json")))?;
    let fixture: Value = serde_json::from_str(&text)?;
    Ok(serde_json::to_vec(fixture.get("payload").context("a fixture without payload")?)?)
}

async fn enrol(house: &House, place: &Place) -> Result<()> {
    let keys = |party| house.seat(party).keys.clone();
    let enrolment = Enrolment {
        agent: place.id.clone(),
        epoch: 1,
        agent_node: place.keys.clone(),
        operator_node: keys(Party::Operator),
        recovery_node: keys(Party::Recovery),
    };
    let enrolment = Signed::by(enrolment, house.authority.expose())?;
    let line = house.line()?;
    let _: AgentView = line.send(Method::POST, "/v1/agents", &EnrolAgent { enrolment }).await?;
    let yaml = format!(
        "policy: {id}\nepoch: 1\napplies_to: {{ agent: {id} }}\nrules:\n  \
         - max_amount: 0.50 USDC\n  - limit: {{ amount: 1000000 USDC, per: day }}\n  \
         - allow: {{ services: [\"{service}\"] }}\n  \
         - allow: {{ recipients: [\"{PAYEE}\"] }}\n",
        id = place.id,
        service = Service::of(RESOURCE)?,
    );
    install(house, yaml).await
}

async fn install(house: &House, yaml: String) -> Result<()> {
    let signed = Signed::by(PolicyDocument { yaml }, house.authority.expose())?;
    let _: PolicyView = house.line()?.send(Method::PUT, "/v1/policies", &signed).await?;
    Ok(())
}

async fn start_agents(places: Vec<Place>) -> Result<Vec<Arc<LoadAgent>>> {
    let start = |place: Place| async move {
        let started = LoadAgent::start(place.id.clone(), &place.config).await;
        started.map(Arc::new).with_context(|| format!("agent {}", place.id))
    };
    stream::iter(places).map(start).buffered(CEREMONIES_AT_ONCE).try_collect().await
}

fn write(path: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}
