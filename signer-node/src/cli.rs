//! The command line of `tercet-signer-node`.

use std::fmt;
use std::io::Write as _;
use std::path::PathBuf;

use alloy_primitives::Address;
use clap::{Args, Parser, Subcommand};
use tercet_policy::party::{NodeId, Party};
use tercet_signer::gate::CrashPoint;
use tercet_signer::home::Hardening;
use tercet_signer::kek::{Argon2Cost, PassphraseSource};
use tokio::signal::unix::{SignalKind, signal};

use crate::chains::Chains;
use crate::config::NodeConfig;
use crate::handle::NodeHandle;
use crate::init::init;
use crate::logs::install_logs;
use crate::shared::Housed;
use crate::start::{self, StartOptions};

/// An error with its causes, each told once: most of our errors name their cause in their own text.
#[derive(Debug)]
pub struct Told<'a>(pub &'a anyhow::Error);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut told = String::new();
        for cause in self.0.chain().map(ToString::to_string) {
            if told.contains(&cause) {
                continue;
            }
            let between = if told.is_empty() { "" } else { ": " };
            write!(f, "{between}{cause}")?;
            told.push_str(&cause);
        }
        Ok(())
    }
}

/// A share in a box that dials out.
#[derive(Debug, Parser)]
#[command(name = "tercet-signer-node", version, about)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Cli {
    #[command(flatten)]
    run: Option<Run>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Args)]
struct Run {
    /// agent, operator or recovery; must be the role of the configuration
    #[arg(long, value_parser = role)]
    role: Party,
    /// The configuration file (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Check the configuration and the policies it names, and stop
    #[arg(long)]
    check_config: bool,
    /// Abort at a named point on the path of a payment, for tests
    #[arg(long, value_name = "POINT", hide = true)]
    insecure_crash_at: Option<CrashPoint>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a home with a new identity; print its public keys as JSON
    Init {
        /// The folder to make
        #[arg(long, value_name = "DIR")]
        home: PathBuf,
        /// The node's name; an agent's node carries the agent's name
        #[arg(long)]
        node: NodeId,
        #[command(flatten)]
        passphrase: PassphraseArgs,
        /// Make guessing the passphrase as dear as RFC 9106 allows (2 GiB), for a cold share
        #[arg(long)]
        cold: bool,
    },
    /// Print the public keys of a node that is not running, as JSON
    Keys {
        /// The configuration file (TOML)
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Let a wallet be signed for again after failed sessions; the node must not be running
    Resume {
        /// The configuration file (TOML)
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The wallet
        #[arg(long)]
        wallet: Address,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct PassphraseArgs {
    /// A file that holds the passphrase, mode 0600
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The systemd credential that holds the passphrase
    #[arg(long, value_name = "NAME")]
    passphrase_credential: Option<String>,
}

impl Cli {
    /// Does what was asked for.
    ///
    /// # Errors
    /// Whatever kept it from being done, for people.
    pub async fn perform(self, hardening: &Hardening) -> anyhow::Result<()> {
        match (self.command, self.run) {
            (Some(Command::Init { home, node, passphrase, cold }), _) => {
                let cost = if cold { Argon2Cost::cold() } else { Argon2Cost::standard() };
                let keys = init(&home, node, &passphrase.source(), cost)?;
                print_line(&serde_json::to_string(&keys)?)
            }
            (Some(Command::Keys { config }), _) => {
                let signer = open(&config).await?;
                print_line(&serde_json::to_string(signer.identity().public())?)
            }
            (Some(Command::Resume { config, wallet }), _) => {
                let signer = open(&config).await?;
                signer.resume(wallet).await?;
                signer.close().await?;
                print_line(&format!("{wallet} may be signed for again"))
            }
            (None, Some(run)) => run.perform(hardening).await,
            // Clap lets nothing else through.
            (None, None) => anyhow::bail!("give --role and --config, or a command"),
        }
    }
}

impl Run {
    async fn perform(self, hardening: &Hardening) -> anyhow::Result<()> {
        let config = NodeConfig::read(&self.config)?;
        config.expect_role(self.role)?;
        start::check(&config)?;
        if self.check_config {
            return print_line(&format!("{} is good", self.config.display()));
        }
        install_logs(&config.log)?;
        for missing in &hardening.missing {
            let (protection, reason) = (missing.protection, &missing.reason);
            tracing::warn!(protection, reason, "the kernel does not give a protection");
        }
        let (insecure_crash_at, socket) = (self.insecure_crash_at, config.socket.clone());
        let options = StartOptions { insecure_crash_at, ..StartOptions::default() };
        let (mut term, mut int) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let starting = Box::pin(NodeHandle::start_with(config, options));
        let node = tokio::select! {
            node = starting => node?,
            _ = term.recv() => return Ok(()),
            _ = int.recv() => return Ok(()),
        };
        tracing::info!(?node, "started");
        let node = Housed::open(node, socket.as_ref()).await?;
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        tracing::info!("stopping");
        node.stop().await;
        tracing::info!("stopped");
        Ok(())
    }
}

impl PassphraseArgs {
    fn source(self) -> PassphraseSource {
        match (self.passphrase_file, self.passphrase_credential) {
            (Some(file), _) => PassphraseSource::File(file),
            (None, name) => PassphraseSource::SystemdCredential(name.unwrap_or_default()),
        }
    }
}

async fn open(
    config: &std::path::Path,
) -> anyhow::Result<std::sync::Arc<tercet_signer::gate::Signer>> {
    let config = NodeConfig::read(config)?;
    let chains = Chains::new(&config)?;
    Ok(Box::pin(start::open(&config, chains, StartOptions::default())).await?)
}

fn role(word: &str) -> Result<Party, String> {
    let found = Party::ALL.into_iter().find(|party| party.word() == word);
    found.ok_or_else(|| "the roles are agent, operator and recovery".to_owned())
}

fn print_line(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}
