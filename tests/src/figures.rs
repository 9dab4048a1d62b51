//! Figures of a benchmark, for people and for programs.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use serde::Serialize;

/// One measured figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// Its name; those of the design keep theirs.
    pub name: String,
    /// What was measured.
    pub value: f64,
    /// In what.
    pub unit: String,
    /// What is to be reached, where something is.
    pub target: Option<f64>,
    /// `lower` or `higher` is better.
    pub better: &'static str,
    /// How it was measured.
    pub how: String,
}

/// What it was measured on.
#[derive(Clone, Debug, Serialize)]
pub struct Rig {
    /// The processor.
    pub cpu: String,
    /// Cores that the benchmark may use.
    pub cores: usize,
    /// The compiler.
    pub rustc: String,
    /// The profile.
    pub profile: &'static str,
}

/// All figures of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The commit, with `+changes` if the tree differs from it.
    pub commit: String,
    /// On what.
    pub rig: Rig,
    /// When, UTC.
    pub date: String,
    /// The figures.
    pub figures: Vec<Figure>,
}

impl Report {
    /// A report without figures yet.
    #[must_use]
    pub fn here() -> Self {
        let commit = said("git", &["rev-parse", "--short=12", "HEAD"]);
        let changes = said("git", &["status", "--porcelain", "--untracked-files=no"]);
        let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
        let model = model.map_or("unknown", |m| m.trim_start_matches([' ', '\t', ':']));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
        Self {
            commit: if changes.is_empty() { commit } else { format!("{commit}+changes") },
            rig: Rig {
                cpu: model.to_owned(),
                cores,
                rustc: said("rustc", &["--version"]),
                profile,
            },
            date: said("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"]),
            figures: Vec::new(),
        }
    }

    /// Adds a figure; lower is better.
    pub fn add(&mut self, (name, unit): (&str, &str), value: f64, target: Option<f64>, how: &str) {
        self.figures.push(Figure {
            name: name.to_owned(),
            value: (value * 1_000.0).round() / 1_000.0,
            unit: unit.to_owned(),
            target,
            better: "lower",
            how: how.to_owned(),
        });
    }

    /// Writes `BENCHMARKS.json` and `BENCHMARKS.md`.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let json = serde_json::to_string_pretty(self)?;
        std::fs::write(folder.join("BENCHMARKS.json"), format!("{json}\n"))?;
        Ok(std::fs::write(folder.join("BENCHMARKS.md"), self.markdown())?)
    }

    fn markdown(&self) -> String {
        let Self { commit, rig, date, .. } = self;
        let mut text = format!(
            "# Benchmarks\n\nMeasured by `make bench` at `{commit}`, {date}, on {} cores of {} \
             ({}, {} profile). Lower is better.\n\n| figure | value | target | how |\n|---|---|---|---|\n",
            rig.cores, rig.cpu, rig.rustc, rig.profile,
        );
        for figure in &self.figures {
            let target = figure.target.map_or("-".to_owned(), |t| format!("≤ {t} {}", figure.unit));
            let Figure { name, value, unit, how, .. } = figure;
            // Writing to a string does not fail.
            let _ = writeln!(text, "| `{name}` | {value} {unit} | {target} | {how} |");
        }
        text
    }
}

fn said(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output();
    output.map_or_else(|_| String::new(), |o| String::from_utf8_lossy(&o.stdout).trim().to_owned())
}

/// The value at a share of the sorted samples; the largest for 1.
#[must_use]
pub fn at(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let last = samples.len().saturating_sub(1);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place among a few hundred samples"
    )]
    let place = (share * last as f64).round() as usize;
    samples.get(place.min(last)).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_samples() {
        let mut samples = vec![3.0, 1.0, 2.0, 5.0, 4.0];
        assert_eq!((at(&mut samples, 0.5), at(&mut samples, 0.95)), (3.0, 5.0));
        assert!(at(&mut [], 0.5).is_nan());
    }
}
