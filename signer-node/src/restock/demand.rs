//! What one wallet used lately, and when more may be asked for.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::StockConfig;

/// Over how long uses are counted.
const RATE_WINDOW: Duration = Duration::from_secs(60);
/// Uses that are remembered: more than any stock holds.
const USES_MAX: usize = 256;
/// How long a session may not show up before it is asked for again: the courier may have dropped
/// the wish.
const ANSWER_WAIT: Duration = Duration::from_secs(20);
/// How long a session that has begun may take before another is asked for.
const SESSION_WAIT: Duration = Duration::from_secs(600);
/// How long after a payment production waits, so that it does not take the cores of the next one;
/// with half of the stock gone it does not wait.
const YIELD_TO_PAYMENTS: Duration = Duration::from_secs(2);
/// Longest pause after failures, and the first one.
const PAUSE_MAX: Duration = Duration::from_secs(60);
const PAUSE_MIN: Duration = Duration::from_secs(1);

/// One wallet's.
pub(super) struct Demand {
    uses: VecDeque<Instant>,
    last: Instant,
    not_before: Instant,
    pause: Duration,
    was_asked: bool,
    doubts: u32,
    /// The doubts that the session which runs now puts out.
    doubts_met: u32,
}

impl Demand {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            uses: VecDeque::new(),
            last: now,
            not_before: now,
            pause: PAUSE_MIN,
            was_asked: false,
            doubts: 0,
            doubts_met: 0,
        }
    }

    pub(super) fn wake(&mut self, now: Instant) {
        self.last = now;
    }

    pub(super) fn used(&mut self, now: Instant) {
        self.last = now;
        if self.uses.len() >= USES_MAX {
            self.uses.pop_front();
        }
        self.uses.push_back(now);
    }

    /// The stock is not used again before both sides have agreed on it.
    pub(super) const fn doubt(&mut self) {
        self.doubts = self.doubts.saturating_add(1);
    }

    pub(super) const fn is_doubtful(&self) -> bool {
        self.doubts > 0
    }

    pub(super) const fn last(&self) -> Instant {
        self.last
    }

    pub(super) fn per_minute(&self, now: Instant) -> usize {
        self.uses.iter().filter(|at| now.saturating_duration_since(**at) < RATE_WINDOW).count()
    }

    pub(super) fn is_idle(&self, config: &StockConfig, now: Instant) -> bool {
        now.saturating_duration_since(self.last) >= Duration::from_secs(config.idle_seconds)
    }

    pub(super) fn target(&self, config: &StockConfig, now: Instant) -> usize {
        if self.is_idle(config, now) {
            return 0;
        }
        self.per_minute(now).max(config.floor).min(config.max)
    }

    /// Whether so many that are missing are made now, or when payments leave room.
    pub(super) fn is_due(&self, missing: usize, target: usize, now: Instant) -> bool {
        let half_gone = missing.saturating_mul(2) >= target;
        let is_quiet = |used: &Instant| now.saturating_duration_since(*used) >= YIELD_TO_PAYMENTS;
        missing > 0 && (half_gone || self.uses.back().is_none_or(is_quiet))
    }

    pub(super) fn may_ask(&self, now: Instant) -> bool {
        now >= self.not_before
    }

    pub(super) fn asked(&mut self, now: Instant) {
        self.was_asked = true;
        self.not_before = later(now, ANSWER_WAIT);
    }

    pub(super) fn ended(&mut self, well: bool, now: Instant) {
        if well {
            // What came up since the session began is for the next one.
            self.doubts = self.doubts.saturating_sub(self.doubts_met);
            self.pause = PAUSE_MIN;
            self.not_before = now;
        } else {
            self.not_before = later(now, self.pause);
            self.pause = self.pause.saturating_mul(2).min(PAUSE_MAX);
        }
    }

    /// A session of the wallet begins: the next one is asked for when it has ended. `false` where
    /// none was asked for.
    pub(super) fn begins(&mut self, now: Instant) -> bool {
        let was_asked = std::mem::take(&mut self.was_asked);
        if was_asked {
            self.doubts_met = self.doubts;
            self.not_before = later(now, SESSION_WAIT);
        }
        was_asked
    }
}

fn later(now: Instant, by: Duration) -> Instant {
    now.checked_add(by).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: StockConfig = StockConfig { floor: 4, max: 10, idle_seconds: 900 };

    fn at(now: Instant, seconds: u64) -> Instant {
        later(now, Duration::from_secs(seconds))
    }

    #[test]
    fn a_wallet_has_what_a_minute_takes_between_floor_and_limit() {
        let now = Instant::now();
        let mut demand = Demand::new(now);
        assert_eq!(demand.target(&CONFIG, now), 4);
        (0..7).for_each(|_| demand.used(now));
        assert_eq!(demand.target(&CONFIG, now), 7);
        (0..500).for_each(|_| demand.used(now));
        assert_eq!((demand.target(&CONFIG, now), demand.per_minute(now)), (10, USES_MAX));
        assert_eq!(demand.target(&CONFIG, at(now, 60)), 4);
    }

    #[test]
    fn production_yields_to_payments_until_half_of_the_stock_is_gone() {
        let now = Instant::now();
        let mut demand = Demand::new(now);
        assert!(demand.is_due(1, 4, now), "nothing was paid yet");
        demand.used(now);
        assert!(!demand.is_due(1, 4, at(now, 1)) && demand.is_due(1, 4, at(now, 2)));
        assert!(demand.is_due(2, 4, now));
        assert!(!demand.is_due(0, 4, at(now, 2)));
        assert!(!demand.is_due(0, 0, at(now, 2)));
    }

    #[test]
    fn an_idle_wallet_gets_nothing_until_it_wakes() {
        let now = Instant::now();
        let mut demand = Demand::new(now);
        assert_eq!(demand.target(&CONFIG, at(now, 899)), 4);
        assert_eq!(demand.target(&CONFIG, at(now, 900)), 0);
        demand.wake(at(now, 900));
        assert_eq!(demand.target(&CONFIG, at(now, 900)), 4);
    }

    #[test]
    fn one_session_at_a_time_and_longer_pauses_after_failures() {
        let now = Instant::now();
        let mut demand = Demand::new(now);
        assert!(demand.may_ask(now));
        demand.asked(now);
        assert!(!demand.may_ask(at(now, 19)) && demand.may_ask(at(now, 20)));
        assert!(demand.begins(now));
        assert!(!demand.begins(now), "only one was asked for");
        assert!(!demand.may_ask(at(now, 599)));
        demand.doubt();
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            demand.ended(false, now);
            assert!(!demand.may_ask(at(now, pause - 1)) && demand.may_ask(at(now, pause)));
        }
        assert!(demand.is_doubtful());
        demand.asked(now);
        assert!(demand.begins(now));
        demand.doubt();
        demand.ended(true, now);
        assert!(demand.is_doubtful(), "the second came up while the session ran");
        demand.asked(now);
        assert!(demand.begins(now));
        demand.ended(true, now);
        assert!(demand.may_ask(now) && !demand.is_doubtful());
        demand.ended(false, now);
        assert!(demand.may_ask(at(now, 1)));
    }
}
