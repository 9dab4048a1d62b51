//! `tercet policy diff`: what a new version of a policy loosens, and what it tightens.
//!
//! Promises: what is called tightened approves a subset, in every state. What cannot be shown to
//! is called loosened or changed, and takes the authority's quorum.

use serde_json::json;
use tercet_policy::compare::{Change, Comparison, Direction, compare};

use super::file::Source;
use crate::answer::Answer;
use crate::args::{Args, Diff};
use crate::error::CliError;
use crate::line;

/// Runs the command.
pub(super) fn run(diff: &Diff, args: &Args) -> Result<Answer, CliError> {
    let (old, new) = (Source::read(&diff.old)?, Source::read(&diff.new)?);
    let comparison = compare(&old.policy, &new.policy);
    let needs = signatures(&comparison, args);
    let mut lines = vec![format!(
        "{} (epoch {}) to {} (epoch {}): {}",
        old.policy.name(),
        old.policy.epoch(),
        new.policy.name(),
        new.policy.epoch(),
        summary(&comparison)
    )];
    lines.extend(comparison.changes.iter().map(|change| text(change, &old, &new)));
    lines.push(format!("signatures: {needs}"));
    if new.policy.epoch() <= old.policy.epoch() {
        lines.push("note: the epoch does not rise, so nobody will take the new one".to_owned());
    }
    let json = json!({
        "tightening": comparison.tightening,
        "changes": comparison.changes,
        "signatures": needs,
        "epoch_rises": new.policy.epoch() > old.policy.epoch(),
    });
    Ok(Answer::new(lines.join("\n"), json))
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

/// How many keys of the authority have to sign the new version.
fn signatures(comparison: &Comparison, args: &Args) -> String {
    let authority = line::config(&args.home).ok().map(|config| config.authority);
    let quorum = authority.map_or_else(
        || "the authority's quorum (m of n)".to_owned(),
        |authority| format!("{} of the authority's keys", authority.threshold()),
    );
    if comparison.tightening {
        format!("any one of the authority's keys, since it only tightens; otherwise {quorum}")
    } else {
        quorum
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
