//! The demo's steps, from an empty folder to a lying coordinator that gets nothing.

mod lies;
mod mpp;
mod outside;
mod pays;

use std::path::Path;

use alloy_primitives::{Address, address};
use tercet_policy::chain::{Chain, PATH_USD};
use tercet_policy::intent::{
    INTENT_VERSION, IntentId, Payment, PaymentIntent, Service, Transfer, X402Exact,
};
use tercet_policy::money::Amount;
use tercet_policy::party::{AgentId, Party};

use self::outside::Outside;
use super::house::{ActError, ConfigText, House, now};
use super::process::Process;
use super::show::Show;
use super::testbed::{ONE_ETHER_WEI, Peers, TestChain, usdc};
use crate::error::CliError;
use crate::file::write_private;

pub use self::lies::lie_about_everything;

/// The agent of the demo.
pub const AGENT: &str = "research-01";
/// Who the merchant is.
pub const MERCHANT_PAYEE: Address = address!("0x209693Bc6afc0C5328bA36FaF03C514EF312287C");
/// Who gets the transfer.
pub const FRIEND: Address = address!("0x70997970C51812dc3A010C7d01b50e0d17dc79C8");
/// Whom no policy of the demo allows.
pub const STRANGER: Address = address!("0x00000000000000000000000000000000DeaDBeef");
/// What the wallet is given, in base units: 10 USDC on Base, and 10 pathUSD on Tempo.
const FUNDS_UNITS: u128 = 10_000_000;
/// Of USDC and of pathUSD.
const DECIMALS: u8 = 6;
/// How long a node that stops waits for what it has begun.
const STOP_SECONDS: u64 = 1;

/// Everything that runs.
#[derive(Debug)]
pub struct Stage {
    /// Files, keys, addresses.
    pub house: House,
    /// The Base node.
    pub chain: TestChain,
    /// The Tempo node.
    pub tempo: TestChain,
    /// The wallet.
    pub wallet: Address,
    /// Where the x402 merchant listens.
    pub merchant: String,
    /// Where the MPP merchant listens.
    pub mpp_merchant: String,
    text: ConfigText,
    peers: Vec<Process>,
    coordinator: Process,
    nodes: Vec<(Party, Process)>,
}

/// Runs all steps.
///
/// # Errors
/// The first that fails; everything that was started ends.
pub async fn run(folder: &Path, peers: &Peers, show: &mut Show<'_>) -> Result<(), CliError> {
    let mut stage = set_up(folder, peers, show).await?;
    stage.install(&stage.policy()?, "a policy, signed and installed", show).await?;
    stage.stop_node(Party::Agent).await;
    pays::a_merchant(&stage, show).await?;
    pays::too_much_and_to_a_stranger(&stage, show).await?;
    stage.start_node(Party::Agent).await?;
    let intent = pays::a_friend(&stage, show).await?;
    pays::the_same_again(&stage, intent, show).await?;
    mpp::on_tempo(&mut stage, show).await?;
    lies::to_both_nodes(&mut stage, show).await?;
    stage.stop(show).await;
    Ok(())
}

async fn set_up(folder: &Path, peers: &Peers, show: &mut Show<'_>) -> Result<Stage, CliError> {
    let outside = Outside::start(peers, show).await?;
    let mut stage = Stage::laid_out(folder, outside).await?;
    for party in Party::ALL {
        stage.start_node(party).await?;
    }
    show.step("a coordinator and three signer nodes, each its own process", &stage.processes());
    stage.wallet = stage.make_wallet(show).await?;
    let (base, tempo) = (&stage.chain.rpc, &stage.tempo.rpc);
    base.fund(stage.wallet, FUNDS_UNITS, ONE_ETHER_WEI).await.map_err(failed)?;
    tempo.fund_path_usd(stage.wallet, FUNDS_UNITS).await.map_err(failed)?;
    let usdc = base.usdc(stage.wallet).await.map_err(failed)?;
    let path_usd = tempo.balance(PATH_USD, stage.wallet).await.map_err(failed)?;
    let has = format!("{} has {}, {}", stage.wallet, usdc_text(usdc), path_usd_text(path_usd));
    show.step("funded on the test chains", &[has]);
    Ok(stage)
}

/// What the agent allows itself: so lax that it is the authority's policy which decides, as the
/// demo shows it.
fn wallet_rules(merchant: &str) -> Result<String, CliError> {
    let service = Service::of(merchant).map_err(failed)?;
    Ok(format!(
        "[rules]\nmax_price = \"1000 USDC\"\nrotating_payees = [\"{service}\"]\n\
         chains = [\"{}\", \"{}\"]\n\n[rules.mpp]\nmax_prices = [\"1000 pathUSD\"]\n\
         max_deposits = [\"1000 pathUSD\"]\n",
        Chain::Base,
        Chain::Tempo,
    ))
}

/// Both sides of the house on Tempo too. A node that stops leaves the presignatures that it was
/// making: nobody is paid with them.
fn with_tempo(rpc: &str) -> ConfigText {
    let chain = Chain::Tempo;
    ConfigText {
        coordinator_more: format!("\n[[chains]]\nid = \"{chain}\"\nrpc = [\"{rpc}\"]\n"),
        node_more: format!(
            "\n[limits]\nstop_seconds = {STOP_SECONDS}\n\n\
             [[chains]]\nchain = \"{chain}\"\nendpoints = [\"{rpc}\"]\n"
        ),
        ..ConfigText::default()
    }
}

/// A policy of the demo; its epoch is the time, which rises.
fn policy_of(rules: &[&str]) -> String {
    let rules: String = rules.iter().map(|rule| format!("  - {rule}\n")).collect();
    let head = format!("policy: {AGENT}\nepoch: {}\napplies_to: {{ agent: {AGENT} }}\n", now());
    format!("{head}rules:\n{rules}")
}

impl Stage {
    /// The house on disk, with its coordinator running and its agent enrolled; of an earlier chain
    /// it knows nothing.
    async fn laid_out(folder: &Path, outside: Outside) -> Result<Self, CliError> {
        let Outside { base, tempo, merchant, mpp_merchant, processes } = outside;
        let agent = AgentId::new(AGENT).map_err(failed)?;
        let house = House::lay_out(folder, &agent, base.rpc.url()).map_err(failed)?;
        house.forget_chain().map_err(failed)?;
        let text = with_tempo(tempo.rpc.url());
        house.write_configs(|_| house.coordinator_url(), &text).map_err(failed)?;
        let path = house.seat(Party::Agent).folder.join(tercet::wallet::RULES_FILE);
        write_private(&path, &wallet_rules(&merchant)?)?;
        let coordinator = house.start_coordinator(&[]).await.map_err(failed)?;
        house.line().map_err(failed)?.enrol().await.map_err(failed)?;
        Ok(Self {
            house,
            chain: base,
            tempo,
            wallet: Address::ZERO,
            merchant,
            mpp_merchant,
            text,
            peers: processes,
            coordinator,
            nodes: Vec::new(),
        })
    }

    /// Signs and installs a policy, and shows its rules.
    async fn install(&self, yaml: &str, title: &str, show: &mut Show<'_>) -> Result<(), CliError> {
        let line = self.house.line().map_err(failed)?;
        let view = line.install_policy(yaml).await.map_err(failed)?;
        let mut lines = vec![format!(
            "policy {} (epoch {}), signed by the authority {}",
            view.name,
            view.epoch,
            self.house.authority.public()
        )];
        lines.extend(yaml.lines().filter(|l| l.starts_with("  - ")).map(str::to_owned));
        show.step(title, &lines);
        Ok(())
    }

    async fn start_node(&mut self, party: Party) -> Result<(), CliError> {
        let node = self.house.start_node(party, &[]).await.map_err(failed)?;
        self.nodes.push((party, node));
        Ok(())
    }

    async fn stop_node(&mut self, party: Party) {
        if let Some(place) = self.nodes.iter().position(|(p, _)| *p == party) {
            self.nodes.swap_remove(place).1.stop().await;
        }
    }

    async fn stop(mut self, show: &mut Show<'_>) {
        // The coordinator and the chains, beside nodes and peers.
        let count = self.nodes.len().saturating_add(self.peers.len()).saturating_add(3);
        for (_, node) in self.nodes.drain(..) {
            node.stop().await;
        }
        self.coordinator.stop().await;
        for peer in self.peers.drain(..).chain([self.chain.process, self.tempo.process]) {
            peer.stop().await;
        }
        show.step("everything is stopped", &[format!("{count} processes have ended")]);
    }

    fn processes(&self) -> Vec<String> {
        let line = |process: &Process, what: &str| {
            format!("{:<11} process {:<8} {what}", process.name(), process.id())
        };
        let mut lines = vec![line(&self.coordinator, "holds no share")];
        lines.extend(self.nodes.iter().map(|(party, node)| {
            line(node, &format!("{} holds the {party} share", self.house.seat(*party).keys.id))
        }));
        lines
    }

    async fn make_wallet(&self, show: &mut Show<'_>) -> Result<Address, CliError> {
        let groups = self.house.seat(Party::Agent).home().join("groups");
        let known = groups.join(format!("{AGENT}.aux.sealed")).exists();
        let what = if known {
            "a wallet by distributed key generation; the group's aux info is reused"
        } else {
            show.say("      a new group makes its safe primes and aux info; this takes a while");
            "a new group, and a wallet by distributed key generation"
        };
        let line = self.house.line().map_err(failed)?;
        let ceremony = line.ask_for_wallet("demo").await.map_err(failed)?;
        let mut bars = show.ceremony();
        let wallet = line.follow(&ceremony, |view| bars.show(view)).await.map_err(failed)?;
        show.step(what, &[format!("wallet      {wallet}; its private key has never existed")]);
        Ok(wallet)
    }

    /// The demo's policy, but on Tempo.
    fn policy(&self) -> Result<String, CliError> {
        let service = Service::of(&self.merchant).map_err(failed)?;
        Ok(policy_of(&[
            "max_amount: 0.50 USDC",
            "limit: { amount: 5 USDC, per: day, calendar: Europe/Berlin }",
            "rate: { count: 100, per: hour }",
            &format!("allow: {{ services: [\"{service}\"], recipients: [\"{MERCHANT_PAYEE}\"] }}"),
            &format!("allow: {{ recipients: [\"{FRIEND}\"] }}"),
        ]))
    }

    fn intent(&self, payment: Payment) -> Result<PaymentIntent, CliError> {
        let mut id = [0u8; 32];
        getrandom::fill(&mut id).map_err(failed)?;
        let created_at = now();
        Ok(PaymentIntent {
            version: INTENT_VERSION,
            id: IntentId(id),
            agent: self.house.agent.clone(),
            wallet: self.wallet,
            payment,
            declared: tercet_policy::declared::Declared::default(),
            created_at,
            expires_at: created_at.plus(120),
        })
    }

    fn transfer(&self, to: Address, units: u128) -> Result<PaymentIntent, CliError> {
        let amount = Amount::from_base_units(units);
        self.intent(Payment::Transfer(Transfer { chain: Chain::Base, token: usdc(), to, amount }))
    }

    fn x402(&self, to: Address, units: u128) -> Result<PaymentIntent, CliError> {
        let resource = format!("{}/paid", self.merchant);
        let service = Service::of(&resource).map_err(failed)?;
        self.intent(Payment::X402Exact(X402Exact {
            chain: Chain::Base,
            token: usdc(),
            to,
            amount: Amount::from_base_units(units),
            valid_before: now().plus(120),
            resource,
            service,
        }))
    }
}

/// An amount of USDC for people.
fn usdc_text(amount: Amount) -> String {
    format!("{} USDC", amount.to_decimal(DECIMALS))
}

/// An amount of pathUSD for people.
fn path_usd_text(amount: Amount) -> String {
    format!("{} pathUSD", amount.to_decimal(DECIMALS))
}

/// A step that failed; its error says what to do.
fn failed(error: impl std::fmt::Display) -> CliError {
    CliError::Failed(error.to_string())
}

/// The refusals behind an error, or the error.
fn refusal(error: ActError) -> Result<Vec<tercet_api::payment::RefusalBy>, CliError> {
    match error {
        ActError::Problem(problem) if !problem.refusals.is_empty() => Ok(problem.refusals),
        other => Err(failed(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wallet_of_the_demo_pays_on_both_chains() {
        let folder = tempfile::tempdir().unwrap();
        let text = wallet_rules("http://127.0.0.1:8402").unwrap();
        let beside = "socket = \"s\"\ncoordinator = \"http://127.0.0.1:1\"\n";
        let path = folder.path().join(tercet::wallet::RULES_FILE);
        std::fs::write(&path, format!("{beside}{text}")).unwrap();
        let rules = tercet::WalletConfig::read(folder.path()).unwrap().rules;
        assert_eq!(rules.chains, [Chain::Base, Chain::Tempo]);
        assert!(rules.pays_on_tempo() && rules.rotating_payees.len() == 1, "{rules:?}");
    }
}
