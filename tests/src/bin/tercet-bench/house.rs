//! What the parts that need a whole house share.

use std::fs;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

/// Resident memory of a process, in MiB (`VmRSS`, proc(5)).
pub(crate) fn rss_mib(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let Some(("kB", number)) = line.trim().rsplit_once(' ').map(|(n, unit)| (unit, n)) else {
        bail!("an unknown form of VmRSS: {line}");
    };
    Ok(number.trim().parse::<f64>()? / 1_024.0)
}

/// Milliseconds since.
pub(crate) fn ms_since(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1_000.0
}
