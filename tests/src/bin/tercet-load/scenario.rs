//! The loads, one after another on one fleet.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tercet_policy::intent::IntentId;
use tercet_tests::cost::rss_mib;
use tercet_tests::load::fleet::{Fleet, FleetPlan, STOCK_MAX};
use tercet_tests::load::runs::{self, Run, UNITS};

use crate::words::{figure, note, quantile};

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    agents: usize,
    /// Payments that the budget allows, and how many each agent asks for.
    allowed: usize,
    asked_each: usize,
    /// Payments of one agent alone, in turns.
    turns: usize,
    per_turn: usize,
    /// Payments of each step of the sweep, over all its agents.
    sweep: usize,
    /// How long the overload lasts.
    overload_seconds: f64,
}

/// What `make bench` runs.
pub(crate) const FULL: Scale = Scale {
    agents: 64,
    allowed: 10_000,
    asked_each: 160,
    turns: 10,
    per_turn: 200,
    sweep: 1_600,
    overload_seconds: 4.0,
};
/// For whoever works on this program.
pub(crate) const QUICK: Scale = Scale {
    agents: 8,
    allowed: 300,
    asked_each: 40,
    turns: 1,
    per_turn: 100,
    sweep: 80,
    overload_seconds: 1.0,
};

/// How many times the capacity is asked for in the overload.
const OVERLOAD: f64 = 5.0;
/// Of each agent's stock, so many may be posted: what was refused before is left over at the
/// operator's side and takes room.
const POSTED_EACH_MAX: u64 = STOCK_MAX - 16;
/// How long a process has been left alone when its memory is read.
const IDLE: Duration = Duration::from_secs(2);
/// More than all loads together take.
const AMPLE_UNITS: u128 = 1_000_000_000_000;

/// Runs all of them.
pub(crate) async fn run(scale: Scale) -> Result<()> {
    let program = std::env::current_exe()?;
    let plan = FleetPlan {
        agents: scale.agents,
        program: program.clone(),
        budget_units: UNITS.saturating_mul(u128::try_from(scale.allowed)?),
    };
    // Beside the program: a system's temporary folder may be memory, where nothing is durable.
    let folder = program.parent().context("no folder")?;
    let mut fleet = Box::pin(Fleet::start(&plan, folder)).await?;
    memory(&mut fleet, scale).await?;
    let mut signed = budget(&mut fleet, scale).await?;
    fleet.allow(AMPLE_UNITS).await?;
    signed.extend(alone(&mut fleet, scale).await?);
    signed.extend(sweep(&mut fleet, scale).await?);
    signed.extend(overload(&mut fleet, scale).await?);
    let ledger = fleet.close().await?;
    ledger.is_exactly(&signed, UNITS)?;
    note(&format!(
        "Ledger: after all loads the operator's journal, read from its file, holds {} payments: \
         exactly those that were answered with a signature, each in a slot of its own.",
        ledger.len()
    ));
    Ok(())
}

/// What the operator's node weighs with its wallets, and with its stock filled.
async fn memory(fleet: &mut Fleet, scale: Scale) -> Result<()> {
    tokio::time::sleep(IDLE).await;
    let empty = rss_mib(fleet.operator.id()?)?;
    fleet.fill(scale.agents, STOCK_MAX).await?;
    tokio::time::sleep(IDLE).await;
    let full = rss_mib(fleet.operator.id()?)?;
    let stocked = scale.agents as f64 * STOCK_MAX as f64;
    figure("operator_rss_no_stock_mib", empty);
    figure("operator_rss_full_stock_mib", full);
    figure("stock_bytes_per_presignature", (full - empty) * 1_048_576.0 / stocked);
    note(&format!(
        "Stock: the operator's node with {} wallets of as many groups, before and after {stocked:.0} \
         presignatures ({STOCK_MAX} each, the most there may be) were put in stock.",
        scale.agents
    ));
    Ok(())
}

/// All agents at once, against one budget that allows fewer payments than they ask for.
async fn budget(fleet: &mut Fleet, scale: Scale) -> Result<BTreeSet<IntentId>> {
    let before = fleet.cpu()?;
    let run = runs::closed(fleet, scale.agents, scale.asked_each).await?;
    let spent = fleet.cpu()?.since(before);
    let asked = scale.agents.saturating_mul(scale.asked_each);
    let (signed, refused) = (run.signed.len(), run.refused.len());
    ensure!(signed == scale.allowed, "{signed} were signed, the budget allows {}", scale.allowed);
    ensure!(signed.saturating_add(refused) == asked, "{signed} and {refused} of {asked}");
    runs::all_can_be_read_again(&run).await?;
    figure("authorize_per_s", run.signed_per_s());
    figure("authorize_loaded_p50_ms", quantile(&run.signed_ms, 0.5)?);
    figure("authorize_loaded_p99_ms", quantile(&run.signed_ms, 0.99)?);
    let each_ms = |cpu_s: f64| cpu_s * 1_000.0 / signed as f64;
    figure("authorize_cpu_ms", each_ms(spent.sum()));
    note(&format!(
        "Load: {} agents at once asked for {asked} payments from stock, and one budget over all of \
         them allowed {signed}: exactly {signed} were signed and {refused} refused, no presignature \
         was used twice, and every answer could be read again. Processor time of each payment: \
         coordinator {:.2} ms, operator's node {:.2} ms, agents' nodes and the making of the load \
         {:.2} ms.",
        scale.agents,
        each_ms(spent.coordinator),
        each_ms(spent.operator),
        each_ms(spent.agents),
    ));
    Ok(run.intents())
}

/// One agent alone, one payment after another.
async fn alone(fleet: &mut Fleet, scale: Scale) -> Result<BTreeSet<IntentId>> {
    let (mut took_ms, mut signed) = (Vec::new(), BTreeSet::new());
    for _ in 0..scale.turns {
        fleet.fill(1, STOCK_MAX).await?;
        let run = runs::closed(fleet, 1, scale.per_turn).await?;
        signed.extend(run.intents());
        took_ms.extend(run.signed_ms);
    }
    for (name, share) in
        [("authorize_p50_ms", 0.5), ("authorize_p95_ms", 0.95), ("authorize_p99_ms", 0.99)]
    {
        figure(name, quantile(&took_ms, share)?);
    }
    note(&format!(
        "Authorize: {} payments of one agent, one after another: from the signed intent in hand, \
         through the agent's own decision and durable record, one POST, the operator's decision and \
         durable record, to the signature verified in the agent's process.",
        took_ms.len()
    ));
    Ok(signed)
}

/// More and more agents.
async fn sweep(fleet: &mut Fleet, scale: Scale) -> Result<BTreeSet<IntentId>> {
    let mut signed = BTreeSet::new();
    for agents in [1, 2, 4, 8, 16, 32, 64].into_iter().filter(|n| *n <= scale.agents) {
        let each = each_of(scale.sweep, agents)?;
        fleet.fill(agents, STOCK_MAX).await?;
        let run = runs::closed(fleet, agents, each).await?;
        figure(&format!("authorize_per_s_{agents}"), run.signed_per_s());
        figure(&format!("authorize_p99_ms_{agents}"), quantile(&run.signed_ms, 0.99)?);
        signed.extend(run.intents());
    }
    Ok(signed)
}

/// Payments of each agent, so that all make `count`, or as many as a stock holds.
fn each_of(count: usize, agents: usize) -> Result<usize> {
    let each = count.checked_div(agents).context("no agents")?;
    Ok(each.clamp(1, usize::try_from(POSTED_EACH_MAX)?))
}

/// Five times as much as was just measured to go through, without regard for the answers.
async fn overload(fleet: &mut Fleet, scale: Scale) -> Result<BTreeSet<IntentId>> {
    fleet.fill(scale.agents, STOCK_MAX).await?;
    let each = each_of(scale.sweep, scale.agents)?;
    let just_before = runs::closed(fleet, scale.agents, each).await?;
    let (capacity, mut signed) = (just_before.signed_per_s(), just_before.intents());
    fleet.fill(scale.agents, STOCK_MAX).await?;
    let offered = capacity * OVERLOAD;
    let most = scale.agents as f64 * POSTED_EACH_MAX as f64;
    let count = (offered * scale.overload_seconds).min(most) as usize;
    let requests = runs::prepare(fleet, count).await?;
    let run = runs::open(requests, offered).await?;
    told(&run, count, offered)?;
    runs::all_can_be_read_again(&run).await?;
    signed.extend(run.intents());
    Ok(signed)
}

fn told(run: &Run, count: usize, offered: f64) -> Result<()> {
    let (signed, shed) = (run.signed.len(), run.shed_ms.len());
    ensure!(run.refused.is_empty(), "{} were refused", run.refused.len());
    ensure!(signed.saturating_add(shed) == count, "{signed} signed, {shed} sent away of {count}");
    ensure!(run.told_when == shed, "{} of {shed} were told when to come again", run.told_when);
    let p99 = quantile(&run.signed_ms, 0.99)?;
    figure("overload_offered_per_s", offered);
    figure("overload_signed_per_s", run.signed_per_s());
    figure("overload_signed_p99_ms", p99);
    figure("overload_shed_share", shed as f64 / count as f64);
    let shed_p99 = quantile(&run.shed_ms, 0.99).unwrap_or_default();
    note(&format!(
        "Overload: {count} requests came at {OVERLOAD:.0} times the rate that was just measured to go \
         through ({offered:.0} a second), whatever the answers did. {signed} were signed ({} of them \
         answered later), {shed} were sent away with `Retry-After`; none was lost. From when it was \
         due, a signed one took {p99:.0} ms at p99, one that was sent away {shed_p99:.0} ms.",
        run.late
    ));
    Ok(())
}
