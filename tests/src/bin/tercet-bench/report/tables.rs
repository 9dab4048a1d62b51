//! Tables of figures that belong together.

use std::fmt::Write as _;

use crate::figures::Figures;

/// Stage, figure, the factor to milliseconds, who does it.
const STAGES: [(&str, &str, f64, &str); 7] = [
    ("parse", "stage_parse_us", 1e-3, "coordinator"),
    ("authenticate", "stage_authenticate_us", 1e-3, "coordinator: request and intent"),
    ("open", "stage_open_us", 1e-3, "each node, again: the intent"),
    ("decide", "policy_decide_p50_us", 1e-3, "each node, and the coordinator's preview"),
    ("journal", "stage_journal_us", 1e-3, "each node, durable; one at a time"),
    ("partial", "stage_partial_us", 1e-3, "each node"),
    ("combine", "stage_combine_us", 1e-3, "each node: add up, recover, verify"),
];
/// What is done, its median, its tail and which one that is, what it holds.
const SESSION: [(&str, &str, &str, &str, &str); 5] = [
    ("opening", "mpp_open_p50_ms", "mpp_open_p95_ms", "p95", "the 402 out to the credential in"),
    ("voucher", "mpp_voucher_p50_ms", "mpp_voucher_p99_ms", "p99", "agent's node beside the buyer"),
    (
        "voucher",
        "mpp_voucher_within_p50_ms",
        "mpp_voucher_within_p99_ms",
        "p99",
        "agent's node in the buyer's process",
    ),
    ("request", "mpp_request_p50_ms", "mpp_request_p95_ms", "p95", "ours, node beside"),
    ("request", "mpp_official_p50_ms", "mpp_official_p95_ms", "p95", "the official client"),
];
const AGENTS: [u32; 7] = [1, 2, 4, 8, 16, 32, 64];

/// What one authorization consists of.
pub(super) fn stages(figures: &Figures) -> String {
    let mut text = String::from(
        "\n## An authorization, by stage\n\nEach stage alone, in one thread, as its medians; what a \
         payment takes besides is HTTP, the WebSockets, the coordinator's own records, and the \
         processes taking turns on these cores.\n\n| stage | ms | where |\n|---|---:|---|\n",
    );
    for (stage, name, to_ms, place) in STAGES {
        if let Some(value) = figures.value(name) {
            // Writing to a string does not fail.
            let _ = writeln!(text, "| {stage} | {:.3} | {place} |", value * to_ms);
        }
    }
    for (stage, name) in [
        ("total, p50", "authorize_p50_ms"),
        ("p95", "authorize_p95_ms"),
        ("p99", "authorize_p99_ms"),
    ] {
        if let Some(value) = figures.value(name) {
            let _ = writeln!(
                text,
                "| **{stage}** | {value:.2} | signed intent to signature, over HTTP |"
            );
        }
    }
    text
}

/// Throughput against the number of agents.
pub(super) fn agents(figures: &Figures) -> String {
    let mut text = String::from(
        "\n## Throughput against agents\n\nEach asks again when it has its signature; presignatures \
         in stock.\n\n| agents | signatures/s | p99, ms |\n|---:|---:|---:|\n",
    );
    for agents in AGENTS {
        let per_s = figures.value(&format!("authorize_per_s_{agents}"));
        let p99_ms = figures.value(&format!("authorize_p99_ms_{agents}"));
        if let (Some(per_s), Some(p99_ms)) = (per_s, p99_ms) {
            let _ = writeln!(text, "| {agents} | {per_s:.0} | {p99_ms:.1} |");
        }
    }
    text
}

/// What a session on Tempo consists of.
pub(super) fn sessions(figures: &Figures) -> String {
    let mut text = String::from(
        "\n## A session on Tempo\n\nOne after another, with the official merchant; a request is paid \
         by a voucher on an open channel, and is two over HTTP.\n\n| what | p50, ms | tail, ms | |\n\
         |---|---:|---:|---|\n",
    );
    for (what, median, tail, rank, where_from) in SESSION {
        if let (Some(median), Some(tail)) = (figures.value(median), figures.value(tail)) {
            let _ = writeln!(text, "| {what} | {median:.2} | {tail:.2} ({rank}) | {where_from} |");
        }
    }
    text
}
