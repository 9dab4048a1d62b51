//! `tercet registry`: who is who, under the authority's signatures, and how far whom is trusted.

use std::path::Path;

use serde_json::json;
use tercet::client::{Client, PageAsked};
use tercet_api::registry::CounterpartyView;
use tercet_policy::registry::{Registry, RegistryDocument, SignedRegistry};

use super::table::{lines, or_dash};
use crate::answer::Answer;
use crate::args::{self, Args};
use crate::error::CliError;
use crate::file::{pretty, read_text, write_private};
use crate::keyfile::{AuthorityKey, open_all};
use crate::line;

/// Counterparties that are asked for at once.
const PAGE: u16 = 200;
/// Most pages: a registry ends at 2,000 counterparties.
const PAGES_MAX: usize = 11;

/// Runs the command.
///
/// # Errors
/// [`CliError`].
pub async fn run(command: &args::Registry, args: &Args) -> Result<Answer, CliError> {
    match command {
        args::Registry::Sign { file, out, keys } => {
            sign(file, out.as_deref(), &open_all(&keys.keys)?)
        }
        args::Registry::Put { file } => put(file, &line::without_credentials(args)?).await,
        args::Registry::Show { name: Some(name) } => one(name, &line::open(args)?).await,
        args::Registry::Show { name: None } => show(&line::open(args)?).await,
    }
}

fn sign(file: &Path, out: Option<&Path>, keys: &[AuthorityKey]) -> Result<Answer, CliError> {
    let text = read_text(file)?;
    let mut signed = signed_body(&text).unwrap_or_else(|| SignedRegistry {
        document: RegistryDocument { yaml: text },
        signatures: Vec::new(),
    });
    parse(file, &signed.document.yaml)?;
    for key in keys {
        if signed.signatures.iter().all(|signature| signature.key != key.public()) {
            signed.add_signature(key.expose())?;
        }
    }
    let Some(out) = out else { return Ok(Answer::of(pretty(&signed)?.trim_end(), &signed)) };
    write_private(out, &pretty(&signed)?)?;
    let text = format!("signed by {} key(s): {}", signed.signatures.len(), out.display());
    Ok(Answer::of(text, &signed))
}

async fn put(file: &Path, coordinator: &Client) -> Result<Answer, CliError> {
    let text = read_text(file)?;
    let unsigned = || form(file, "a signed registry", "run `tercet registry sign` first".into());
    let signed = signed_body(&text).ok_or_else(unsigned)?;
    let registry = parse(file, &signed.document.yaml)?;
    let view = coordinator.put_registry(&signed).await?;
    let text = format!(
        "registry {} (epoch {}, {} counterparties) is installed; nodes check it for themselves",
        registry.name(),
        view.epoch,
        view.counterparties
    );
    Ok(Answer::of(text, &view))
}

async fn one(name: &str, client: &Client) -> Result<Answer, CliError> {
    let view = client.counterparty(name).await?;
    Ok(Answer::of(table(std::slice::from_ref(&view)).join("\n"), &view))
}

async fn show(client: &Client) -> Result<Answer, CliError> {
    let registry = client.registry().await?;
    let (mut counterparties, mut cursor) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let page = client.counterparties(&PageAsked { cursor, limit: Some(PAGE) }).await?;
        counterparties.extend(page.counterparties);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    let mut text = vec![format!(
        "registry epoch {}, {} counterparties",
        registry.epoch, registry.counterparties
    )];
    text.extend(table(&counterparties));
    let json = json!({ "registry": registry, "counterparties": counterparties });
    Ok(Answer::new(text.join("\n"), json))
}

fn table(counterparties: &[CounterpartyView]) -> Vec<String> {
    let head = [
        "name",
        "trust",
        "base",
        "settled",
        "refused",
        "undelivered",
        "disputed",
        "country",
        "category",
        "services",
    ];
    let rows: Vec<_> = counterparties.iter().map(row).collect();
    lines(head, &rows)
}

fn row(who: &CounterpartyView) -> [String; 10] {
    let (trust, outcomes) = (who.trust, who.trust.outcomes);
    [
        who.name.clone(),
        trust.score.to_string(),
        trust.base.to_string(),
        outcomes.settled.to_string(),
        outcomes.refused.to_string(),
        outcomes.undelivered.to_string(),
        outcomes.disputed.to_string(),
        or_dash(who.country),
        or_dash(who.category.as_ref()),
        who.services.join(" "),
    ]
}

fn signed_body(text: &str) -> Option<SignedRegistry> {
    serde_json::from_str(text).ok()
}

fn parse(path: &Path, yaml: &str) -> Result<Registry, CliError> {
    Registry::parse(yaml).map_err(|error| form(path, "a counterparty registry", error.to_string()))
}

fn form(path: &Path, expected: &'static str, detail: String) -> CliError {
    CliError::Form { path: path.into(), expected, detail }
}

#[cfg(test)]
mod tests;
