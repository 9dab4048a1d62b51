//! `tercet policy backtest`: recorded payments, replayed under a draft.
//!
//! Promises: each ledger is built as the replay goes, from the payments that its own policies
//! would have approved, so a refusal early in a day leaves room later in it. Payments from before
//! the replay are taken in as they were paid.
//!
//! Does not protect against what no record tells, and says so with every answer ([`UNKNOWN`]).

mod report;

use std::path::{Path, PathBuf};

use tercet::client::Client;
use tercet_policy::decision::{Decision, Verdict};
use tercet_policy::party::AgentId;
use tercet_policy::registry::Registry;
use tercet_policy::rules::Policy;
use tercet_policy::time::UnixSeconds;

use self::report::{Report, answer};
use super::file::{Source, form, registry};
use super::history::{self, Fate, History, Past};
use super::payment::Who;
use super::trial::Trial;
use super::{in_force, moment};
use crate::answer::Answer;
use crate::args::{Args, Backtest};
use crate::error::CliError;
use crate::line as coordinator;

/// How far back without `--since`, in seconds: 30 days.
const SINCE_SECONDS: u64 = 2_592_000;
/// How much longer payments are looked at, so that windows are full when the replay begins: a
/// calendar month.
const WARM_UP_SECONDS: u64 = 2_678_400;

/// What a backtest cannot know.
pub(super) const UNKNOWN: [&str; 5] = [
    "what an agent would have done after a refusal: asked again, paid less, or elsewhere",
    "what people would have said where the draft asks: a payment that was paid counts as approved",
    "what no record holds: balances and fees of the time, what agents declared, and payments that \
     never reached the coordinator",
    "who was trusted then: the registry is today's, and outcomes of payments are not replayed",
    "a payment that proved void counts for nothing, though it held its amount for a while",
];

/// Runs the command.
pub(super) async fn run(asked: &Backtest, args: &Args) -> Result<Answer, CliError> {
    let draft = Source::read(&asked.file)?;
    let beside: Vec<_> = asked.beside.iter().map(|file| Source::read(file)).collect();
    let beside: Vec<_> = beside.into_iter().collect::<Result<_, _>>()?;
    let registry = registry(asked.registry.as_deref())?;
    let until = moment::given_or_now(asked.until.as_deref())?;
    let since = since(asked, until)?;
    let history = history(asked, args, &draft, since).await?;
    let held = held(asked, args, &draft).await?;
    let with = |policy: &'_ Source| -> Vec<Policy> {
        let others = beside.iter().map(|source| source.policy.clone());
        others.chain([policy.policy.clone()]).collect()
    };
    let replay = Replay { since, until, registry: registry.as_ref() };
    let (new, old) = (with(&draft), held.as_ref().map(with));
    let report = replay.run(&draft.policy, &new, old.as_deref(), &history);
    let report = report.map_err(|reason| form(&asked.file, "a policy to replay", reason))?;
    Ok(answer(&draft, held.as_ref(), &report))
}

fn since(asked: &Backtest, until: UnixSeconds) -> Result<UnixSeconds, CliError> {
    match (&asked.since, &asked.history) {
        (Some(length), _) => Ok(until.minus(moment::length_seconds(length)?)),
        (None, Some(_)) => Ok(UnixSeconds(0)),
        (None, None) => Ok(until.minus(SINCE_SECONDS)),
    }
}

async fn history(
    asked: &Backtest,
    args: &Args,
    draft: &Source,
    since: UnixSeconds,
) -> Result<History, CliError> {
    if let Some(file) = &asked.history {
        let who = Who::of(&[&draft.policy]).map_err(CliError::Usage)?;
        return history::read(file, &who);
    }
    let agent = draft.policy.agent().cloned();
    history::fetch(&coordinator::open(args)?, agent, since.minus(WARM_UP_SECONDS)).await
}

/// The policy that the draft is compared with.
async fn held(asked: &Backtest, args: &Args, draft: &Source) -> Result<Option<Source>, CliError> {
    if let Some(file) = &asked.against {
        return Source::read(file).map(Some);
    }
    match draft.policy.agent().filter(|_| asked.history.is_none()) {
        Some(agent) => same_subject(&coordinator::open(args)?, agent, draft).await,
        None => Ok(None),
    }
}

async fn same_subject(
    client: &Client,
    agent: &AgentId,
    draft: &Source,
) -> Result<Option<Source>, CliError> {
    let held: Vec<(PathBuf, String)> = in_force(client, agent).await?;
    let read = |(path, yaml): (PathBuf, String)| Source::of(Path::new(&path), yaml);
    let held: Vec<_> = held.into_iter().map(read).collect::<Result<_, _>>()?;
    Ok(held.into_iter().find(|source| source.policy.subject() == draft.policy.subject()))
}

/// The part of the past that is replayed.
struct Replay<'a> {
    since: UnixSeconds,
    until: UnixSeconds,
    registry: Option<&'a Registry>,
}

impl<'a> Replay<'a> {
    fn run(
        &self,
        draft: &Policy,
        new: &'a [Policy],
        old: Option<&'a [Policy]>,
        history: &History,
    ) -> Result<Report, String> {
        let mut drafted = Trial::new(new.iter().collect(), self.registry);
        let mut held = old.map(|old| Trial::new(old.iter().collect(), self.registry));
        let mut report = Report::new(draft, history.left_out);
        for past in history.payments.iter().filter(|past| past.asked.at <= self.until) {
            if past.asked.at < self.since {
                warm_up(&mut drafted, past)?;
                held.as_mut().map_or(Ok(()), |held| warm_up(held, past))?;
                continue;
            }
            let is = replay(&mut drafted, past)?;
            let was = match &mut held {
                Some(held) => Some(replay(held, past)?),
                None => None,
            };
            report.take(past, &is, was.as_ref());
        }
        Ok(report)
    }
}

/// What happened before the replay counts as it happened.
fn warm_up(trial: &mut Trial<'_>, past: &Past) -> Result<(), String> {
    match past.fate {
        Fate::Paid => trial.record(&past.asked, past.counted),
        Fate::Refused | Fate::Void => Ok(()),
    }
}

fn replay(trial: &mut Trial<'_>, past: &Past) -> Result<Decision, String> {
    let decision = trial.decide(&past.asked)?;
    let at = past.asked.at;
    match (decision.verdict, past.fate) {
        (Verdict::Refuse, _) => trial.refuse(at),
        (_, Fate::Void) => trial.fail(at),
        // Nobody was there to ask; what was paid was approved by somebody, or by the rules.
        (Verdict::AskHuman, Fate::Refused) => {}
        (Verdict::Approve | Verdict::AskHuman, _) => trial.record(&past.asked, past.counted)?,
    }
    Ok(decision)
}
