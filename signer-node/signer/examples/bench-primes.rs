//! Measures the search for one party's safe primes: CPU seconds for all four, one JSON line a run.
//!
//! `cargo run --release --example bench-primes -- 10`
#![allow(clippy::print_stdout, reason = "a measuring program prints its measurements")]

#[path = "support/measure.rs"]
mod measure;

use tercet_signer::primes;
use tokio_util::sync::CancellationToken;

fn main() -> anyhow::Result<()> {
    let runs: u32 = std::env::args().nth(1).map_or(Ok(5), |n| n.parse())?;
    let mut cpu_s = Vec::new();
    for run in 0..runs {
        let clock = measure::Clock::start()?;
        let mut last = None;
        let primes = primes::generate(&CancellationToken::new(), &mut |p| last = Some(p))?;
        let spent = clock.read()?;
        drop(primes);
        cpu_s.push(spent.cpu_s);
        let tested = last.map(|p| p.to_string());
        println!(
            "{}",
            serde_json::json!({
                "name": "safe_primes_cpu_s", "run": run, "unit": "s",
                "value": spent.cpu_s, "wall_s": spent.wall_s, "searched": tested,
            })
        );
    }
    let mean = cpu_s.iter().sum::<f64>() / f64::from(runs.max(1));
    let max = cpu_s.iter().copied().fold(0.0, f64::max);
    println!(
        "{}",
        serde_json::json!({
            "name": "safe_primes_cpu_mean_s", "runs": runs, "unit": "s", "value": mean, "max": max,
        })
    );
    Ok(())
}
