//! Sets of safe primes, found ahead of need and given out once.
//!
//! Promises: a set rests sealed, as a share does; [`Vault::take_primes`] has its file removed,
//! durably, before it gives the set out, so that a crash in between loses a set and never uses one
//! twice. A file that is damaged, cut or another's is removed too, and said.
//! Refuses: more than [`PRIME_SETS_MAX`].
//! Does not protect against: a copy of a used file that is put back. The gate does: it has the
//! journal note every prime before it is used. See there for a copy of the whole home.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tercet_policy::time::UnixSeconds;
use tokio::sync::watch;

use super::{Vault, VaultError};
use crate::primes::{PrimesError, SafePrimes};
use crate::sealed::{PrimeSetId, SealedError, SealedName};

/// Most sets that are kept in stock.
pub const PRIME_SETS_MAX: usize = 64;

/// How many sets of primes there are, and what became of others since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrimeLevels {
    /// Sets ready to be used.
    pub in_stock: usize,
    /// Sets found ahead of need.
    pub found: u64,
    /// Sets from stock that a group was made with.
    pub used: u64,
    /// Sets that were damaged, or had been used before.
    pub dropped: u64,
    /// Sets that somebody had to wait for, because none was in stock.
    pub awaited: u64,
}

/// Why there is not a set more in stock.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotStocked {
    /// The search ended without a set.
    #[error(transparent)]
    Search(#[from] PrimesError),
    /// The set could not be sealed. It is kept in memory, and used from there if need be.
    #[error("a set of primes waits in memory to be sealed: {0}")]
    Unsealed(SealedError),
    /// There are as many as there may be.
    #[error("there are {PRIME_SETS_MAX} sets of primes in stock")]
    Full,
}

/// The stock of a vault.
#[derive(Default)]
pub(super) struct PrimeStock {
    sets: Mutex<Sets>,
    levels: watch::Sender<PrimeLevels>,
}

#[derive(Default)]
struct Sets {
    sealed: Vec<PrimeSetId>,
    /// Found, and not taken by the disk yet.
    unsealed: Option<SafePrimes>,
}

impl Vault {
    /// How many sets of primes there are. The receiver is told of every change.
    #[must_use]
    pub fn prime_levels(&self) -> watch::Receiver<PrimeLevels> {
        self.primes.levels.subscribe()
    }

    /// Finds what rests in the home.
    ///
    /// # Errors
    /// [`VaultError::Disk`] if it cannot be looked into.
    pub(crate) fn count_primes(&self) -> Result<(), VaultError> {
        let mut sets = self.sets();
        sets.sealed = self.home.prime_sets()?;
        self.tell(&sets, |_| ());
        Ok(())
    }

    /// Puts a set in stock. Blocks on the disk.
    ///
    /// # Errors
    /// [`NotStocked::Unsealed`], after which [`Vault::seal_waiting_primes`] tries again.
    pub(crate) fn stock_primes(
        &self,
        primes: SafePrimes,
        now: UnixSeconds,
    ) -> Result<(), NotStocked> {
        let mut sets = self.sets();
        if sets.len() >= PRIME_SETS_MAX || sets.unsealed.is_some() {
            return Err(NotStocked::Full);
        }
        sets.unsealed = Some(primes);
        self.tell(&sets, |levels| levels.found = levels.found.saturating_add(1));
        self.seal_waiting(&mut sets, now)
    }

    /// Whether a set waits that the disk did not take.
    pub(crate) fn has_waiting_primes(&self) -> bool {
        self.sets().unsealed.is_some()
    }

    /// Seals a set that the disk did not take before. Blocks on the disk.
    ///
    /// # Errors
    /// [`NotStocked::Unsealed`].
    pub(crate) fn seal_waiting_primes(&self, now: UnixSeconds) -> Result<(), NotStocked> {
        self.seal_waiting(&mut self.sets(), now)
    }

    /// A set, for good; none if there is none. Blocks on the disk, and for a second of CPU in which
    /// the primes are proved anew.
    pub(crate) fn take_primes(&self) -> Option<SafePrimes> {
        loop {
            let (set, taken) = {
                let mut sets = self.sets();
                if let Some(primes) = sets.unsealed.take() {
                    self.tell(&sets, |levels| levels.used = levels.used.saturating_add(1));
                    return Some(primes);
                }
                let set = sets.sealed.pop()?;
                let taken = self.home.take_primes(set, &self.kek);
                self.tell(&sets, |_| ());
                (set, taken)
            };
            let read = taken.map_err(NotStocked::Unsealed).and_then(|unsealed| {
                SafePrimes::from_sealed_bytes(&unsealed.secret).map_err(NotStocked::Search)
            });
            match read {
                Ok(primes) => {
                    self.count(|levels| levels.used = levels.used.saturating_add(1));
                    return Some(primes);
                }
                Err(reason) => self.drop_set(set, &reason.to_string()),
            }
        }
    }

    /// Counts a set that turned out to have been used before.
    pub(crate) fn note_repeated_primes(&self) {
        self.count(|levels| {
            levels.used = levels.used.saturating_sub(1);
            levels.dropped = levels.dropped.saturating_add(1);
        });
    }

    /// Counts a set that had to be waited for.
    pub(crate) fn note_awaited_primes(&self) {
        self.count(|levels| levels.awaited = levels.awaited.saturating_add(1));
    }

    fn drop_set(&self, set: PrimeSetId, reason: &str) {
        tracing::error!(%set, reason, "a set of primes in stock cannot be used and is dropped");
        self.count(|levels| levels.dropped = levels.dropped.saturating_add(1));
    }

    fn seal_waiting(&self, sets: &mut Sets, now: UnixSeconds) -> Result<(), NotStocked> {
        let Some(primes) = &sets.unsealed else { return Ok(()) };
        let bytes = primes.to_sealed_bytes()?;
        let set = PrimeSetId::random().map_err(|e| NotStocked::Unsealed(e.into()))?;
        let sealed = self.home.seal(&SealedName::PrimeSet { set }, now, &bytes, &self.kek);
        sealed.map_err(NotStocked::Unsealed)?;
        sets.unsealed = None;
        sets.sealed.push(set);
        Ok(())
    }

    fn tell(&self, sets: &Sets, change: impl FnOnce(&mut PrimeLevels)) {
        self.count(|levels| {
            levels.in_stock = sets.len();
            change(levels);
        });
    }

    fn count(&self, change: impl FnOnce(&mut PrimeLevels)) {
        self.primes.levels.send_modify(change);
    }

    /// A panic of another holder leaves the lists whole: at worst a set is named that is gone.
    fn sets(&self) -> MutexGuard<'_, Sets> {
        self.primes.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sets {
    fn len(&self) -> usize {
        self.sealed.len().saturating_add(usize::from(self.unsealed.is_some()))
    }
}

#[cfg(test)]
mod tests;
