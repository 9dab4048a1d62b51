//! Many agents at once, measured; with presignatures of the INSECURE dealer (`tercet_tests::load`
//! says what that means).
//!
//! `tercet-load run [quick]` prints one JSON line a figure and a note; `tercet-bench` runs it as its
//! part `load`. `tercet-load operator CONFIG` is the operator's node, which it starts by itself.
//!
//! Promises: figures come only with their checks: exactly as many payments as the budget allows are
//! signed, none twice, and the operator's journal holds these and no others. A check that does not
//! hold ends the program with 1 and no more figures.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measuring program says what it found"
)]

mod scenario;
mod words;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};

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
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["operator", config] => tercet_tests::load::operator::serve(Path::new(config)).await,
        ["run"] => Box::pin(scenario::run(scenario::FULL)).await,
        ["run", "quick"] => Box::pin(scenario::run(scenario::QUICK)).await,
        _ => bail!("say one of: run, run quick, operator CONFIG"),
    }
}
