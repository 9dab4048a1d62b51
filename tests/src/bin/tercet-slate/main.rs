//! Request to signature, measured the same way for any signing service.
//!
//! `tercet-slate run [FLAGS] -- COMMAND..` starts a service as a process, has it sign payments one
//! after another over its standard input and output (JSON lines; see `wire`), checks every signature
//! by itself, and prints one JSON object of statistics. `tercet-slate serve AGENT.toml [RESOURCE]` is
//! Tercet as such a service, over its public SDK; `tercet-slate local-key` is a plain key in memory,
//! the floor of what can be had.
//!
//! Promises: what is timed is the request and nothing else: a service starts, warms up and is
//! checked off the clock; a signature that is not the wallet's over what was asked for is an error,
//! not a sample.
//!
//! Does not show: how a service behaves under load, or what it checks before it signs.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measuring program says what it found"
)]

mod local;
mod options;
mod runner;
mod statistics;
mod tercet_service;
mod wire;

use std::process::ExitCode;

use anyhow::{Result, bail};

use self::options::Options;

const USAGE: &str = "say one of:
  tercet-slate run [--iterations N] [--warmup N] [--pause-ms N] [--value UNITS] [--to ADDRESS] -- COMMAND..
  tercet-slate serve AGENT.toml [RESOURCE]
  tercet-slate local-key";

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match act(&words).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn act(words: &[String]) -> Result<()> {
    let Some((verb, rest)) = words.split_first() else { bail!(USAGE) };
    match (verb.as_str(), rest) {
        ("run", rest) => runner::run(&Options::read(rest)?).await,
        ("serve", [config]) => Box::pin(tercet_service::serve(config, None)).await,
        ("serve", [config, resource]) => {
            Box::pin(tercet_service::serve(config, Some(resource))).await
        }
        ("local-key", []) => local::serve(),
        _ => bail!(USAGE),
    }
}
