//! A house that pays on Tempo, for several subjects: its agent's node runs beside the agent.

use std::path::PathBuf;
use std::process::Command;

use alloy_primitives::Address;
use anyhow::{Context as _, Result};
use serde_json::Value;
use tercet::Wallet;
use tercet_cli::demo::house::ConfigText;
use tercet_cli::demo::process::program;
use tercet_policy::chain::PATH_USD;
use tercet_policy::party::Party;
use tercet_tests::cluster::{Cluster, PAYEE, Plan};
use tercet_tests::tempo::TempoNode;

/// What a wallet is given, in base units: 10 pathUSD.
pub(super) const FUNDS_UNITS: u128 = 10_000_000;
/// In base units.
pub(super) const CENT: u128 = 10_000;

/// A house, its chain and a funded wallet.
pub(super) struct TempoHouse {
    pub(super) cluster: Cluster,
    pub(super) tempo: TempoNode,
    pub(super) address: Address,
}

impl TempoHouse {
    /// A house under a policy of these rules.
    pub(super) async fn open(tempo: TempoNode, rules: &[String]) -> Result<Self> {
        let url = tempo.url();
        let text = ConfigText {
            coordinator_more: format!("\n[[chains]]\nid = \"eip155:4217\"\nrpc = [\"{url}\"]\n"),
            node_more: format!("\n[[chains]]\nchain = \"eip155:4217\"\nendpoints = [\"{url}\"]\n"),
            ..ConfigText::default()
        };
        let plan = Plan { policy: Some(policy(1, rules)), text, ..Plan::default() };
        let mut cluster = Cluster::started(plan).await?;
        let address = cluster.new_wallet().await?;
        tempo.fund(address, FUNDS_UNITS).await?;
        cluster.stop_node(Party::Agent).await;
        let path = cluster.house.seat(Party::Agent).config();
        let text = std::fs::read_to_string(&path)?;
        std::fs::write(&path, format!("{text}\n[socket]\npath = \"agent.sock\"\n"))?;
        cluster.start_node(Party::Agent, &[]).await?;
        Ok(Self { cluster, tempo, address })
    }

    /// Puts a policy of these rules in the place of the one in force.
    pub(super) async fn install(&self, epoch: u32, rules: &[String]) -> Result<()> {
        let policy = policy(epoch, rules);
        self.cluster.house.line()?.install_policy(&policy).await.context("policy")?;
        Ok(())
    }

    /// The agent's wallet, with the usual rules of its own.
    pub(super) async fn wallet(&self) -> Result<Wallet> {
        Ok(Wallet::open(self.place()?).await?)
    }

    /// A folder with the agent's own configuration.
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

    /// Runs `tercet --json` as the agent; its exit code and its answer.
    pub(super) async fn tercet(&self, words: &[&str]) -> Result<(i32, Value)> {
        let mut command = Command::new(program("tercet"));
        command.arg("--json").arg("--home").arg(self.place()?).args(words);
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let code = output.status.code().context("ended by a signal")?;
        let said = || String::from_utf8_lossy(&output.stderr).into_owned();
        Ok((code, serde_json::from_slice(&output.stdout).with_context(said)?))
    }

    /// What the usual payee has, and what the wallet has, in base units of pathUSD.
    pub(super) async fn held(&self) -> Result<(u128, u128)> {
        let payee = self.tempo.balance(PATH_USD, PAYEE).await?;
        Ok((payee, self.tempo.balance(PATH_USD, self.address).await?))
    }
}

fn policy(epoch: u32, rules: &[String]) -> String {
    let rules: String = rules.iter().map(|rule| format!("  - {rule}\n")).collect();
    format!(
        "policy: research-01\nepoch: {epoch}\napplies_to: {{ agent: research-01 }}\nrules:\n{rules}"
    )
}
