//! What went wrong for an agent lately: refusals and failures, for rules that stop it.

use std::collections::VecDeque;

use crate::time::UnixSeconds;

/// Most moments of one kind that are remembered; rules cannot count further.
pub const HEALTH_MOMENTS_MAX: usize = 1_000;

/// When payments of an agent were refused, and when they failed. Refusals are kept in memory
/// alone: a restart forgets them, and a stop that was tripped is a row of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    refused: VecDeque<UnixSeconds>,
    failed: VecDeque<UnixSeconds>,
}

impl Health {
    /// A payment was refused.
    pub fn refuse(&mut self, at: UnixSeconds) {
        push(&mut self.refused, at);
    }

    /// A payment that was admitted never happened.
    pub fn fail(&mut self, at: UnixSeconds) {
        push(&mut self.failed, at);
    }

    /// Refusals at `since` and later.
    #[must_use]
    pub fn refused_since(&self, since: UnixSeconds) -> usize {
        self.refused.iter().filter(|at| **at >= since).count()
    }

    /// Failures at `since` and later.
    #[must_use]
    pub fn failed_since(&self, since: UnixSeconds) -> usize {
        self.failed.iter().filter(|at| **at >= since).count()
    }
}

fn push(moments: &mut VecDeque<UnixSeconds>, at: UnixSeconds) {
    if moments.len() >= HEALTH_MOMENTS_MAX {
        moments.pop_front();
    }
    moments.push_back(at);
}
