//! Measures presignatures: CPU of both parties to make one through our driver, over CPU of both in
//! the bare library, in the same run, alternating; and what it takes to use one.
//!
//! Every presignature made is used: one that does not sign is no figure.
//!
//! `cargo run --release --example bench-presign -- 20 [tables]`; one JSON line a run, then the
//! ratio, then the online step.
#![allow(clippy::print_stdout, reason = "a measuring program prints its measurements")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a program for developers may stop where it stands"
)]

#[path = "support/measure.rs"]
mod measure;
#[path = "support/pair.rs"]
mod pair;
#[path = "../tests/support/table.rs"]
mod table;

use std::time::Instant;

use anyhow::{bail, ensure};
use cggmp24::ExecutionId;
use rand::rngs::OsRng;
use serde_json::json;
use tercet_signer::tss;
use tercet_signer::tss::{Presignature, Protocol};

use crate::pair::{Pair, run_both};

/// Microseconds of the online step, by side.
#[derive(Default)]
struct Online {
    issue_us: Vec<f64>,
    finish_us: Vec<f64>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let runs: u32 = std::env::args().nth(1).map_or(Ok(10), |n| n.parse())?;
    let with_tables = std::env::args().nth(2).as_deref() == Some("tables");
    let pair = Pair::prepare(with_tables).await?;
    // The first of each pays for cold caches.
    bare_run(&pair, 0)?;
    use_up(&pair, our_run(&pair).await?, &mut Online::default())?;
    let (mut bare_s, mut ours_s, mut ours_wall_s) = (0.0, 0.0, 0.0);
    let mut online = Online::default();
    for run in 0..runs {
        let clock = measure::Clock::start()?;
        bare_run(&pair, run)?;
        let bare = clock.read()?;
        let clock = measure::Clock::start()?;
        let made = our_run(&pair).await?;
        let ours = clock.read()?;
        use_up(&pair, made, &mut online)?;
        bare_s += bare.cpu_s;
        ours_s += ours.cpu_s;
        ours_wall_s += ours.wall_s;
        let line = json!({"name": "presign_cpu_s", "run": run, "unit": "s", "tables": with_tables,
            "bare": bare.cpu_s, "ours": ours.cpu_s, "ours_wall": ours.wall_s});
        println!("{line}");
    }
    let mean = |sum: f64| sum / f64::from(runs.max(1));
    let line = json!({"name": "presign_cpu_ratio", "unit": "ratio", "runs": runs,
        "value": ours_s / bare_s, "tables": with_tables, "bare_mean_s": mean(bare_s),
        "ours_mean_s": mean(ours_s), "ours_wall_mean_s": mean(ours_wall_s)});
    println!("{line}");
    let (issue, finish) = (median(online.issue_us), median(online.finish_us));
    println!("{}", json!({"name": "issue_us", "unit": "us", "value": issue}));
    println!("{}", json!({"name": "finish_us", "unit": "us", "value": finish}));
    Ok(())
}

/// Both halves of one presignature.
async fn our_run(pair: &Pair) -> anyhow::Result<[Presignature; 2]> {
    let mut sides = Vec::new();
    for (session, share) in pair.sessions(Protocol::Presign) {
        let threads = pair.threads.clone();
        let side = async move { tss::presign(&threads, session, share).await };
        sides.push(tokio::spawn(side));
    }
    let mut made = Vec::new();
    for side in sides {
        made.push(side.await??);
    }
    made.try_into().map_err(|_| anyhow::anyhow!("a pair has two sides"))
}

fn use_up(pair: &Pair, made: [Presignature; 2], online: &mut Online) -> anyhow::Result<()> {
    let mut halves = Vec::new();
    for half in made {
        let payload = pair.payload();
        let begun = Instant::now();
        halves.push(half.issue(payload)?);
        online.issue_us.push(us_since(begun));
    }
    let (second, first) = (halves.pop().unwrap(), halves.pop().unwrap());
    let (of_first, of_second) = (first.partial(), second.partial());
    let mut finished = Vec::new();
    for (half, theirs) in [(first, of_second), (second, of_first)] {
        let begun = Instant::now();
        finished.push(half.finish(&theirs)?);
        online.finish_us.push(us_since(begun));
    }
    ensure!(finished[0] == finished[1], "two different signatures");
    Ok(())
}

fn bare_run(pair: &Pair, run: u32) -> anyhow::Result<()> {
    let id = format!("bare run {run}");
    let [agent, operator, ..] = pair.bare.as_slice() else { bail!("no shares") };
    let (mut first, mut second) = (OsRng, OsRng);
    let start = |i, share| cggmp24::signing(ExecutionId::new(id.as_bytes()), i, &[0, 1], share);
    let (one, two) = run_both(
        start(0, agent).generate_presignature_sync(&mut first),
        start(1, operator).generate_presignature_sync(&mut second),
    )?;
    ensure!(one.1 == two.1, "two different presignatures");
    Ok(())
}

fn us_since(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1_000_000.0
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}
