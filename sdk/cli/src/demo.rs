//! The whole house on one machine, for `tercet demo` and for the system tests.

pub mod house;
pub mod liar;
pub mod process;
pub mod script;
pub mod show;
pub mod testbed;

use std::path::absolute;

use tokio::signal::unix::{SignalKind, signal};

use crate::answer::Answer;
use crate::args::Demo;
use crate::console::Console;
use crate::error::CliError;
use show::Show;
use testbed::Peers;

/// Runs the demo. Whatever ends it, nothing is left running.
///
/// # Errors
/// The first step that fails.
pub async fn run(demo: &Demo, console: &Console) -> Result<Answer, CliError> {
    let folder = absolute(&demo.folder).map_err(CliError::file(&demo.folder))?;
    let scripts = absolute(&demo.peers).map_err(CliError::file(&demo.peers))?;
    let logs = folder.join("logs");
    std::fs::create_dir_all(&logs).map_err(CliError::file(&logs))?;
    let peers = Peers { scripts, logs: logs.clone() };
    if !peers.are_installed() {
        return Err(CliError::Setup {
            detail: format!("the test chain is not installed in {}", peers.scripts.display()),
            next: "Run `make setup` in the root of the tree, and the demo from there.".into(),
        });
    }
    let mut show = Show::new(console);
    let mut term = signal(SignalKind::terminate()).map_err(CliError::file(&folder))?;
    tokio::select! {
        done = script::run(&folder, &peers, &mut show) => done?,
        _ = term.recv() => return Err(stopped()),
        _ = tokio::signal::ctrl_c() => return Err(stopped()),
    }
    let text = format!("\ndone; logs and the group's aux info are kept in {}", folder.display());
    Ok(Answer::new(text, show.end()))
}

fn stopped() -> CliError {
    CliError::Failed("the demo was stopped; everything it started has ended".into())
}
