//! The policy file as it is written, and its way to a [`Policy`].

use std::collections::BTreeMap;
use std::fmt;

use alloy_primitives::Address;
use serde::Deserialize;
use serde::de::{SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, MergeKeyPolicy, Spanned};

use crate::document::JSON_INTEGER_MAX;
use crate::party::AgentId;
use crate::rules::hours::{Clock, Day};
use crate::rules::parties::{self, Named, Services};
use crate::rules::{
    Allow, Block, By, Hours, LIST_ENTRIES_MAX, LISTS_MAX, Limit, MaxAmount, Mode, Money, Policy,
    PolicyError, RULES_MAX, Rate, Rule, RuleKind, Then, check_size,
};
use crate::subject::Subject;
use crate::window::{Period, Window, Zone};

/// Deepest nesting that a policy can have: file, rules, rule, its fields, a list.
const DEPTH_MAX: usize = 6;
/// Most parser events: every entry of every list, and the rest.
const EVENTS_MAX: usize = 100_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    policy: Spanned<String>,
    epoch: Spanned<u64>,
    applies_to: Spanned<AppliesTo>,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    lists: BTreeMap<String, Spanned<Vec<String>>>,
    #[serde(default)]
    rules: Vec<Spanned<RuleFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AppliesTo {
    #[serde(default)]
    organisation: Option<AgentId>,
    #[serde(default)]
    agent: Option<AgentId>,
    #[serde(default)]
    wallet: Option<Address>,
}

/// One entry of `rules`: exactly one rule, and what follows where it is not kept.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    #[serde(default)]
    then: Option<Then>,
    #[serde(default)]
    max_amount: Option<Money>,
    #[serde(default)]
    limit: Option<LimitFile>,
    #[serde(default)]
    rate: Option<RateFile>,
    #[serde(default)]
    allow: Option<NamedFile>,
    #[serde(default)]
    block: Option<NamedFile>,
    #[serde(default)]
    hours: Option<HoursFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitFile {
    amount: Money,
    per: Period,
    #[serde(default)]
    calendar: Option<Zone>,
    #[serde(default)]
    by: Option<By>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RateFile {
    count: u64,
    per: Period,
    #[serde(default)]
    by: Option<By>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedFile {
    #[serde(default)]
    services: Option<ListFile>,
    #[serde(default)]
    recipients: Option<ListFile>,
    #[serde(default)]
    assets: Option<ListFile>,
    #[serde(default)]
    chains: Option<ListFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HoursFile {
    from: Clock,
    to: Clock,
    #[serde(default)]
    days: Option<Vec<Day>>,
    zone: Zone,
}

/// A list by its name, or written in place.
enum ListFile {
    Name(String),
    Inline(Vec<String>),
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::find(&name).map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for ListFile {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Lists;

        impl<'de> Visitor<'de> for Lists {
            type Value = ListFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a list, or a list in brackets")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<ListFile, E> {
                Ok(ListFile::Name(name.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ListFile, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = seq.next_element()? {
                    entries.push(entry);
                }
                Ok(ListFile::Inline(entries))
            }
        }

        deserializer.deserialize_any(Lists)
    }
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
    check_lists(&file.lists)?;
    at_most(RULES_MAX, file.rules.len(), "rules in a policy").map_err(|r| malformed(0, r))?;
    let line = file.applies_to.referenced.line();
    let (subject, agent) =
        read_subject(file.applies_to.value).map_err(|reason| malformed(line, reason))?;
    let rules = file.rules.into_iter().map(|rule| read_rule(rule, &file.lists));
    Ok(Policy {
        name: name.into(),
        epoch,
        subject,
        agent,
        mode: file.mode,
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

fn at_most(limit: usize, found: usize, what: &str) -> Result<(), String> {
    if found <= limit { Ok(()) } else { Err(format!("{found} {what}; at most {limit} are read")) }
}

type Lists = BTreeMap<String, Spanned<Vec<String>>>;

fn check_lists(lists: &Lists) -> Result<(), PolicyError> {
    at_most(LISTS_MAX, lists.len(), "lists").map_err(|reason| malformed(0, reason))?;
    for (name, list) in lists {
        let line = list.referenced.line();
        AgentId::new(name).map_err(|bad| malformed(line, bad.to_string()))?;
        check_entries(&list.value).map_err(|reason| malformed(line, reason))?;
    }
    Ok(())
}

fn check_entries(entries: &[String]) -> Result<(), String> {
    at_most(LIST_ENTRIES_MAX, entries.len(), "entries in a list")
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

fn read_rule(rule: Spanned<RuleFile>, lists: &Lists) -> Result<Rule, PolicyError> {
    let line = rule.referenced.line();
    let then = rule.value.then.unwrap_or_default();
    let kind = read_kind(rule.value, lists).map_err(|reason| malformed(line, reason))?;
    Ok(Rule { kind, then, line })
}

fn read_kind(file: RuleFile, lists: &Lists) -> Result<RuleKind, String> {
    let mut kinds = Vec::new();
    kinds.extend(file.max_amount.map(|money| RuleKind::MaxAmount(MaxAmount(money))));
    kinds.extend(file.limit.map(read_limit));
    kinds.extend(file.rate.map(read_rate));
    if let Some(file) = file.allow {
        kinds.push(RuleKind::Allow(Allow(named(file, lists)?)));
    }
    if let Some(file) = file.block {
        kinds.push(RuleKind::Block(Block(named(file, lists)?)));
    }
    if let Some(file) = file.hours {
        kinds.push(read_hours(file)?);
    }
    let found = kinds.len();
    match kinds.pop() {
        Some(kind) if found == 1 => Ok(kind),
        _ => Err(format!("an entry of rules holds exactly one rule; this one holds {found}")),
    }
}

fn read_limit(LimitFile { amount, per, calendar, by }: LimitFile) -> RuleKind {
    RuleKind::Limit(Limit { amount, window: Window { period: per, calendar }, by })
}

fn read_rate(RateFile { count, per, by }: RateFile) -> RuleKind {
    RuleKind::Rate(Rate { count, window: Window { period: per, calendar: None }, by })
}

fn read_hours(HoursFile { from, to, days, zone }: HoursFile) -> Result<RuleKind, String> {
    let days = days.unwrap_or_else(|| Day::ALL.to_vec());
    let never = "these hours never open: from and to differ, from is before 24:00, and there is a \
                 day";
    Hours::new(from, to, days, zone).map(RuleKind::Hours).ok_or_else(|| never.to_owned())
}

fn named(file: NamedFile, lists: &Lists) -> Result<Named, String> {
    let mut text = Vec::new();
    let mut entries = |key: &str, list: &Option<ListFile>| -> Result<Option<Vec<String>>, String> {
        let Some(list) = list else { return Ok(None) };
        let (entries, said) = resolve(list, lists)?;
        text.push(format!("{key} {said}"));
        Ok(Some(entries))
    };
    let services = entries("services", &file.services)?;
    let recipients = entries("recipients", &file.recipients)?;
    let assets = entries("assets", &file.assets)?;
    let chains = entries("chains", &file.chains)?;
    if text.is_empty() {
        return Err("name at least one of services, recipients, assets and chains".to_owned());
    }
    Ok(Named {
        services: read(services, |list| Services::from_patterns(list))?,
        recipients: read(recipients, |list| parties::recipients(list))?,
        assets: read(assets, |list| parties::assets(list))?,
        chains: read(chains, |list| parties::chains(list))?,
        text: text.join(", "),
    })
}

/// The entries, and how findings speak of them.
fn resolve(list: &ListFile, lists: &Lists) -> Result<(Vec<String>, String), String> {
    match list {
        ListFile::Name(name) => {
            let entries = lists.get(name).map(|list| list.value.clone());
            let unknown = || format!("there is no list {name:?}; write [{name}] for one entry");
            Ok((entries.ok_or_else(unknown)?, name.clone()))
        }
        ListFile::Inline(entries) => {
            check_entries(entries)?;
            let said = match entries.as_slice() {
                [] => "none".to_owned(),
                [one] => one.clone(),
                [first, rest @ ..] => format!("{first} and {} more", rest.len()),
            };
            Ok((entries.clone(), said))
        }
    }
}

fn read<T>(
    entries: Option<Vec<String>>,
    read: impl FnOnce(Vec<&str>) -> Result<T, String>,
) -> Result<Option<T>, String> {
    entries.map(|entries| read(entries.iter().map(String::as_str).collect())).transpose()
}
