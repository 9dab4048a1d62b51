//! Measures a signature by two parties: CPU of both through our driver (threads, channels,
//! encoding, deadlines, every check) over CPU of both in the bare library (two state machines that
//! hand each other values in one thread), in the same run, alternating.
//!
//! `cargo run --release --example bench-sign -- 20 [tables]`; one JSON line a run, then the ratio.
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

use anyhow::bail;
use cggmp24::{DataToSign, ExecutionId};
use rand::rngs::OsRng;
use serde_json::json;
use sha3::Keccak256;
use tercet_signer::tss;
use tercet_signer::tss::Protocol;

use crate::pair::{Pair, run_both};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let runs: u32 = std::env::args().nth(1).map_or(Ok(10), |n| n.parse())?;
    let with_tables = std::env::args().nth(2).as_deref() == Some("tables");
    let pair = Pair::prepare(with_tables).await?;
    // The first of each pays for cold caches.
    bare_run(&pair, 0)?;
    our_run(&pair).await?;
    let (mut bare_s, mut ours_s, mut ours_wall_s) = (0.0, 0.0, 0.0);
    for run in 0..runs {
        let clock = measure::Clock::start()?;
        bare_run(&pair, run)?;
        let bare = clock.read()?;
        let clock = measure::Clock::start()?;
        our_run(&pair).await?;
        let ours = clock.read()?;
        bare_s += bare.cpu_s;
        ours_s += ours.cpu_s;
        ours_wall_s += ours.wall_s;
        let line = json!({"name": "sign_cpu_s", "run": run, "unit": "s", "tables": with_tables,
            "bare": bare.cpu_s, "ours": ours.cpu_s, "ours_wall": ours.wall_s});
        println!("{line}");
    }
    let mean = |sum: f64| sum / f64::from(runs.max(1));
    let line = json!({"name": "interactive_sign_cpu_ratio", "unit": "ratio", "runs": runs,
        "value": ours_s / bare_s, "tables": with_tables, "bare_mean_s": mean(bare_s),
        "ours_mean_s": mean(ours_s), "ours_wall_mean_s": mean(ours_wall_s)});
    println!("{line}");
    Ok(())
}

async fn our_run(pair: &Pair) -> anyhow::Result<()> {
    let mut sides = Vec::new();
    for (session, share) in pair.sessions(Protocol::Sign) {
        let (threads, payload) = (pair.threads.clone(), pair.payload());
        let side = async move { tss::sign(&threads, session, share, payload).await };
        sides.push(tokio::spawn(side));
    }
    for side in sides {
        side.await??;
    }
    Ok(())
}

fn bare_run(pair: &Pair, run: u32) -> anyhow::Result<()> {
    let id = format!("bare run {run}");
    let data = DataToSign::digest::<Keccak256>(pair.payload().preimage());
    let [agent, operator, ..] = pair.bare.as_slice() else { bail!("no shares") };
    let (mut first, mut second) = (OsRng, OsRng);
    let start = |i, share| cggmp24::signing(ExecutionId::new(id.as_bytes()), i, &[0, 1], share);
    let (one, two) = run_both(
        start(0, agent).sign_sync(&mut first, &data),
        start(1, operator).sign_sync(&mut second, &data),
    )?;
    if one != two {
        bail!("two different signatures");
    }
    Ok(())
}
