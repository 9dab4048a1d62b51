//! `tercet policy`: check, sign, install and question policies.

mod explain;

use std::path::Path;

use serde_json::{Value, json};
use tercet::client::Client;
use tercet_policy::rules::{Policy, PolicyDocument, SignedPolicy};

use crate::answer::Answer;
use crate::args::{self, Args};
use crate::error::CliError;
use crate::exit::Exit;
use crate::file::{pretty, read_text, write_private};
use crate::keyfile::{AuthorityKey, open_all};
use crate::line;

pub use explain::PastPayment;

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub async fn run(command: &args::Policy, args: &Args) -> Result<Answer, CliError> {
    match command {
        args::Policy::Put { file } => put(file, &line::without_credentials(args)?).await,
        args::Policy::Check { file } => check(file),
        args::Policy::Sign { file, out, keys } => {
            sign(file, out.as_deref(), &open_all(&keys.keys)?)
        }
        args::Policy::Explain(ask) => explain::run(ask),
    }
}

async fn put(file: &Path, coordinator: &Client) -> Result<Answer, CliError> {
    let text = read_text(file)?;
    let signed = signed_body(&text).ok_or_else(|| CliError::Form {
        path: file.into(),
        expected: "a signed policy",
        detail: "run `tercet policy sign` first".into(),
    })?;
    let agent = parse(file, &signed.document.yaml)?.agent().clone();
    let view = coordinator.put_policy(&agent, &signed).await?;
    let text = format!(
        "policy {} (epoch {}) is installed for {}; its nodes check it for themselves",
        view.name, view.epoch, view.agent
    );
    Ok(Answer::of(text, &view))
}

fn check(file: &Path) -> Result<Answer, CliError> {
    let yaml = policy_text(file)?;
    let policy = parse(file, &yaml)?;
    let nothing = policy.grants_nothing();
    let mut lines = vec![format!(
        "policy {} (epoch {}) for agent {}, {} rules",
        policy.name(),
        policy.epoch(),
        policy.agent(),
        policy.rules().len()
    )];
    let kinds: Vec<_> = policy.rules().iter().map(|rule| rule.kind()).collect();
    lines.extend(kinds.iter().enumerate().map(|(place, kind)| format!("  {place:>2}  {kind}")));
    if let Some(reason) = &nothing {
        lines.push(format!("It grants nothing: {reason}. A node will not start on it."));
    }
    let json = json!({
        "policy": policy.name(), "epoch": policy.epoch(), "agent": policy.agent(),
        "rules": kinds, "grants_nothing": nothing,
    });
    let exit = if nothing.is_some() { Exit::Refused } else { Exit::Ok };
    Ok(Answer::new(lines.join("\n"), json).ending(exit))
}

fn sign(file: &Path, out: Option<&Path>, keys: &[AuthorityKey]) -> Result<Answer, CliError> {
    let text = read_text(file)?;
    let mut signed = signed_body(&text).unwrap_or_else(|| SignedPolicy {
        document: PolicyDocument { yaml: text },
        signatures: Vec::new(),
    });
    parse(file, &signed.document.yaml)?;
    add_signatures(&mut signed, keys)?;
    let Some(out) = out else { return Ok(Answer::of(pretty(&signed)?.trim_end(), &signed)) };
    write_private(out, &pretty(&signed)?)?;
    let text = format!("signed by {} key(s): {}", signed.signatures.len(), out.display());
    Ok(Answer::of(text, &signed))
}

/// Adds the signatures of `keys` to a policy; a key that signed already does not sign again.
///
/// # Errors
/// [`CliError::Document`].
pub fn add_signatures(signed: &mut SignedPolicy, keys: &[AuthorityKey]) -> Result<(), CliError> {
    for key in keys {
        if signed.signatures.iter().all(|signature| signature.key != key.public()) {
            signed.add_signature(key.expose())?;
        }
    }
    Ok(())
}

/// The YAML of a policy file, signed or not.
fn policy_text(file: &Path) -> Result<String, CliError> {
    let text = read_text(file)?;
    Ok(signed_body(&text).map_or(text, |signed| signed.document.yaml))
}

fn signed_body(text: &str) -> Option<SignedPolicy> {
    serde_json::from_str(text).ok()
}

fn parse(file: &Path, yaml: &str) -> Result<Policy, CliError> {
    Policy::parse(yaml).map_err(|error| CliError::Form {
        path: file.into(),
        expected: "a policy",
        detail: error.to_string(),
    })
}

/// JSON of a value of the policy crate; its types have text keys only.
fn json_of(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests;
