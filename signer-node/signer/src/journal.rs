//! What this node has agreed to sign: recorded before it is signed, and never forgotten.
//!
//! Promises:
//! - [`Journal::admit`] decides and records in one step, by one writer, and returns only after
//!   the row is durable (SQLite, write-ahead log, `synchronous=FULL`, both read back at open).
//! - Rows are only ever added, each chained to the one before by its hash. Opening reads every
//!   row, checks the chain, and rebuilds slots, limits, documents and wallets from it.
//! - Epochs of policies, enrolments and freezes only rise, over restarts too.
//! - After a failed commit everything is refused until the journal is opened anew.
//!
//! Refuses: a home with shares but no journal, or a journal older than its shares; a row that
//! was changed; a peer whose journal went back; an execution id that was used; wallets that are
//! not the agent's; whatever [`tercet_policy::admission`] refuses.
//!
//! Does not protect against: the last rows cut off together with the shares made since. Peers
//! notice that: each keeps the latest [`Head`] of the other ([`Journal::note_peer_head`]), tells
//! it at the next session, and [`Journal::compare_own_head`] seals a journal that went back. Two
//! nodes rolled back together notice nothing.

mod documents;
mod error;
mod event;
mod head;
mod holds;
mod judge;
mod payments;
mod refused;
mod roll;
mod state;
mod store;
mod writer;

use std::sync::Arc;

use alloy_primitives::Address;
use tercet_policy::admission::{AdmitError, Reserved, Submission};
use tercet_policy::document::{Authority, ContentHash, RequestId};
use tercet_policy::party::{AgentId, NodeId};
use tercet_policy::rows::{OutcomeRow, SpendRow};
use tercet_policy::rules::Policy;
use tercet_policy::time::UnixSeconds;
use tokio::sync::{mpsc, oneshot, watch};

pub use self::error::{JournalError, StoreFault, StoreFaultKind};
pub use self::head::{Head, Heard, Start};
pub use self::holds::HOLDS_OPEN_PER_AGENT_MAX;
pub use self::roll::{Roll, WalletOf};

use self::event::Event;
use self::head::Tip;
use self::state::{Opened, State};
use self::store::{Batch, Store};
use self::writer::{Command, Leaving, Live, Reply, Writer};
use crate::home::Home;
use crate::sealed::aead;

/// Most commands that one transaction makes durable.
pub const BATCH_COMMANDS_MAX: usize = 32;
/// Most commands that wait for the writer; further callers wait to get in line.
pub const QUEUE_COMMANDS_MAX: usize = 1024;
/// Largest row, in bytes: a policy of the largest size, however it is escaped.
pub const ROW_BYTES_MAX: usize = 1024 * 1024;
/// Largest journal, in pages of 4 KiB: 64 GiB, some 50 million payments.
pub const JOURNAL_PAGES_MAX: u32 = 16 * 1024 * 1024;
/// Longest reason for stopping a wallet that is kept, in characters.
pub const STOP_REASON_CHARS_MAX: usize = 500;

/// What the journal needs to know from the configuration.
#[derive(Clone, Debug)]
pub struct Pins {
    /// Who signs policies, enrolments and freezes.
    pub authority: Authority,
    /// Rules of this node's own: all that apply to a payment are asked too, and must approve it.
    pub own_policies: Vec<Policy>,
}

/// A handle to the journal. Clones are handles to the same.
#[derive(Clone, Debug)]
pub struct Journal {
    commands: mpsc::Sender<Command>,
    published: watch::Receiver<Published>,
    authority: Arc<Authority>,
}

/// What readers see without asking the writer. Always durable.
#[derive(Clone, Debug)]
struct Published {
    head: Head,
    latest: UnixSeconds,
    roll: Arc<Roll>,
}

impl Journal {
    /// Opens the journal of a home, or begins one in a home without shares. Reads and checks
    /// every row. Must be called in a Tokio runtime, where the writer then lives.
    ///
    /// # Errors
    /// [`JournalError`] for whatever makes the journal unfit to sign by.
    pub async fn open(home: Arc<Home>, pins: Pins, now: UnixSeconds) -> Result<Self, JournalError> {
        Self::open_with(home, pins, now, JOURNAL_PAGES_MAX).await
    }

    async fn open_with(
        home: Arc<Home>,
        pins: Pins,
        now: UnixSeconds,
        pages_max: u32,
    ) -> Result<Self, JournalError> {
        home.refuse_missing_journal()?;
        if !home.has_journal()? {
            home.create_journal()?;
        }
        let mut store = Store::open(&home.journal_path(), pages_max).await?;
        if store.is_blank().await? {
            refuse_shares(&home)?;
            store.create_tables().await?;
        }
        store.create_indices().await?;
        let authority = Arc::new(pins.authority);
        let mut state = State::new(Arc::clone(&authority), pins.own_policies);
        store.replay(|event, tip| state.replay(event, tip)).await?;
        if state.tip == Tip::EMPTY {
            refuse_shares(&home)?;
            begin(&mut state, &mut store, now).await?;
        }
        state.set_peer_heads(store.peer_heads().await?);
        refuse_unknown_shares(&home, &state.roll)?;
        Ok(Self::spawn(home, authority, Live { state, store }))
    }

    fn spawn(home: Arc<Home>, authority: Arc<Authority>, live: Live) -> Self {
        let roll = Arc::clone(&live.state.roll);
        let (head, latest) = (live.state.head(), live.state.latest());
        let (published, watching) = watch::channel(Published { head, latest, roll });
        let (commands, queue) = mpsc::channel(QUEUE_COMMANDS_MAX);
        tokio::spawn(Writer { live: Ok(live), published, _home: home }.run(queue));
        Self { commands, published: watching, authority }
    }

    /// How far the journal goes: what to tell a peer.
    #[must_use]
    pub fn head(&self) -> Head {
        self.published.borrow().head
    }

    /// Waits until the head has moved since this handle last waited, and yields it; nothing once
    /// the journal is closed.
    pub async fn head_moved(&mut self) -> Option<Head> {
        self.published.changed().await.ok()?;
        Some(self.published.borrow_and_update().head)
    }

    /// Our time, which never runs behind that of a payment in the journal.
    #[must_use]
    pub fn clamp(&self, now: UnixSeconds) -> UnixSeconds {
        self.published.borrow().latest.max(now)
    }

    /// Documents and wallets as of now.
    #[must_use]
    pub fn roll(&self) -> Arc<Roll> {
        Arc::clone(&self.published.borrow().roll)
    }

    /// Decides and records, in one step; returns once the row is durable. The policies, the
    /// registry, the freeze and the wallet's owner are those of this journal.
    ///
    /// # Errors
    /// [`AdmitError::Refused`] with the reason; [`AdmitError::Journal`] if it could not be
    /// recorded, after which nothing is admitted until restart.
    pub async fn admit(
        &self,
        submission: impl Into<Submission>,
        now: UnixSeconds,
    ) -> Result<Reserved, AdmitError<JournalError>> {
        self.ask_to_admit(submission.into(), None, now).await
    }

    /// [`Self::admit`] for a part of a signature that leaves at once: records in the same
    /// transaction that it does, and what the peer said of its own journal, if it is its part that
    /// is joined.
    ///
    /// # Errors
    /// As for [`Self::admit`]; [`JournalError::PeerWentBack`] before anything is judged.
    pub async fn admit_part(
        &self,
        submission: Submission,
        heard: Option<Heard>,
        now: UnixSeconds,
    ) -> Result<Reserved, AdmitError<JournalError>> {
        self.ask_to_admit(submission, Some(Leaving { heard }), now).await
    }

    async fn ask_to_admit(
        &self,
        submission: Submission,
        leaving: Option<Leaving>,
        now: UnixSeconds,
    ) -> Result<Reserved, AdmitError<JournalError>> {
        let submission = Box::new(submission);
        self.ask(|reply| Command::Admit { submission, leaving, now, reply })
            .await
            .map_err(AdmitError::Journal)?
    }

    /// Records that our part of a signature is about to leave. Does nothing for what moves
    /// nothing.
    ///
    /// # Errors
    /// [`JournalError`]; our part must not leave then.
    pub async fn release(&self, row: &SpendRow, now: UnixSeconds) -> Result<(), JournalError> {
        if !row.kind.pays() {
            return Ok(());
        }
        self.record_outcome(OutcomeRow::released(row, now)).await
    }

    /// Records what became of a payment. The same outcome twice is one row.
    ///
    /// # Errors
    /// [`JournalError::Ledger`] for an outcome that cannot follow.
    pub async fn record_outcome(&self, row: OutcomeRow) -> Result<(), JournalError> {
        self.append(Event::Outcome(Box::new(row)), Opened::Nothing).await
    }

    /// Records a new wallet. Do this **before** sealing its share: a share that the journal does
    /// not know keeps the next start from happening.
    ///
    /// # Errors
    /// [`JournalError::WalletOfAnother`] if it is known as something else.
    pub async fn add_wallet(
        &self,
        agent: AgentId,
        wallet: Address,
        request: RequestId,
    ) -> Result<(), JournalError> {
        self.append(Event::Wallet { agent, wallet, request }, Opened::Nothing).await
    }

    /// Stops all signing for a wallet until [`Journal::resume`]: for a peer's proof that failed.
    ///
    /// # Errors
    /// [`JournalError`] if it could not be recorded; the journal is sealed then.
    pub async fn stop(&self, wallet: Address, reason: &str) -> Result<(), JournalError> {
        let reason = reason.chars().take(STOP_REASON_CHARS_MAX).collect();
        self.append(Event::Stopped { wallet, reason }, Opened::Nothing).await
    }

    /// Resumes signing for a wallet: an operator has looked.
    ///
    /// # Errors
    /// [`JournalError`] if it could not be recorded.
    pub async fn resume(&self, wallet: Address) -> Result<(), JournalError> {
        self.append(Event::Resumed { wallet }, Opened::Nothing).await
    }

    /// Keeps a peer's latest head, as told over its sealed channel. One that another of the same
    /// start overtook is late, and changes nothing.
    ///
    /// # Errors
    /// [`JournalError::PeerWentBack`] for one that is behind the one kept, or beside it.
    pub async fn note_peer_head(&self, heard: Heard) -> Result<(), JournalError> {
        self.ask(|reply| Command::NotePeerHead { heard, reply }).await?
    }

    /// The latest head of a peer: what to tell it about itself.
    ///
    /// # Errors
    /// [`JournalError`] if the journal is sealed or closed.
    pub async fn peer_head(&self, node: NodeId) -> Result<Option<Head>, JournalError> {
        self.look(move |state| state.peer_head(&node)).await
    }

    /// Compares our rows with a head of ours that a peer was told, and now shows. A difference
    /// means that our disk went back, and seals the journal.
    ///
    /// # Errors
    /// [`JournalError::WentBack`]; [`JournalError::NotOurHead`], which seals nothing, for a head
    /// that this journal never told.
    pub async fn compare_own_head(&self, seen: Head) -> Result<(), JournalError> {
        self.ask(|reply| Command::CompareOwnHead { seen, reply }).await?
    }

    /// Notes an execution id for good, or whatever else may be used once: a prime.
    ///
    /// # Errors
    /// [`JournalError::ExecutionRepeats`] for one that was noted before.
    pub async fn note_execution(&self, id: [u8; 32]) -> Result<(), JournalError> {
        self.ask(|reply| Command::NoteExecution { id, reply }).await?
    }

    /// Finishes what is queued and closes the file. Other handles are refused afterwards.
    ///
    /// # Errors
    /// [`JournalError`] if the file did not close cleanly; every answered row is durable anyway.
    pub async fn close(&self) -> Result<(), JournalError> {
        self.ask(|reply| Command::Close { reply }).await?
    }

    async fn append(&self, event: Event, opened: Opened) -> Result<(), JournalError> {
        let (event, opened) = (Box::new(event), Box::new(opened));
        self.ask(|reply| Command::Append { event, opened, reply }).await?
    }

    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Result<T, JournalError> {
        self.ask(|reply| {
            Command::Look(Box::new(move |state| {
                // The asker may have left.
                let _ = reply.send(state.map(look));
            }))
        })
        .await?
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, JournalError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| JournalError::Closed)?;
        answer.await.map_err(|_| JournalError::Closed)
    }
}

/// The first row. It holds random bytes, so that a journal begun anew has another head than the
/// one the peers remember.
async fn begin(state: &mut State, store: &mut Store, now: UnixSeconds) -> Result<(), JournalError> {
    let seed = aead::random().map_err(|e| JournalError::Home(e.to_string()))?;
    let mut batch = Batch::default();
    let begun = Event::Begun { seed: ContentHash(*seed), at: now };
    state.append(&begun, Opened::Nothing, &mut batch)?;
    store.commit(&batch).await?;
    Ok(())
}

fn refuse_shares(home: &Home) -> Result<(), JournalError> {
    match home.wallets()?.len() {
        0 => Ok(()),
        shares => Err(JournalError::Missing { shares }),
    }
}

fn refuse_unknown_shares(home: &Home, roll: &Roll) -> Result<(), JournalError> {
    let unknown = home.wallets()?.into_iter().find(|wallet| roll.wallet(wallet).is_none());
    unknown.map_or(Ok(()), |wallet| Err(JournalError::OlderThanShares { wallet }))
}

#[cfg(test)]
mod tests;
