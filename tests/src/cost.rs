//! What processes take: processor time and memory, by proc(5).

use std::fs;

use anyhow::{Context as _, Result, bail};

/// `utime` and `stime` in `/proc/PID/stat` count in hundredths of a second (proc(5), USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor seconds that a process has taken so far, over all its threads.
///
/// # Errors
/// When it has ended.
pub fn cpu_s(process: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The second field may hold spaces; it ends with the last parenthesis.
    let (_, fields) = stat.rsplit_once(')').context("an unknown form of /proc/PID/stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / TICKS_PER_SECOND)
}

/// Resident memory of a process, in MiB (`VmRSS`).
///
/// # Errors
/// When it has ended.
pub fn rss_mib(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let Some((number, "kB")) = line.trim().rsplit_once(' ') else {
        bail!("an unknown form of VmRSS: {line}");
    };
    Ok(number.trim().parse::<f64>()? / 1_024.0)
}

/// Processor seconds of all parties.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuSeconds {
    /// The coordinator's process.
    pub coordinator: f64,
    /// The operator's node.
    pub operator: f64,
    /// This process: the agents' nodes, and whoever makes the load.
    pub agents: f64,
}

impl CpuSeconds {
    /// What was spent since.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            coordinator: self.coordinator - before.coordinator,
            operator: self.operator - before.operator,
            agents: self.agents - before.agents,
        }
    }

    /// All together.
    #[must_use]
    pub fn sum(self) -> f64 {
        self.coordinator + self.operator + self.agents
    }
}
