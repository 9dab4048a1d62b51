//! Rules about who may be trusted, when people are asked and what stops an agent, as they are
//! written.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::ledger::{HEALTH_MOMENTS_MAX, LEDGER_SECONDS_KEPT};
use crate::party::AgentId;
use crate::registry::{Country, TRUST_MAX};
use crate::rules::file::lists::{ListFile, Lists};
use crate::rules::file::people::ApproversFile;
use crate::rules::file::schema;
use crate::rules::freeze::{SPIKE_FACTOR_MAX, SPIKE_PERIODS_MAX, Spike};
use crate::rules::{
    AskWhen, CountryRule, Freeze, Length, Money, PayeePinning, RuleKind, Then, Trust, parties,
};
use crate::window::Period;

/// For how long payments are remembered, in days.
const REMEMBERED_DAYS: u64 = LEDGER_SECONDS_KEPT / 86_400;

/// Lowest trust of who is paid.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TrustFile {
    /// 0 to 100.
    #[schemars(range(max = 100))]
    min: u64,
}

impl TrustFile {
    pub(super) fn read(self) -> Result<RuleKind, String> {
        trust(self.min).map(|min| RuleKind::Trust(Trust { min }))
    }
}

fn trust(given: u64) -> Result<u8, String> {
    let reason = || format!("trust is a whole number from 0 to {TRUST_MAX}");
    u8::try_from(given).ok().filter(|trust| *trust <= TRUST_MAX).ok_or_else(reason)
}

/// Where who is paid may be: `allow` or `block`, by ISO 3166-1.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(super) struct CountryFile {
    /// Only these.
    #[serde(default)]
    #[schemars(schema_with = "schema::list")]
    allow: Option<ListFile>,
    /// All but these.
    #[serde(default)]
    #[schemars(schema_with = "schema::list")]
    block: Option<ListFile>,
}

impl CountryFile {
    pub(super) fn read(self, lists: &Lists) -> Result<RuleKind, String> {
        let rule = match (self.allow, self.block) {
            (Some(list), None) => CountryRule::Allow(countries(&list, lists)?),
            (None, Some(list)) => CountryRule::Block(countries(&list, lists)?),
            _ => return Err("a country rule has one of allow and block".to_owned()),
        };
        Ok(RuleKind::Country(rule))
    }
}

fn countries(list: &ListFile, lists: &Lists) -> Result<BTreeSet<Country>, String> {
    let (entries, _) = list.resolve(lists)?;
    let read = |text: &String| text.parse::<Country>().map_err(|bad| bad.to_string());
    entries.iter().map(read).collect()
}

/// What follows for payees a service was not paid at before.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PinningFile {
    /// For the first payee of a service, and the first transfer to an address.
    #[serde(default)]
    new: NewPayee,
    /// For a service that was paid at other addresses only.
    #[serde(default)]
    changed: ChangedPayee,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum NewPayee {
    #[default]
    Ask,
    Refuse,
    Allow,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ChangedPayee {
    #[default]
    Refuse,
    Ask,
}

impl PinningFile {
    /// Whether there is a payee that people are asked about.
    pub(super) const fn can_ask(&self) -> bool {
        matches!(self.new, NewPayee::Ask) || matches!(self.changed, ChangedPayee::Ask)
    }

    pub(super) const fn read(self) -> RuleKind {
        let new = match self.new {
            NewPayee::Ask => Some(Then::Ask),
            NewPayee::Refuse => Some(Then::Refuse),
            NewPayee::Allow => None,
        };
        let changed = match self.changed {
            ChangedPayee::Refuse => Then::Refuse,
            ChangedPayee::Ask => Then::Ask,
        };
        RuleKind::PayeePinning(PayeePinning { new, changed })
    }
}

/// What stops the agent: one of `refusals`, `failures`, `spike` and `new_payees`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 2))]
pub(super) struct FreezeFile {
    /// So many refusals.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000))]
    refusals: Option<usize>,
    /// So many payments that were admitted and proved void.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000))]
    failures: Option<usize>,
    /// So many times the agent's own mean, as `5x`.
    #[serde(default)]
    #[schemars(schema_with = "schema::factor")]
    spike: Option<String>,
    /// More than so many payees it never paid before.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000))]
    new_payees: Option<usize>,
    /// Within how long.
    #[schemars(schema_with = "schema::period")]
    per: Period,
    /// For a spike: over how many periods before this one the mean is taken.
    #[serde(default)]
    #[schemars(range(min = 1, max = 30))]
    over: Option<u64>,
    /// For a spike: a sum in one period up to which there is none.
    #[serde(default)]
    #[schemars(schema_with = "schema::money")]
    at_least: Option<Money>,
}

impl FreezeFile {
    pub(super) fn read(self) -> Result<RuleKind, String> {
        let Self { per, over, at_least, .. } = self;
        let of_spike = over.is_some() || at_least.is_some();
        if self.spike.is_none() && of_spike {
            return Err("over and at_least are for a spike".to_owned());
        }
        let freeze = match (self.refusals, self.failures, self.spike, self.new_payees) {
            (Some(n), None, None, None) => Freeze::Refusals { count: count(n)?, per },
            (None, Some(n), None, None) => Freeze::Failures { count: count(n)?, per },
            (None, None, Some(factor), None) => spike(&factor, per, over, at_least)?,
            (None, None, None, Some(n)) => Freeze::NewPayees { count: count(n)?, per },
            _ => {
                let forms = "a freeze has one of refusals, failures, spike and new_payees";
                return Err(forms.to_owned());
            }
        };
        Ok(RuleKind::Freeze(freeze))
    }
}

fn count(given: usize) -> Result<usize, String> {
    let reason = || format!("a freeze counts from 1 to {HEALTH_MOMENTS_MAX}");
    Some(given).filter(|n| (1..=HEALTH_MOMENTS_MAX).contains(n)).ok_or_else(reason)
}

fn spike(
    factor: &str,
    per: Period,
    over: Option<u64>,
    at_least: Option<Money>,
) -> Result<Freeze, String> {
    let number = factor.strip_suffix('x').filter(|n| n.bytes().all(|b| b.is_ascii_digit()));
    let factor = number
        .and_then(|number| number.parse().ok())
        .filter(|factor| (2..=SPIKE_FACTOR_MAX).contains(factor))
        .ok_or_else(|| format!("a spike is a factor from 2x to {SPIKE_FACTOR_MAX}x"))?;
    let over = over
        .filter(|over| (1..=SPIKE_PERIODS_MAX).contains(over))
        .ok_or_else(|| format!("a spike needs over: 1 to {SPIKE_PERIODS_MAX} periods"))?;
    // Its own period is looked at beside those before.
    let looks_back = over.saturating_add(1).saturating_mul(per.seconds());
    if looks_back > LEDGER_SECONDS_KEPT {
        return Err(format!(
            "a spike over {over} periods of {per} and the one that runs looks back further than \
             the {REMEMBERED_DAYS} days for which payments are remembered"
        ));
    }
    Ok(Freeze::Spike(Spike { factor, per, over, at_least }))
}

/// When people decide, and who.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub(super) struct AskFile {
    /// For more than this.
    #[serde(default)]
    #[schemars(schema_with = "schema::money")]
    above: Option<Money>,
    /// For an address that was not paid before, for this service or as a transfer.
    #[serde(default)]
    new_payee: bool,
    /// For whom is trusted less than this.
    #[serde(default)]
    #[schemars(range(max = 100))]
    trust_below: Option<u64>,
    /// For these categories of the counterparty registry.
    #[serde(default)]
    #[schemars(schema_with = "schema::list")]
    categories: Option<ListFile>,
    /// For these agents.
    #[serde(default)]
    #[schemars(schema_with = "schema::list")]
    agents: Option<ListFile>,
    /// Who; those of `approvals` where it is not said.
    #[serde(default)]
    approvers: Option<ApproversFile>,
    /// How long a yes holds.
    #[serde(default)]
    #[schemars(schema_with = "schema::span")]
    expires: Option<Length>,
}

impl AskFile {
    /// Who is asked and how long a yes holds, where the rule says so itself.
    pub(super) fn approvers(&self) -> (Option<ApproversFile>, Option<Length>) {
        (self.approvers.clone(), self.expires)
    }

    pub(super) fn read(self, lists: &Lists) -> Result<RuleKind, String> {
        let entries = |list: Option<ListFile>| {
            list.map(|list| list.resolve(lists).map(|(entries, _)| entries)).transpose()
        };
        let categories = entries(self.categories)?;
        let categories = categories
            .map(|all| parties::categories(all.iter().map(String::as_str)))
            .transpose()?;
        let agents = entries(self.agents)?.map(|all| {
            all.iter().map(|name| AgentId::new(name).map_err(|bad| bad.to_string())).collect()
        });
        let when = AskWhen {
            above: self.above,
            new_payee: self.new_payee,
            trust_below: self.trust_below.map(trust).transpose()?,
            categories,
            agents: agents.transpose()?,
        };
        if when.is_empty() {
            return Err(
                "an ask names when: above, new_payee, trust_below, categories or agents".to_owned()
            );
        }
        Ok(RuleKind::Ask(when))
    }
}
