//! `tercet policy explain`: every rule's answer to one payment.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tercet::client::Client;
use tercet_policy::decision::{Decision, Finding, Opinion, Outcome, Verdict};
use tercet_policy::intent::{PaymentIntent, SignedIntent};
use tercet_policy::party::AgentId;
use tercet_policy::rules::{Mode, Policy};

use super::file::{Source, form, registry, signed_body};
use super::history::{self, Fate};
use super::moment;
use super::payment::{Asked, PaymentFile, Who};
use super::table::{self, or_dash};
use super::trial::Trial;
use super::{in_force, json_of};
use crate::answer::Answer;
use crate::args::{Args, Explain};
use crate::error::CliError;
use crate::exit::Exit;
use crate::file::read_text;
use crate::line as coordinator;

/// Runs the command. A refusal is an answer, and ends with [`Exit::Refused`].
pub(super) async fn run(ask: &Explain, args: &Args) -> Result<Answer, CliError> {
    let (mut sources, intent) = read_files(ask)?;
    if sources.is_empty() {
        let agent = ask.agent.as_ref().or(intent.as_ref().map(|intent| &intent.agent));
        sources = from_coordinator(agent, &coordinator::open(args)?).await?;
    }
    let policies: Vec<_> = sources.iter().map(|source| &source.policy).collect();
    let asked = asked(ask, intent, &policies)?;
    let registry = registry(ask.registry.as_deref())?;
    let mut trial = Trial::new(policies.clone(), registry.as_ref());
    if let Some(file) = &ask.history {
        fill(&mut trial, file, &who(ask, &policies)?)?;
    }
    let decision = trial.decide(&asked).map_err(CliError::Usage)?;
    Ok(answer(&decision, &notes(&asked, &policies), &sources))
}

/// Policies and at most one intent.
fn read_files(ask: &Explain) -> Result<(Vec<Source>, Option<PaymentIntent>), CliError> {
    let mut intent = ask.intent.as_deref().map(read_intent).transpose()?;
    let mut sources = Vec::new();
    for path in &ask.files {
        let text = read_text(path)?;
        let is_json = text.trim_start().starts_with('{');
        if is_json && signed_body(&text).is_none() {
            if intent.replace(read_intent(path)?).is_some() {
                return Err(CliError::Usage("give one payment intent at most".into()));
            }
        } else {
            sources.push(Source::read(path)?);
        }
    }
    Ok((sources, intent))
}

async fn from_coordinator(
    agent: Option<&AgentId>,
    client: &Client,
) -> Result<Vec<Source>, CliError> {
    let missing = "name a policy file, or --agent for the policy that the coordinator holds";
    let agent = agent.ok_or_else(|| CliError::Usage(missing.into()))?;
    let held = in_force(client, agent).await?;
    held.into_iter().map(|(path, yaml)| Source::of(&path, yaml)).collect()
}

fn who(ask: &Explain, policies: &[&Policy]) -> Result<Who, CliError> {
    let who = Who::of(policies).map_err(CliError::Usage)?;
    Ok(Who {
        agent: ask.agent.clone().unwrap_or(who.agent),
        wallet: ask.wallet.unwrap_or(who.wallet),
    })
}

fn asked(
    ask: &Explain,
    intent: Option<PaymentIntent>,
    policies: &[&Policy],
) -> Result<Asked, CliError> {
    let at = moment::given_or_now(ask.at.as_deref())?;
    let file = flags(ask)?;
    let Some(intent) = intent else {
        let Some(file) = file else {
            return Err(CliError::Usage("give --amount and --to, or a payment intent".into()));
        };
        return file.asked(&who(ask, policies)?, at).map_err(CliError::Usage);
    };
    let balance = ask.balance.as_deref().map(super::payment::money).transpose();
    let balance = balance.map_err(CliError::Usage)?.map(|money| money.amount);
    Ok(Asked { fee_wei: fee(ask)?, balance, ..Asked::of(intent, at) })
}

fn flags(ask: &Explain) -> Result<Option<PaymentFile>, CliError> {
    let Some(amount) = ask.amount.clone() else { return Ok(None) };
    Ok(Some(PaymentFile {
        pay: ask.pay,
        amount,
        to: ask.to,
        service: ask.service.clone(),
        method: word(ask.method.as_deref(), "a method of HTTP")?,
        session: word(ask.session.as_deref(), "the name of a session")?,
        context: object(ask.context.as_deref())?,
        chain: Some(ask.chain),
        fee_wei: fee(ask)?,
        balance: ask.balance.clone(),
        ..PaymentFile::default()
    }))
}

fn fee(ask: &Explain) -> Result<Option<tercet_policy::money::Amount>, CliError> {
    word(ask.fee_wei.as_deref(), "a whole number of wei")
}

fn word<T: serde::de::DeserializeOwned>(
    given: Option<&str>,
    what: &str,
) -> Result<Option<T>, CliError> {
    let Some(given) = given else { return Ok(None) };
    let bad = |_| CliError::Usage(format!("{given:?} is not {what}"));
    serde_json::from_value(Value::from(given)).map(Some).map_err(bad)
}

fn object<T: serde::de::DeserializeOwned + Default>(given: Option<&str>) -> Result<T, CliError> {
    let Some(given) = given else { return Ok(T::default()) };
    serde_json::from_str(given).map_err(|bad| CliError::Usage(format!("--context: {bad}")))
}

fn read_intent(file: &Path) -> Result<PaymentIntent, CliError> {
    let text = read_text(file)?;
    let signed = serde_json::from_str::<SignedIntent>(&text).map(|signed| signed.document);
    signed
        .or_else(|_| serde_json::from_str(&text))
        .map_err(|error| form(file, "a payment intent", error.to_string()))
}

/// Takes the payments of a history in, as they went.
fn fill(trial: &mut Trial<'_>, file: &Path, who: &Who) -> Result<(), CliError> {
    for past in history::read(file, who)?.payments {
        let taken = match past.fate {
            Fate::Paid => trial.record(&past.asked, past.counted),
            Fate::Refused => {
                trial.refuse(past.asked.at);
                Ok(())
            }
            Fate::Void => {
                trial.fail(past.asked.at);
                Ok(())
            }
        };
        taken.map_err(|reason| form(file, "a list of payments", reason))?;
    }
    Ok(())
}

/// What a node would say beyond the rules.
fn notes(asked: &Asked, policies: &[&Policy]) -> Vec<String> {
    let mut notes = Vec::new();
    if let Ok(ask) = asked.ask() {
        let others = policies.iter().filter(|policy| !policy.applies_to(&ask));
        notes.extend(others.map(|policy| {
            format!(
                "policy {} is for {}, not for {} with wallet {}, so its rules say nothing",
                policy.name(),
                policy.subject(),
                ask.agent,
                ask.wallet
            )
        }));
    }
    if policies.iter().all(|policy| policy.agent().is_none()) {
        notes.push("no policy of the agent itself is given: a node refuses without one".into());
    }
    notes
}

fn answer(decision: &Decision, notes: &[String], sources: &[Source]) -> Answer {
    let approved = decision.verdict == Verdict::Approve;
    let names = sources.iter().map(|source| {
        let policy = &source.policy;
        format!("{} (epoch {}, {})", policy.name(), policy.epoch(), policy.subject())
    });
    let names: Vec<_> = names.collect();
    let mut lines = vec![format!("{}: {}", verdict_word(decision.verdict), names.join(", "))];
    lines.extend(notes.iter().map(|note| format!("  note: {note}")));
    lines.extend(findings(decision, sources));
    if decision.verdict == Verdict::Refuse && decision.violations().next().is_none() {
        lines.push("  no rule grants this, and silence is refusal".into());
    }
    let exit = if approved { Exit::Ok } else { Exit::Refused };
    let json = json!({ "approved": approved, "notes": notes, "decision": json_of(decision) });
    Answer::new(lines.join("\n"), json).ending(exit)
}

/// How people read a verdict.
pub(super) const fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Approve => "approved",
        Verdict::AskHuman => "asks a human",
        Verdict::Refuse => "refused",
    }
}

fn findings(decision: &Decision, sources: &[Source]) -> Vec<String> {
    let head = ["policy", "epoch", "line", "rule", "outcome", "limit", "current", "asked", "resets at"];
    let mut rows = Vec::new();
    for opinion in &decision.policies {
        rows.extend(opinion.findings.iter().map(|found| row(opinion, found, sources)));
    }
    if rows.is_empty() { Vec::new() } else { table::lines(head, &rows) }
}

fn row(opinion: &Opinion, found: &Finding, sources: &[Source]) -> [String; 9] {
    let source = sources.iter().find(|source| {
        let policy = &source.policy;
        policy.name() == opinion.policy && policy.subject() == &opinion.subject
    });
    let line = source.and_then(|source| source.policy.rules().iter().find(|rule| rule.place() == found.rule));
    let per = found.per.as_ref().map_or_else(String::new, |per| format!(" per {per}"));
    [
        opinion.policy.clone(),
        opinion.epoch.to_string(),
        or_dash(line.map(|rule| rule.line())),
        found.kind.clone(),
        outcome(opinion.mode, found),
        format!("{}{per}", found.limit),
        or_dash(found.current.as_ref()),
        found.asked.clone(),
        or_dash(found.resets_at.map(moment::text)),
    ]
}

fn outcome(mode: Mode, found: &Finding) -> String {
    let word = match found.outcome {
        Outcome::Kept if found.grants => "grants",
        Outcome::Kept => "kept",
        Outcome::Warns => "warns",
        Outcome::Asks => "asks",
        Outcome::Refuses => "refuses",
    };
    let would = mode == Mode::Warn && matches!(found.outcome, Outcome::Asks | Outcome::Refuses);
    let freezes = if found.freezes { ", freezes" } else { "" };
    let asks = found.approvers.as_ref().filter(|_| found.outcome == Outcome::Asks);
    let asks = asks.map_or_else(String::new, |who| format!(" {who}"));
    if would { format!("({word}{asks}{freezes})") } else { format!("{word}{asks}{freezes}") }
}

/// Where the coordinator's policies seem to come from in messages.
pub(super) fn held_path(name: &str) -> PathBuf {
    PathBuf::from(format!("coordinator:{name}"))
}
