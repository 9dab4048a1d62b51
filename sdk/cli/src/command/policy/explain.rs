//! `tercet policy explain`: every rule's answer to one payment, by policies in files, or by those
//! that the coordinator holds.
//!
//! Promises: nothing is reserved, signed or counted.

mod words;

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tercet::client::Client;
use tercet_api::policy::{AskDecision, DecisionView};
use tercet_policy::decision::{Decision, Verdict};
use tercet_policy::intent::{PaymentIntent, SignedIntent};
use tercet_policy::money::Amount;
use tercet_policy::party::AgentId;
use tercet_policy::refusal::Refusal;
use tercet_policy::rules::Policy;

use super::file::{Source, form, registry, signed_body};
use super::payment::{ApprovalFile, Asked, PaymentFile, Sum, Who, money};
use super::trial::Trial;
use super::{history, json_of, moment};
use crate::answer::Answer;
use crate::args::{Args, Explain};
use crate::error::{CliError, refusals_text};
use crate::exit::Exit;
use crate::file::read_text;
use crate::line as coordinator;

pub(super) use words::verdict_word;

/// Runs the command. A refusal is an answer, and ends with [`Exit::Refused`].
pub(super) async fn run(ask: &Explain, args: &Args) -> Result<Answer, CliError> {
    let (sources, intent) = read_files(ask)?;
    if sources.is_empty() {
        return by_coordinator(ask, args, intent).await;
    }
    let policies: Vec<_> = sources.iter().map(|source| &source.policy).collect();
    let who = who(ask, &policies)?;
    let asked = asked(ask, intent.map(Given::into_intent), &who)?;
    let registry = registry(ask.registry.as_deref())?;
    let all: Vec<_> = sources.iter().collect();
    let mut trial = Trial::new(&all, registry.as_ref()).map_err(CliError::Usage)?;
    if let Some(file) = &ask.history {
        fill(&mut trial, file, &who)?;
    }
    let decision = trial.decide(&asked).map_err(CliError::Usage)?;
    Ok(answer(&decision, &notes(&asked, &policies), &sources))
}

/// An intent from a file.
enum Given {
    Signed(Box<SignedIntent>),
    Unsigned(Box<PaymentIntent>),
}

impl Given {
    fn read(file: &Path) -> Result<Self, CliError> {
        let text = read_text(file)?;
        if let Ok(signed) = serde_json::from_str(&text) {
            return Ok(Self::Signed(signed));
        }
        let intent = serde_json::from_str(&text).map(Self::Unsigned);
        intent.map_err(|error| form(file, "a payment intent", error.to_string()))
    }

    fn into_intent(self) -> PaymentIntent {
        match self {
            Self::Signed(signed) => signed.document,
            Self::Unsigned(intent) => *intent,
        }
    }
}

/// Policies and at most one intent.
fn read_files(ask: &Explain) -> Result<(Vec<Source>, Option<Given>), CliError> {
    let mut intent = ask.intent.as_deref().map(Given::read).transpose()?;
    let mut sources = Vec::new();
    for path in &ask.files {
        let text = read_text(path)?;
        let is_json = text.trim_start().starts_with('{');
        if is_json && signed_body(&text).is_none() {
            if intent.replace(Given::read(path)?).is_some() {
                return Err(CliError::Usage("give one payment intent at most".into()));
            }
        } else {
            sources.push(Source::read(path)?);
        }
    }
    Ok((sources, intent))
}

/// The coordinator knows its policies, what was paid, who is who and what the wallet holds.
async fn by_coordinator(
    ask: &Explain,
    args: &Args,
    intent: Option<Given>,
) -> Result<Answer, CliError> {
    let of_files = ask.history.is_some() || ask.registry.is_some() || ask.at.is_some();
    if of_files || ask.balance.is_some() || ask.fee_wei.is_some() || !ask.approved_by.is_empty() {
        let said = "--history, --registry, --at, --balance, --fee-wei and --approved-by are for \
                    policies in files: name one, or leave them away to ask the coordinator";
        return Err(CliError::Usage(said.into()));
    }
    let client = coordinator::open(args)?;
    let asked = match intent {
        Some(Given::Signed(signed)) => AskDecision { intent: Some(*signed), unsigned: None },
        Some(Given::Unsigned(intent)) => AskDecision { intent: None, unsigned: Some(*intent) },
        None => {
            let who = of_home(ask, args, &client).await?;
            AskDecision { intent: None, unsigned: Some(asked(ask, None, &who)?.intent) }
        }
    };
    Ok(told(&client.decide(&asked).await?))
}

/// The agent of the home and its only wallet, where they are not named.
async fn of_home(ask: &Explain, args: &Args, client: &Client) -> Result<Who, CliError> {
    let missing = || CliError::Usage("name a policy file, or --agent and --wallet".into());
    let own = || {
        let config = coordinator::config(&args.home).ok()?;
        AgentId::new(config.node.as_str()).ok()
    };
    let agent = ask.agent.clone().or_else(own).ok_or_else(missing)?;
    let wallet = match ask.wallet {
        Some(wallet) => wallet,
        None => {
            let wallets = client.wallets().await?;
            let mut own = wallets.iter().filter(|wallet| wallet.agent == agent);
            let (first, more) = (own.next(), own.next());
            first.filter(|_| more.is_none()).ok_or_else(missing)?.address
        }
    };
    Ok(Who { agent, wallet })
}

/// What the coordinator says.
fn told(view: &DecisionView) -> Answer {
    let decided = view.decision.as_ref();
    let refused = view.refusals.iter().find_map(|by| match &by.refusal {
        Refusal::Policy(decision) | Refusal::ApprovalMissing(decision) => Some(decision),
        _ => None,
    });
    if let Some(decision) = decided.or(refused) {
        return answer(decision, &[], &[]);
    }
    let text = format!("{}: {}", verdict_word(view.verdict), refusals_text(&view.refusals));
    let approved = view.verdict == Verdict::Approve;
    let json = json!({
        "approved": approved,
        "verdict": view.verdict,
        "notes": [],
        "decision": null,
        "refusals": view.refusals,
    });
    Answer::new(text, json).ending(exit(approved))
}

fn who(ask: &Explain, policies: &[&Policy]) -> Result<Who, CliError> {
    let who = Who::of(policies).map_err(CliError::Usage)?;
    Ok(Who {
        agent: ask.agent.clone().unwrap_or(who.agent),
        wallet: ask.wallet.unwrap_or(who.wallet),
    })
}

fn asked(ask: &Explain, intent: Option<PaymentIntent>, who: &Who) -> Result<Asked, CliError> {
    let at = moment::given_or_now(ask.at.as_deref())?;
    let file = flags(ask)?;
    let Some(intent) = intent else {
        if ask.amount.is_none() {
            return Err(CliError::Usage("give --amount and --to, or a payment intent".into()));
        }
        return file.asked(who, at).map_err(CliError::Usage);
    };
    let said = file.said(at);
    let balance = file.balance.map(|sum| sum.0.amount);
    Ok(Asked { fee_wei: file.fee_wei, balance, said, ..Asked::of(intent, at) })
}

fn flags(ask: &Explain) -> Result<PaymentFile, CliError> {
    let sum = |text: &Option<String>| {
        let money = text.as_deref().map(money).transpose();
        money.map(|money| money.map(Sum)).map_err(CliError::Usage)
    };
    let yes = |name: &String| ApprovalFile { by: name.clone(), approves: true, at: None };
    Ok(PaymentFile {
        pay: ask.pay,
        amount: sum(&ask.amount)?,
        to: ask.to,
        service: ask.service.clone(),
        method: word(ask.method.as_deref(), "a method of HTTP")?,
        flow: word(ask.flow.as_deref(), "a flow: authorization, upfront or escrow")?,
        session: word(ask.session.as_deref(), "the name of a session")?,
        context: object(ask.context.as_deref())?,
        chain: Some(ask.chain),
        fee_wei: word::<Amount>(ask.fee_wei.as_deref(), "a whole number of wei")?,
        balance: sum(&ask.balance)?,
        approvals: ask.approved_by.iter().map(yes).collect(),
        ..PaymentFile::default()
    })
}

fn word<T: DeserializeOwned>(given: Option<&str>, what: &str) -> Result<Option<T>, CliError> {
    let Some(given) = given else { return Ok(None) };
    let bad = |_| CliError::Usage(format!("{given:?} is not {what}"));
    serde_json::from_value(Value::from(given)).map(Some).map_err(bad)
}

fn object<T: DeserializeOwned + Default>(given: Option<&str>) -> Result<T, CliError> {
    let Some(given) = given else { return Ok(T::default()) };
    serde_json::from_str(given).map_err(|bad| CliError::Usage(format!("--context: {bad}")))
}

/// Takes the payments of a history in, as they went.
fn fill(trial: &mut Trial<'_>, file: &Path, who: &Who) -> Result<(), CliError> {
    let past = history::read(file, who)?.payments;
    let taken = past.iter().try_for_each(|past| trial.take(past));
    taken.map_err(|reason| form(file, "a list of payments", reason))
}

/// What a node would say beyond the rules.
fn notes(asked: &Asked, policies: &[&Policy]) -> Vec<String> {
    let mut notes = Vec::new();
    let Ok(ask) = asked.ask() else { return notes };
    let others = policies.iter().filter(|policy| !policy.applies_to(&ask));
    notes.extend(others.map(|policy| {
        format!(
            "policy {} is for {}, not for {} with wallet {}, so it is not asked",
            policy.name(),
            policy.subject(),
            ask.agent,
            ask.wallet
        )
    }));
    if !policies.iter().any(|policy| policy.is_own() && policy.applies_to(&ask)) {
        notes.push("no policy of the agent itself is given: a node refuses without one".into());
    }
    notes
}

fn answer(decision: &Decision, notes: &[String], sources: &[Source]) -> Answer {
    let approved = decision.verdict == Verdict::Approve;
    let json = json!({
        "approved": approved,
        "verdict": decision.verdict,
        "notes": notes,
        "decision": json_of(decision),
    });
    let lines = words::lines(decision, notes, sources);
    Answer::new(lines.join("\n"), json).ending(exit(approved))
}

const fn exit(approved: bool) -> Exit {
    if approved { Exit::Ok } else { Exit::Refused }
}
