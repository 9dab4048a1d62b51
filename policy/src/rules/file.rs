//! The policy file as it is written, and its way to a [`Policy`].
//!
//! Promises: what is read is understood to the last key, and the JSON Schema is that of the very
//! types that are read.
//!
//! Refuses, with line and reason: unknown keys, keys given twice, anchors, aliases, merge keys,
//! nesting and lengths beyond the named limits, and an entry of `rules` that holds no rule or two.

mod lists;
mod money;
mod parties;
mod schema;
mod time;

use alloy_primitives::Address;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::{DuplicateKeyPolicy, MergeKeyPolicy, Spanned};

use crate::condition::Condition;
use crate::context::DeclaredContext;
use crate::document::JSON_INTEGER_MAX;
use crate::party::AgentId;
use crate::rules::{
    Allow, Block, MaxAmount, Mode, Money, Policy, PolicyError, RULES_MAX, Rule, RuleKind, Then,
    When, check_size,
};
use crate::subject::Subject;
use lists::Lists;

pub(crate) use schema::schema;

/// Deepest nesting that a policy can have: file, rules, rule, its fields, a list.
const DEPTH_MAX: usize = 6;
/// Most parser events: every entry of every list, and the rest.
const EVENTS_MAX: usize = 100_000;

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

/// One entry of `rules`: exactly one rule, and what follows where it is not kept.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = schema::exactly_one_rule)]
struct RuleFile {
    /// What follows where a payment does not keep to the rule.
    #[serde(default)]
    #[schemars(schema_with = "schema::then")]
    then: Option<Then>,
    /// Highest amount of one payment.
    #[serde(default)]
    #[schemars(schema_with = "schema::money")]
    max_amount: Option<Money>,
    /// Highest sum in a window.
    #[serde(default)]
    limit: Option<money::LimitFile>,
    /// Highest number of payments in a window.
    #[serde(default)]
    rate: Option<money::RateFile>,
    /// What may be paid.
    #[serde(default)]
    allow: Option<parties::NamedFile>,
    /// What must not be paid.
    #[serde(default)]
    block: Option<parties::NamedFile>,
    /// When may be paid.
    #[serde(default)]
    hours: Option<time::HoursFile>,
    /// What has to hold of the payment: a Cedar expression over `resource` and `context`.
    #[serde(default)]
    when: Option<String>,
}

pub(super) fn parse(yaml: &str) -> Result<Policy, PolicyError> {
    check_size(yaml)?;
    let file: PolicyFile = serde_saphyr::from_str_with_options(yaml, options()).map_err(|e| {
        let line = e.location().map_or(0, |location| location.line());
        malformed(line, e.without_snippet().to_string())
    })?;
    let name = AgentId::new(&file.policy.value)
        .map_err(|bad| malformed(file.policy.referenced.line(), bad.to_string()))?;
    let epoch = file.epoch.value;
    if !(1..=JSON_INTEGER_MAX).contains(&epoch) {
        let reason = format!("an epoch is a whole number from 1 to {JSON_INTEGER_MAX}");
        return Err(malformed(file.epoch.referenced.line(), reason));
    }
    lists::check(&file.lists)?;
    lists::at_most(RULES_MAX, file.rules.len(), "rules in a policy")
        .map_err(|reason| malformed(0, reason))?;
    let line = file.applies_to.referenced.line();
    let (subject, agent) =
        read_subject(file.applies_to.value).map_err(|reason| malformed(line, reason))?;
    let rules = file.rules.into_iter().map(|rule| read_rule(rule, &file.lists, &file.context));
    Ok(Policy {
        name: name.into(),
        epoch,
        subject,
        agent,
        mode: file.mode,
        context: file.context.clone(),
        rules: rules.collect::<Result<_, _>>()?,
    })
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: 1,
            max_depth: DEPTH_MAX,
            max_events: EVENTS_MAX,
            max_anchors: 0,
            max_aliases: 0,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
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

fn read_rule(
    rule: Spanned<RuleFile>,
    lists: &Lists,
    context: &DeclaredContext,
) -> Result<Rule, PolicyError> {
    let line = rule.referenced.line();
    let then = rule.value.then.unwrap_or_default();
    let kind = read_kind(rule.value, lists, context).map_err(|reason| malformed(line, reason))?;
    Ok(Rule { kind, then, line })
}

fn read_kind(
    file: RuleFile,
    lists: &Lists,
    context: &DeclaredContext,
) -> Result<RuleKind, String> {
    let mut kinds = Vec::new();
    kinds.extend(file.max_amount.map(|money| RuleKind::MaxAmount(MaxAmount(money))));
    kinds.extend(file.limit.map(money::LimitFile::read));
    kinds.extend(file.rate.map(money::RateFile::read));
    if let Some(file) = file.allow {
        kinds.push(RuleKind::Allow(Allow(file.read(lists)?)));
    }
    if let Some(file) = file.block {
        kinds.push(RuleKind::Block(Block(file.read(lists)?)));
    }
    if let Some(file) = file.hours {
        kinds.push(file.read()?);
    }
    if let Some(expression) = file.when {
        let condition = Condition::parse(&expression, context).map_err(|bad| bad.to_string())?;
        kinds.push(RuleKind::When(When(condition)));
    }
    let found = kinds.len();
    match kinds.pop() {
        Some(kind) if found == 1 => Ok(kind),
        _ => Err(format!("an entry of rules holds exactly one rule; this one holds {found}")),
    }
}
