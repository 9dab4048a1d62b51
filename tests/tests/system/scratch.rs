//! A group without fixtures: safe primes, aux info and two wallets from nothing.
//!
//! Slow (a minute or more): twelve safe primes of 1,536 bits and the proofs around them.

use anyhow::{Result, ensure};
use tercet_policy::party::Party;
use tercet_tests::cluster::{Cluster, Plan};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_group_makes_its_own_aux_info_once() -> Result<()> {
    let cluster = Cluster::started(Plan { fixtures: false, ..Plan::default() }).await?;
    let first = cluster.new_wallet().await?;
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
