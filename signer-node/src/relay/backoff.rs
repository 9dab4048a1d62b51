//! How long to wait before the next dial.

use std::time::Duration;

/// First wait, in milliseconds.
const FIRST_MS: u64 = 100;
/// Longest wait, in milliseconds.
const WAIT_MS_MAX: u64 = 10_000;

/// Waits that double up to a limit, each shortened by chance to at least a half, so that the
/// nodes of a restarted coordinator do not come back in one instant.
#[derive(Debug)]
pub(crate) struct Backoff {
    next_ms: u64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next_ms: FIRST_MS }
    }
}

impl Backoff {
    pub(crate) fn next_wait(&mut self) -> Duration {
        let whole = self.next_ms;
        self.next_ms = whole.saturating_mul(2).min(WAIT_MS_MAX);
        let half = whole.div_euclid(2);
        let chance = u64::from(random_byte()).saturating_mul(half).div_euclid(255);
        Duration::from_millis(half.saturating_add(chance))
    }
}

/// Without randomness there is no jitter, which costs nothing but politeness.
fn random_byte() -> u8 {
    let mut byte = [0u8; 1];
    match getrandom::fill(&mut byte) {
        Ok(()) => u8::from_be_bytes(byte),
        Err(_) => u8::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_the_limit_and_never_beyond() {
        let mut backoff = Backoff::default();
        let mut whole = FIRST_MS;
        for _ in 0..20 {
            let wait = u64::try_from(backoff.next_wait().as_millis()).unwrap();
            assert!((whole / 2..=whole).contains(&wait), "{wait} of {whole}");
            whole = (whole * 2).min(WAIT_MS_MAX);
        }
        assert_eq!(whole, WAIT_MS_MAX);
    }
}
