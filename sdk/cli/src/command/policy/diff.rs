//! `tercet policy diff`: what a new version of a policy loosens, and what it tightens.
//!
//! Promises: what is called tightened approves a subset, in every state. What cannot be shown to
//! is called loosened or changed, and takes the authority's quorum.

use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};
use tercet_policy::compare::{Change, Comparison, Direction, compare};
use tercet_policy::document::{Authority, AuthorityConfig};

use super::file::{Source, form, signed_body};
use super::symbolic::{self, Solver};
use crate::answer::Answer;
use crate::args::{Args, Diff};
use crate::error::CliError;
use crate::file::read_text;
use crate::line;

/// Runs the command.
pub(super) async fn run(diff: &Diff, args: &Args) -> Result<Answer, CliError> {
    let (old, new) = (Source::read(&diff.old)?, Source::read(&diff.new)?);
    let comparison = compare(&old.policy, &new.policy);
    let authority = authority(diff.config.as_deref(), args)?;
    let carried = authority.as_ref().map(|pinned| carried(&diff.new, pinned)).transpose()?;
    let needs = Needs::of(&comparison, authority, carried.flatten());
    let rises = new.policy.epoch() > old.policy.epoch();
    let mut lines = vec![format!(
        "{} (epoch {}) to {} (epoch {}): {}",
        old.policy.name(),
        old.policy.epoch(),
        new.policy.name(),
        new.policy.epoch(),
        summary(&comparison)
    )];
    lines.extend(comparison.changes.iter().map(|change| text(change, &old, &new)));
    let analysis = analysis(&old, &new, diff.timeout).await?;
    lines.extend(analysis.lines);
    lines.push(format!("signatures: {}", needs.text()));
    if !rises {
        lines.push("note: the epoch does not rise, so nobody will take the new one".to_owned());
    }
    let json = json!({
        "tightening": comparison.tightening,
        "changes": comparison.changes,
        "analysis": analysis.json,
        "signatures": needs,
        "epoch_rises": rises,
    });
    Ok(Answer::new(lines.join("\n"), json))
}

struct Analysis {
    lines: Vec<String>,
    json: Value,
}

/// What a solver says of the two versions; without a solver that it is missing. The signatures
/// that are needed do not hang on it.
async fn analysis(old: &Source, new: &Source, seconds: u64) -> Result<Analysis, CliError> {
    match Solver::find(seconds).await {
        Ok(solver) => {
            let compared = Box::pin(symbolic::compare(old, new, &solver)).await?;
            Ok(Analysis { lines: compared.lines(), json: compared.json() })
        }
        Err(CliError::Setup { detail, next }) => {
            let lines = vec![format!("not analysed: {detail}. {next}")];
            Ok(Analysis { lines, json: json!({ "missing": detail }) })
        }
        Err(error) => Err(error),
    }
}

fn summary(comparison: &Comparison) -> &'static str {
    match (comparison.changes.is_empty(), comparison.tightening) {
        (true, _) => "no rule changes",
        (false, true) => "tightened: it approves nothing that the old one refuses",
        (false, false) => "not a tightening: it may approve what the old one refuses",
    }
}

fn text(change: &Change, old: &Source, new: &Source) -> String {
    let word = match change.direction {
        Direction::Tightened => "tightened",
        Direction::Loosened => "loosened ",
        Direction::Changed => "changed  ",
    };
    let place = |source: &Source, line: Option<u64>| {
        line.map(|line| {
            let shown = written(&source.yaml, line);
            format!("\n      {}:{line}: {shown}", source.path.display())
        })
    };
    let old = place(old, change.old_line).unwrap_or_default();
    let new = place(new, change.new_line).unwrap_or_default();
    format!("  {word}  {}: {}{old}{new}", change.what, change.reason)
}

/// A rule as its file writes it, on one line.
fn written(yaml: &str, line: u64) -> String {
    let first = usize::try_from(line.saturating_sub(1)).unwrap_or(usize::MAX);
    let mut lines = yaml.lines().skip(first);
    let head = lines.next().unwrap_or_default();
    let indent = |line: &str| line.len().saturating_sub(line.trim_start().len());
    let own = indent(head);
    let rest = lines.take_while(|line| indent(line) > own && !line.trim().is_empty());
    let words: Vec<_> = std::iter::once(head).chain(rest).map(str::trim).collect();
    words.join(" ").trim_start_matches("- ").to_owned()
}

/// The authority that a configuration pins, or the agent's home.
fn authority(config: Option<&Path>, args: &Args) -> Result<Option<AuthorityConfig>, CliError> {
    let Some(path) = config else {
        let home = line::config(&args.home).ok();
        return Ok(home.map(|config| config.authority.into()));
    };
    let bad = |detail| form(path, "a configuration with an authority", detail);
    let table: toml::Table = toml::from_str(&read_text(path)?).map_err(|e| bad(e.to_string()))?;
    let pinned = table.get("authority").ok_or_else(|| bad("it has no [authority]".to_owned()))?;
    let authority: Authority = pinned
        .clone()
        .try_into()
        .map_err(|e: toml::de::Error| bad(format!("[authority]: {}", e.message())))?;
    Ok(Some(authority.into()))
}

/// How many of the authority's keys signed a policy, where it is signed.
fn carried(path: &Path, authority: &AuthorityConfig) -> Result<Option<usize>, CliError> {
    let Some(signed) = signed_body(&read_text(path)?) else { return Ok(None) };
    let by_one = |key| {
        let config = AuthorityConfig { keys: vec![key], threshold: 1 };
        let one = Authority::try_from(config).ok();
        one.is_some_and(|one| signed.clone().open_policy(&one).is_ok())
    };
    Ok(Some(authority.keys.iter().filter(|key| by_one(**key)).count()))
}

/// How many keys of the authority have to sign the new version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Needs {
    /// Whether nodes and coordinators that hold the old version take the new one on any one key.
    one_is_enough: bool,
    /// How many keys are a quorum, where the authority is known.
    quorum: Option<usize>,
    /// How many keys there are.
    keys: Option<usize>,
    /// How many of them signed the new version, where it is signed.
    carried: Option<usize>,
}

impl Needs {
    fn of(
        comparison: &Comparison,
        authority: Option<AuthorityConfig>,
        carried: Option<usize>,
    ) -> Self {
        Self {
            one_is_enough: comparison.tightening,
            quorum: authority.as_ref().map(|authority| authority.threshold),
            keys: authority.map(|authority| authority.keys.len()),
            carried,
        }
    }

    fn text(&self) -> String {
        let quorum = match (self.quorum, self.keys) {
            (Some(quorum), Some(keys)) => format!("{quorum} of the authority's {keys} keys"),
            _ => "the authority's quorum (m of n)".to_owned(),
        };
        let carried = self
            .carried
            .map_or_else(String::new, |signed| format!("; the new version carries {signed}"));
        if self.one_is_enough {
            let one = "any one of the authority's keys, where the old version is in force";
            format!("{one}, since it only tightens; anywhere else {quorum}{carried}")
        } else {
            format!("{quorum}{carried}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::written;

    #[test]
    fn a_rule_is_shown_as_it_is_written() {
        let yaml = "rules:\n  - limit:\n      amount: 1 USDC\n      per: day\n  - rate: {a: b}\n";
        assert_eq!(written(yaml, 2), "limit: amount: 1 USDC per: day");
        assert_eq!(written(yaml, 5), "rate: {a: b}");
        assert_eq!(written(yaml, 99), "");
    }
}
