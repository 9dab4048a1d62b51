//! Keeps the stock of primes that the configuration asks for.
//!
//! Promises: one set at a time is searched for, at the lowest priority and only while nothing else
//! computes; a set that is used is replaced. What fails is said once and tried again, later each
//! time.
//! Refuses: to search for a set that an agent's node has no use for. It serves one agent, whose
//! group is prepared once: the stock is for before that.

use std::sync::Arc;
use std::time::Duration;

use tercet_policy::party::Party;
use tercet_signer::gate::Signer;
use tercet_signer::primes::PrimesError;
use tercet_signer::vault::NotStocked;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::relay::now;

/// Wait after the first failure, in milliseconds; it doubles with each that follows.
const RETRY_MS_MIN: u64 = 5_000;
/// Longest wait after a failure, in milliseconds: a disk may be full for long.
const RETRY_MS_MAX: u64 = 600_000;
/// Between two looks at whether there is still use for a stock, in milliseconds.
const USE_LOOK_MS: u64 = 2_000;

/// The keeper of a node's stock.
pub(crate) struct PrimeKeeper {
    signer: Arc<Signer>,
    wanted: usize,
}

impl PrimeKeeper {
    /// A keeper of `wanted` sets; none if none is wanted.
    pub(crate) fn new(signer: &Arc<Signer>, wanted: usize) -> Option<Self> {
        (wanted > 0).then(|| Self { signer: Arc::clone(signer), wanted })
    }

    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut levels = self.signer.prime_levels();
        let mut retry_ms = RETRY_MS_MIN;
        while !stop.is_cancelled() && self.has_use() {
            if levels.borrow_and_update().in_stock >= self.wanted {
                tokio::select! {
                    () = stop.cancelled() => return,
                    Ok(()) = levels.changed() => continue,
                }
            }
            let stocked = tokio::select! {
                stocked = self.signer.stock_primes(now, stop.child_token()) => stocked,
                () = self.no_use() => return,
            };
            match stocked {
                Ok(()) => {
                    retry_ms = RETRY_MS_MIN;
                    let in_stock = levels.borrow().in_stock;
                    info!(in_stock, wanted = self.wanted, "a set of primes is in stock");
                }
                Err(NotStocked::Search(PrimesError::Cancelled)) => return,
                Err(error) => {
                    warn!(%error, retry_ms, "the stock of primes is not filled");
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = sleep(Duration::from_millis(retry_ms)) => {}
                    }
                    retry_ms = retry_ms.saturating_mul(2).min(RETRY_MS_MAX);
                }
            }
        }
    }

    /// Ends once there is no use for a stock; looks now and then, as it happens once in a life.
    async fn no_use(&self) {
        while self.has_use() {
            sleep(Duration::from_millis(USE_LOOK_MS)).await;
        }
    }

    fn has_use(&self) -> bool {
        self.signer.role() != Party::Agent || !self.signer.has_prepared_a_group()
    }
}
