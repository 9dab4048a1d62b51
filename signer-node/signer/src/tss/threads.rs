//! Where runs compute: threads apart from the async runtime, bounded in number.
//!
//! Promises: payments and background work have places of their own, so that ceremonies never keep
//! a payment waiting for a thread; background threads also give way on the processor. A run whose
//! future is dropped is cancelled and its thread ends at the next step.

use std::fmt;
use std::sync::Arc;
use std::thread;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::driver::Line;
use super::eid::ExecutionId;
use super::error::{OurBug, TssError, Wait};
use super::link::{Link, Outbound};
use super::patience::Patience;

/// Payment runs at once, by default: more than there are cores, for most of a run is waiting.
pub const PAYMENT_RUNS_MAX: usize = 16;
/// Background runs at once, by default.
pub const BACKGROUND_RUNS_MAX: usize = 2;
/// Stack of a run's thread, in bytes: proofs keep arrays of 128 large numbers on it.
const STACK_BYTES: usize = 8 * 1024 * 1024;
/// How much background threads give way to payments: the nice value added to them.
const BACKGROUND_NICENESS: i32 = 10;

/// How many runs compute at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThreadLimits {
    /// Signatures and new wallets.
    pub payment_runs_max: usize,
    /// Auxiliary data.
    pub background_runs_max: usize,
}

impl Default for ThreadLimits {
    fn default() -> Self {
        Self { payment_runs_max: PAYMENT_RUNS_MAX, background_runs_max: BACKGROUND_RUNS_MAX }
    }
}

/// The places of a process. Cheap to clone; clones share the places.
#[derive(Clone)]
pub struct Threads {
    payments: Arc<Semaphore>,
    background: Arc<Semaphore>,
    limits: ThreadLimits,
}

/// What one run is given.
#[derive(Debug)]
pub struct Session {
    /// What it is, derived by all parties alike.
    pub eid: ExecutionId,
    /// Its channels to the session.
    pub link: Link,
    /// How long it may take.
    pub patience: Patience,
    /// Cancelling ends it, and tells the peers.
    pub cancel: CancellationToken,
}

/// Which places a run takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Payment,
    Background,
}

impl Threads {
    /// Places for as many runs as `limits` says.
    #[must_use]
    pub fn new(limits: ThreadLimits) -> Self {
        Self {
            payments: Arc::new(Semaphore::new(limits.payment_runs_max)),
            background: Arc::new(Semaphore::new(limits.background_runs_max)),
            limits,
        }
    }

    /// Whether any run has a place now.
    #[must_use]
    pub fn is_computing(&self) -> bool {
        self.running() != (0, 0)
    }

    /// Runs that have a place now: payments, and background work.
    #[must_use]
    pub fn running(&self) -> (usize, usize) {
        let taken =
            |most: usize, places: &Semaphore| most.saturating_sub(places.available_permits());
        (
            taken(self.limits.payment_runs_max, &self.payments),
            taken(self.limits.background_runs_max, &self.background),
        )
    }

    /// Runs `job` on a thread of its own. If it fails, the peers are told.
    pub(super) async fn run<T, F>(
        &self,
        work: Work,
        session: Session,
        job: F,
    ) -> Result<T, TssError>
    where
        F: FnOnce(&mut Line, ExecutionId) -> Result<T, TssError> + Send + 'static,
        T: Send + 'static,
    {
        let Session { eid, link, patience, cancel } = session;
        let token = cancel.child_token();
        let _cancel_on_drop = token.clone().drop_guard();
        let outbound = link.outbound.clone();
        let place = match self.place(work, patience, &token).await {
            Ok(place) => place,
            Err(err) => return Err(tell(&outbound, err)),
        };
        let (done, result) = oneshot::channel();
        let body = move || {
            let outcome = on_thread(work, link, patience, token, |line| job(line, eid));
            drop(place);
            // The asker may be gone; then the result is dropped here.
            drop(done.send(outcome));
        };
        let builder = thread::Builder::new().name("threshold-run".to_owned());
        if builder.stack_size(STACK_BYTES).spawn(body).is_err() {
            return Err(tell(&outbound, OurBug::Resources.into()));
        }
        let panicked = |_| tell(&outbound, OurBug::Panicked.into());
        result.await.map_err(panicked)?
    }

    async fn place(
        &self,
        work: Work,
        patience: Patience,
        cancel: &CancellationToken,
    ) -> Result<OwnedSemaphorePermit, TssError> {
        let places = match work {
            Work::Payment => &self.payments,
            Work::Background => &self.background,
        };
        tokio::select! {
            () = cancel.cancelled() => Err(TssError::Aborted { by: None }),
            place = timeout(patience.thread, Arc::clone(places).acquire_owned()) => match place {
                Ok(Ok(place)) => Ok(place),
                Ok(Err(_closed)) => Err(OurBug::Resources.into()),
                Err(_) => Err(TssError::Deadline { waiting: Wait::Thread, silent: vec![] }),
            }
        }
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let free = (self.payments.available_permits(), self.background.available_permits());
        write!(f, "Threads {{ free for payments: {}, for background: {} }}", free.0, free.1)
    }
}

fn on_thread<T>(
    work: Work,
    link: Link,
    patience: Patience,
    cancel: CancellationToken,
    job: impl FnOnce(&mut Line) -> Result<T, TssError>,
) -> Result<T, TssError> {
    if work == Work::Background {
        // A kernel that refuses costs payments some speed, and nothing else.
        let _ = rustix::process::nice(BACKGROUND_NICENESS);
    }
    let clock = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
        Ok(clock) => clock,
        Err(_) => return Err(tell(&link.outbound, OurBug::Resources.into())),
    };
    let ends_at = Instant::now().checked_add(patience.run).ok_or(OurBug::Resources)?;
    let mut line = Line { link, patience, cancel, clock, ends_at };
    job(&mut line).inspect_err(|_| line.abort())
}

/// Tells the peers of a failure if there is room to; hands the failure back.
fn tell(outbound: &tokio::sync::mpsc::Sender<Outbound>, err: TssError) -> TssError {
    // Nothing was sent yet, so there is room; a session that is gone needs no telling.
    drop(outbound.try_send(Outbound::Abort));
    err
}
