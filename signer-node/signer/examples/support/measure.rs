//! CPU and wall time of this process.

use std::time::Instant;

use anyhow::Context as _;

/// `utime` and `stime` in `/proc/self/stat` count in hundredths of a second (proc(5), USER_HZ).
const TICKS_PER_SECOND: f64 = 100.0;

/// A started measurement.
pub(crate) struct Clock {
    cpu_s: f64,
    wall: Instant,
}

/// What a piece of work took.
pub(crate) struct Spent {
    /// CPU seconds over all threads.
    pub(crate) cpu_s: f64,
    /// Wall-clock seconds.
    pub(crate) wall_s: f64,
}

impl Clock {
    /// Starts measuring.
    pub(crate) fn start() -> anyhow::Result<Self> {
        Ok(Self { cpu_s: cpu_s()?, wall: Instant::now() })
    }

    /// What was spent since the start.
    pub(crate) fn read(&self) -> anyhow::Result<Spent> {
        Ok(Spent { cpu_s: cpu_s()? - self.cpu_s, wall_s: self.wall.elapsed().as_secs_f64() })
    }
}

fn cpu_s() -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The second field may hold spaces; it ends with the last parenthesis.
    let (_, fields) = stat.rsplit_once(')').context("an unknown form of /proc/self/stat")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / TICKS_PER_SECOND)
}
