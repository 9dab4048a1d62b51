//! `BENCHMARKS.md` for people, `BENCHMARKS.json` for programs.

mod tables;

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tercet_tests::cluster::root;

use crate::figures::{Figure, Figures};

/// Written by this program; changes of them alone do not make a tree another one.
const OWN: [&str; 2] = ["BENCHMARKS.md", "BENCHMARKS.json"];
/// From this line on people wrote; it is kept, and says itself which commit it speaks of.
const BY_HAND: &str = "\n## Remarks\n";

/// Writes both.
pub(crate) fn write(figures: &Figures) -> Result<()> {
    let (commit, rig, date) = (commit()?, rig(), output("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"])?);
    let value = json!({ "commit": commit, "rig": rig, "date": date, "figures": figures.found });
    let json = serde_json::to_string_pretty(&value)?;
    fs::write(root().join("BENCHMARKS.json"), json + "\n")?;
    let path = root().join("BENCHMARKS.md");
    let before = fs::read_to_string(&path).unwrap_or_default();
    let by_hand = before.find(BY_HAND).and_then(|at| before.get(at..)).unwrap_or_default();
    fs::write(path, table(figures, [&commit, &rig, &date]) + by_hand)?;
    println!("written: {}", OWN.join(", "));
    Ok(())
}

fn table(figures: &Figures, [commit, rig, date]: [&str; 3]) -> String {
    let mut text = format!(
        "# Benchmarks\n\nWritten by `tercet-bench`, which `make bench` builds for release and runs; the rig names the profile of this run.\n\n- Commit: `{commit}`\n\
         - Date: {date}\n- Rig: {rig}\n- Everything on loopback, all processes on these cores, \
         journals on disk.\n\n| name | value | unit | target | |\n|---|---:|---|---:|---|\n"
    );
    figures.found.iter().for_each(|figure| text.push_str(&row(figure)));
    text.push_str(&tables::stages(figures));
    text.push_str(&tables::agents(figures));
    text.push_str(&tables::sessions(figures));
    text.push_str("\n## Notes\n\n");
    for note in &figures.notes {
        // Writing to a string does not fail.
        let _ = writeln!(text, "- {note}");
    }
    text
}

fn row(figure: &Figure) -> String {
    let target = figure.target.map_or_else(String::new, |target| target.to_string());
    let reached = match figure.is_reached() {
        Some(true) => "reached",
        Some(false) => "**missed**",
        None => "",
    };
    format!("| `{}` | {} | {} | {target} | {reached} |\n", figure.name, figure.value, figure.unit)
}

fn commit() -> Result<String> {
    let head = output("git", &["rev-parse", "HEAD"])?;
    let changed = output("git", &["status", "--porcelain", "--untracked-files=no"])?;
    let dirty = changed.lines().any(|line| !OWN.iter().any(|own| line.ends_with(own)));
    Ok(if dirty { format!("{head}-dirty") } else { head })
}

fn rig() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory.split_whitespace().nth(1).and_then(|n| n.parse::<f64>().ok());
    let gib = kib.unwrap_or_default() / 1_048_576.0;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').nth(1).unwrap_or("?");
    // The dependencies are optimised in both; ours are less so in the development profile.
    let profile = if cfg!(debug_assertions) { "development" } else { "release" };
    format!(
        "{profile} profile, {model}, {cores} cores, {gib:.1} GiB, Linux {}, load {load} at the end (5 min)",
        kernel.trim()
    )
}

fn output(program: &str, words: &[&str]) -> Result<String> {
    let output = Command::new(program).args(words).current_dir(root()).output();
    let output = output.with_context(|| program.to_owned())?;
    ensure!(output.status.success(), "{program} {}: {}", words.join(" "), output.status);
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
