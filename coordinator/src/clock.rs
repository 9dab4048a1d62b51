//! The coordinator's clock, an argument so that tests can hold it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tercet_policy::time::UnixSeconds;

/// Tells the time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The operating system's.
    System,
    /// One that a test moves.
    Held(Arc<AtomicU64>),
}

impl Clock {
    /// Now. A system clock before 1970 reads as 1970, at which every signature is from the future.
    #[must_use]
    pub fn now(&self) -> UnixSeconds {
        match self {
            Self::System => UnixSeconds(
                SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            ),
            Self::Held(at) => UnixSeconds(at.load(Ordering::SeqCst)),
        }
    }
}
