//! `tercet policy test`: cases beside a policy, each with what was paid before, what is asked
//! and what is expected.
//!
//! Promises: a case fails when the verdict, the rules that fire or the time at which asking
//! again could succeed differ from what it expects, and its line is named.
//!
//! Does not protect against: cases that nobody wrote.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_saphyr::Spanned;
use tercet_policy::decision::{Decision, Verdict};
use tercet_policy::registry::Registry;
use tercet_policy::rules::Policy;

use super::explain::verdict_word;
use super::file::{Source, form, read_yaml, registry};
use super::history::{Fate, PastFile, of_written};
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

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    case: String,
    /// Payments of the past.
    #[serde(default)]
    given: Vec<PastFile>,
    ask: PaymentFile,
    expect: Expect,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    verdict: Expected,
    /// The kinds of all rules that refuse or ask, in any order.
    #[serde(default)]
    fires: Option<Vec<String>>,
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
    let mut policies: Vec<_> = beside.iter().map(|source| &source.policy).collect();
    policies.push(&tested.policy);
    let run = |case: &Spanned<CaseFile>| {
        let line = case.referenced.line();
        let bad = |reason| form(path, WHAT, format!("line {line}: {reason}"));
        let decision = decide(&case.value, &policies, registry.as_ref()).map_err(bad)?;
        Ok(outcome(path, line, &case.value, &decision))
    };
    file.cases.iter().map(run).collect()
}

fn decide(
    case: &CaseFile,
    policies: &[&Policy],
    registry: Option<&Registry>,
) -> Result<Decision, String> {
    let who = Who::of(policies)?;
    let mut trial = Trial::new(policies.to_vec(), registry);
    let past = of_written(&case.given, &who)?.payments;
    let last = past.last().map(|past| past.asked.at);
    for past in past {
        match past.fate {
            Fate::Paid => trial.record(&past.asked, past.counted)?,
            Fate::Refused => trial.refuse(past.asked.at),
            Fate::Void => trial.fail(past.asked.at),
        }
    }
    let now = last.ok_or_else(|| "ask has no time: write at".to_owned());
    let now = case.ask.at.map_or(now, |at| Ok(at.0))?;
    trial.decide(&case.ask.asked(&who, now)?)
}

fn outcome(path: &Path, line: u64, case: &CaseFile, decision: &Decision) -> Outcome {
    let failures = failures(&case.expect, decision);
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

fn failures(expect: &Expect, decision: &Decision) -> Vec<String> {
    let mut failures = Vec::new();
    let (wanted, found) = (expect.verdict.verdict(), decision.verdict);
    if wanted != found {
        failures.push(format!("{}, expected {}", verdict_word(found), verdict_word(wanted)));
    }
    let fired = decision.violations().map(|found| found.kind.clone()).collect();
    failures.extend(differ("fires", expect.fires.as_ref(), fired));
    let warned = decision.warnings().map(|(_, found)| found.kind.clone()).collect();
    failures.extend(differ("warns", expect.warns.as_ref(), warned));
    let resets_at = decision.violations().filter_map(|found| found.resets_at).max();
    if let Some(Moment(wanted)) = expect.resets_at.filter(|wanted| Some(wanted.0) != resets_at) {
        let found = resets_at.map_or_else(|| "never".to_owned(), moment::text);
        failures.push(format!("resets at {found}, expected {}", moment::text(wanted)));
    }
    if wanted != found && expect.fires.is_none() {
        failures.extend(decision.violations().map(ToString::to_string));
    }
    failures
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
