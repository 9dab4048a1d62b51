//! The comparison of signing services: the runner measures what is signed, and only that.

use std::process::{Command, Output};

use anyhow::{Result, ensure};
use serde_json::Value;

const SLATE: &str = env!("CARGO_BIN_EXE_tercet-slate");

fn run(service: &[&str]) -> Result<Output> {
    let flags = ["run", "--iterations", "20", "--warmup", "2", "--pause-ms", "0", "--"];
    Ok(Command::new(SLATE).args(flags).args(service).output()?)
}

#[test]
fn a_plain_key_is_measured_and_every_signature_of_it_checked() -> Result<()> {
    let output = run(&[SLATE, "local-key"])?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(found["service"] == "local key" && found["errors"] == 0, "{found}");
    for clock in ["api_latency_ms", "round_trip_ms"] {
        let of = |name: &str| found[clock][name].as_f64().unwrap();
        ensure!(0.0 < of("min") && of("min") <= of("median"), "{found}");
        ensure!(of("median") <= of("p95") && of("p99") <= of("max"), "{found}");
    }
    let call =
        found["api_latency_ms"]["median"].as_f64() < found["round_trip_ms"]["median"].as_f64();
    ensure!(call, "a call took longer than the round trip around it: {found}");
    Ok(())
}

/// The same service under the name of a wallet whose key it does not have.
#[test]
fn signatures_of_another_wallet_are_errors_and_no_samples() -> Result<()> {
    let lie =
        "1s/\"wallet\":\"0x[0-9a-f]*\"/\"wallet\":\"0x00000000000000000000000000000000deadbeef\"/";
    let output = run(&["sh", "-c", &format!("'{SLATE}' local-key | sed -u '{lie}'")])?;
    ensure!(!output.status.success(), "a lie was measured");
    let found: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(found["errors"] == 20 && found["round_trip_ms"].is_null(), "{found}");
    Ok(())
}
