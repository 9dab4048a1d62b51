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
mod people;
mod protocols;
mod schema;
mod time;
mod trusted;

use alloy_primitives::Address;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::condition::Condition;
use crate::context::DeclaredContext;
use crate::document::JSON_INTEGER_MAX;
use crate::party::AgentId;
use crate::rules::{
    Allow, Approvers, Block, Length, MaxAmount, MaxShareOfBalance, Mode, Money, Policy, PolicyError, RULES_MAX, Rule,
    RuleKind, Share, Then, When, check_size,
};
use crate::subject::Subject;
use crate::yaml::{self, Malformed, at_most};
use lists::Lists;
use people::{People, Roster};
use trusted::{AskFile, PinningFile};

pub(crate) use schema::schema;

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
    /// Who is asked, where it asks; those of `approvals` where it is not said.
    #[serde(default)]
    approvers: Option<people::ApproversFile>,
    /// How long a yes holds.
    #[serde(default)]
    #[schemars(schema_with = "schema::span")]
    expires: Option<Length>,
    /// Highest amount of one payment.
    #[serde(default)]
    #[schemars(schema_with = "schema::money")]
    max_amount: Option<Money>,
    /// Highest price of one request, by protocol.
    #[serde(default)]
    price_ceiling: Option<money::PriceCeilingFile>,
    /// Highest share of what the wallet holds of the paid asset on the paid chain.
    #[serde(default)]
    #[schemars(schema_with = "schema::share")]
    max_share_of_balance: Option<Share>,
    /// Highest fee, of a transaction or in a window.
    #[serde(default)]
    max_fee: Option<money::MaxFeeFile>,
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
    /// What follows for payees a service was not paid at before.
    #[serde(default)]
    payee_pinning: Option<trusted::PinningFile>,
    /// Lowest trust of who is paid.
    #[serde(default)]
    trust: Option<trusted::TrustFile>,
    /// Where who is paid may be.
    #[serde(default)]
    country: Option<trusted::CountryFile>,
    /// When people decide, and who.
    #[serde(default)]
    ask: Option<trusted::AskFile>,
    /// What stops the agent until the authority thaws it.
    #[serde(default)]
    freeze: Option<trusted::FreezeFile>,
    /// When may be paid.
    #[serde(default)]
    hours: Option<time::HoursFile>,
    /// From when until when may be paid.
    #[serde(default)]
    dates: Option<time::DatesFile>,
    /// When must not be paid, and why.
    #[serde(default)]
    blackout: Option<time::BlackoutFile>,
    /// What an x402 payment may be like.
    #[serde(default)]
    x402: Option<protocols::X402File>,
    /// What a payment over MPP may be like.
    #[serde(default)]
    mpp: Option<protocols::MppFile>,
    /// What has to hold of the payment: a Cedar expression over `resource` and `context`.
    #[serde(default)]
    when: Option<String>,
}

pub(super) fn parse(yaml: &str) -> Result<Policy, PolicyError> {
    check_size(yaml)?;
    let file: PolicyFile = yaml::read(yaml)?;
    let name = AgentId::new(&file.policy.value)
        .map_err(|bad| malformed(file.policy.referenced.line(), bad.to_string()))?;
    let epoch = file.epoch.value;
    if !(1..=JSON_INTEGER_MAX).contains(&epoch) {
        let reason = format!("an epoch is a whole number from 1 to {JSON_INTEGER_MAX}");
        return Err(malformed(file.epoch.referenced.line(), reason));
    }
    lists::check(&file.lists)?;
    at_most(RULES_MAX, file.rules.len(), "rules in a policy")
        .map_err(|reason| malformed(0, reason))?;
    let line = file.applies_to.referenced.line();
    let (subject, agent) =
        read_subject(file.applies_to.value).map_err(|reason| malformed(line, reason))?;
    let roster = Roster::read(file.people)?;
    let asked = file.approvals.map(|approvals| {
        let line = approvals.referenced.line();
        approvals.value.read(&roster, None).map_err(|reason| malformed(line, reason))
    });
    let asked = asked.transpose()?;
    let around = Around { lists: &file.lists, context: &file.context, roster, asked };
    let mut rules = Vec::new();
    for (place, rule) in file.rules.into_iter().enumerate() {
        rules.extend(read_entry(place, rule, &around)?);
    }
    Ok(Policy {
        name: name.into(),
        epoch,
        subject,
        agent,
        mode: file.mode,
        context: file.context.clone(),
        rules,
    })
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

/// What entries of `rules` refer to.
struct Around<'a> {
    lists: &'a Lists,
    context: &'a DeclaredContext,
    roster: Roster,
    asked: Option<Approvers>,
}

/// The rules of one entry.
fn read_entry(
    place: usize,
    entry: Spanned<RuleFile>,
    around: &Around<'_>,
) -> Result<Vec<Rule>, PolicyError> {
    let line = entry.referenced.line();
    let bad = |reason| malformed(line, reason);
    let then = read_then(&entry.value).map_err(bad)?;
    let approvers = read_approvers(&entry.value, then, around).map_err(bad)?;
    let kinds = read_kinds(entry.value, around.lists, around.context).map_err(bad)?;
    for kind in &kinds {
        check_then(kind, then).map_err(bad)?;
    }
    let rule = |kind| Rule { kind, then, approvers: approvers.clone(), place, line };
    Ok(kinds.into_iter().map(rule).collect())
}

/// What follows; `ask` and `payee_pinning` say so themselves.
fn read_then(file: &RuleFile) -> Result<Then, String> {
    let own = match (&file.ask, &file.payee_pinning) {
        (Some(_), _) => Some(("ask", Then::Ask)),
        (None, Some(_)) => Some(("payee_pinning", Then::Refuse)),
        (None, None) => None,
    };
    match (own, file.then) {
        (None, then) => Ok(then.unwrap_or_default()),
        (Some((_, then)), None) => Ok(then),
        (Some((word, _)), Some(_)) => Err(format!("{word} says itself what follows; drop `then`")),
    }
}

/// Who is asked, where an entry may ask.
fn read_approvers(
    file: &RuleFile,
    then: Then,
    around: &Around<'_>,
) -> Result<Option<Approvers>, String> {
    let (inner, inner_expires) = file.ask.as_ref().map_or((None, None), AskFile::approvers);
    let named = match (inner, &file.approvers) {
        (Some(_), Some(_)) => return Err("approvers are named twice".to_owned()),
        (inner, outer) => inner.or_else(|| outer.clone()),
    };
    let expires = inner_expires.or(file.expires);
    let asks =
        then == Then::Ask || file.payee_pinning.as_ref().is_some_and(PinningFile::can_ask);
    match (named, &around.asked) {
        (Some(_), _) if !asks => Err("approvers are for a rule that asks".to_owned()),
        (None, _) if expires.is_some() && !asks => {
            Err("expires is for a rule that asks".to_owned())
        }
        (Some(named), _) => named.read(&around.roster, expires).map(Some),
        (None, Some(asked)) if asks => {
            let expires = expires.unwrap_or(asked.expires);
            Ok(Some(Approvers { expires, ..asked.clone() }))
        }
        (None, None) if asks => {
            Err("nobody is asked: name approvers here, or in approvals".to_owned())
        }
        _ => Ok(None),
    }
}

/// What is hard is not put to anybody.
fn check_then(kind: &RuleKind, then: Then) -> Result<(), String> {
    let hard = matches!(kind, RuleKind::PriceCeiling(_) | RuleKind::Block(_) | RuleKind::Freeze(_));
    if hard && then == Then::Ask {
        return Err(format!("{} refuses or warns; nobody is asked past it", kind.word()));
    }
    Ok(())
}

fn read_kinds(
    file: RuleFile,
    lists: &Lists,
    context: &DeclaredContext,
) -> Result<Vec<RuleKind>, String> {
    let mut entries: Vec<Vec<RuleKind>> = Vec::new();
    entries.extend(file.max_amount.map(|money| vec![RuleKind::MaxAmount(MaxAmount(money))]));
    entries.extend(file.price_ceiling.map(money::PriceCeilingFile::read).transpose()?);
    let share = |share| vec![RuleKind::MaxShareOfBalance(MaxShareOfBalance(share))];
    entries.extend(file.max_share_of_balance.map(share));
    entries.extend(file.max_fee.map(|fee| fee.read().map(|kind| vec![kind])).transpose()?);
    entries.extend(file.limit.map(|limit| limit.read().map(|kind| vec![kind])).transpose()?);
    entries.extend(file.rate.map(|rate| rate.read().map(|kind| vec![kind])).transpose()?);
    if let Some(file) = file.allow {
        entries.push(vec![RuleKind::Allow(Allow(file.read(lists)?))]);
    }
    if let Some(file) = file.block {
        entries.push(vec![RuleKind::Block(Block(file.read(lists)?))]);
    }
    entries.extend(file.payee_pinning.map(|pinning| vec![pinning.read()]));
    entries.extend(file.trust.map(|trust| trust.read().map(|kind| vec![kind])).transpose()?);
    entries.extend(file.country.map(|c| c.read(lists).map(|kind| vec![kind])).transpose()?);
    entries.extend(file.ask.map(|ask| ask.read(lists).map(|kind| vec![kind])).transpose()?);
    entries.extend(file.freeze.map(|stop| stop.read().map(|kind| vec![kind])).transpose()?);
    entries.extend(file.hours.map(|hours| hours.read().map(|kind| vec![kind])).transpose()?);
    entries.extend(file.dates.map(|dates| dates.read().map(|kind| vec![kind])).transpose()?);
    entries.extend(file.blackout.map(|dark| dark.read().map(|kind| vec![kind])).transpose()?);
    entries.extend(file.x402.map(protocols::X402File::read).transpose()?);
    entries.extend(file.mpp.map(protocols::MppFile::read).transpose()?);
    if let Some(expression) = file.when {
        let condition = Condition::parse(&expression, context).map_err(|bad| bad.to_string())?;
        entries.push(vec![RuleKind::When(When(condition))]);
    }
    let found = entries.len();
    match entries.pop() {
        Some(kinds) if found == 1 => Ok(kinds),
        _ => Err(format!("an entry of rules holds exactly one rule; this one holds {found}")),
    }
}
