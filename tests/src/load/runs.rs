//! Loads: closed (each agent asks when it has its answer) and open (requests come at their own
//! pace, whatever the answers do).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tercet_api::payment::PaymentStatus;
use tercet_policy::intent::IntentId;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::agent::{Answer, LoadAgent, Ready};
use super::fleet::Fleet;

/// What each payment is about, in millionths of a USDC.
pub const UNITS: u128 = 1_000;
/// Longest wait for payments that were taken in and not answered at once.
const SETTLE_MAX: Duration = Duration::from_secs(60);
/// Answers that are read again at once.
const READS_AT_ONCE: usize = 16;
/// Between two looks at such a payment.
const LOOK: Duration = Duration::from_millis(200);

type Answered = (Duration, Answer);

/// What a load came to.
#[derive(Debug, Default)]
pub struct Run {
    /// From the first request to the last answer.
    pub wall: Duration,
    /// Of each payment that was signed, from request to verified signature, in milliseconds.
    pub signed_ms: Vec<f64>,
    /// Those payments, and whose they are.
    pub signed: BTreeMap<IntentId, Arc<LoadAgent>>,
    /// Payments that somebody's rules refused.
    pub refused: BTreeSet<IntentId>,
    /// Requests that were sent away, in milliseconds.
    pub shed_ms: Vec<f64>,
    /// Of those, the ones that were told when to come again.
    pub told_when: usize,
    /// Payments that were taken in, answered "later", and signed later.
    pub late: usize,
}

impl Run {
    /// Signatures in a second.
    #[must_use]
    pub fn signed_per_s(&self) -> f64 {
        self.signed.len() as f64 / self.wall.as_secs_f64()
    }

    /// The intents that were signed.
    #[must_use]
    pub fn intents(&self) -> BTreeSet<IntentId> {
        self.signed.keys().copied().collect()
    }

    /// Adds what one request came to; gives back a payment that is not answered yet.
    fn note(&mut self, agent: &Arc<LoadAgent>, (took, answer): Answered) -> Option<IntentId> {
        let ms = took.as_secs_f64() * 1_000.0;
        match answer {
            Answer::Signed(id) => {
                self.signed_ms.push(ms);
                self.signed.insert(id, Arc::clone(agent));
            }
            Answer::Refused(id) => {
                self.refused.insert(id);
            }
            Answer::Shed(_, wait) => {
                self.shed_ms.push(ms);
                self.told_when = self.told_when.saturating_add(usize::from(wait.is_some()));
            }
            Answer::Open(id) => return Some(id),
        }
        None
    }
}

/// `agents` ask `each` times, one after another each. Everything must be answered at once.
///
/// # Errors
/// What went wrong with any of them; requests that are sent away are wrong here.
pub async fn closed(fleet: &Fleet, agents: usize, each: usize) -> Result<Run> {
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for agent in fleet.agents.iter().take(agents).cloned() {
        tasks.spawn(async move {
            let mut answers = Vec::with_capacity(each);
            for _ in 0..each {
                let intent = agent.intent(UNITS)?;
                answers.push(agent.pay(intent).await?);
            }
            anyhow::Ok((agent, answers))
        });
    }
    let mut run = Run::default();
    while let Some(done) = tasks.join_next().await {
        let (agent, answers) = done??;
        for answered in answers {
            let open = run.note(&agent, answered);
            ensure!(open.is_none(), "a payment was not answered in time");
        }
    }
    run.wall = begun.elapsed();
    ensure!(run.shed_ms.is_empty(), "{} requests were sent away", run.shed_ms.len());
    Ok(run)
}

/// One request of an open load.
#[derive(Debug)]
pub struct Request {
    agent: Arc<LoadAgent>,
    ready: Ready,
}

/// Makes `count` payments ready to be posted, over all agents in turn: what agents do on machines of
/// their own is done before the load begins.
///
/// # Errors
/// When a node refuses one.
pub async fn prepare(fleet: &Fleet, count: usize) -> Result<Vec<Request>> {
    let mut tasks = JoinSet::new();
    let mine = count.div_ceil(fleet.agents.len());
    for agent in &fleet.agents {
        let agent = Arc::clone(agent);
        tasks.spawn(async move {
            let mut made = Vec::with_capacity(mine);
            for _ in 0..mine {
                let ready = agent.begin(agent.intent(UNITS)?).await?;
                made.push(Request {
                    agent: Arc::clone(&agent),
                    ready: ready.context("refused by its own node")?,
                });
            }
            anyhow::Ok(made)
        });
    }
    let mut by_agent = Vec::new();
    while let Some(made) = tasks.join_next().await {
        by_agent.push(made??.into_iter());
    }
    let mut requests = Vec::with_capacity(count);
    while requests.len() < count {
        let round = by_agent.iter_mut().filter_map(Iterator::next);
        let before = requests.len();
        requests.extend(round);
        ensure!(requests.len() > before, "{before} of {count} are ready");
    }
    requests.truncate(count);
    Ok(requests)
}

/// Posts them at `per_s`, each at its time, however long the answers take.
///
/// # Errors
/// What went wrong with any of them; being sent away is not wrong here.
pub async fn open(requests: Vec<Request>, per_s: f64) -> Result<Run> {
    let begun = tokio::time::Instant::now();
    let mut tasks = JoinSet::new();
    for (n, request) in requests.into_iter().enumerate() {
        let due = Duration::from_secs_f64(n as f64 / per_s);
        let at = begun.checked_add(due).context("an age from now")?;
        sleep_until(at).await;
        tasks.spawn(async move {
            // From the time it was due: a client that is late itself hides nothing.
            let answer = request.agent.post(&request.ready).await?;
            anyhow::Ok((at.elapsed(), answer, request.agent))
        });
    }
    let (mut run, mut open) = (Run::default(), Vec::new());
    while let Some(answered) = tasks.join_next().await {
        let (took, answer, agent) = answered??;
        if let Some(id) = run.note(&agent, (took, answer)) {
            open.push((agent, id));
        }
    }
    run.wall = begun.elapsed();
    for (agent, id) in open {
        follow(&agent, id, &mut run).await?;
    }
    Ok(run)
}

/// Asks again for a payment that was taken in, until it is signed or nothing will come of it.
async fn follow(agent: &Arc<LoadAgent>, id: IntentId, run: &mut Run) -> Result<()> {
    let begun = Instant::now();
    loop {
        let view = agent.look(id).await?;
        match view.status {
            PaymentStatus::Refused => {
                run.refused.insert(id);
                return Ok(());
            }
            PaymentStatus::Failed | PaymentStatus::Void => return Ok(()),
            _ if view.digest.is_some() => {
                run.late = run.late.saturating_add(1);
                run.signed.insert(id, Arc::clone(agent));
                return Ok(());
            }
            _ => ensure!(begun.elapsed() < SETTLE_MAX, "{id} is still {:?}", view.status),
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Checks that every answer can be read again: each payment that was signed, with its digest.
///
/// # Errors
/// For the first that cannot.
pub async fn all_can_be_read_again(run: &Run) -> Result<()> {
    let read = |(id, agent): (&IntentId, &Arc<LoadAgent>)| {
        let (id, agent) = (*id, Arc::clone(agent));
        async move {
            let view = agent.look(id).await?;
            ensure!(view.digest.is_some(), "{id} was signed, and reads {:?}", view.status);
            Ok(())
        }
    };
    stream::iter(&run.signed).map(read).buffer_unordered(READS_AT_ONCE).try_collect().await
}
