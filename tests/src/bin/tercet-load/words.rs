//! What is printed: one JSON object a line.

use anyhow::{Context as _, Result};
use serde_json::json;

/// A figure under a name that `tercet-bench` knows.
pub(crate) fn figure(name: &str, value: f64) {
    println!("{}", json!({ "name": name, "value": value }));
}

/// A sentence for people.
pub(crate) fn note(text: &str) {
    println!("{}", json!({ "note": text }));
}

/// The value below which `share` of the samples lie (nearest rank).
pub(crate) fn quantile(samples: &[f64], share: f64) -> Result<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().context("no samples")
}
