//! A thousand intents side by side against a limit that fits four hundred: exactly four hundred
//! pass.
//!
//! The thousand go over HTTP through a real coordinator to real node processes, and what is counted
//! is what the limit is about: admissions, the rows of the nodes' own journals, read from their
//! files when all has ended. To sign four hundred times takes a quarter of an hour on two cores, so
//! the courier in front of the agent's node turns every round message into the end of its session:
//! both nodes judge and record as ever, and no rounds are run. A payment that was admitted stays
//! reserved then, as after any session that broke, is asked for seven times more, and must not be
//! counted again. Some twenty intents are signed for real, in a test of their own.
//!
//! What it shows: neither the coordinator's preview, nor a node that was left to itself by a
//! preview that lets everything through, nor one that is killed in the middle lets one payment
//! more or one less pass than fit.
//! What it does not show: how long signing takes; see the benchmarks.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alloy_primitives::Address;
use anyhow::{Context as _, Result, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tercet_api::payment::{PaymentPage, PaymentStatus, PaymentView};
use tercet_api::problem::ProblemCode;
use tercet_api::relay::{FromNode, ToNode};
use tercet_cli::demo::house::{ActError, AgentLine, ConfigText, now};
use tercet_cli::demo::liar::{Liar, Rewrite};
use tercet_policy::intent::{IntentId, SignedIntent};
use tercet_policy::party::Party;
use tercet_policy::refusal::Refusal;
use tercet_policy::rows::SpendRow;
use tercet_signer::journal::{Journal, Pins};
use tercet_signer_node::config::NodeConfig;
use tercet_tests::cluster::{Cluster, PAYEE, POLICY, Plan};

const ASKED: usize = 1_000;
const FIT: usize = 400;
/// What each is about: 0.001 USDC.
const UNITS: u128 = 1_000;
/// Requests on their way at once: more than the coordinator answers at once, so that some are told
/// to come again.
const REQUESTS_AT_ONCE: usize = 600;
/// Slow, for each payment is stored by the coordinator and by nodes, and asked for several times.
const PATIENCE: Duration = Duration::from_secs(240);
/// As many sessions as a node can be told to run at once, and no long waits for an outcome.
const NODE_LIMITS: &str = "\n[limits]\nsessions = 256\n";
const COORDINATOR_LIMITS: &str = "\n[limits]\npayment_wait_seconds = 1\n";

/// The usual policy with another limit.
fn policy(name: &str, limit: &str) -> String {
    let named = POLICY.replace("policy: research-01", &format!("policy: {name}"));
    named.replace("amount: 5 USDC", &format!("amount: {limit}"))
}

/// Ends the agent's sessions where the rounds would begin.
fn no_rounds() -> Rewrite {
    Arc::new(|frame| match frame {
        ToNode::Frame { session, .. } => {
            vec![ToNode::Abort { session, reason: "a test of admissions".to_owned() }]
        }
        frame => vec![frame],
    })
}

/// A house whose everyday nodes judge and record, and run no rounds.
struct Trial {
    cluster: Cluster,
    wallet: Address,
    operators: Liar,
    _agents: Liar,
}

impl Trial {
    /// With a policy of the operator's node's own, where there is one.
    async fn new(policy: String, own: Option<String>) -> Result<Self> {
        let text = ConfigText {
            coordinator_more: COORDINATOR_LIMITS.to_owned(),
            node_more: NODE_LIMITS.to_owned(),
            ..ConfigText::default()
        };
        let plan = Plan { policy: Some(policy), text, ..Plan::default() };
        let (mut cluster, wallet) = Cluster::with_wallet(plan).await?;
        let upstream = cluster.coordinator_address();
        let agents = Liar::start(upstream, no_rounds()).await?;
        let operators = Liar::start(upstream, Arc::new(|frame| vec![frame])).await?;
        for party in Party::ALL {
            cluster.stop_node(party).await;
        }
        let courier = |party| if party == Party::Agent { agents.url() } else { operators.url() };
        cluster.house.write_configs(courier, &cluster.plan.text)?;
        restart_coordinator(&mut cluster).await?;
        if let Some(own) = own {
            let seat = cluster.house.seat(Party::Operator);
            std::fs::write(seat.folder.join("own.yaml"), own)?;
            let config = std::fs::read_to_string(seat.config())?;
            std::fs::write(seat.config(), format!("own_policy = \"own.yaml\"\n{config}"))?;
        }
        for party in Party::EVERYDAY {
            cluster.start_node(party, &[]).await?;
        }
        Ok(Self { cluster, wallet, operators, _agents: agents })
    }

    /// How often the operator's node said that it had admitted something.
    fn admissions_told(&self) -> usize {
        let heard = self.operators.heard();
        heard.iter().filter(|heard| matches!(heard.frame, FromNode::Admitted { .. })).count()
    }

    /// Kills the operator's node once it has admitted `after`, and starts it again.
    async fn kill_operator(&mut self, after: usize, intents: Vec<SignedIntent>) -> Result<()> {
        let mut operator =
            self.cluster.nodes.remove(&Party::Operator).context("the operator's node")?;
        let line = self.cluster.house.line()?;
        let killing = async {
            let begun = Instant::now();
            while self.admissions_told() < after && begun.elapsed() < PATIENCE {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            operator.kill();
            self.cluster.house.start_node(Party::Operator, &[]).await
        };
        let (posted, started) = tokio::join!(post_all(&line, intents), killing);
        self.cluster.nodes.insert(Party::Operator, started?);
        posted
    }
}

/// Has the coordinator look at the chain once a minute: nothing of this goes there, and some
/// hundred payments that wait for its word would keep it busy.
async fn restart_coordinator(cluster: &mut Cluster) -> Result<()> {
    let running = cluster.coordinator.take().context("the coordinator")?;
    running.stop().await;
    let path = cluster.house.coordinator_config();
    let config = std::fs::read_to_string(&path)?;
    std::fs::write(&path, config.replace("poll_seconds = 1", "poll_seconds = 60"))?;
    cluster.start_coordinator(&[]).await
}

fn signed(
    cluster: &Cluster,
    wallet: Address,
    count: usize,
    units: u128,
) -> Result<Vec<SignedIntent>> {
    let one = |_| Ok(cluster.house.sign_intent(cluster.x402(wallet, PAYEE, units)?)?);
    (0..count).map(one).collect()
}

/// Posts all at once, each until it has an answer other than to come again.
async fn post_all(line: &AgentLine<'_>, intents: Vec<SignedIntent>) -> Result<()> {
    let post = async |intent: SignedIntent| loop {
        match line.pay(intent.clone()).await {
            Ok(_) => return Ok(()),
            Err(ActError::Problem(problem)) if problem.code == ProblemCode::Refused => {
                return Ok(());
            }
            Err(ActError::Problem(problem)) if problem.retryable => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(error) => return Err(anyhow::Error::from(error)),
        }
    };
    stream::iter(intents).map(post).buffer_unordered(REQUESTS_AT_ONCE).try_collect().await
}

async fn views(line: &AgentLine<'_>) -> Result<Vec<PaymentView>> {
    let (mut all, mut place) = (Vec::new(), String::new());
    loop {
        let page: PaymentPage = line.get(&format!("/v1/payments?limit=200{place}")).await?;
        all.extend(page.payments);
        let Some(next) = page.next_cursor else { return Ok(all) };
        place = format!("&cursor={next}");
    }
}

/// Waits until every payment has its last answer: signed, refused, or unknown until the chain
/// tells, which is what remains of a payment whose sessions broke after its admission.
async fn answered(line: &AgentLine<'_>, count: usize) -> Result<Vec<PaymentView>> {
    let begun = Instant::now();
    loop {
        let views = views(line).await?;
        let is_last = |view: &&PaymentView| {
            let open =
                [PaymentStatus::Received, PaymentStatus::AwaitingApproval, PaymentStatus::Signing];
            !open.contains(&view.status)
        };
        let last = views.iter().filter(is_last).count();
        if last == count {
            return Ok(views);
        }
        ensure!(begun.elapsed() < PATIENCE, "{last} of {count} payments have their last answer");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The payments that `by` refused, each over the limit alone and with its numbers.
fn refused(views: &[PaymentView], by: &str, limit: &str) -> Result<BTreeSet<IntentId>> {
    let mut ids = BTreeSet::new();
    for view in views.iter().filter(|view| !view.refusals.is_empty()) {
        for refusal in &view.refusals {
            let Refusal::Policy(decision) = &refusal.refusal else { anyhow::bail!("{view:#?}") };
            let found: Vec<_> = decision.violations().collect();
            let over = |f: &&tercet_policy::decision::Finding| {
                f.kind == "limit"
                    && f.limit == limit
                    && f.current.as_deref() == Some(limit)
                    && f.resets_at.is_some()
            };
            ensure!(refusal.by == by && !found.is_empty() && found.iter().all(over), "{view:#?}");
        }
        ensure!(view.digest.is_none(), "refused and signed: {view:#?}");
        ids.insert(view.id);
    }
    Ok(ids)
}

/// Everything that the journal of a node, which is stopped for it, has admitted.
async fn admitted(cluster: &mut Cluster, party: Party) -> Result<Vec<SpendRow>> {
    cluster.stop_node(party).await;
    let seat = cluster.house.seat(party);
    let authority = NodeConfig::read(&seat.config())?.authority;
    let (home, _) = seat.open()?;
    let pins = Pins { authority, own_policies: Vec::new() };
    let journal = Journal::open(Arc::new(home), pins, now()).await?;
    let rows = journal.unsettled().await?;
    journal.close().await?;
    Ok(rows)
}

/// Checks that a node admitted `fit` payments of `units`, and none that was refused.
async fn admitted_exactly(
    cluster: &mut Cluster,
    party: Party,
    (fit, units): (usize, u128),
    refused: &BTreeSet<IntentId>,
) -> Result<()> {
    let rows = admitted(cluster, party).await?;
    let sum: u128 = rows.iter().map(|row| row.amount.base_units()).sum();
    ensure!(rows.len() == fit, "the {party} admitted {} payments, {fit} fit", rows.len());
    ensure!(sum == units * fit as u128, "the {party} admitted {sum} base units");
    ensure!(rows.iter().all(|row| !refused.contains(&row.intent)), "admitted and refused");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_exactly_the_four_hundred_that_fit_pass() -> Result<()> {
    let mut trial = Trial::new(policy("research-01", "0.40 USDC"), None).await?;
    let intents = signed(&trial.cluster, trial.wallet, ASKED, UNITS)?;
    let line = trial.cluster.house.line()?;
    post_all(&line, intents).await?;
    let views = answered(&line, ASKED).await?;
    let no = refused(&views, "coordinator", "0.4 USDC")?;
    ensure!(no.len() == ASKED - FIT, "{} were refused", no.len());
    for party in Party::EVERYDAY {
        admitted_exactly(&mut trial.cluster, party, (FIT, UNITS), &no).await?;
    }
    Ok(())
}

/// The authority's limit fits all of them, so the coordinator lets all through; the operator's node
/// alone stands at the limit, and is killed on the way.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_left_to_itself_and_killed_lets_the_same_four_hundred_pass() -> Result<()> {
    let own = policy("operators-own", "0.40 USDC");
    let mut trial = Trial::new(POLICY.to_owned(), Some(own)).await?;
    let intents = signed(&trial.cluster, trial.wallet, ASKED, UNITS)?;
    trial.kill_operator(FIT / 2, intents).await?;
    let views = answered(&trial.cluster.house.line()?, ASKED).await?;
    let no = refused(&views, "operator", "0.4 USDC")?;
    ensure!(no.len() == ASKED - FIT, "{} were refused", no.len());
    admitted_exactly(&mut trial.cluster, Party::Operator, (FIT, UNITS), &no).await
}

/// The same with signatures, of fewer: each takes a second of either node.
#[tokio::test(flavor = "multi_thread")]
async fn of_twenty_exactly_the_eight_that_fit_are_signed() -> Result<()> {
    const UNITS: u128 = 50_000;
    let plan = Plan { policy: Some(policy("research-01", "0.40 USDC")), ..Plan::default() };
    let (mut cluster, wallet) = Cluster::with_wallet(plan).await?;
    let intents = signed(&cluster, wallet, 20, UNITS)?;
    let line = cluster.house.line()?;
    post_all(&line, intents).await?;
    let views = answered(&line, 20).await?;
    let no = refused(&views, "coordinator", "0.4 USDC")?;
    let signatures = views.iter().filter(|view| view.digest.is_some()).count();
    ensure!((signatures, no.len()) == (8, 12), "{signatures} signed, {} refused", no.len());
    for party in Party::EVERYDAY {
        admitted_exactly(&mut cluster, party, (8, UNITS), &no).await?;
    }
    Ok(())
}
