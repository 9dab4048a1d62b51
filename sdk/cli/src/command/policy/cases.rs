//! `tercet policy test`: cases beside a policy, each with what was paid before, what is asked
//! and what is expected.
//!
//! ```yaml
//! registry: counterparties.yaml        # by its path from this file; so `with: [POLICIES]`
//! cases:
//!   - case: the day's budget holds
//!     given:
//!       - { amount: 9.80 USDC, service: api.search.example, at: 2026-03-02T08:00:00Z }
//!     ask: { amount: 0.30 USDC, service: api.search.example, at: 2026-03-02T09:00:00Z }
//!     expect: { verdict: refuse, fires: [limit], resets_at: 2026-03-02T23:00:00Z }
//! ```
//!
//! Promises: a case fails when the verdict, the rules that fire, who is asked or the time at
//! which asking again could succeed differ from what it expects, and its line is named.
//!
//! Does not protect against: cases that nobody wrote.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_saphyr::Spanned;
use tercet_policy::decision::Outcome::Asks;
use tercet_policy::decision::{Decision, Verdict};
use tercet_policy::registry::Registry;
use tercet_policy::rules::Rule;

use super::explain::verdict_word;
use super::file::{Bad, Source, form, read_yaml, registry};
use super::history::of_written;
use super::json_of;
use super::moment::{self, Moment};
use super::payment::{PaymentFile, Who};
use super::table;
use super::trial::Trial;
use crate::answer::Answer;
use crate::args::Test;
use crate::error::CliError;
use crate::exit::Exit;

const WHAT: &str = "a file of cases";
/// Ends of a file of cases, which stand in the place of the policy's own.
const ENDS: [(&str, &str); 2] = [(".test.yaml", ".yaml"), (".test.yml", ".yml")];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CasesFile {
    /// Policies that apply beside the one that is tested, by their path from this file.
    #[serde(default)]
    with: Vec<PathBuf>,
    /// The counterparty registry, by its path from this file.
    #[serde(default)]
    registry: Option<PathBuf>,
    cases: Vec<Spanned<CaseFile>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    case: String,
    /// Payments of the past.
    #[serde(default)]
    given: Vec<Spanned<PaymentFile>>,
    ask: Spanned<PaymentFile>,
    expect: Expect,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    verdict: Expected,
    /// The kinds of all rules that refuse or ask, in any order.
    #[serde(default)]
    fires: Option<Vec<String>>,
    /// The names of all who are asked, in any order.
    #[serde(default)]
    asks: Option<Vec<String>>,
    /// The kinds of all rules that would have, if they were to bind.
    #[serde(default)]
    warns: Option<Vec<String>>,
    /// When the same could be asked again.
    #[serde(default)]
    resets_at: Option<Moment>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Approve,
    Ask,
    Refuse,
}

impl Expected {
    const fn verdict(self) -> Verdict {
        match self {
            Self::Approve => Verdict::Approve,
            Self::Ask => Verdict::AskHuman,
            Self::Refuse => Verdict::Refuse,
        }
    }
}

/// How one case went.
#[derive(Clone, Debug, Serialize)]
struct Outcome {
    file: String,
    line: u64,
    case: String,
    passed: bool,
    verdict: Verdict,
    /// Everything that differs from what is expected.
    failures: Vec<String>,
    decision: serde_json::Value,
}

/// Runs the command. Failed cases are an answer, and end with [`Exit::Failure`].
pub(super) fn run(test: &Test) -> Result<Answer, CliError> {
    if test.cases.is_some() && test.files.len() > 1 {
        return Err(CliError::Usage("--cases names the cases of one policy".into()));
    }
    let mut outcomes = Vec::new();
    for file in &test.files {
        let (policy, cases) = beside(file, test.cases.as_deref())?;
        outcomes.extend(run_file(&policy, &cases)?);
    }
    Ok(answer(&outcomes))
}

/// The policy and its cases; either of them may be named.
fn beside(file: &Path, cases: Option<&Path>) -> Result<(PathBuf, PathBuf), CliError> {
    if let Some(cases) = cases {
        return Ok((file.to_owned(), cases.to_owned()));
    }
    let text = file.to_string_lossy();
    for (cases_end, policy_end) in ENDS {
        if let Some(stem) = text.strip_suffix(cases_end) {
            return Ok((PathBuf::from(format!("{stem}{policy_end}")), file.to_owned()));
        }
    }
    for (cases_end, policy_end) in ENDS {
        if let Some(stem) = text.strip_suffix(policy_end) {
            return Ok((file.to_owned(), PathBuf::from(format!("{stem}{cases_end}"))));
        }
    }
    let said = "name the cases with --cases: this policy's file does not end with .yaml";
    Err(CliError::Usage(said.into()))
}

fn run_file(policy: &Path, path: &Path) -> Result<Vec<Outcome>, CliError> {
    let tested = Source::read(policy)?;
    let file: CasesFile = read_yaml(path, WHAT)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let beside = file.with.iter().map(|other| Source::read(&folder.join(other)));
    let beside: Vec<_> = beside.collect::<Result<_, _>>()?;
    let registry = file.registry.map(|other| folder.join(other));
    let registry = self::registry(registry.as_deref())?;
    if file.cases.is_empty() {
        return Err(form(path, WHAT, "it has no cases".into()));
    }
    let mut policies: Vec<_> = beside.iter().collect();
    policies.push(&tested);
    let run = |case: &Spanned<CaseFile>| {
        let line = case.referenced.line();
        let decision = decide(case, &policies, registry.as_ref());
        let decision = decision.map_err(|bad| bad.of(path, WHAT))?;
        Ok(outcome(path, line, &case.value, (&policies, &decision)))
    };
    file.cases.iter().map(run).collect()
}

fn decide(
    case: &Spanned<CaseFile>,
    policies: &[&Source],
    registry: Option<&Registry>,
) -> Result<Decision, Bad> {
    let here = |reason| Bad { line: case.referenced.line(), reason };
    let (case, ask) = (&case.value, &case.value.ask);
    let who = Who::of(&policies.iter().map(|source| &source.policy).collect::<Vec<_>>());
    let who = who.map_err(here)?;
    let mut trial = Trial::new(policies, registry).map_err(here)?;
    let past = of_written(&case.given, &who)?.payments;
    for past in &past {
        trial.take(past).map_err(here)?;
    }
    let asks = |reason| Bad { line: ask.referenced.line(), reason };
    let last = past.last().map(|past| past.asked.at);
    let now = ask.value.at.map(|at| at.0).or(last);
    let now = now.ok_or_else(|| asks("ask has no time: write at".to_owned()))?;
    let asked = ask.value.asked(&who, now).map_err(asks)?;
    trial.decide(&asked).map_err(asks)
}

fn outcome(
    path: &Path,
    line: u64,
    case: &CaseFile,
    (policies, decision): (&[&Source], &Decision),
) -> Outcome {
    let failures = failures(&case.expect, policies, decision);
    Outcome {
        file: path.display().to_string(),
        line,
        case: case.case.clone(),
        passed: failures.is_empty(),
        verdict: decision.verdict,
        failures,
        decision: json_of(decision),
    }
}

fn failures(expect: &Expect, policies: &[&Source], decision: &Decision) -> Vec<String> {
    let mut failures = Vec::new();
    let (wanted, found) = (expect.verdict.verdict(), decision.verdict);
    if wanted != found {
        failures.push(format!("{}, expected {}", verdict_word(found), verdict_word(wanted)));
    }
    let fired = decision.violations().map(|found| found.kind.clone()).collect();
    failures.extend(differ("fires", expect.fires.as_ref(), fired));
    failures.extend(differ("asks", expect.asks.as_ref(), people(policies, decision)));
    let warned = decision.warnings().map(|(_, found)| found.kind.clone()).collect();
    failures.extend(differ("warns", expect.warns.as_ref(), warned));
    let resets_at = decision.violations().filter_map(|found| found.resets_at).max();
    if let Some(Moment(wanted)) = expect.resets_at.filter(|wanted| Some(wanted.0) != resets_at) {
        let found = resets_at.map_or_else(|| "never".to_owned(), moment::text);
        failures.push(format!("resets at {found}, expected {}", moment::text(wanted)));
    }
    if !failures.is_empty() {
        failures.extend(objections(policies, decision));
    }
    failures
}

/// Everybody who is asked by a rule that asks now.
fn people(policies: &[&Source], decision: &Decision) -> Vec<String> {
    let asks = decision.objections().filter(|(_, found)| found.outcome == Asks);
    let rules = asks.filter_map(|(opinion, found)| {
        policies.iter().find(|source| source.is_of(opinion)).and_then(|source| source.rule(found))
    });
    let people = rules.filter_map(Rule::approvers).flat_map(|approvers| approvers.people());
    let names: BTreeSet<_> = people.map(|person| person.name.clone()).collect();
    names.into_iter().collect()
}

/// The rules that refuse or ask, with their numbers and places.
fn objections(policies: &[&Source], decision: &Decision) -> Vec<String> {
    let all = decision.objections().map(|(opinion, found)| {
        let source = policies.iter().find(|source| source.is_of(opinion));
        let place = source.and_then(|source| {
            source.rule(found).map(|rule| format!("{}:{}: ", source.path.display(), rule.line()))
        });
        format!("{}{found}", place.unwrap_or_default())
    });
    let all: Vec<_> = all.collect();
    match (all.is_empty(), decision.verdict) {
        (true, Verdict::Refuse) => vec!["no rule grants it".to_owned()],
        _ => all,
    }
}

fn differ(what: &str, wanted: Option<&Vec<String>>, mut found: Vec<String>) -> Option<String> {
    let mut wanted = wanted?.clone();
    wanted.sort();
    found.sort();
    let said = |words: &[String]| {
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    };
    (wanted != found).then(|| format!("{what} {}, expected {}", said(&found), said(&wanted)))
}

fn answer(outcomes: &[Outcome]) -> Answer {
    let failed = outcomes.iter().filter(|outcome| !outcome.passed).count();
    let row = |outcome: &Outcome| {
        [
            if outcome.passed { "ok" } else { "FAILED" }.to_owned(),
            verdict_word(outcome.verdict).to_owned(),
            format!("{}:{}", outcome.file, outcome.line),
            outcome.case.clone(),
        ]
    };
    let rows: Vec<_> = outcomes.iter().map(row).collect();
    let mut lines = table::lines(["", "verdict", "line", "case"], &rows);
    for outcome in outcomes.iter().filter(|outcome| !outcome.passed) {
        lines.push(format!("{}:{}: {:?}", outcome.file, outcome.line, outcome.case));
        lines.extend(outcome.failures.iter().map(|failure| format!("    {failure}")));
    }
    let passed = outcomes.len().saturating_sub(failed);
    lines.push(format!("{passed} of {} cases passed", outcomes.len()));
    let exit = if failed == 0 { Exit::Ok } else { Exit::Failure };
    let json = json!({ "passed": passed, "failed": failed, "cases": outcomes });
    Answer::new(lines.join("\n"), json).ending(exit)
}
