//! Remembers which request nonces were seen, so that a copied request is not answered twice.
//!
//! Promises: a nonce is refused as long as its signature could still be young enough. Bounded per
//! caller: a caller that signs more requests than that is refused, nobody is forgotten.
//!
//! Does not protect against: a copy sent to a process that was just restarted. Every request that
//! changes something is idempotent, so such a copy repeats nothing.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use tercet_api::auth::{Caller, SIGNATURE_AGE_SECONDS_MAX};
use tercet_policy::party::NodeId;
use tercet_policy::time::UnixSeconds;

/// Most requests of one caller within the time that nonces are kept.
pub const NONCES_PER_CALLER_MAX: usize = 16_384;
/// How long a nonce is kept, in seconds: a signature may be dated that far ahead, and live as long.
const KEPT_SECONDS: u64 = 2 * SIGNATURE_AGE_SECONDS_MAX + 1;

/// The nonces seen.
#[derive(Debug, Default)]
pub struct Replays(Mutex<HashMap<NodeId, Seen>>);

#[derive(Debug, Default)]
struct Seen {
    nonces: HashSet<String>,
    order: VecDeque<(UnixSeconds, String)>,
}

/// Why a request is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFresh {
    /// Its nonce was seen.
    Replayed,
    /// The caller signs more than is remembered.
    TooMany,
}

impl Replays {
    /// Takes a caller's nonce once.
    ///
    /// # Errors
    /// [`NotFresh`]
    pub fn take(&self, caller: &Caller, now: UnixSeconds) -> Result<(), NotFresh> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = all.entry(caller.node.clone()).or_default();
        seen.forget_before(now.minus(KEPT_SECONDS));
        if seen.nonces.contains(&caller.nonce) {
            return Err(NotFresh::Replayed);
        }
        if seen.nonces.len() >= NONCES_PER_CALLER_MAX {
            return Err(NotFresh::TooMany);
        }
        seen.nonces.insert(caller.nonce.clone());
        seen.order.push_back((now, caller.nonce.clone()));
        Ok(())
    }
}

impl Seen {
    fn forget_before(&mut self, moment: UnixSeconds) {
        while self.order.front().is_some_and(|(at, _)| *at < moment) {
            if let Some((_, nonce)) = self.order.pop_front() {
                self.nonces.remove(&nonce);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(name: &str, nonce: usize) -> Caller {
        Caller { node: NodeId::new(name).unwrap(), nonce: nonce.to_string() }
    }

    #[test]
    fn a_nonce_is_taken_once_until_its_signature_is_too_old() {
        let (replays, now) = (Replays::default(), UnixSeconds(1_000));
        assert_eq!(replays.take(&caller("a", 1), now), Ok(()));
        assert_eq!(replays.take(&caller("a", 1), now), Err(NotFresh::Replayed));
        assert_eq!(replays.take(&caller("b", 1), now), Ok(()));
        let late = now.plus(KEPT_SECONDS);
        assert_eq!(replays.take(&caller("a", 1), late), Err(NotFresh::Replayed));
        assert_eq!(replays.take(&caller("a", 1), late.plus(1)), Ok(()));
    }

    #[test]
    fn memory_is_bounded_and_nothing_is_forgotten_early() {
        let (replays, now) = (Replays::default(), UnixSeconds(1_000));
        for nonce in 0..NONCES_PER_CALLER_MAX {
            assert_eq!(replays.take(&caller("a", nonce), now), Ok(()));
        }
        assert_eq!(replays.take(&caller("a", usize::MAX), now), Err(NotFresh::TooMany));
        assert_eq!(replays.take(&caller("a", 0), now), Err(NotFresh::Replayed));
    }
}
