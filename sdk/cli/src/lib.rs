//! The `tercet` command: one binary for people, and the demo.
//!
//! Promises: the same answer as text or, with `--json`, as one JSON value on standard output;
//! exit codes of one table ([`exit::Exit`]); progress on standard error, and only on a terminal;
//! every error says what to do next.
//!
//! Refuses: key files and homes that others can read.
//!
//! Does not protect against: a person who signs a policy without reading it.

pub mod answer;
pub mod args;
pub mod command;
pub mod console;
pub mod demo;
pub mod error;
pub mod exit;
pub mod file;
#[cfg(test)]
mod fixture;
pub mod keyfile;
pub mod line;
pub mod tls;

use answer::Answer;
use args::{Args, Command};
use console::Console;
use error::CliError;

/// Runs a command.
///
/// # Errors
/// [`CliError`], which knows its exit code and the next step.
pub async fn run(args: Args, console: &Console) -> Result<Answer, CliError> {
    match &args.command {
        Command::Demo(demo) => Box::pin(demo::run(demo, console)).await,
        Command::Init(init) => command::init::run(init, &args),
        Command::Authority(command) => command::authority::run(command),
        Command::Agent(command) => command::agent::run(command, &args).await,
        Command::Wallet(command) => Box::pin(command::wallet::run(command, &args, console)).await,
        Command::Fetch(fetch) => Box::pin(command::pay::fetch(fetch, &args, console)).await,
        Command::Transfer(transfer) => {
            Box::pin(command::pay::transfer(transfer, &args, console)).await
        }
        Command::Fence(command) => Box::pin(command::fence::run(command, &args, console)).await,
        Command::Payment(command) => command::payment::run(command, &args).await,
        Command::Session(command) => Box::pin(command::session::run(command, &args)).await,
        Command::Budgets(asked) => command::budgets::run(asked, &args).await,
        Command::Registry(command) => command::registry::run(command, &args).await,
        Command::Policy(command) => command::policy::run(command, &args).await,
        Command::Node(command) => command::node::run(command, &args).await,
        Command::Doctor => command::doctor::run(&args).await,
    }
}
