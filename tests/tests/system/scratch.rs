//! A group without fixtures: safe primes, aux info and two wallets from nothing.
//!
//! Slow (a minute or more): twelve safe primes of 1,536 bits and the proofs around them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use tercet_policy::party::Party;
use tercet_tests::cluster::{Cluster, Plan};

/// The stages of a ceremony for a new group.
const STAGES: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn a_new_group_makes_its_own_aux_info_once() -> Result<()> {
    let cluster = Cluster::started(Plan { fixtures: false, ..Plan::default() }).await?;
    let first = cluster.new_wallet().await?;
    for party in Party::ALL {
        ensure_progress_ended(&cluster.log(party.word()))?;
    }
    let aux = |party| {
        let home = cluster.house.seat(party).home();
        std::fs::read(home.join("groups").join("research-01.aux.sealed"))
    };
    let made: Vec<_> = Party::ALL.map(aux).into_iter().collect::<Result<_, _>>()?;
    let begun = std::time::Instant::now();
    let second = cluster.new_wallet().await?;
    ensure!(first != second, "one key twice");
    ensure!(begun.elapsed().as_secs() < 20, "the second wallet took {:?}", begun.elapsed());
    let kept: Vec<_> = Party::ALL.map(aux).into_iter().collect::<Result<_, _>>()?;
    ensure!(made == kept, "aux info was made anew");
    let view = cluster.pay(cluster.x402(first, tercet_tests::cluster::PAYEE, 10_000)?).await?;
    cluster.payment_when(&view.id, |v| v.digest.is_some()).await.map(drop)
}

/// The last that a node says of each stage is that all of it is done.
fn ensure_progress_ended(log: &str) -> Result<()> {
    let mut stages = BTreeMap::new();
    for line in log.lines().filter(|line| line.contains(": ceremony ")) {
        let field = |name: &str| {
            let told = line.split_once(&format!(" {name}=")).map(|(_, told)| told);
            told.with_context(|| format!("a step without {name}: {line}"))
        };
        let count = |name: &str| -> Result<u64> {
            Ok(field(name)?.split(' ').next().unwrap_or_default().parse()?)
        };
        let stage = field("stage")?.split('"').nth(1).context("a stage without a name")?;
        stages.insert(stage.to_owned(), (count("done")?, count("total")?));
    }
    ensure!(stages.len() == STAGES, "{STAGES} stages are told: {stages:?}");
    for (stage, (done, total)) in stages {
        ensure!(total > 0 && done == total, "{stage}: {done} of {total}");
    }
    Ok(())
}
