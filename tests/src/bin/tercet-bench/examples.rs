//! Figures of the crates' own measuring programs, which print one JSON line each.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tercet_cli::demo::process::program;
use tokio::process::Command;

use crate::Scale;
use crate::figures::Figures;

/// The pasts after which decisions are measured: their names, and how many payments they have.
const PASTS: [(&str, u32); 5] = [
    ("policy_decide_p99_us_1k", 1_000),
    ("policy_decide_p99_us_10k", 10_000),
    ("policy_decide_p99_us_100k", 100_000),
    ("policy_decide_p99_us_1m", 1_000_000),
    ("policy_decide_p99_us_10m", 10_000_000),
];

/// Decisions of the policy, what its past takes in memory, and how long policies take to load.
pub(crate) async fn policy(scale: Scale, figures: &mut Figures) -> Result<()> {
    let most = scale.of(10_000_000, 1_000_000);
    let lines = run("bench-decide", &[most]).await?;
    for name in ["policy_decide_p50_us", "policy_decide_p99_us", "policy_load_1000_ms"] {
        figures.add(name, value(&lines, name)?)?;
    }
    for (name, payments) in PASTS {
        if payments <= most {
            figures.add(name, value(&lines, name)?)?;
        }
    }
    let longest = if most < 10_000_000 { "1m" } else { "10m" };
    let taken = format!("ledger_bytes_per_payment_{longest}");
    figures.add("ledger_bytes_per_payment", value(&lines, &taken)?)?;
    let (count, watched) = (field(&lines, &taken, "payments")?, field(&lines, &taken, "lines")?);
    figures.note(
        "Decisions: one policy of 20 rules, asked 200,000 times after so many payments within 30 \
         days, half of them approved; the targets are for 100,000. Loading: 1,000 signed policies \
         of 20 rules and 50 services each, from text and signature to what is counted for them.",
    );
    figures.note(format!(
        "Memory of a ledger: resident, by payment, with {watched:.0} lines of sums kept ready, over \
         {count:.0} payments. A wallet takes what it paid in 40 days and no more."
    ));
    Ok(())
}

/// Admissions into a durable journal.
pub(crate) async fn admit(scale: Scale, figures: &mut Figures) -> Result<()> {
    let (alone, together) = (scale.of(2_000, 200), scale.of(8_000, 640));
    let lines = run("bench-admit", &[alone, together]).await?;
    for name in ["stage_open_us", "admit_p50_ms", "admit_p99_ms", "admits_per_s"] {
        figures.add(name, value(&lines, name)?)?;
    }
    figures.note(format!(
        "Admission: signed intent in, reservation on disk out (SQLite, `synchronous=FULL`); \
         {alone} one by one, then {together} by 64 callers at once. The policy had room for exactly \
         these; one more was refused."
    ));
    Ok(())
}

/// A party's four safe primes.
pub(crate) async fn primes(scale: Scale, figures: &mut Figures) -> Result<()> {
    let runs = scale.of(6, 2);
    let lines = run("bench-primes", &[runs]).await?;
    figures.add("primes_cpu_mean_s", value(&lines, "safe_primes_cpu_mean_s")?)?;
    let longest = field(&lines, "safe_primes_cpu_mean_s", "max")?;
    figures.note(format!("Primes: mean of {runs} parties; the slowest took {longest:.1} s."));
    Ok(())
}

/// A signature by two parties against the bare library.
pub(crate) async fn sign(scale: Scale, figures: &mut Figures) -> Result<()> {
    let runs = scale.of(15, 5);
    let lines = run("bench-sign", &[runs]).await?;
    let name = "interactive_sign_cpu_ratio";
    figures.add(name, value(&lines, name)?)?;
    figures.add("interactive_sign_cpu_s", field(&lines, name, "ours_mean_s")?)?;
    figures.add("bare_sign_cpu_s", field(&lines, name, "bare_mean_s")?)?;
    let wall_ms = field(&lines, name, "ours_wall_mean_s")? * 1_000.0;
    figures.note(format!(
        "Signing: CPU of both parties together, {runs} alternating runs; ours took {wall_ms:.0} ms \
         from start to signature."
    ));
    Ok(())
}

/// A presignature by two parties against the bare library, and its use.
pub(crate) async fn presign(scale: Scale, figures: &mut Figures) -> Result<()> {
    let runs = scale.of(15, 3);
    let lines = run("bench-presign", &[runs]).await?;
    let name = "presign_cpu_ratio";
    figures.add(name, value(&lines, name)?)?;
    let made_s = field(&lines, name, "ours_mean_s")?;
    figures.add("presign_cpu_s", made_s)?;
    figures.add("bare_presign_cpu_s", field(&lines, name, "bare_mean_s")?)?;
    figures.add("presignatures_per_core_s", made_s.recip())?;
    let (issue_us, finish_us) = (value(&lines, "issue_us")?, value(&lines, "finish_us")?);
    figures.add("stage_partial_us", issue_us)?;
    figures.add("stage_combine_us", finish_us)?;
    figures.add("online_step_us", issue_us + finish_us)?;
    figures.note(format!(
        "Presignatures: CPU of both parties together, {runs} alternating runs; each was used for a \
         signature, whose online step on one side is issuing a part and finishing with the peer's: \
         the parts added up, the signature verified by another \
         implementation and recovered to the wallet."
    ));
    Ok(())
}

async fn run(name: &str, numbers: &[u32]) -> Result<Vec<Value>> {
    let path = example(name);
    let output = Command::new(&path)
        .args(numbers.iter().map(u32::to_string))
        .current_dir(path.parent().context("no folder")?)
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("{name}: run `make bench`, which builds it"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} ended with {}: {said}", output.status);
    let lines = String::from_utf8(output.stdout)?;
    Ok(lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

fn example(name: &str) -> PathBuf {
    program("examples").join(name)
}

fn value(lines: &[Value], name: &str) -> Result<f64> {
    field(lines, name, "value")
}

fn field(lines: &[Value], name: &str, field: &str) -> Result<f64> {
    let line = lines.iter().find(|line| line.get("name").is_some_and(|said| said == name));
    let value = line.and_then(|line| line.get(field)).and_then(Value::as_f64);
    value.with_context(|| format!("no {field} of {name} was printed"))
}
