//! The `tercet-coordinator` program.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use tercet_coordinator::config::Config;
use tercet_coordinator::crash::{CrashPlan, CrashPoint};
use tokio::signal::unix::{SignalKind, signal};

/// Courier and clerk between an agent, its signer nodes and the chain. Holds no share.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// The configuration file.
    #[arg(long, env = "TERCET_COORDINATOR_CONFIG")]
    config: PathBuf,
    /// Checks the configuration and ends.
    #[arg(long)]
    check_config: bool,
    /// Dies at this point, for tests.
    #[arg(long, hide = true)]
    insecure_crash_at: Option<CrashPoint>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()),
        )
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    let config = Config::load(&args.config)?;
    if args.check_config {
        tracing::info!(path = %args.config.display(), "the configuration is good");
        return Ok(());
    }
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    tercet_coordinator::run(config, CrashPlan(args.insecure_crash_at), shutdown).await?;
    Ok(())
}
