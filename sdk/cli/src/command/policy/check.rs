//! `tercet policy check`: what a policy says, and what in it does not do what it seems to.
//!
//! Promises: a policy of an agent that grants nothing is told apart by its exit code. One of an
//! organisation or of a wallet may do so: another policy may grant what it only restricts.

use std::path::Path;

use serde_json::{Value, json};
use tercet_policy::lint::{Given, Warning, lint};
use tercet_policy::rules::{Mode, Money, Policy, Rule, Then};
use tercet_policy::subject::Subject;

use super::file::Source;
use super::payment::money;
use super::{json_of, moment};
use crate::answer::Answer;
use crate::args::Check;
use crate::error::CliError;
use crate::exit::Exit;

/// Runs the command. A policy that grants nothing ends with [`Exit::Refused`].
pub(super) fn run(check: &Check) -> Result<Answer, CliError> {
    let float = check.float.as_deref().map(money).transpose().map_err(CliError::Usage)?;
    let sources = check.files.iter().map(|file| Source::read(file));
    let sources: Vec<_> = sources.collect::<Result<_, _>>()?;
    let mut lines = Vec::new();
    let (mut views, mut nothing, mut warned) = (Vec::new(), false, false);
    for source in &sources {
        let warnings = warnings(&source.policy, float);
        nothing |= is_dead(&source.policy);
        warned |= !warnings.is_empty();
        lines.extend(text(source, &warnings));
        views.push(view(source, &warnings));
    }
    let exit = match (nothing, warned && check.deny_warnings) {
        (true, _) => Exit::Refused,
        (false, true) => Exit::Failure,
        (false, false) => Exit::Ok,
    };
    let json = match views.as_slice() {
        [one] => one.clone(),
        _ => json!({ "policies": views }),
    };
    Ok(Answer::new(lines.join("\n"), json).ending(exit))
}

/// Whether an agent with this policy alone is paid for nothing.
fn is_dead(policy: &Policy) -> bool {
    matches!(policy.subject(), Subject::Agent(_)) && policy.grants_nothing().is_some()
}

fn warnings(policy: &Policy, float: Option<Money>) -> Vec<Warning> {
    lint(policy, &Given { float, now: moment::now() })
}

fn text(source: &Source, warnings: &[Warning]) -> Vec<String> {
    let policy = &source.policy;
    let mode = if policy.mode() == Mode::Warn { ", which only warns" } else { "" };
    let mut lines = vec![format!(
        "policy {} (epoch {}) for {}{mode}, {} rules",
        policy.name(),
        policy.epoch(),
        policy.subject(),
        policy.rules().len()
    )];
    lines.extend(policy.rules().iter().map(rule_line));
    if let Some(reason) = policy.grants_nothing() {
        let ends = if is_dead(policy) { "" } else { "; another policy may grant" };
        lines.push(format!("It grants nothing: {reason}{ends}."));
    }
    lines.extend(warnings.iter().map(|warning| warning_line(&source.path, warning)));
    lines
}

fn rule_line(rule: &Rule) -> String {
    let then = match rule.then() {
        Then::Refuse => "",
        Then::Ask => ", then asks",
        Then::Warn => ", then warns",
    };
    format!("  line {:>3}  {}{then}", rule.line(), rule.kind().word())
}

fn warning_line(path: &Path, warning: &Warning) -> String {
    format!("{}:{}: warning: {}: {}", path.display(), warning.line, warning.kind, warning.reason)
}

fn view(source: &Source, warnings: &[Warning]) -> Value {
    let policy = &source.policy;
    let rules: Vec<_> = policy.rules().iter().map(|rule| rule.kind().word()).collect();
    json!({
        "file": source.path.display().to_string(),
        "policy": policy.name(),
        "epoch": policy.epoch(),
        "subject": json_of(policy.subject()),
        "agent": policy.agent(),
        "mode": json_of(&policy.mode()),
        "rules": rules,
        "grants_nothing": policy.grants_nothing(),
        "warnings": warnings,
    })
}
