//! `kill -9` at four points each of coordinator, operator node and agent node: after a restart
//! every payment is settled, void, or unknown with a deadline, and never twice on chain.
//!
//! Slow (a minute each): every point is a crash, a restart and a payment on a real chain.

use anyhow::{Result, ensure};
use tercet_api::payment::{PaymentStatus, PaymentView};
use tercet_cli::demo::process::Process;
use tercet_policy::intent::PaymentIntent;
use tercet_policy::money::Amount;
use tercet_policy::party::Party;
use tercet_tests::cluster::{Cluster, FUNDS_UNITS, PATIENCE, PAYEE, Plan};
use tercet_tests::invariants::{Before, check};

const FLAG: &str = "--insecure-crash-at";
const NODE_POINTS: [&str; 4] = ["after_open", "after_admit", "mid_rounds", "after_signature"];

async fn has_crashed(process: &mut Process, point: &str) -> Result<()> {
    let status = process.wait(PATIENCE).await?;
    ensure!(!status.success(), "{} ended in order at {point}", process.name());
    let log = std::fs::read_to_string(process.log())?;
    ensure!(log.contains("crashing"), "{} did not crash at {point}", process.name());
    Ok(())
}

/// Crashes the coordinator on the path of `intent`, and starts it again.
async fn crash_coordinator(
    cluster: &mut Cluster,
    point: &str,
    intent: PaymentIntent,
) -> Result<()> {
    drop(cluster.coordinator.take());
    cluster.start_coordinator(&[FLAG, point]).await?;
    all_connected(cluster).await?;
    // The line breaks while the answer is waited for.
    drop(cluster.pay(intent.clone()).await);
    let mut crashed = cluster.coordinator.take().expect("it was started");
    has_crashed(&mut crashed, point).await?;
    cluster.start_coordinator(&[]).await?;
    all_connected(cluster).await?;
    // An agent whose line broke posts the same intent again.
    cluster.pay(intent).await.map(drop)
}

/// Crashes a node on the path of `intent`, and starts it again.
async fn crash_node(
    cluster: &mut Cluster,
    party: Party,
    point: &str,
    intent: PaymentIntent,
) -> Result<()> {
    cluster.stop_node(party).await;
    cluster.start_node(party, &[FLAG, point]).await?;
    let line = cluster.house.line()?;
    let signed = cluster.house.sign_intent(intent)?;
    let mut crashed = cluster.nodes.remove(&party).expect("it was started");
    // The answer may wait for the node, so the node is brought back meanwhile.
    let back = async {
        has_crashed(&mut crashed, point).await?;
        anyhow::Ok(cluster.house.start_node(party, &[]).await?)
    };
    let (answer, node) = tokio::join!(line.pay(signed), back);
    // A refusal or a broken line is an answer too; the chain and the records are judged below.
    drop(answer);
    cluster.nodes.insert(party, node?);
    Ok(())
}

/// Waits until the coordinator has all three nodes on the line.
async fn all_connected(cluster: &Cluster) -> Result<()> {
    let line = cluster.house.line()?;
    let begun = std::time::Instant::now();
    loop {
        let nodes: Vec<tercet_api::resource::NodeView> =
            line.get("/v1/nodes").await.unwrap_or_default();
        if nodes.len() == 3 && nodes.iter().all(|node| node.connected) {
            return Ok(());
        }
        ensure!(begun.elapsed() < PATIENCE, "the nodes do not come back: {nodes:?}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

fn is_known(view: &PaymentView) -> bool {
    view.status.is_terminal() || (view.status == PaymentStatus::Unknown && view.deadline.is_some())
}

#[derive(Clone, Copy)]
enum Kind {
    Transfer,
    X402,
}

async fn survive(kind: Kind, coordinator_points: &[&str]) -> Result<()> {
    let (mut cluster, wallet) = Cluster::with_wallet(Plan::default()).await?;
    let mut ids = Vec::new();
    let mut units = 10_000;
    let mut next = |cluster: &Cluster| {
        units += 1;
        let intent = match kind {
            Kind::Transfer => cluster.transfer(wallet, PAYEE, units),
            Kind::X402 => cluster.x402(wallet, PAYEE, units),
        };
        intent.inspect(|intent| ids.push(intent.id))
    };
    for point in coordinator_points {
        let intent = next(&cluster)?;
        crash_coordinator(&mut cluster, point, intent).await?;
    }
    for party in [Party::Operator, Party::Agent] {
        for point in NODE_POINTS {
            let intent = next(&cluster)?;
            crash_node(&mut cluster, party, point, intent).await?;
        }
    }
    let mut views = Vec::new();
    for id in &ids {
        let done = |view: &PaymentView| match kind {
            // Nobody brings these authorizations to the chain.
            Kind::X402 => is_known(view) || view.deadline.is_some(),
            Kind::Transfer => is_known(view),
        };
        views.push(cluster.payment_when(id, done).await?);
    }
    let had = Amount::from_base_units(FUNDS_UNITS);
    check(&cluster.rpc, Before { wallet, had }, &views, None).await?;
    if matches!(kind, Kind::Transfer) {
        let settled = views.iter().filter(|v| v.status == PaymentStatus::Settled).count();
        ensure!(settled == views.len(), "only {settled} are settled: {views:#?}");
    }
    let after = match kind {
        Kind::Transfer => cluster.transfer(wallet, PAYEE, 77)?,
        Kind::X402 => cluster.x402(wallet, PAYEE, 77)?,
    };
    let view = cluster.pay(after).await?;
    cluster.payment_when(&view.id, |v| v.digest.is_some()).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn transfers_survive_a_crash_at_every_point() -> Result<()> {
    survive(
        Kind::Transfer,
        &["after_insert", "after_sign_sent", "after_signed_stored", "after_broadcast"],
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn authorizations_survive_a_crash_at_every_point() -> Result<()> {
    survive(Kind::X402, &["after_insert", "after_sign_sent", "after_signed_stored"]).await
}
