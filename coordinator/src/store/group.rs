//! Group commit: what payments side by side write is made durable with one flush.
//!
//! Promises: whoever waits for a write is answered after the flush that holds it; a write that
//! fails takes no other with it. One task writes, so what it remembers of the file is true: the
//! last hash of the chain of events, and how many payments are open.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::sqlite::SqlitePool;
use tercet_policy::intent::IntentId;
use tercet_policy::party::AgentId;
use tokio::sync::{mpsc, oneshot};

use super::payments::{Change, NewPayment, PaymentRecord, Taken, writes};
use super::{StoreError, begin};

/// Writes of one flush.
const GROUP_WRITES_MAX: usize = 64;
/// Writes that wait; whoever brings more waits before.
const WRITES_WAITING_MAX: usize = 1_024;

/// One write of a payment.
#[derive(Debug)]
pub(super) enum Write {
    /// None: a place in the row of writes.
    Nothing,
    Insert(Box<NewPayment>),
    Change(Box<(PaymentRecord, Change)>),
}

/// What it came to.
#[derive(Debug)]
pub(super) enum Written {
    Nothing,
    Taken(Taken),
    Changed(Box<PaymentRecord>),
}

#[derive(Debug)]
struct Job {
    write: Write,
    done: oneshot::Sender<Result<Written, StoreError>>,
}

/// Where writes are handed in.
#[derive(Clone, Debug)]
pub(super) struct Group {
    queue: mpsc::Sender<Job>,
    ahead: Arc<Mutex<HashMap<IntentId, PaymentRecord>>>,
}

/// A change that is on its way to the file, in its place behind those before it.
#[derive(Debug)]
pub struct Pending {
    id: IntentId,
    group: Group,
    written: oneshot::Receiver<Result<Written, StoreError>>,
}

impl Pending {
    /// Waits until it is durable.
    ///
    /// # Errors
    /// As [`Store::change_payment`](super::Store::change_payment).
    pub async fn durable(mut self) -> Result<PaymentRecord, StoreError> {
        match (&mut self.written).await.map_err(|_| closed())?? {
            Written::Changed(record) => Ok(*record),
            Written::Nothing | Written::Taken(_) => Err(StoreError::Unreadable { what: "write" }),
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.group.ahead().remove(&self.id);
    }
}

const fn closed() -> StoreError {
    StoreError::Sql(sqlx::Error::PoolClosed)
}

impl Group {
    /// Starts the task that writes. It ends with the last handle.
    pub(super) async fn start(writer: SqlitePool) -> Result<Self, StoreError> {
        let open = writes::open_by_agent(&writer).await?;
        let memory = Memory { tail: None, open: Open { by_agent: open, undo: Vec::new() } };
        let (queue, jobs) = mpsc::channel(WRITES_WAITING_MAX);
        tokio::spawn(Scribe { writer, memory }.run(jobs));
        Ok(Self { queue, ahead: Arc::default() })
    }

    fn ahead(&self) -> MutexGuard<'_, HashMap<IntentId, PaymentRecord>> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A payment as it will be in the file in a moment, where somebody was told of it already.
    pub(super) fn ahead_of(&self, id: &IntentId) -> Option<PaymentRecord> {
        self.ahead().get(id).cloned()
    }

    /// Waits until the file has all that anybody was told of.
    pub(super) async fn catch_up(&self) -> Result<(), StoreError> {
        if self.ahead().is_empty() {
            return Ok(());
        }
        self.write(Write::Nothing).await.map(drop)
    }

    /// Writes, and waits until that is durable.
    pub(super) async fn write(&self, write: Write) -> Result<Written, StoreError> {
        self.hand_in(write).await?.await.map_err(|_| closed())?
    }

    /// Has a change take its place in the row; until it is durable the payment is shown as it
    /// will be.
    pub(super) async fn change_soon(
        &self,
        from: PaymentRecord,
        change: Change,
        then: PaymentRecord,
    ) -> Result<Pending, StoreError> {
        let id = then.id();
        let written = self.hand_in(Write::Change(Box::new((from, change)))).await?;
        self.ahead().insert(id, then);
        Ok(Pending { id, group: self.clone(), written })
    }

    async fn hand_in(
        &self,
        write: Write,
    ) -> Result<oneshot::Receiver<Result<Written, StoreError>>, StoreError> {
        let (done, written) = oneshot::channel();
        self.queue.send(Job { write, done }).await.map_err(|_| closed())?;
        Ok(written)
    }
}

/// What the one writer remembers of the file.
#[derive(Debug)]
pub(super) struct Memory {
    /// Hash of the last event; none before it was read.
    pub tail: Option<String>,
    /// Payments that are not terminal.
    pub open: Open,
}

/// Whose open payments are counted together: an agent's deposits, which are open for as long as
/// their sessions, apart from all else of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Whose {
    pub agent: AgentId,
    pub deposits: bool,
}

/// How many payments are open, and what the flush that is not over has changed of it.
#[derive(Debug)]
pub(super) struct Open {
    by_agent: HashMap<Whose, u64>,
    undo: Vec<(Whose, bool)>,
}

impl Open {
    pub(super) fn of(&self, whose: &Whose) -> u64 {
        self.by_agent.get(whose).copied().unwrap_or_default()
    }

    pub(super) fn all(&self) -> u64 {
        self.by_agent.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    pub(super) fn opened(&mut self, whose: &Whose) {
        self.count(whose, true);
        self.undo.push((whose.clone(), true));
    }

    pub(super) fn closed(&mut self, whose: &Whose) {
        self.count(whose, false);
        self.undo.push((whose.clone(), false));
    }

    fn count(&mut self, whose: &Whose, more: bool) {
        let count = self.by_agent.entry(whose.clone()).or_default();
        *count = if more { count.saturating_add(1) } else { count.saturating_sub(1) };
        if *count == 0 {
            self.by_agent.remove(whose);
        }
    }

    fn undo(&mut self) {
        while let Some((whose, opened)) = self.undo.pop() {
            self.count(&whose, !opened);
        }
    }
}

struct Scribe {
    writer: SqlitePool,
    memory: Memory,
}

impl Scribe {
    async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut jobs = Vec::with_capacity(GROUP_WRITES_MAX);
        while queue.recv_many(&mut jobs, GROUP_WRITES_MAX).await > 0 {
            let (writes, waiting): (Vec<_>, Vec<_>) =
                jobs.drain(..).map(|job| (job.write, job.done)).unzip();
            for (written, done) in self.flush(&writes).await.into_iter().zip(waiting) {
                // Who does not wait any more finds it in the store.
                let _ = done.send(written);
            }
        }
    }

    /// All in one transaction; each in its own, where one spoils that.
    async fn flush(&mut self, writes: &[Write]) -> Vec<Result<Written, StoreError>> {
        match self.together(writes).await {
            Ok(written) => written,
            Err(error) if writes.len() == 1 => vec![Err(error)],
            Err(error) => {
                tracing::error!(%error, "payments cannot be stored together; each is tried alone");
                let mut all = Vec::with_capacity(writes.len());
                for write in writes {
                    let alone = self.together(std::slice::from_ref(write)).await;
                    all.extend(alone.unwrap_or_else(|error| vec![Err(error)]));
                }
                all
            }
        }
    }

    async fn together(
        &mut self,
        writes: &[Write],
    ) -> Result<Vec<Result<Written, StoreError>>, StoreError> {
        let done = self.in_one_transaction(writes).await;
        if done.is_err() {
            self.memory.tail = None;
            self.memory.open.undo();
        }
        self.memory.open.undo.clear();
        done
    }

    async fn in_one_transaction(
        &mut self,
        writes: &[Write],
    ) -> Result<Vec<Result<Written, StoreError>>, StoreError> {
        let mut transaction = begin(&self.writer).await?;
        let mut all = Vec::with_capacity(writes.len());
        for write in writes {
            let memory = &mut self.memory;
            let written = match write {
                Write::Nothing => Ok(Written::Nothing),
                Write::Insert(new) => writes::insert(&mut transaction, memory, new).await,
                Write::Change(what) => {
                    let (from, change) = what.as_ref();
                    writes::change(&mut transaction, memory, from, change).await
                }
            };
            match written {
                Err(error @ StoreError::Sql(_)) => return Err(error),
                // The others wrote nothing.
                written => all.push(written),
            }
        }
        transaction.commit().await?;
        Ok(all)
    }
}
