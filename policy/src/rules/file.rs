//! The policy file as it is written, and its way to a [`Policy`].

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, MergeKeyPolicy, Spanned};

use crate::document::JSON_INTEGER_MAX;
use crate::party::AgentId;
use crate::rules::hours::{Clock, Day};
use crate::rules::parties::{self, Named, Services};
use crate::rules::{
    Allow, Block, By, Hours, LIST_ENTRIES_MAX, LISTS_MAX, Limit, MaxAmount, Money, Policy,
    PolicyError, RULES_MAX, Rate, Rule, check_size,
};
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
    applies_to: AppliesTo,
    #[serde(default)]
    lists: BTreeMap<String, Spanned<Vec<String>>>,
    #[serde(default)]
    rules: Vec<Spanned<RuleFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AppliesTo {
    agent: AgentId,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RuleFile {
    MaxAmount(Money),
    Limit(LimitFile),
    Rate(RateFile),
    Allow(NamedFile),
    Block(NamedFile),
    Hours(HoursFile),
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
    let rules = file.rules.into_iter().map(|rule| read_rule(rule, &file.lists));
    Ok(Policy {
        name: name.into(),
        epoch,
        agent: file.applies_to.agent,
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

fn read_rule(rule: Spanned<RuleFile>, lists: &Lists) -> Result<Rule, PolicyError> {
    let line = rule.referenced.line();
    let named = |file| named(file, lists).map_err(|reason| malformed(line, reason));
    Ok(match rule.value {
        RuleFile::MaxAmount(money) => Rule::MaxAmount(MaxAmount(money)),
        RuleFile::Limit(LimitFile { amount, per, calendar, by }) => {
            Rule::Limit(Limit { amount, window: Window { period: per, calendar }, by })
        }
        RuleFile::Rate(RateFile { count, per, by }) => {
            Rule::Rate(Rate { count, window: Window { period: per, calendar: None }, by })
        }
        RuleFile::Allow(file) => Rule::Allow(Allow(named(file)?)),
        RuleFile::Block(file) => Rule::Block(Block(named(file)?)),
        RuleFile::Hours(HoursFile { from, to, days, zone }) => {
            let days = days.unwrap_or_else(|| Day::ALL.to_vec());
            let hours = Hours::new(from, to, days, zone);
            let reason = "these hours never open: from and to differ, from is before 24:00, and \
                          there is a day";
            Rule::Hours(hours.ok_or_else(|| malformed(line, reason.to_owned()))?)
        }
    })
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
