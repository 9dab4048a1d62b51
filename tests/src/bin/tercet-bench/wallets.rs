//! New wallets over three processes, and what the processes weigh with them.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
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

/// Makes wallets one after another, then weighs the processes.
pub(crate) async fn measure(scale: Scale, figures: &mut Figures) -> Result<()> {
    let cluster = Cluster::started(Plan::default()).await?;
    let line = cluster.house.line()?;
    // The first pays for connections and cold caches.
    create(&line).await?;
    let wallets = scale.of(100, 10);
    let mut took_ms = Vec::new();
    for _ in 0..wallets {
        let begun = Instant::now();
        create(&line).await?;
        took_ms.push(ms_since(begun));
    }
    figures.add("wallet_create_p50_ms", quantile(&took_ms, 0.5)?)?;
    figures.add("wallet_create_p95_ms", quantile(&took_ms, 0.95)?)?;
    figures.note(format!(
        "Wallets: from `POST /v1/wallets` until the coordinator shows the address, {wallets} one \
         after another; three node processes with TEST-ONLY aux info and durable journals."
    ));
    weigh(&cluster, wallets.saturating_add(1), figures).await
}

async fn weigh(cluster: &Cluster, wallets: u32, figures: &mut Figures) -> Result<()> {
    tokio::time::sleep(IDLE).await;
    if let Some(coordinator) = &cluster.coordinator {
        figures.add("coordinator_rss_mib", rss_mib(coordinator.id())?)?;
    }
    let (mut heaviest, mut each) = (0.0, Vec::new());
    for party in Party::ALL {
        if let Some(node) = cluster.nodes.get(&party) {
            let mib = rss_mib(node.id())?;
            heaviest = mib.max(heaviest);
            each.push(format!("{party} {mib:.1}"));
        }
    }
    figures.add("node_rss_mib", heaviest)?;
    figures.note(format!(
        "Memory: resident, idle, right after making {wallets} wallets; the heaviest node counts \
         ({} MiB).",
        each.join(", ")
    ));
    Ok(())
}

/// Makes one wallet.
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
