//! `tercet policy backtest`: recorded payments, replayed under a draft.
//!
//! Promises: each ledger is built as the replay goes, from the payments that its own policies
//! would have approved, so a refusal early in a day leaves room later in it. Payments from before
//! the replay are taken in as they were paid.
//!
//! Does not protect against what no record tells, and says so with every answer ([`UNKNOWN`]).

mod report;

use tercet_policy::decision::{Decision, Verdict};
use tercet_policy::registry::Registry;
use tercet_policy::subject::Subject;
use tercet_policy::time::UnixSeconds;

use self::report::{Report, answer};
use super::file::{Source, form, registry};
use super::history::{self, Fate, History, Past};
use super::moment;
use super::payment::Who;
use super::sign::in_force;
use super::trial::Trial;
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
pub(super) const UNKNOWN: [&str; 6] = [
    "what an agent would have done after a refusal: asked again, paid less, or elsewhere",
    "what people would have said where the draft asks: a payment that was paid counts as approved",
    "fees and balances of the time: rules about them are taken as kept, unless the file says them",
    "what agents declared (method, flow, session, context) where nobody was asked, so rules about \
     it are taken as broken, and payments that never reached the coordinator",
    "who was trusted then: the registry is today's, and reports of agents are not replayed",
    "how long a stop would have lasted: an agent that a freeze stops is taken to be resumed at once",
];

/// Runs the command.
pub(super) async fn run(asked: &Backtest, args: &Args) -> Result<Answer, CliError> {
    let draft = Source::read(&asked.file)?;
    let registry = registry(asked.registry.as_deref())?;
    let until = moment::given_or_now(asked.until.as_deref())?;
    let since = since(asked, until)?;
    if since >= until {
        return Err(CliError::Usage("the replay would end before it begins".into()));
    }
    let history = history(asked, args, &draft, since).await?;
    let (held, beside) = others(asked, args, &draft).await?;
    let with = |policy| -> Vec<&Source> { beside.iter().chain([policy]).collect() };
    let replay = Replay { since, until, registry: registry.as_ref() };
    let old = held.as_ref().map(with);
    let report = replay.run(&draft, &with(&draft), old.as_deref(), &history);
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

/// The policy that the draft is compared with, and those that apply beside either.
async fn others(
    asked: &Backtest,
    args: &Args,
    draft: &Source,
) -> Result<(Option<Source>, Vec<Source>), CliError> {
    let named = asked.beside.iter().map(|file| Source::read(file));
    let mut beside: Vec<_> = named.collect::<Result<_, _>>()?;
    let mut held = asked.against.as_deref().map(Source::read).transpose()?;
    let apart = asked.history.is_some() || asked.against.is_some() || !beside.is_empty();
    if !apart {
        let all = in_force(&coordinator::open(args)?, draft.policy.agent()).await?;
        let (own, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|held| held.policy.subject() == draft.policy.subject());
        held = own.into_iter().next();
        beside = others;
    }
    Ok((held, beside))
}

/// The part of the past that is replayed.
struct Replay<'a> {
    since: UnixSeconds,
    until: UnixSeconds,
    registry: Option<&'a Registry>,
}

impl Replay<'_> {
    fn run(
        &self,
        draft: &Source,
        new: &[&Source],
        old: Option<&[&Source]>,
        history: &History,
    ) -> Result<Report, String> {
        let mut drafted = Trial::new(new, self.registry)?;
        let mut held = old.map(|old| Trial::new(old, self.registry)).transpose()?;
        let mut report = Report::new(&draft.policy, history.left_out);
        for past in history.payments.iter().filter(|past| past.asked.at <= self.until) {
            if !concerns(draft, past) {
                continue;
            }
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

/// Whether a payment is one that the draft judges.
fn concerns(draft: &Source, past: &Past) -> bool {
    let (agent, intent) = (draft.policy.agent(), &past.asked.intent);
    let wallet = match draft.policy.subject() {
        Subject::Wallet(wallet) => *wallet == intent.wallet,
        Subject::Organisation | Subject::Agent(_) => true,
    };
    wallet && agent.is_none_or(|agent| *agent == intent.agent)
}

/// What happened before the replay counts as it happened.
fn warm_up(trial: &mut Trial<'_>, past: &Past) -> Result<(), String> {
    match past.fate {
        Fate::Paid => trial.record(past),
        Fate::Refused | Fate::Void | Fate::Asked => Ok(()),
    }
}

fn replay(trial: &mut Trial<'_>, past: &Past) -> Result<Decision, String> {
    let decision = trial.decide(&past.asked)?;
    let (agent, at) = (&past.asked.intent.agent, past.asked.at);
    match (decision.verdict, past.fate) {
        (Verdict::Refuse, _) => trial.refuse(agent, at),
        (_, Fate::Void) => trial.fail(agent, at),
        // Nobody was there to ask; what was paid was approved by somebody, or by the rules.
        (Verdict::AskHuman, Fate::Refused | Fate::Asked) => {}
        (Verdict::Approve | Verdict::AskHuman, _) => trial.record(past)?,
    }
    if decision.violations().any(|found| found.freezes) {
        trial.stop(agent, at)?;
    }
    Ok(decision)
}
