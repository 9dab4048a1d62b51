//! How much of the processor a search takes.

use std::num::NonZero;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How much the workers of a search that somebody waits for give way to payments: the nice value
/// added to their threads.
const AWAITED_NICENESS: i32 = 10;
/// The same for a search ahead of need: the least that a thread can ask for.
const AHEAD_NICENESS: i32 = 19;
/// Between two looks at whether the processor is wanted by others, in milliseconds.
const GIVE_WAY_MS: u64 = 50;

/// Whether others want the processor now. Asked a thousand times a second, so it must be cheap.
pub type IsBusy = Arc<dyn Fn() -> bool + Send + Sync>;

/// What a search takes.
#[derive(Clone)]
pub(super) struct Pace {
    workers: usize,
    niceness: i32,
    is_busy: Option<IsBusy>,
}

impl Pace {
    /// Every core, for a search that somebody waits for.
    pub(super) fn awaited() -> Self {
        let workers = thread::available_parallelism().map_or(1, NonZero::get);
        Self { workers, niceness: AWAITED_NICENESS, is_busy: None }
    }

    /// One core, and none while others want it.
    pub(super) const fn ahead(is_busy: IsBusy) -> Self {
        Self { workers: 1, niceness: AHEAD_NICENESS, is_busy: Some(is_busy) }
    }

    pub(super) const fn workers(&self) -> usize {
        self.workers
    }

    /// Called by a worker on its thread before all else.
    pub(super) fn settle(&self) {
        // A kernel that refuses costs payments some speed, and nothing else.
        let _ = rustix::process::nice(self.niceness);
    }

    /// Waits while others want the processor.
    pub(super) fn give_way(&self, stop: &CancellationToken) {
        let Some(is_busy) = &self.is_busy else { return };
        while is_busy() && !stop.is_cancelled() {
            thread::sleep(Duration::from_millis(GIVE_WAY_MS));
        }
    }
}
