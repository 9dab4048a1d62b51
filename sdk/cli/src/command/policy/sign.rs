//! `tercet policy sign` and `put`: a policy under the authority's signatures.

use std::path::{Path, PathBuf};

use tercet::client::Client;
use tercet_policy::party::AgentId;
use tercet_policy::rules::{PolicyDocument, SignedPolicy};

use super::explain::held_path;
use super::file::{form, parse, signed_body};
use crate::answer::Answer;
use crate::error::CliError;
use crate::file::{pretty, read_text, write_private};
use crate::keyfile::AuthorityKey;

pub(super) async fn put(file: &Path, coordinator: &Client) -> Result<Answer, CliError> {
    let text = read_text(file)?;
    let unsigned = || form(file, "a signed policy", "run `tercet policy sign` first".into());
    let signed = signed_body(&text).ok_or_else(unsigned)?;
    parse(file, &signed.document.yaml)?;
    let view = coordinator.put_any_policy(&signed).await?;
    let text = format!(
        "policy {} (epoch {}) is installed for {}; its nodes check it for themselves",
        view.name, view.epoch, view.subject
    );
    Ok(Answer::of(text, &view))
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

/// The policies that the coordinator holds for an agent, each with a name for messages.
pub(super) async fn in_force(
    client: &Client,
    agent: &AgentId,
) -> Result<Vec<(PathBuf, String)>, CliError> {
    let view = client.policy(agent).await?;
    Ok(vec![(held_path(&view.name), view.document.document.yaml)])
}
