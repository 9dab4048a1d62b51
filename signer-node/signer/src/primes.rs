//! Safe primes for a party's Paillier and ring-Pedersen moduli.
//!
//! Promises: four distinct primes `p = 2q + 1` with `q` prime, each of exactly
//! [`PRIME_BITS`] bits, drawn from the operating system's randomness, found on all cores away
//! from the async runtime, with progress a person can follow and a search that can be cancelled.
//! Each is found from a random start of its own, so that knowing one says nothing of another.
//! A set that is loaded is proved anew before it is used. A search ahead of need takes one core,
//! at the lowest priority, and none while others want it.
//!
//! Refuses: primes of another length, equal or neighbouring primes, anything that is not a safe
//! prime. The library takes whatever numbers it is given (`PregeneratedPrimes` tests the length
//! alone), so these checks are ours.
//!
//! Does not protect against: someone who reads this process's memory. The primes, the starts and
//! the candidates are overwritten when dropped, but GMP's own scratch space (powers, Montgomery
//! forms, reallocated limbs) is freed as it is, and so are the copies that the threshold library
//! makes. Timing is not constant. Keep core dumps off and the machine to itself.
//!
//! # How good the primes are
//!
//! `q` passes Baillie-PSW and 40 Miller-Rabin rounds. It is chosen at random and by nobody else,
//! so the average-case bound of Damgård, Landrock and Pomerance (Math. Comp. 61, 1993, theorem 4)
//! holds: for 1535 bits and 40 rounds the chance of a composite lies far below 2^-128, and no
//! composite is known that passes Baillie-PSW at all. Given `q`, the primality of `p` is a
//! theorem (Pocklington), not a probability.
//!
//! # How even the choice is
//!
//! A worker draws a random start and looks at the 2^16 candidates `start + 6k` that follow, then
//! draws anew. Incremental search favours primes after long gaps; a bounded window bounds the
//! favour. A prime can be reached from at most 2^16 starts, and a window of 2^16 holds one with
//! probability `1 - e^-0.46` at 1536 bits, so no prime is more than 1.25 times as likely as in a
//! uniform choice: a loss of at most 0.33 bits of min-entropy out of more than 1500.

mod pace;
mod primality;
mod search;
mod sieve;
mod wiped;

use std::fmt;
use std::thread;

use cggmp24::PregeneratedPrimes;
use cggmp24::backend::Integer as LibraryInteger;
use rug::Integer;
use rug::integer::Order;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

pub use self::pace::IsBusy;

use self::pace::Pace;
use self::wiped::Wiped;

/// Length of each prime, in bits: the 128-bit security level of CGGMP24.
pub const PRIME_BITS: u32 = 1536;
/// Primes one party needs: two for its Paillier key, two for its ring-Pedersen modulus.
pub const PRIMES_COUNT: usize = 4;
/// Two primes of a set differ above this many bits below their top (FIPS 186-5, A.1.1), so that
/// no product of two falls to Fermat's method.
const SPREAD_BITS: u32 = 100;
/// Room for the stored form, in bytes; reserved at once so that no copy is left by growing.
const STORED_BYTES_MAX: usize = 4096;
/// First field of the stored form.
const STORED_FORMAT: &str = "tercet/safe-primes/v1";

/// First field of what a prime's use is noted by.
const USE_DOMAIN: &[u8] = b"tercet/prime-use/v1";

/// Four safe primes, one party's secret. Overwritten when dropped.
pub struct SafePrimes(Box<[Wiped; PRIMES_COUNT]>);

/// How far a search has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Still looking.
    Searching {
        /// Primes in hand.
        found: usize,
        /// Primes asked for.
        wanted: usize,
        /// Candidates that survived the sieve and were tested so far.
        candidates_tested: u64,
    },
    /// All primes are in hand.
    Complete {
        /// Candidates tested in all.
        candidates_tested: u64,
    },
}

/// Why there are no primes.
#[derive(Debug, thiserror::Error)]
pub enum PrimesError {
    /// The search was cancelled.
    #[error("the search for primes was cancelled")]
    Cancelled,
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness: {0}")]
    Randomness(getrandom::Error),
    /// No thread could be started.
    #[error("no thread could be started for the search: {0}")]
    Thread(#[from] std::io::Error),
    /// Stored or given numbers are not four fit primes.
    #[error("these are not primes to use: {0}")]
    Unfit(Unfit),
    /// All workers stopped without saying why.
    #[error("the search ended without a result")]
    Bug,
}

/// What is wrong with given primes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The stored bytes do not read as a set of primes.
    #[error("the stored form does not read")]
    Form,
    /// A number has another length.
    #[error("a number does not have {PRIME_BITS} bits")]
    Length,
    /// A number is not `2q + 1` for primes.
    #[error("a number is not a safe prime")]
    NotSafe,
    /// Two numbers are equal or close.
    #[error("two numbers are equal or close to each other")]
    Close,
}

/// Searches on all cores until four primes are in hand. Blocks; `progress` is called on this
/// thread a few times a second.
///
/// # Errors
/// [`PrimesError::Cancelled`] soon after `cancel`; no randomness; no thread.
pub fn generate(
    cancel: &CancellationToken,
    progress: &mut dyn FnMut(Progress),
) -> Result<SafePrimes, PrimesError> {
    generate_at(&Pace::awaited(), cancel, progress)
}

fn generate_at(
    pace: &Pace,
    cancel: &CancellationToken,
    progress: &mut dyn FnMut(Progress),
) -> Result<SafePrimes, PrimesError> {
    let found = search::safe_primes((PRIME_BITS, PRIMES_COUNT), pace, cancel, progress)?;
    let primes: [Wiped; PRIMES_COUNT] = found.try_into().map_err(|_| PrimesError::Bug)?;
    Ok(SafePrimes(Box::new(primes)))
}

/// [`generate`] on threads of its own, for async callers. Dropping the future cancels the search.
///
/// # Errors
/// As [`generate`].
pub async fn generate_apart(
    cancel: CancellationToken,
    progress: watch::Sender<Progress>,
) -> Result<SafePrimes, PrimesError> {
    apart(Pace::awaited(), cancel, progress).await
}

/// As [`generate_apart`], for primes that nobody waits for yet: on one core, at the lowest priority,
/// and not at all while `is_busy`.
///
/// # Errors
/// As [`generate`].
pub async fn generate_ahead(
    cancel: CancellationToken,
    is_busy: IsBusy,
) -> Result<SafePrimes, PrimesError> {
    let begin = Progress::Searching { found: 0, wanted: PRIMES_COUNT, candidates_tested: 0 };
    apart(Pace::ahead(is_busy), cancel, watch::Sender::new(begin)).await
}

async fn apart(
    pace: Pace,
    cancel: CancellationToken,
    progress: watch::Sender<Progress>,
) -> Result<SafePrimes, PrimesError> {
    let (done, result) = oneshot::channel();
    let token = cancel.child_token();
    let _cancel_on_drop = token.clone().drop_guard();
    thread::Builder::new().name("primes".to_owned()).spawn(move || {
        let found = generate_at(&pace, &token, &mut |p| {
            progress.send_replace(p);
        });
        // The asker may be gone; then the primes are wiped here.
        drop(done.send(found));
    })?;
    result.await.map_err(|_| PrimesError::Bug)?
}

#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: String,
    primes: Vec<String>,
}

impl SafePrimes {
    /// The form that goes into the sealed store, and nowhere else.
    ///
    /// # Errors
    /// [`PrimesError::Bug`] if the form cannot be written.
    pub fn to_sealed_bytes(&self) -> Result<Zeroizing<Vec<u8>>, PrimesError> {
        let primes = self.0.iter().map(|p| p.value().to_string_radix(16)).collect();
        let stored = Stored { format: STORED_FORMAT.to_owned(), primes };
        let mut bytes = Zeroizing::new(Vec::with_capacity(STORED_BYTES_MAX));
        serde_json::to_writer(&mut *bytes, &stored).map_err(|_| PrimesError::Bug)?;
        Ok(bytes)
    }

    /// Reads the form of [`Self::to_sealed_bytes`] and proves every property again (about a
    /// second of CPU).
    ///
    /// # Errors
    /// [`PrimesError::Unfit`] for anything but four fit primes.
    pub fn from_sealed_bytes(bytes: &[u8]) -> Result<Self, PrimesError> {
        let stored: Stored =
            serde_json::from_slice(bytes).map_err(|_| PrimesError::Unfit(Unfit::Form))?;
        if stored.format != STORED_FORMAT {
            return Err(PrimesError::Unfit(Unfit::Form));
        }
        let read = |hex: &String| Integer::from_str_radix(hex, 16).ok().map(Wiped::new);
        let primes: Option<Vec<Wiped>> = stored.primes.iter().map(read).collect();
        let primes = primes.and_then(|p| <[Wiped; PRIMES_COUNT]>::try_from(p).ok());
        let primes = primes.ok_or(PrimesError::Unfit(Unfit::Form))?;
        check(&primes, PRIME_BITS).map_err(PrimesError::Unfit)?;
        Ok(Self(Box::new(primes)))
    }

    /// What the use of each prime is noted by. A hash tells nothing of a number that nobody can guess.
    pub(crate) fn uses(&self) -> [[u8; 32]; PRIMES_COUNT] {
        self.0.each_ref().map(|prime| {
            let digits = Zeroizing::new(prime.value().to_digits::<u8>(Order::Msf));
            Sha256::new().chain_update(USE_DOMAIN).chain_update(&*digits).finalize().into()
        })
    }

    /// The library's form. Its copies are not overwritten when dropped.
    pub(crate) fn into_pregenerated(self) -> Result<PregeneratedPrimes, PrimesError> {
        let primes = self.0.each_ref().map(|p| LibraryInteger::from_rug(p.value().clone()));
        PregeneratedPrimes::try_from(primes).map_err(|_| PrimesError::Unfit(Unfit::Length))
    }
}

impl fmt::Debug for SafePrimes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SafePrimes(..)")
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Searching { found, wanted, candidates_tested } => {
                write!(f, "{found} of {wanted} safe primes, {candidates_tested} candidates tested")
            }
            Self::Complete { candidates_tested } => {
                write!(f, "all safe primes found, {candidates_tested} candidates tested")
            }
        }
    }
}

fn check(primes: &[Wiped], bits: u32) -> Result<(), Unfit> {
    if primes.iter().any(|p| p.value().significant_bits() != bits) {
        return Err(Unfit::Length);
    }
    let pairs = primes
        .iter()
        .enumerate()
        .flat_map(|(i, a)| primes.iter().skip(i.saturating_add(1)).map(move |b| (a, b)));
    if pairs.into_iter().any(|(a, b)| are_close(a.value(), b.value(), bits)) {
        return Err(Unfit::Close);
    }
    if primes.iter().all(|p| primality::is_safe_prime(p.value())) {
        Ok(())
    } else {
        Err(Unfit::NotSafe)
    }
}

#[allow(clippy::arithmetic_side_effects, reason = "GMP integers do not overflow")]
fn are_close(a: &Integer, b: &Integer, bits: u32) -> bool {
    Wiped::new(Integer::from(a - b)).value().significant_bits() <= bits.saturating_sub(SPREAD_BITS)
}

#[cfg(test)]
mod tests;
