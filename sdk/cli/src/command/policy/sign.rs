//! `tercet policy sign` and `put`: a policy under the authority's signatures.

use std::path::{Path, PathBuf};

use tercet::client::{Client, ClientError};
use tercet_api::problem::{Problem, ProblemCode};
use tercet_policy::party::AgentId;
use tercet_policy::rules::{PolicyDocument, SignedPolicy};

use super::file::{Source, form, parse, signed_body};
use crate::answer::Answer;
use crate::error::CliError;
use crate::file::{pretty, read_text, write_private};
use crate::keyfile::AuthorityKey;

pub(super) async fn put(file: &Path, coordinator: &Client) -> Result<Answer, CliError> {
    let text = read_text(file)?;
    let unsigned = || form(file, "a signed policy", "run `tercet policy sign` first".into());
    let signed = signed_body(&text).ok_or_else(unsigned)?;
    parse(file, &signed.document.yaml)?;
    let view = coordinator.put_any_policy(&signed).await;
    let view = view.map_err(|error| placed(file, &signed.document.yaml, error))?;
    let text = format!(
        "policy {} (epoch {}) is installed for {}; its nodes check it for themselves",
        view.name, view.epoch, view.subject
    );
    Ok(Answer::of(text, &view))
}

/// What the coordinator says of a policy, with the file and the line that it is about.
fn placed(file: &Path, yaml: &str, error: ClientError) -> CliError {
    match error {
        ClientError::Problem(problem) if problem.refusals.is_empty() => {
            let line = key_of(&problem).and_then(|key| line_of(yaml, key));
            let line = line.map_or_else(String::new, |line| format!("line {line}: "));
            let detail = format!("{}: {line}{}", file.display(), problem.detail);
            CliError::Problem(Box::new(Problem { detail, ..*problem }))
        }
        error => error.into(),
    }
}

/// The key of the file that a problem is about; nothing where it names a line itself, or is about
/// the signatures.
fn key_of(problem: &Problem) -> Option<&'static str> {
    let of_subject = problem.detail.contains("applies_to") || problem.detail.contains("is for");
    match problem.code {
        ProblemCode::StaleEpoch => Some("epoch"),
        ProblemCode::NotFound => Some("applies_to"),
        ProblemCode::BadDocument if of_subject => Some("applies_to"),
        _ => None,
    }
}

/// The line, from 1, of a key at the head of the file.
fn line_of(yaml: &str, key: &str) -> Option<usize> {
    let begins = |line: &str| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':'));
    yaml.lines().position(begins).map(|place| place.saturating_add(1))
}

pub(super) fn sign(
    file: &Path,
    out: Option<&Path>,
    keys: &[AuthorityKey],
) -> Result<Answer, CliError> {
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

/// The policies that the coordinator holds for an agent: its own, its wallets' and its
/// organisation's; for nobody, all that the caller may see.
pub(super) async fn in_force(
    client: &Client,
    agent: Option<&AgentId>,
) -> Result<Vec<Source>, CliError> {
    let held = client.policies_in_force().await?;
    let concerns = |of: Option<&AgentId>| agent.is_none() || of.is_none() || of == agent;
    let views = held.into_iter().filter(|view| concerns(view.agent.as_ref()));
    let read = |view: tercet_api::policy::PolicyView| {
        // Where it seems to come from in messages.
        let path = PathBuf::from(format!("coordinator:{}", view.name));
        Source::of(&path, view.document.document.yaml)
    };
    views.map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_coordinator_says_is_given_its_place() {
        let yaml = "# head\npolicy: p\nepoch: 3\napplies_to: { agent: a }\nrules: []\n";
        let said = |code, detail: &str| {
            let problem = Box::new(Problem::new(code, detail, "log"));
            placed(Path::new("p.json"), yaml, ClientError::Problem(problem)).to_string()
        };
        for (code, detail, wanted) in [
            (ProblemCode::StaleEpoch, "epoch 3", "p.json: line 3: epoch 3"),
            (ProblemCode::NotFound, "no such agent", "p.json: line 4: no such agent"),
            (ProblemCode::BadDocument, "applies_to: another's", "line 4: applies_to: another's"),
            (ProblemCode::BadDocument, "line 9: unknown key", "p.json: line 9: unknown key"),
            (ProblemCode::BadDocument, "1 of the 2 signatures", "p.json: 1 of the 2 signatures"),
        ] {
            let found = said(code, detail);
            assert!(found.ends_with(wanted), "{found}");
        }
    }
}
