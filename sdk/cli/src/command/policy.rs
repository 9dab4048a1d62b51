//! `tercet policy`: write policies, try them before they bite, sign and install them.
//!
//! Promises: every complaint about a file names the file, the line and the reason. Nothing here
//! signs a payment or changes what a node holds, but for `put`, which hands over a policy that
//! its authority signed.

mod backtest;
mod cases;
mod check;
mod diff;
mod explain;
mod file;
mod history;
mod moment;
mod payment;
mod people;
mod prove;
mod sign;
mod symbolic;
mod trial;

use serde_json::{Value, json};
use tercet_policy::catalogue;
use tercet_policy::rules::Policy;

use super::table;
use crate::answer::Answer;
use crate::args::{self, Args};
use crate::error::CliError;
use crate::keyfile::open_all;
use crate::line;

pub use sign::add_signatures;

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub async fn run(command: &args::Policy, args: &Args) -> Result<Answer, CliError> {
    match command {
        args::Policy::Put { file } => sign::put(file, &line::without_credentials(args)?).await,
        args::Policy::Check(check) => check::run(check),
        args::Policy::Sign { file, out, keys } => {
            sign::sign(file, out.as_deref(), &open_all(&keys.keys)?)
        }
        args::Policy::Explain(ask) => Box::pin(explain::run(ask, args)).await,
        args::Policy::Test(test) => cases::run(test),
        args::Policy::Backtest(ask) => Box::pin(backtest::run(ask, args)).await,
        args::Policy::Diff(diff) => Box::pin(diff::run(diff, args)).await,
        args::Policy::Prove(prove) => Box::pin(prove::run(prove)).await,
        args::Policy::Reference => Ok(reference()),
        args::Policy::Schema => Ok(schema()),
    }
}

fn reference() -> Answer {
    let text = catalogue::markdown();
    Answer::new(text.trim_end(), json!({ "rules": catalogue::entries() }))
}

fn schema() -> Answer {
    let schema = Policy::json_schema();
    Answer::new(format!("{schema:#}"), schema)
}

/// JSON of a value of the policy crate; its types have text keys only.
fn json_of(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests;
