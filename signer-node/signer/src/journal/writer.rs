//! The one task that reads and changes the journal.
//!
//! It takes what is waiting, up to [`BATCH_COMMANDS_MAX`], judges each in order against the state
//! in memory, writes all rows in one transaction, and only then answers. If that transaction
//! fails, memory and disk may differ: the state is dropped, and every caller, of this batch and
//! after it, is refused until the journal is opened anew.

use std::sync::Arc;

use tercet_policy::admission::{AdmitError, Reserved, Submission};
use tercet_policy::intent::IntentId;
use tercet_policy::rows::SpendRow;
use tercet_policy::time::UnixSeconds;
use tokio::sync::{mpsc, oneshot, watch};

use super::error::JournalError;
use super::event::Event;
use super::state::{Opened, State};
use super::store::{Batch, Store};
use super::{BATCH_COMMANDS_MAX, Head, Heard, Published};
use crate::home::Home;

pub(super) type Reply<T> = oneshot::Sender<T>;
pub(super) type Admitted = Result<Reserved, AdmitError<JournalError>>;

/// What can be asked of the writer.
pub(super) enum Command {
    Admit {
        submission: Box<Submission>,
        leaving: Option<Leaving>,
        now: UnixSeconds,
        reply: Reply<Admitted>,
    },
    Append {
        event: Box<Event>,
        opened: Box<Opened>,
        reply: Reply<Result<(), JournalError>>,
    },
    NotePeerHead {
        heard: Heard,
        reply: Reply<Result<(), JournalError>>,
    },
    NoteExecution {
        id: [u8; 32],
        reply: Reply<Result<(), JournalError>>,
    },
    CompareOwnHead {
        seen: Head,
        reply: Reply<Result<(), JournalError>>,
    },
    FindSpend {
        intent: IntentId,
        reply: Reply<Result<Option<SpendRow>, JournalError>>,
    },
    Look(Look),
    Close {
        reply: Reply<Result<(), JournalError>>,
    },
}

/// A question to the state, asked between two batches.
pub(super) type Look = Box<dyn FnOnce(Result<&State, JournalError>) + Send>;

/// That a part of a signature leaves as soon as it is recorded.
pub(super) struct Leaving {
    /// What the peer whose part is joined said of its journal.
    pub(super) heard: Option<Heard>,
}

/// What is told to a caller once it is known whether its batch is durable.
type Answer = Box<dyn FnOnce(Result<&[bool], &JournalError>) + Send>;

pub(super) struct Writer {
    pub(super) live: Result<Live, JournalError>,
    pub(super) published: watch::Sender<Published>,
    /// Keeps the home locked for as long as the journal is open.
    pub(super) _home: Arc<Home>,
}

pub(super) struct Live {
    pub(super) state: State,
    pub(super) store: Store,
}

impl Writer {
    /// Serves until every handle is gone or the journal is closed.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut batch = Vec::with_capacity(BATCH_COMMANDS_MAX);
        while commands.recv_many(&mut batch, BATCH_COMMANDS_MAX).await > 0 {
            if let Some(closed) = self.serve(batch.drain(..)).await {
                commands.close();
                let result = self.close().await;
                // Who is told that the journal is closed may want its home at once.
                drop(self);
                // The asker may be gone; the journal is closed all the same.
                let _ = closed.send(result);
                return;
            }
        }
        if let Err(fault) = self.close().await {
            tracing::warn!(%fault, "the journal did not close cleanly");
        }
    }

    /// Serves one batch. Yields who asked to close, if somebody did.
    async fn serve(
        &mut self,
        commands: impl Iterator<Item = Command>,
    ) -> Option<Reply<Result<(), JournalError>>> {
        let mut batch = Batch::default();
        let mut answers: Vec<Answer> = Vec::new();
        let mut later = Vec::new();
        for command in commands {
            match command {
                Command::Look(_)
                | Command::FindSpend { .. }
                | Command::CompareOwnHead { .. }
                | Command::Close { .. } => later.push(command),
                command => answers.push(self.judge(command, &mut batch)),
            }
        }
        let committed = self.commit(batch).await;
        for answer in answers {
            answer(committed.as_deref());
        }
        let mut closing = None;
        for command in later {
            closing = self.after_commit(command).await.or(closing);
        }
        closing
    }

    fn judge(&mut self, command: Command, batch: &mut Batch) -> Answer {
        let state = match &mut self.live {
            Ok(live) => Ok(&mut live.state),
            Err(sealed) => Err(sealed.clone()),
        };
        match command {
            Command::Admit { submission, leaving, now, reply } => {
                let admitted = state.map_err(AdmitError::Journal).and_then(|state| match leaving {
                    None => state.admit(*submission, now, batch),
                    Some(leaving) => state.admit_part(*submission, leaving, now, batch),
                });
                answer_if_durable(reply, admitted, AdmitError::Journal)
            }
            Command::Append { event, opened, reply } => {
                let appended = state.and_then(|state| state.append(&event, *opened, batch));
                answer_if_durable(reply, appended, |e| e)
            }
            Command::NotePeerHead { heard, reply } => {
                let noted = state.and_then(|state| state.note_peer_head(heard, batch));
                answer_if_durable(reply, noted, |e| e)
            }
            Command::NoteExecution { id, reply } => {
                let place = batch.executions.len();
                batch.executions.push(id);
                answer_execution(reply, id, place)
            }
            // Served after the commit.
            Command::Look(_)
            | Command::FindSpend { .. }
            | Command::CompareOwnHead { .. }
            | Command::Close { .. } => Box::new(|_| ()),
        }
    }

    /// Makes the batch durable and shows it to the readers, or seals the journal.
    async fn commit(&mut self, batch: Batch) -> Result<Vec<bool>, JournalError> {
        let live = self.live.as_mut().map_err(|sealed| sealed.clone())?;
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        match live.store.commit(&batch).await {
            Ok(new_executions) => {
                let roll = Arc::clone(&live.state.roll);
                let (head, latest) = (live.state.head(), live.state.latest());
                self.published.send_replace(Published { head, latest, roll });
                Ok(new_executions)
            }
            Err(fault) => {
                self.seal(fault.to_string());
                Err(JournalError::Store(fault))
            }
        }
    }

    async fn after_commit(&mut self, command: Command) -> Option<Reply<Result<(), JournalError>>> {
        match command {
            Command::Look(look) => {
                look(self.live.as_ref().map(|live| &live.state).map_err(Clone::clone));
                None
            }
            Command::FindSpend { intent, reply } => {
                // The asker may have left.
                let _ = reply.send(self.find_spend(&intent).await);
                None
            }
            Command::CompareOwnHead { seen, reply } => {
                // The asker may have left; the seal stays.
                let _ = reply.send(self.compare_own_head(seen).await);
                None
            }
            Command::Close { reply } => Some(reply),
            _ => None,
        }
    }

    async fn find_spend(&mut self, intent: &IntentId) -> Result<Option<SpendRow>, JournalError> {
        let live = self.live.as_mut().map_err(|sealed| sealed.clone())?;
        live.store.first_spend(intent).await
    }

    async fn compare_own_head(&mut self, seen: Head) -> Result<(), JournalError> {
        let live = self.live.as_mut().map_err(|sealed| sealed.clone())?;
        let ours = Box::new(live.state.head());
        let seen = Box::new(seen);
        let Some(tip) = live.state.own_tip(&seen) else {
            return Err(JournalError::NotOurHead { seen });
        };
        if live.store.hash_at(tip.rows).await? == Some(tip.hash) {
            return Ok(());
        }
        let went_back = JournalError::WentBack { seen, ours };
        self.seal(went_back.to_string());
        Err(went_back)
    }

    fn seal(&mut self, after: String) {
        tracing::error!(%after, "the journal is sealed: nothing is signed until restart");
        self.live = Err(JournalError::Sealed { after });
    }

    async fn close(&mut self) -> Result<(), JournalError> {
        let live = std::mem::replace(&mut self.live, Err(JournalError::Closed))?;
        Ok(live.store.close().await?)
    }
}

/// Gives a caller what was decided if it is durable, and the failure otherwise. Refusals wait
/// too: they may rest on rows of the same batch.
fn answer_if_durable<T: Send + 'static, E: Send + 'static>(
    reply: Reply<Result<T, E>>,
    decided: Result<T, E>,
    failure: fn(JournalError) -> E,
) -> Answer {
    Box::new(move |committed| {
        let answer = match committed {
            Ok(_) => decided,
            Err(fault) => Err(failure(fault.clone())),
        };
        // A caller that left does not undo the row: it counts until the chain says otherwise.
        let _ = reply.send(answer);
    })
}

fn answer_execution(reply: Reply<Result<(), JournalError>>, id: [u8; 32], place: usize) -> Answer {
    Box::new(move |committed| {
        let answer = match committed.map(|new| new.get(place)) {
            Ok(Some(true)) => Ok(()),
            Ok(_) => Err(JournalError::ExecutionRepeats { id: hex::encode(id) }),
            Err(fault) => Err(fault.clone()),
        };
        let _ = reply.send(answer);
    })
}
