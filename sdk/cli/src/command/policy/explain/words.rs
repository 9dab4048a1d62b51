//! A decision as people read it.

use tercet_policy::decision::{Decision, Finding, Opinion, Outcome, Verdict};
use tercet_policy::rules::Mode;

use super::super::file::Source;
use super::super::moment;
use super::super::table::{self, or_dash};

const HEAD: [&str; 9] =
    ["policy", "epoch", "line", "rule", "outcome", "limit", "current", "asked", "resets at"];

/// How people read a verdict.
pub(in super::super) const fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Approve => "approved",
        Verdict::AskHuman => "asks a human",
        Verdict::Refuse => "refused",
    }
}

pub(super) fn lines(decision: &Decision, notes: &[String], sources: &[Source]) -> Vec<String> {
    let names = decision.policies.iter().map(|opinion| {
        let warns = if opinion.mode == Mode::Warn { ", only warns" } else { "" };
        format!("{} (epoch {}, {}{warns})", opinion.policy, opinion.epoch, opinion.subject)
    });
    let names: Vec<_> = names.collect();
    let names = if names.is_empty() { "no policy applies".to_owned() } else { names.join(", ") };
    let mut lines = vec![format!("{}: {names}", verdict_word(decision.verdict))];
    lines.extend(notes.iter().map(|note| format!("  note: {note}")));
    lines.extend(findings(decision, sources));
    if decision.verdict == Verdict::Refuse && decision.violations().next().is_none() {
        lines.push("  no rule grants this, and silence is refusal".into());
    }
    lines
}

fn findings(decision: &Decision, sources: &[Source]) -> Vec<String> {
    let mut rows = Vec::new();
    for opinion in &decision.policies {
        rows.extend(opinion.findings.iter().map(|found| row(opinion, found, sources)));
    }
    if rows.is_empty() { Vec::new() } else { table::lines(HEAD, &rows) }
}

fn row(opinion: &Opinion, found: &Finding, sources: &[Source]) -> [String; 9] {
    let source = sources.iter().find(|source| source.is_of(opinion));
    let rule = source.and_then(|source| source.rule(found));
    let per = found.per.as_ref().map_or_else(String::new, |per| format!(" per {per}"));
    [
        opinion.policy.clone(),
        opinion.epoch.to_string(),
        or_dash(rule.map(|rule| rule.line())),
        found.kind.clone(),
        outcome(opinion.mode, found),
        format!("{}{per}", found.limit),
        or_dash(found.current.as_ref()),
        found.asked.clone(),
        or_dash(found.resets_at.map(moment::text)),
    ]
}

fn outcome(mode: Mode, found: &Finding) -> String {
    let word = match found.outcome {
        Outcome::Kept if found.grants => "grants",
        Outcome::Kept => "kept",
        Outcome::Warns => "warns",
        Outcome::Asks => "asks",
        Outcome::Refuses => "refuses",
    };
    let would = mode == Mode::Warn && matches!(found.outcome, Outcome::Asks | Outcome::Refuses);
    let freezes = if found.freezes { ", freezes" } else { "" };
    let asks = found.approvers.as_ref().filter(|_| found.outcome == Outcome::Asks);
    let asks = asks.map_or_else(String::new, |who| format!(" {who}"));
    let yes = match found.approved_by.as_slice() {
        [] => String::new(),
        names => format!(", approved by {}", names.join(", ")),
    };
    if would {
        format!("({word}{asks}{yes}{freezes})")
    } else {
        format!("{word}{asks}{yes}{freezes}")
    }
}
