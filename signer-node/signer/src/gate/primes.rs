//! Safe primes for a group: from stock where there are any, searched for where there are none.
//!
//! Promises: no prime serves two groups. Each is noted in the journal, for good, before it is used,
//! whether it comes from stock or was just found; one that was noted before is not used. So a file
//! that was put back after its use is refused, and so is what a machine finds that was copied while
//! it ran and whose randomness repeats.
//! Refuses: to search ahead while anything else computes: payments, ceremonies, presignatures, a
//! search that somebody waits for.
//! Does not protect against: a copy of the whole home, journal and all, from before a set was used.
//! A peer that was told of a later row notices, and then nothing is signed or prepared; where none
//! was, the set is used a second time. Do not back up `primes/`: it holds nothing that cannot be
//! found again. A courier that begins ceremonies and calls them off uses sets up, which costs
//! processor time and nothing else.

use std::sync::Arc;

use tercet_policy::time::UnixSeconds;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::ceremony::{CeremonyStep, Report};
use super::{Failure, GateError, Signer};
use crate::journal::JournalError;
use crate::primes::{self, IsBusy, PRIMES_COUNT, PrimesError, Progress, SafePrimes};
use crate::session::SessionError;
use crate::tss::TssError;
use crate::vault::{NotStocked, PrimeLevels};

const SEARCHING: &str = "searching safe primes";
const FROM_STOCK: &str = "taking safe primes from stock";

impl Signer {
    /// How many sets of primes are in stock, and what became of others. The receiver is told of
    /// every change.
    #[must_use]
    pub fn prime_levels(&self) -> watch::Receiver<PrimeLevels> {
        self.vault.prime_levels()
    }

    /// Whether this node has the parameters of any group.
    #[must_use]
    pub fn has_prepared_a_group(&self) -> bool {
        self.vault.has_aux()
    }

    /// Puts one set more in stock: minutes on one core, at the lowest priority, and none while
    /// anything else computes. A set that an earlier call found and could not seal is sealed first,
    /// and is the one.
    ///
    /// # Errors
    /// [`NotStocked`].
    pub async fn stock_primes(
        &self,
        now: impl Fn() -> UnixSeconds,
        cancel: CancellationToken,
    ) -> Result<(), NotStocked> {
        let _alone = self.stocking_primes.lock().await;
        if self.vault.has_waiting_primes() {
            return self.on_vault(now(), None).await;
        }
        let found = primes::generate_ahead(cancel, self.is_busy()).await?;
        self.on_vault(now(), Some(found)).await
    }

    async fn on_vault(
        &self,
        now: UnixSeconds,
        found: Option<SafePrimes>,
    ) -> Result<(), NotStocked> {
        let vault = Arc::clone(&self.vault);
        let sealing = move || match found {
            Some(primes) => vault.stock_primes(primes, now),
            None => vault.seal_waiting_primes(now),
        };
        let sealed = tokio::task::spawn_blocking(sealing).await;
        sealed.map_err(|_| NotStocked::Search(PrimesError::Bug))?
    }

    pub(super) fn is_busy(&self) -> IsBusy {
        let (threads, awaited) = (self.threads.clone(), Arc::clone(&self.searching_primes));
        Arc::new(move || threads.is_computing() || awaited.available_permits() == 0)
    }

    /// Primes that no group has had.
    pub(super) async fn find_primes(
        &self,
        cancel: CancellationToken,
        report: Report<'_>,
    ) -> Result<SafePrimes, GateError> {
        while let Some(primes) = self.off_runtime(|vault| Ok(vault.take_primes())).await? {
            if self.are_new(&primes).await? {
                let total = total();
                report(CeremonyStep { stage: FROM_STOCK, done: total, total });
                return Ok(primes);
            }
            tracing::error!(
                "a set of primes in stock was used before, and is dropped: was a copy \
                             of the home put back?"
            );
            self.vault.note_repeated_primes();
        }
        self.vault.note_awaited_primes();
        let primes = self.search_primes(cancel, report).await?;
        if !self.are_new(&primes).await? {
            return Err(Failure::Bug("primes just found were used before").into());
        }
        Ok(primes)
    }

    /// Notes that these primes are used from now on. `false` if one of them was.
    async fn are_new(&self, primes: &SafePrimes) -> Result<bool, GateError> {
        for prime in primes.uses() {
            match self.journal.note_execution(prime).await {
                Ok(()) => {}
                Err(JournalError::ExecutionRepeats { .. }) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    async fn search_primes(
        &self,
        cancel: CancellationToken,
        report: Report<'_>,
    ) -> Result<SafePrimes, GateError> {
        let total = total();
        let step = |done| CeremonyStep { stage: SEARCHING, done, total };
        report(step(0));
        let _turn = tokio::select! {
            () = cancel.cancelled() => return Err(SessionError::CalledOff { by: None }.into()),
            turn = self.searching_primes.acquire() => turn,
        };
        let begin = Progress::Searching { found: 0, wanted: PRIMES_COUNT, candidates_tested: 0 };
        let (progress, mut seen) = watch::channel(begin);
        let mut searching = std::pin::pin!(primes::generate_apart(cancel, progress));
        let mut last = 0;
        let found = loop {
            tokio::select! {
                found = &mut searching => break found,
                Ok(()) = seen.changed() => {
                    if let Progress::Searching { found, .. } = *seen.borrow_and_update() {
                        let done = u32::try_from(found).unwrap_or(total);
                        if done != last {
                            report(step(done));
                        }
                        last = done;
                    }
                }
            }
        };
        match found {
            Ok(primes) => {
                report(step(total));
                Ok(primes)
            }
            Err(PrimesError::Cancelled) => Err(SessionError::CalledOff { by: None }.into()),
            Err(error) => Err(SessionError::Tss(TssError::from(error)).into()),
        }
    }
}

fn total() -> u32 {
    u32::try_from(PRIMES_COUNT).unwrap_or(u32::MAX)
}
