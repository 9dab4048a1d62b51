//! One entry of `rules`: a rule, what follows where it is not kept, and who is asked then.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::condition::Condition;
use crate::context::DeclaredContext;
use crate::rules::file::lists::{ListFile, Lists};
use crate::rules::file::people::Roster;
use crate::rules::file::trusted::{AskFile, PinningFile};
use crate::rules::file::{malformed, money, parties, people, protocols, schema, time, trusted};
use crate::rules::{
    Allow, Approvers, Block, Length, MaxAmount, MaxShareOfBalance, Money, PolicyError, Rule,
    RuleKind, Share, Then, When,
};

/// One entry of `rules`: exactly one rule, and what follows where it is not kept.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = schema::exactly_one_rule)]
pub(super) struct RuleFile {
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
    /// The MPP channels of contracts from before TIP-1034 that may be left by force.
    #[serde(default)]
    #[schemars(schema_with = "schema::list")]
    v1_channels: Option<ListFile>,
    /// What an access key may be let take.
    #[serde(default)]
    access_key: Option<protocols::AccessKeyFile>,
    /// What has to hold of the payment: a Cedar expression over `resource` and `context`.
    #[serde(default)]
    when: Option<String>,
}

/// What entries of `rules` refer to.
pub(super) struct Around<'a> {
    pub(super) lists: &'a Lists,
    pub(super) context: &'a DeclaredContext,
    pub(super) roster: Roster,
    pub(super) asked: Option<Approvers>,
}

/// The rules of one entry.
pub(super) fn read(
    place: usize,
    entry: Spanned<RuleFile>,
    around: &Around<'_>,
) -> Result<Vec<Rule>, PolicyError> {
    let line = entry.referenced.line();
    let bad = |reason| malformed(line, reason);
    let then = read_then(&entry.value).map_err(bad)?;
    let approvers = read_approvers(&entry.value, then, around).map_err(bad)?;
    let kinds = read_kinds(entry.value, around.lists, around.context).map_err(bad)?;
    let rule = |kind| Rule { kind, then, approvers: approvers.clone(), place, line };
    Ok(kinds.into_iter().map(rule).collect())
}

/// What follows; some rules say so themselves, and what is hard is not put to anybody.
fn read_then(file: &RuleFile) -> Result<Then, String> {
    if file.access_key.is_some() && matches!(file.then, Some(Then::Ask | Then::Warn)) {
        return Err("access_key refuses what it does not grant".to_owned());
    }
    match (own(file), file.then, hard(file)) {
        (None, Some(Then::Ask), Some(word)) => {
            Err(format!("{word} refuses or warns; nobody is asked past it"))
        }
        (None, then, _) => Ok(then.unwrap_or_default()),
        (Some((_, then)), None, _) => Ok(then),
        (Some((word, _)), Some(_), _) => {
            Err(format!("{word} says itself what follows; drop `then`"))
        }
    }
}

/// The rule, where it says itself what follows.
fn own(file: &RuleFile) -> Option<(&'static str, Then)> {
    let rules = [
        ("ask", Then::Ask, file.ask.is_some()),
        ("payee_pinning", Then::Refuse, file.payee_pinning.is_some()),
        ("v1_channels", Then::Refuse, file.v1_channels.is_some()),
    ];
    rules.into_iter().find_map(|(word, then, is_there)| is_there.then_some((word, then)))
}

/// The rule, where it is one that nobody is asked past.
fn hard(file: &RuleFile) -> Option<&'static str> {
    let rules = [
        ("price_ceiling", file.price_ceiling.is_some()),
        ("block", file.block.is_some()),
        ("freeze", file.freeze.is_some()),
    ];
    rules.into_iter().find_map(|(word, is_there)| is_there.then_some(word))
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
    let asks = then == Then::Ask || file.payee_pinning.as_ref().is_some_and(PinningFile::can_ask);
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
    let left = |list| protocols::read_v1(&list, lists).map(|kind| vec![kind]);
    entries.extend(file.v1_channels.map(left).transpose()?);
    entries.extend(file.access_key.map(|key| vec![key.read()]));
    if let Some(expression) = file.when {
        let condition = Condition::parse(&expression, context).map_err(|bad| bad.to_string())?;
        entries.push(vec![RuleKind::When(Box::new(When(condition)))]);
    }
    let found = entries.len();
    match entries.pop() {
        Some(kinds) if found == 1 => Ok(kinds),
        _ => Err(format!("an entry of rules holds exactly one rule; this one holds {found}")),
    }
}
