//! Wallets in a row, and the first wallet of a new group: what comes with numbers and with waiting.
//!
//! Shows: whether the last of five hundred wallets costs more than the first, in time and in memory
//! of each process; and how long the first wallet of a new group takes with primes in stock at all
//! three nodes and without any.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tercet_cli::demo::house::ConfigText;
use tercet_policy::party::Party;
use tercet_signer_node::NodeStatus;
use tercet_tests::cluster::{Cluster, Plan};
use tercet_tests::cost::rss_mib;

use crate::Scale;
use crate::figures::{Figures, quantile};
use crate::house::ms_since;
use crate::wallets::create;

/// Wallets before the first that counts: they pay for connections, caches and the allocators.
const WARM_WALLETS: u32 = 20;
/// Wallets at either end of the row that are compared.
const END_WALLETS: usize = 50;
/// How long nodes get to find their primes on shared cores, at the lowest priority.
const STOCK_MAX: Duration = Duration::from_secs(1_200);
/// Between two looks at a stock.
const STOCK_LOOK: Duration = Duration::from_secs(1);

/// Measures both.
pub(crate) async fn measure(scale: Scale, figures: &mut Figures) -> Result<()> {
    Box::pin(wallets_in_a_row(scale, figures)).await?;
    if !scale.quick {
        Box::pin(first_wallets(figures)).await?;
    }
    Ok(())
}

async fn wallets_in_a_row(scale: Scale, figures: &mut Figures) -> Result<()> {
    let cluster = Cluster::started(Plan::default()).await?;
    let line = cluster.house.line()?;
    for _ in 0..WARM_WALLETS {
        create(&line).await?;
    }
    let before = weights(&cluster)?;
    let count = scale.of(500, 100);
    let mut took_ms = Vec::new();
    for _ in 0..count {
        let begun = Instant::now();
        create(&line).await?;
        took_ms.push(ms_since(begun));
    }
    let after = weights(&cluster)?;
    let (first, _) = took_ms.split_at_checked(END_WALLETS).context("too few wallets")?;
    let (_, last) = took_ms
        .split_at_checked(took_ms.len().saturating_sub(END_WALLETS))
        .context("too few wallets")?;
    figures.add("wallets_first_50_p50_ms", quantile(first, 0.5)?)?;
    figures.add("wallets_first_50_p95_ms", quantile(first, 0.95)?)?;
    figures.add("wallets_last_50_p50_ms", quantile(last, 0.5)?)?;
    figures.add("wallets_last_50_p95_ms", quantile(last, 0.95)?)?;
    let mut grown = Vec::new();
    for (name, before) in &before {
        let after = after.get(name).context("a process is gone")?;
        grown.push(format!("{name} {before:.1} to {after:.1}"));
        let kib = (after - before) * 1_024.0 / f64::from(count);
        if *name == "operator" {
            figures.add("node_kib_per_wallet", kib)?;
        }
        if *name == "coordinator" {
            figures.add("coordinator_kib_per_wallet", kib)?;
        }
    }
    figures.note(format!(
        "Wallets in a row: {count} after {WARM_WALLETS}, one after another; resident memory before \
         and after, in MiB: {}.",
        grown.join(", ")
    ));
    Ok(())
}

fn weights(cluster: &Cluster) -> Result<BTreeMap<&'static str, f64>> {
    let coordinator = cluster.coordinator.as_ref().context("no coordinator")?;
    let mut weights = BTreeMap::from([("coordinator", rss_mib(coordinator.id())?)]);
    for (party, node) in &cluster.nodes {
        weights.insert(party.word(), rss_mib(node.id())?);
    }
    Ok(weights)
}

async fn first_wallets(figures: &mut Figures) -> Result<()> {
    for (stock, name) in [(1, "group_ready_with_stock_s"), (0, "group_ready_without_stock_s")] {
        let took = first_wallet(stock).await?;
        figures.add(name, took.as_secs_f64())?;
    }
    figures.note(
        "A new group: from the request for its first wallet until that is there; three node \
         processes on the cores of this one machine, so without stock three searches share them.",
    );
    Ok(())
}

/// How long an enrolled agent waits for its first wallet, where each node has so many sets in stock.
async fn first_wallet(prime_stock: usize) -> Result<Duration> {
    let text = ConfigText { prime_stock, ..ConfigText::default() };
    let cluster = Cluster::started(Plan { policy: None, fixtures: false, text }).await?;
    for party in Party::ALL {
        wait_for_stock(&cluster, party, prime_stock).await?;
    }
    let line = cluster.house.line()?;
    let begun = Instant::now();
    let ceremony = line.ask_for_wallet("bench").await?;
    line.follow(&ceremony, |_| {}).await?;
    Ok(begun.elapsed())
}

async fn wait_for_stock(cluster: &Cluster, party: Party, wanted: usize) -> Result<()> {
    let url = format!("http://{}/status", cluster.house.seat(party).health);
    let client = reqwest::Client::builder().no_proxy().build()?;
    let begun = Instant::now();
    loop {
        let status: NodeStatus = client.get(&url).send().await?.json().await?;
        if status.primes.in_stock >= wanted {
            return Ok(());
        }
        ensure!(begun.elapsed() < STOCK_MAX, "the {party} has no primes in {STOCK_MAX:?}");
        tokio::time::sleep(STOCK_LOOK).await;
    }
}
