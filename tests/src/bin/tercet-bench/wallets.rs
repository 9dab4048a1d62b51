//! New wallets over three processes, and what the processes weigh with them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tercet_api::resource::{CeremonyStatus, CeremonyView};
use tercet_cli::demo::house::AgentLine;
use tercet_policy::party::Party;
use tercet_tests::cluster::{Cluster, Plan};
use tercet_tests::cost::rss_mib;

use crate::Scale;
use crate::figures::{Figures, quantile};
use crate::house::ms_since;

/// Between two looks at a ceremony: short, so that looking adds little to what is measured.
const LOOK: Duration = Duration::from_millis(2);
/// How long a process has been left alone when its memory is read.
const IDLE: Duration = Duration::from_secs(5);
const CEREMONY_MAX: Duration = Duration::from_secs(30);

/// Resident memory of idle processes, in MiB.
struct Weights {
    coordinator: f64,
    heaviest_node: f64,
    each: String,
}

/// Makes wallets one after another, and weighs the processes after a hundred and after all.
pub(crate) async fn measure(scale: Scale, figures: &mut Figures) -> Result<()> {
    let cluster = Cluster::started(Plan::default()).await?;
    let line = cluster.house.line()?;
    // The first pays for connections and cold caches.
    create(&line).await?;
    let (first, all) = (scale.of(100, 10), scale.of(500, 20));
    let mut took_ms = Vec::new();
    make(&line, first, &mut took_ms).await?;
    let weights = Weights::read(&cluster).await?;
    figures.add("wallet_create_p50_ms", quantile(&took_ms, 0.5)?)?;
    figures.add("wallet_create_p95_ms", quantile(&took_ms, 0.95)?)?;
    figures.add("coordinator_rss_mib", weights.coordinator)?;
    figures.add("node_rss_mib", weights.heaviest_node)?;
    make(&line, all.saturating_sub(first), &mut took_ms).await?;
    let later = Weights::read(&cluster).await?;
    let last = took_ms.len().saturating_sub(usize::try_from(first)?);
    let last = took_ms.get(last..).context("no wallets")?;
    figures.add("wallet_create_p95_last_ms", quantile(last, 0.95)?)?;
    figures.add("coordinator_rss_all_wallets_mib", later.coordinator)?;
    figures.add("node_rss_all_wallets_mib", later.heaviest_node)?;
    figures.note(format!(
        "Wallets: from `POST /v1/wallets` until the coordinator shows the address, one after another; \
         three node processes with TEST-ONLY aux info and durable journals. p50 and p95 are of the \
         first {first} wallets, `last` of the last {first} of {all} made in a row."
    ));
    figures.note(format!(
        "Memory: resident, idle; the heaviest node counts. After {first} wallets: {}. After {all}: {}.",
        weights.each, later.each
    ));
    Ok(())
}

impl Weights {
    async fn read(cluster: &Cluster) -> Result<Self> {
        tokio::time::sleep(IDLE).await;
        let coordinator = cluster.coordinator.as_ref().context("the coordinator is down")?;
        let coordinator = rss_mib(coordinator.id())?;
        let (mut heaviest_node, mut each) = (0.0, vec![format!("coordinator {coordinator:.1}")]);
        for party in Party::ALL {
            if let Some(node) = cluster.nodes.get(&party) {
                let mib = rss_mib(node.id())?;
                heaviest_node = mib.max(heaviest_node);
                each.push(format!("{party} {mib:.1}"));
            }
        }
        Ok(Self { coordinator, heaviest_node, each: format!("{} MiB", each.join(", ")) })
    }
}

async fn make(line: &AgentLine<'_>, count: u32, took_ms: &mut Vec<f64>) -> Result<()> {
    for _ in 0..count {
        let begun = Instant::now();
        create(line).await?;
        took_ms.push(ms_since(begun));
    }
    Ok(())
}

/// Makes a wallet.
pub(crate) async fn create(line: &AgentLine<'_>) -> Result<()> {
    let asked = line.ask_for_wallet("bench").await?;
    let path = format!("/v1/ceremonies/{}", asked.request);
    let begun = Instant::now();
    loop {
        let view: CeremonyView = line.get(&path).await?;
        match view.status {
            CeremonyStatus::Done => return Ok(()),
            CeremonyStatus::Failed => bail!("no wallet: {}", view.detail.unwrap_or_default()),
            _ if begun.elapsed() > CEREMONY_MAX => bail!("no wallet in {CEREMONY_MAX:?}"),
            _ => tokio::time::sleep(LOOK).await,
        }
    }
}
