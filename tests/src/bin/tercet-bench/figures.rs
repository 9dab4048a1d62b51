//! Figures, their targets, and what there is to say about them.

use anyhow::{Context as _, Result};
use serde::Serialize;

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Better {
    /// Less.
    Lower,
    /// More.
    Higher,
}

/// One measured number.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    /// Name, as in the design.
    pub(crate) name: &'static str,
    /// Value.
    pub(crate) value: f64,
    /// Unit.
    pub(crate) unit: &'static str,
    /// What it is to reach, where that is set.
    pub(crate) target: Option<f64>,
    /// Which way is better.
    pub(crate) better: Better,
}

impl Figure {
    /// Whether the target is reached; nothing without a target.
    pub(crate) fn is_reached(&self) -> Option<bool> {
        self.target.map(|target| match self.better {
            Better::Lower => self.value <= target,
            Better::Higher => self.value >= target,
        })
    }
}

/// Name, unit, target, direction: all figures that this program can measure.
const KNOWN: &[(&str, &str, Option<f64>, Better)] = &[
    ("policy_decide_p50_us", "us", None, Better::Lower),
    ("policy_decide_p99_us", "us", Some(50.0), Better::Lower),
    ("policy_decide_p99_us_1k", "us", None, Better::Lower),
    ("policy_decide_p99_us_10k", "us", None, Better::Lower),
    ("policy_decide_p99_us_100k", "us", Some(50.0), Better::Lower),
    ("policy_decide_p99_us_1m", "us", None, Better::Lower),
    ("policy_decide_p99_us_10m", "us", None, Better::Lower),
    ("policy_load_1000_ms", "ms", Some(1_000.0), Better::Lower),
    ("ledger_bytes_per_payment", "B", None, Better::Lower),
    ("admit_p50_ms", "ms", None, Better::Lower),
    ("admit_p99_ms", "ms", None, Better::Lower),
    ("admits_per_s", "1/s", None, Better::Higher),
    ("authorize_p50_ms", "ms", Some(5.0), Better::Lower),
    ("authorize_p95_ms", "ms", None, Better::Lower),
    ("authorize_p99_ms", "ms", Some(15.0), Better::Lower),
    ("authorize_per_s", "1/s", Some(500.0), Better::Higher),
    ("authorize_loaded_p50_ms", "ms", None, Better::Lower),
    ("authorize_loaded_p99_ms", "ms", None, Better::Lower),
    ("authorize_cpu_ms", "ms", None, Better::Lower),
    ("authorize_per_s_1", "1/s", None, Better::Higher),
    ("authorize_per_s_2", "1/s", None, Better::Higher),
    ("authorize_per_s_4", "1/s", None, Better::Higher),
    ("authorize_per_s_8", "1/s", None, Better::Higher),
    ("authorize_per_s_16", "1/s", None, Better::Higher),
    ("authorize_per_s_32", "1/s", None, Better::Higher),
    ("authorize_per_s_64", "1/s", None, Better::Higher),
    ("authorize_p99_ms_1", "ms", None, Better::Lower),
    ("authorize_p99_ms_2", "ms", None, Better::Lower),
    ("authorize_p99_ms_4", "ms", None, Better::Lower),
    ("authorize_p99_ms_8", "ms", None, Better::Lower),
    ("authorize_p99_ms_16", "ms", None, Better::Lower),
    ("authorize_p99_ms_32", "ms", None, Better::Lower),
    ("authorize_p99_ms_64", "ms", None, Better::Lower),
    ("overload_offered_per_s", "1/s", None, Better::Higher),
    ("overload_signed_per_s", "1/s", None, Better::Higher),
    ("overload_signed_p99_ms", "ms", None, Better::Lower),
    ("overload_shed_share", "ratio", None, Better::Lower),
    ("stage_parse_us", "us", None, Better::Lower),
    ("stage_authenticate_us", "us", None, Better::Lower),
    ("stage_open_us", "us", None, Better::Lower),
    ("stage_journal_us", "us", None, Better::Lower),
    ("stage_partial_us", "us", None, Better::Lower),
    ("stage_combine_us", "us", None, Better::Lower),
    ("online_step_us", "us", None, Better::Lower),
    ("presign_cpu_ratio", "ratio", Some(1.10), Better::Lower),
    ("presign_cpu_s", "s", None, Better::Lower),
    ("bare_presign_cpu_s", "s", None, Better::Lower),
    ("presignatures_per_core_s", "1/s", None, Better::Higher),
    ("cpu_s_per_1000_payments", "s", None, Better::Lower),
    ("usd_per_1000_payments", "USD", None, Better::Lower),
    ("operator_rss_no_stock_mib", "MiB", None, Better::Lower),
    ("operator_rss_full_stock_mib", "MiB", None, Better::Lower),
    ("stock_bytes_per_presignature", "B", None, Better::Lower),
    ("primes_cpu_mean_s", "s", Some(15.0), Better::Lower),
    ("interactive_sign_cpu_ratio", "ratio", Some(1.10), Better::Lower),
    ("interactive_sign_cpu_s", "s", None, Better::Lower),
    ("bare_sign_cpu_s", "s", None, Better::Lower),
    ("wallet_create_p50_ms", "ms", None, Better::Lower),
    ("wallet_create_p95_ms", "ms", Some(100.0), Better::Lower),
    ("coordinator_rss_mib", "MiB", Some(40.0), Better::Lower),
    ("node_rss_mib", "MiB", Some(60.0), Better::Lower),
    ("wallets_first_50_p50_ms", "ms", None, Better::Lower),
    ("wallets_first_50_p95_ms", "ms", Some(100.0), Better::Lower),
    ("wallets_last_50_p50_ms", "ms", None, Better::Lower),
    ("wallets_last_50_p95_ms", "ms", Some(100.0), Better::Lower),
    ("node_kib_per_wallet", "KiB", None, Better::Lower),
    ("coordinator_kib_per_wallet", "KiB", None, Better::Lower),
    ("group_ready_with_stock_s", "s", None, Better::Lower),
    ("group_ready_without_stock_s", "s", None, Better::Lower),
    ("x402_paid_p50_ms", "ms", None, Better::Lower),
    ("x402_paid_p95_ms", "ms", None, Better::Lower),
    ("x402_official_p50_ms", "ms", None, Better::Lower),
    ("x402_paid_ratio", "ratio", Some(1.25), Better::Lower),
    ("x402_authorize_p50_ms", "ms", None, Better::Lower),
    ("receipt_check_p99_ms", "ms", Some(1.0), Better::Lower),
    ("mpp_open_p50_ms", "ms", None, Better::Lower),
    ("mpp_open_p95_ms", "ms", Some(50.0), Better::Lower),
    ("mpp_voucher_p50_ms", "ms", None, Better::Lower),
    ("mpp_voucher_p99_ms", "ms", Some(1.0), Better::Lower),
    ("mpp_voucher_within_p50_ms", "ms", None, Better::Lower),
    ("mpp_voucher_within_p99_ms", "ms", None, Better::Lower),
    ("mpp_request_p50_ms", "ms", None, Better::Lower),
    ("mpp_request_p95_ms", "ms", None, Better::Lower),
    ("mpp_official_p50_ms", "ms", None, Better::Lower),
    ("mpp_official_p95_ms", "ms", None, Better::Lower),
    ("mpp_request_ratio", "ratio", Some(1.25), Better::Lower),
    ("mpp_session_first_100_p50_ms", "ms", None, Better::Lower),
    ("mpp_session_last_100_p50_ms", "ms", None, Better::Lower),
    ("mpp_session_growth_ratio", "ratio", Some(1.10), Better::Lower),
    ("mpp_session_node_growth_kib", "KiB", None, Better::Lower),
    ("mpp_session_buyer_growth_kib", "KiB", None, Better::Lower),
    ("mpp_session_journal_growth_kib", "KiB", None, Better::Lower),
];

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Figures.
    pub(crate) found: Vec<Figure>,
    /// Sentences for people.
    pub(crate) notes: Vec<String>,
    failures: usize,
}

impl Figures {
    /// Adds a figure under its known name, and prints it.
    pub(crate) fn add(&mut self, name: &str, value: f64) -> Result<()> {
        let &(name, unit, target, better) =
            KNOWN.iter().find(|known| known.0 == name).with_context(|| format!("{name}?"))?;
        let figure = Figure { name, value: rounded(value), unit, target, better };
        let verdict = match (figure.is_reached(), target) {
            (Some(true), Some(target)) => format!("  (target {target}: reached)"),
            (Some(false), Some(target)) => format!("  (target {target}: MISSED)"),
            _ => String::new(),
        };
        println!("  {name:34} {} {unit}{verdict}", figure.value);
        self.found.push(figure);
        Ok(())
    }

    /// The value of a figure that was found.
    pub(crate) fn value(&self, name: &str) -> Option<f64> {
        self.found.iter().find(|figure| figure.name == name).map(|figure| figure.value)
    }

    /// Adds a sentence.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        println!("  {note}");
        self.notes.push(note);
    }

    /// Notes that a part failed.
    pub(crate) fn failed(&mut self, part: &str, error: &anyhow::Error) {
        self.failures = self.failures.saturating_add(1);
        let why: String = format!("{error:#}").lines().next().unwrap_or_default().to_owned();
        self.notes.push(format!("`{part}` failed, its figures are missing: {why}"));
    }

    /// Whether every part was measured.
    pub(crate) const fn is_whole(&self) -> bool {
        self.failures == 0
    }
}

/// Four digits are more than this machine repeats.
fn rounded(value: f64) -> f64 {
    let text = format!("{value:.3e}");
    text.parse().unwrap_or(value)
}

/// The value below which `share` of the samples lie (nearest rank).
pub(crate) fn quantile(samples: &[f64], share: f64) -> Result<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().context("no samples")
}
