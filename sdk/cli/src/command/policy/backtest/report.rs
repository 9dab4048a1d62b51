//! What a replay found, as a table and for programs.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use tercet_policy::decision::{Decision, Outcome, Verdict};
use tercet_policy::rules::{Money, Policy, Rule};
use tercet_policy::time::UnixSeconds;

use super::super::explain::verdict_word;
use super::super::file::Source;
use super::super::history::{Fate, Past};
use super::super::{moment, table};
use super::UNKNOWN;
use crate::answer::Answer;

/// Most changes that are listed for people; `--json` has them all.
const SHOWN_MAX: usize = 50;

/// What a replay found.
#[derive(Debug)]
pub(super) struct Report {
    policy: String,
    replayed: usize,
    left_out: usize,
    stops: usize,
    changes: Vec<Change>,
    rules: Vec<RuleTotal>,
}

/// A payment that the draft judges otherwise.
#[derive(Clone, Debug, Serialize)]
struct Change {
    at: UnixSeconds,
    amount: String,
    payee: String,
    was: Verdict,
    is: Verdict,
    /// The rules that make the difference: the draft's objections, or those that are gone.
    because: Vec<String>,
    #[serde(skip)]
    money: Option<Money>,
}

/// How often a rule of the draft was not kept.
#[derive(Clone, Debug, Serialize)]
struct RuleTotal {
    /// Place of its entry in the file, from 0.
    rule: usize,
    line: u64,
    kind: String,
    refuses: usize,
    asks: usize,
    warns: usize,
    /// The sums of those payments, an asset each.
    amounts: Vec<String>,
    #[serde(skip)]
    sums: Sums,
}

/// Sums by symbol.
#[derive(Clone, Debug, Default)]
struct Sums(BTreeMap<&'static str, Money>);

impl Sums {
    fn add(&mut self, money: Option<Money>) {
        let Some(money) = money else { return };
        let sum =
            self.0.entry(money.symbol).or_insert(Money { amount: Default::default(), ..money });
        sum.amount = sum.amount.checked_add(money.amount).unwrap_or(sum.amount);
    }

    fn texts(&self) -> Vec<String> {
        self.0.values().map(ToString::to_string).collect()
    }
}

impl Report {
    pub(super) fn new(draft: &Policy, left_out: usize) -> Self {
        let total = |held: &Rule| RuleTotal {
            rule: held.place(),
            line: held.line(),
            kind: held.kind().word().to_owned(),
            refuses: 0,
            asks: 0,
            warns: 0,
            amounts: Vec::new(),
            sums: Sums::default(),
        };
        let rules = draft.rules().iter().map(total).collect();
        let policy = draft.name().to_owned();
        Self { policy, replayed: 0, left_out, stops: 0, changes: Vec::new(), rules }
    }

    /// Takes a payment in: what the draft says, and what the policy in force says, where it is
    /// known; else what is recorded stands for it.
    pub(super) fn take(&mut self, past: &Past, is: &Decision, was: Option<&Decision>) {
        self.replayed = self.replayed.saturating_add(1);
        self.count(past, is);
        let recorded = match past.fate {
            Fate::Refused => Verdict::Refuse,
            Fate::Asked => Verdict::AskHuman,
            Fate::Paid | Fate::Void if past.by_people => Verdict::AskHuman,
            Fate::Paid | Fate::Void => Verdict::Approve,
        };
        let stops = is.violations().any(|found| found.freezes);
        self.stops = self.stops.saturating_add(usize::from(stops));
        let before = was.map_or(recorded, |was| was.verdict);
        if before == is.verdict {
            return;
        }
        let money = past.asked.money();
        self.changes.push(Change {
            at: past.asked.at,
            amount: money.map_or_else(String::new, |money| money.to_string()),
            payee: past.asked.payee_text(),
            was: before,
            is: is.verdict,
            because: because(is, was),
            money,
        });
    }

    fn count(&mut self, past: &Past, is: &Decision) {
        let opinions = is.policies.iter().filter(|opinion| opinion.policy == self.policy);
        for found in opinions.flat_map(|opinion| &opinion.findings) {
            let of = |total: &&mut RuleTotal| total.rule == found.rule && total.kind == found.kind;
            let Some(total) = self.rules.iter_mut().find(of) else { continue };
            let counter = match found.outcome {
                Outcome::Kept => continue,
                Outcome::Refuses => &mut total.refuses,
                Outcome::Asks => &mut total.asks,
                Outcome::Warns => &mut total.warns,
            };
            *counter = counter.saturating_add(1);
            total.sums.add(past.asked.money());
            total.amounts = total.sums.texts();
        }
    }

    fn newly(&self, verdict: Verdict) -> (usize, Vec<String>) {
        let mut sums = Sums::default();
        let changes: Vec<_> = self.changes.iter().filter(|change| change.is == verdict).collect();
        changes.iter().for_each(|change| sums.add(change.money));
        (changes.len(), sums.texts())
    }
}

/// The draft's objections; where it has none, those it no longer has.
fn because(is: &Decision, was: Option<&Decision>) -> Vec<String> {
    let said = |decision: &Decision| -> Vec<String> {
        let all = decision.objections();
        all.map(|(opinion, found)| format!("{}: {found}", opinion.policy)).collect()
    };
    let now = said(is);
    match (now.is_empty(), is.verdict, was) {
        (false, ..) => now,
        (true, Verdict::Refuse, _) => vec!["no rule grants it".to_owned()],
        (true, _, Some(was)) => {
            said(was).into_iter().map(|rule| format!("no longer: {rule}")).collect()
        }
        (true, _, None) => Vec::new(),
    }
}

/// The report as an answer. What would change is not a failure.
pub(super) fn answer(draft: &Source, held: Option<&Source>, report: &Report) -> Answer {
    let words = [Verdict::Refuse, Verdict::Approve, Verdict::AskHuman];
    let newly = words.map(|verdict| (verdict, report.newly(verdict)));
    let mut lines = vec![head(draft, held, report)];
    for (verdict, (number, sums)) in &newly {
        let sums = if sums.is_empty() { String::new() } else { format!(", {}", sums.join(", ")) };
        lines.push(format!("  newly {}: {number}{sums}", verdict_word(*verdict)));
    }
    if report.stops > 0 {
        lines.push(format!("  would stop the agent: {} times", report.stops));
    }
    lines.extend(changes(report));
    lines.extend(totals(report));
    lines.push("what this cannot know:".to_owned());
    lines.extend(UNKNOWN.iter().map(|unknown| format!("  - {unknown}")));
    let [refused, approved, asked] =
        newly.map(|(_, (number, amounts))| json!({ "number": number, "amounts": amounts }));
    let json = json!({
        "draft": { "policy": draft.policy.name(), "epoch": draft.policy.epoch() },
        "compared_with": held.map(|held| {
            json!({ "policy": held.policy.name(), "epoch": held.policy.epoch() })
        }),
        "replayed": report.replayed,
        "left_out": report.left_out,
        "newly_refused": refused,
        "newly_approved": approved,
        "newly_asked": asked,
        "stops": report.stops,
        "changes": report.changes,
        "rules": report.rules,
        "cannot_know": UNKNOWN,
    });
    Answer::new(lines.join("\n"), json)
}

fn head(draft: &Source, held: Option<&Source>, report: &Report) -> String {
    let with = held.map_or_else(
        || "what is recorded".to_owned(),
        |held| format!("policy {} (epoch {})", held.policy.name(), held.policy.epoch()),
    );
    format!(
        "{} payments replayed under {} (epoch {}), compared with {with}; {} left out: nothing in \
         them was a policy's to decide",
        report.replayed,
        draft.policy.name(),
        draft.policy.epoch(),
        report.left_out
    )
}

fn changes(report: &Report) -> Vec<String> {
    let row = |change: &Change| {
        [
            moment::text(change.at),
            change.amount.clone(),
            change.payee.clone(),
            verdict_word(change.was).to_owned(),
            verdict_word(change.is).to_owned(),
            change.because.join("; "),
        ]
    };
    if report.changes.is_empty() {
        return vec!["no verdict changes".to_owned()];
    }
    let rows: Vec<_> = report.changes.iter().take(SHOWN_MAX).map(row).collect();
    let mut lines = table::lines(["at", "amount", "to", "was", "would be", "because"], &rows);
    let more = report.changes.len().saturating_sub(SHOWN_MAX);
    if more > 0 {
        lines.push(format!("  and {more} more; --json lists them all"));
    }
    lines
}

fn totals(report: &Report) -> Vec<String> {
    let row = |total: &RuleTotal| {
        [
            total.line.to_string(),
            total.kind.clone(),
            total.refuses.to_string(),
            total.asks.to_string(),
            total.warns.to_string(),
            total.amounts.join(", "),
        ]
    };
    let broken = |total: &&RuleTotal| [total.refuses, total.asks, total.warns] != [0, 0, 0];
    let rows: Vec<_> = report.rules.iter().filter(broken).map(row).collect();
    if rows.is_empty() {
        return vec!["every payment keeps to every rule of the draft".to_owned()];
    }
    let mut lines = vec!["rules of the draft that were not kept:".to_owned()];
    lines.extend(table::lines(["line", "rule", "refuses", "asks", "warns", "of"], &rows));
    lines
}
