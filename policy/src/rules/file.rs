//! The policy file as it is written, and its way to a [`Policy`].
//!
//! Promises: what is read is understood to the last key, and the JSON Schema is that of the very
//! types that are read.
//!
//! Refuses, with line and reason: unknown keys, keys given twice, anchors, aliases, merge keys,
//! nesting and lengths beyond the named limits, and an entry of `rules` that holds no rule or two.

mod entry;
mod lists;
mod money;
mod parties;
mod people;
mod protocols;
mod schema;
mod time;
mod trusted;

use alloy_primitives::Address;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::context::DeclaredContext;
use crate::document::JSON_INTEGER_MAX;
use crate::party::AgentId;
use crate::rules::{Approvers, Mode, Policy, PolicyError, RULES_MAX, Rule, check_size};
use crate::subject::Subject;
use crate::yaml::{self, Malformed, at_most};
use entry::{Around, RuleFile};
use lists::Lists;
use people::{People, Roster};

pub(crate) use schema::schema;

/// Two lists could be meant as alternatives or as restrictions of each other.
const TWO_V1_RULES: &str = "a policy has one v1_channels rule; write all channels into one list";

/// A policy file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    /// The policy's name: 1 to 63 of a-z, 0-9 and '-'.
    #[schemars(schema_with = "schema::name")]
    policy: Spanned<String>,
    /// 1 or more; only rises.
    #[schemars(schema_with = "schema::epoch")]
    epoch: Spanned<u64>,
    /// Whose payments it judges, and counts together.
    #[schemars(with = "AppliesTo")]
    applies_to: Spanned<AppliesTo>,
    /// Whether it binds, or only says what it would do.
    #[serde(default)]
    #[schemars(schema_with = "schema::mode")]
    mode: Mode,
    /// Names for lists that rules refer to.
    #[serde(default)]
    #[schemars(with = "std::collections::BTreeMap<String, Vec<String>>")]
    lists: Lists,
    /// Who may be asked, by name.
    #[serde(default)]
    #[schemars(with = "std::collections::BTreeMap<String, people::PersonFile>")]
    people: People,
    /// Who is asked where a rule does not say.
    #[serde(default)]
    #[schemars(with = "Option<people::ApproversFile>")]
    approvals: Option<Spanned<people::ApproversFile>>,
    /// Values that conditions look at, as agents declare them, each with its type.
    #[serde(default)]
    #[schemars(schema_with = "schema::context")]
    context: DeclaredContext,
    /// The rules.
    #[serde(default)]
    #[schemars(with = "Vec<RuleFile>")]
    rules: Vec<Spanned<RuleFile>>,
}

/// One of `{ organisation: NAME }`, `{ agent: NAME }` and `{ wallet: "0x…", agent: NAME }`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 2))]
struct AppliesTo {
    /// Every agent under one policy authority; the name is a label.
    #[serde(default)]
    #[schemars(schema_with = "schema::name")]
    organisation: Option<AgentId>,
    /// One agent, over all its wallets.
    #[serde(default)]
    #[schemars(schema_with = "schema::name")]
    agent: Option<AgentId>,
    /// One wallet, together with its agent.
    #[serde(default)]
    #[schemars(schema_with = "schema::address")]
    wallet: Option<Address>,
}

pub(super) fn parse(yaml: &str) -> Result<Policy, PolicyError> {
    check_size(yaml)?;
    let file: PolicyFile = yaml::read(yaml)?;
    let (name, epoch) = (read_name(&file.policy)?, read_epoch(&file.epoch)?);
    lists::check(&file.lists)?;
    let line = file.applies_to.referenced.line();
    let (subject, agent) =
        read_subject(file.applies_to.value).map_err(|reason| malformed(line, reason))?;
    let roster = Roster::read(file.people)?;
    let asked = file.approvals.map(|approvals| read_asked(approvals, &roster)).transpose()?;
    let around = Around { lists: &file.lists, context: &file.context, roster, asked };
    let rules = read_rules(file.rules, &around)?;
    let (mode, context) = (file.mode, file.context);
    Ok(Policy { name: name.into(), epoch, subject, agent, mode, context, rules })
}

fn read_name(given: &Spanned<String>) -> Result<AgentId, PolicyError> {
    AgentId::new(&given.value).map_err(|bad| malformed(given.referenced.line(), bad.to_string()))
}

fn read_epoch(given: &Spanned<u64>) -> Result<u64, PolicyError> {
    let reason = || format!("an epoch is a whole number from 1 to {JSON_INTEGER_MAX}");
    let epoch = Some(given.value).filter(|epoch| (1..=JSON_INTEGER_MAX).contains(epoch));
    epoch.ok_or_else(|| malformed(given.referenced.line(), reason()))
}

/// Who is asked where a rule does not say.
fn read_asked(
    given: Spanned<people::ApproversFile>,
    roster: &Roster,
) -> Result<Approvers, PolicyError> {
    let line = given.referenced.line();
    given.value.read(roster, None).map_err(|reason| malformed(line, reason))
}

fn read_rules(
    entries: Vec<Spanned<RuleFile>>,
    around: &Around<'_>,
) -> Result<Vec<Rule>, PolicyError> {
    at_most(RULES_MAX, entries.len(), "rules in a policy")
        .map_err(|reason| malformed(0, reason))?;
    let mut rules = Vec::new();
    for (place, entry) in entries.into_iter().enumerate() {
        rules.extend(entry::read(place, entry, around)?);
    }
    let exits = rules.iter().filter(|rule| rule.as_v1_channels().is_some());
    match exits.map(Rule::line).nth(1) {
        Some(line) => Err(malformed(line, TWO_V1_RULES.to_owned())),
        None => Ok(rules),
    }
}

impl From<Malformed> for PolicyError {
    fn from(Malformed { line, reason }: Malformed) -> Self {
        Self::Malformed { line, reason }
    }
}

fn malformed(line: u64, reason: String) -> PolicyError {
    PolicyError::Malformed { line, reason }
}

fn read_subject(file: AppliesTo) -> Result<(Subject, Option<AgentId>), String> {
    match file {
        AppliesTo { organisation: Some(_), agent: None, wallet: None } => {
            Ok((Subject::Organisation, None))
        }
        AppliesTo { organisation: None, agent: Some(agent), wallet: None } => {
            Ok((Subject::Agent(agent.clone()), Some(agent)))
        }
        AppliesTo { organisation: None, agent: Some(agent), wallet: Some(wallet) } => {
            Ok((Subject::Wallet(wallet), Some(agent)))
        }
        _ => Err("a policy applies to one of { organisation: NAME }, { agent: NAME } and \
                  { wallet: \"0x…\", agent: NAME }"
            .to_owned()),
    }
}
