//! Files about policies, with a line in every complaint.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use tercet_policy::decision::{Finding, Opinion};
use tercet_policy::registry::Registry;
use tercet_policy::rules::{Policy, Rule, SignedPolicy};

use crate::error::CliError;
use crate::file::read_text;

/// Largest history that is read, in bytes.
const HISTORY_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Deepest nesting of a file with payments.
const DEPTH_MAX: usize = 12;
/// Most parser events, and nodes, of a file with payments.
const EVENTS_MAX: usize = 4_000_000;

/// A policy with the text it was read from.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) yaml: String,
    pub(super) policy: Policy,
}

impl Source {
    /// Reads a policy, signed or not.
    pub(super) fn read(path: &Path) -> Result<Self, CliError> {
        Self::of(path, policy_text(path)?)
    }

    /// Whether an opinion is that of this policy.
    pub(super) fn is_of(&self, opinion: &Opinion) -> bool {
        self.policy.name() == opinion.policy && self.policy.subject() == &opinion.subject
    }

    /// The rule that a finding of this policy is about.
    pub(super) fn rule(&self, found: &Finding) -> Option<&Rule> {
        let mut rules = self.policy.rules().iter();
        rules.find(|rule| rule.place() == found.rule && rule.kind().word() == found.kind)
    }

    /// The policy that `yaml` from `path` is.
    pub(super) fn of(path: &Path, yaml: String) -> Result<Self, CliError> {
        let policy = parse(path, &yaml)?;
        Ok(Self { path: path.to_owned(), yaml, policy })
    }
}

/// The YAML of a policy file, signed or not.
pub(super) fn policy_text(path: &Path) -> Result<String, CliError> {
    let text = read_text(path)?;
    Ok(signed_body(&text).map_or(text, |signed| signed.document.yaml))
}

pub(super) fn signed_body(text: &str) -> Option<SignedPolicy> {
    serde_json::from_str(text).ok()
}

pub(super) fn parse(path: &Path, yaml: &str) -> Result<Policy, CliError> {
    Policy::parse(yaml).map_err(|error| form(path, "a policy", error.to_string()))
}

/// A counterparty registry, where one is named.
pub(super) fn registry(path: Option<&Path>) -> Result<Option<Registry>, CliError> {
    let Some(path) = path else { return Ok(None) };
    let text = read_text(path)?;
    let registry = Registry::parse(&text);
    registry.map(Some).map_err(|error| form(path, "a counterparty registry", error.to_string()))
}

/// A file of cases.
pub(super) fn read_yaml<T: DeserializeOwned>(
    path: &Path,
    expected: &'static str,
) -> Result<T, CliError> {
    yaml(path, &read_text(path)?, expected)
}

/// The text of a file of payments, JSON or YAML, which may be long.
pub(super) fn read_history(path: &Path) -> Result<String, CliError> {
    let file = std::fs::File::open(path).map_err(CliError::file(path))?;
    let mut text = String::new();
    let mut bounded = file.take(HISTORY_BYTES_MAX.saturating_add(1));
    let read = bounded.read_to_string(&mut text).map_err(CliError::file(path))?;
    if read as u64 > HISTORY_BYTES_MAX {
        let detail = format!("it is longer than {HISTORY_BYTES_MAX} bytes");
        return Err(form(path, "a list of payments", detail));
    }
    Ok(text)
}

/// The value that a text of that file writes; errors name the line.
pub(super) fn yaml<T: DeserializeOwned>(
    path: &Path,
    text: &str,
    expected: &'static str,
) -> Result<T, CliError> {
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let line = error.location().map_or(0, |location| location.line());
        Bad { line, reason: without_place(&error.without_snippet().to_string()) }.of(path, expected)
    })
}

/// A reason that does not end with the place that stands before it already.
fn without_place(reason: &str) -> String {
    reason.rsplit_once(" at line ").map_or(reason, |(reason, _)| reason).to_owned()
}

/// What is wrong in a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    /// From 1; 0 where it is about the whole.
    pub(super) line: u64,
    pub(super) reason: String,
}

impl Bad {
    /// The failure to read that file.
    pub(super) fn of(self, path: &Path, expected: &'static str) -> CliError {
        form(path, expected, format!("line {}: {}", self.line, self.reason))
    }
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: 1,
            max_depth: DEPTH_MAX,
            max_events: EVENTS_MAX,
            max_nodes: EVENTS_MAX,
        },
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
    }
}

/// A file that has not the form it needs.
pub(super) fn form(path: &Path, expected: &'static str, detail: String) -> CliError {
    CliError::Form { path: path.into(), expected, detail }
}
