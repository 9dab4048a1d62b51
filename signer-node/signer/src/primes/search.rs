//! The search: workers, each on its own, until enough primes are in hand.
//!
//! Promises: workers share nothing but a counter and a stop sign; a find ends the worker's
//! window, so every prime has a random start of its own.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "GMP integers grow and do not overflow; nothing divides by zero"
)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rug::integer::Order;
use rug::{Assign, Integer};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::pace::Pace;
use super::sieve::{BITS_MIN, Sieve};
use super::wiped::Wiped;
use super::{PrimesError, Progress, are_close, primality};

/// How often progress is told, in milliseconds.
const PROGRESS_EVERY_MS: u64 = 250;

type Find = Result<Wiped, PrimesError>;

struct Hunt<'a> {
    bits: u32,
    sieve: &'a Sieve,
    pace: &'a Pace,
    stop: &'a CancellationToken,
    candidates_tested: &'a AtomicU64,
}

/// `wanted` distinct safe primes of exactly `bits` bits (at least 64).
pub(super) fn safe_primes(
    (bits, wanted): (u32, usize),
    pace: &Pace,
    cancel: &CancellationToken,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Wiped>, PrimesError> {
    let stop = cancel.child_token();
    let sieve = Sieve::new();
    let candidates_tested = AtomicU64::new(0);
    let hunt = Hunt {
        bits: bits.max(BITS_MIN),
        sieve: &sieve,
        pace,
        stop: &stop,
        candidates_tested: &candidates_tested,
    };
    thread::scope(|scope| {
        // Whatever ends the collection also ends the workers, before the scope waits for them.
        let _stop_workers = stop.clone().drop_guard();
        let (finds, found) = mpsc::channel();
        for _ in 0..pace.workers() {
            let (hunt, finds) = (&hunt, finds.clone());
            thread::Builder::new()
                .name("prime-search".to_owned())
                .spawn_scoped(scope, move || hunt.run(&finds))?;
        }
        drop(finds);
        collect(&hunt, wanted, &found, progress)
    })
}

fn collect(
    hunt: &Hunt<'_>,
    wanted: usize,
    found: &mpsc::Receiver<Find>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Wiped>, PrimesError> {
    let mut primes: Vec<Wiped> = Vec::with_capacity(wanted);
    let tested = || hunt.candidates_tested.load(Ordering::Relaxed);
    while primes.len() < wanted {
        if hunt.stop.is_cancelled() {
            return Err(PrimesError::Cancelled);
        }
        match found.recv_timeout(Duration::from_millis(PROGRESS_EVERY_MS)) {
            Ok(find) => {
                let prime = find?;
                if !primes.iter().any(|p| are_close(p.value(), prime.value(), hunt.bits)) {
                    primes.push(prime);
                }
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            // Workers see the stop sign first, as a rule.
            Err(mpsc::RecvTimeoutError::Disconnected) if hunt.stop.is_cancelled() => {
                return Err(PrimesError::Cancelled);
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => return Err(PrimesError::Bug),
        }
        progress(Progress::Searching { found: primes.len(), wanted, candidates_tested: tested() });
    }
    progress(Progress::Complete { candidates_tested: tested() });
    Ok(primes)
}

impl Hunt<'_> {
    fn run(&self, finds: &mpsc::Sender<Find>) {
        self.pace.settle();
        while !self.stop.is_cancelled() {
            let find = match self.random_start() {
                Ok(start) => self.first_in_window(&start).map(Ok),
                Err(err) => Some(Err(err)),
            };
            if find.is_some_and(|find| finds.send(find).is_err()) {
                return;
            }
        }
    }

    fn first_in_window(&self, start: &Wiped) -> Option<Wiped> {
        let mut q = Wiped::new(start.value().clone());
        for offset in self.sieve.survivors(start.value()) {
            self.pace.give_way(self.stop);
            if self.stop.is_cancelled() {
                return None;
            }
            self.candidates_tested.fetch_add(1, Ordering::Relaxed);
            q.value_mut().assign(start.value() + offset);
            if let Some(p) = primality::safe_prime_from(q.value()) {
                return (p.value().significant_bits() == self.bits).then_some(p);
            }
        }
        None
    }

    /// A random number of `bits - 1` bits that is 5 modulo 6, so that `2q + 1` has `bits` bits.
    fn random_start(&self) -> Result<Wiped, PrimesError> {
        let bits = self.bits.saturating_sub(1);
        let mut bytes = Zeroizing::new(vec![0u8; bits.div_ceil(8) as usize]);
        getrandom::fill(&mut bytes).map_err(PrimesError::Randomness)?;
        let mut start = Wiped::new(Integer::from_digits(&bytes, Order::Lsf));
        start.value_mut().keep_bits_mut(bits);
        start.value_mut().set_bit(bits.saturating_sub(1), true);
        let excess = start.value().mod_u(6);
        *start.value_mut() -= excess;
        *start.value_mut() += 5u32;
        Ok(start)
    }
}
