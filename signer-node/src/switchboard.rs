//! What comes from the coordinator, and who takes it: documents, sessions, frames.
//!
//! Promises: documents take effect before anything that came after them; sessions are bounded in
//! number and each runs on its own; when the line is lost, every session that spoke over it ends.
//! Refuses: sessions over the limit, frames over theirs. Frames of sessions that are no longer, or
//! that do not begin within [`early::EARLY_MS_MAX`], are dropped and counted.

mod early;
mod paperwork;
pub(crate) mod parts;
pub(crate) mod session;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tercet_api::relay::{FailureKind, FromNode, SEALED_FRAME_BYTES_MAX, SessionId, ToNode};
use tercet_policy::party::Party;
use tercet_signer::gate::Signer;
use tercet_signer::session::WIRE_FRAMES_MAX;
use tokio::sync::{Semaphore, broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::progress::CeremonyProgress;
use crate::relay::Listener;
use crate::restock::Producer;
use crate::ticket::Tickets;

use self::early::Early;
use self::parts::{Brought, PARTS_MAX};
use self::session::Work;

/// Sessions at a time that give way to payments, beside those that are configured.
pub const BACKGROUND_SESSIONS_MAX: usize = 4;

/// Takes frames to where they belong.
pub(crate) struct Switchboard {
    signer: Arc<Signer>,
    outbox: mpsc::Sender<FromNode>,
    tickets: Arc<Tickets>,
    progress: broadcast::Sender<CeremonyProgress>,
    pub(crate) producer: Arc<Producer>,
    parts: Arc<Semaphore>,
    sessions: Mutex<Sessions>,
    sessions_max: usize,
    running: TaskTracker,
    is_stopping: AtomicBool,
    dropped: AtomicU64,
}

/// The sessions that run, and frames for such as are about to.
#[derive(Default)]
struct Sessions {
    seats: HashMap<SessionId, Seat>,
    early: Early,
}

/// A session's end of the line.
struct Seat {
    frames: mpsc::Sender<(Party, Vec<u8>)>,
    is_background: bool,
    cancel: CancellationToken,
}

impl Switchboard {
    pub(crate) fn new(
        signer: Arc<Signer>,
        outbox: mpsc::Sender<FromNode>,
        tickets: Arc<Tickets>,
        progress: broadcast::Sender<CeremonyProgress>,
        producer: Arc<Producer>,
        sessions_max: usize,
    ) -> Self {
        Self {
            signer,
            outbox,
            tickets,
            progress,
            producer,
            parts: Arc::new(Semaphore::new(PARTS_MAX)),
            sessions: Mutex::default(),
            sessions_max,
            running: TaskTracker::new(),
            is_stopping: AtomicBool::new(false),
            dropped: AtomicU64::new(0),
        }
    }

    /// Frames that were nobody's.
    pub(crate) fn dropped_frames(&self) -> u64 {
        let expired = self.sessions().early.drop_expired();
        self.count_dropped(expired);
        self.dropped.load(Ordering::Relaxed)
    }

    /// Sessions that run now.
    pub(crate) fn running_sessions(&self) -> usize {
        self.running.len()
    }

    /// Most that may, background ones not counted.
    pub(crate) const fn sessions_max(&self) -> usize {
        self.sessions_max
    }

    /// Takes no new session from now on, and waits for the running ones.
    pub(crate) async fn finish(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        self.running.close();
        self.running.wait().await;
    }

    /// Calls every session off.
    pub(crate) fn call_off_all(&self) {
        self.sessions().seats.values().for_each(|seat| seat.cancel.cancel());
    }

    fn begin(self: &Arc<Self>, session: SessionId, work: Work) {
        let (frames, incoming) = mpsc::channel(WIRE_FRAMES_MAX);
        let cancel = CancellationToken::new();
        let is_background = work.is_background();
        let seat = Seat { frames, is_background, cancel: cancel.clone() };
        if let Err(detail) = self.seat(session, seat) {
            let kind = FailureKind::NotReady;
            work.tell_failure(&self.tickets, kind, detail);
            self.report(FromNode::Failed { session, kind, detail: detail.to_owned() });
            return;
        }
        let board = Arc::clone(self);
        self.running.spawn(async move {
            Box::pin(session::run(&board, session, work, incoming, cancel)).await;
            board.sessions().seats.remove(&session);
        });
    }

    fn seat(&self, session: SessionId, seat: Seat) -> Result<(), &'static str> {
        if self.is_stopping() {
            return Err("this node is stopping");
        }
        let mut sessions = self.sessions();
        let early = sessions.early.take(session);
        let alike = sessions.seats.values().filter(|s| s.is_background == seat.is_background);
        let most = if seat.is_background { BACKGROUND_SESSIONS_MAX } else { self.sessions_max };
        if alike.count() >= most {
            return Err("this node is busy: it runs as many sessions as it may");
        }
        if sessions.seats.contains_key(&session) {
            return Err("the session runs already");
        }
        for frame in early {
            // The queue is empty and holds more than may come early.
            drop(seat.frames.try_send(frame));
        }
        sessions.seats.insert(session, seat);
        Ok(())
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    fn deliver(&self, session: SessionId, from: Party, bytes: Vec<u8>) {
        let mut sessions = self.sessions();
        let Some(seat) = sessions.seats.get(&session) else {
            let dropped = sessions.early.hold(session, from, bytes);
            return self.count_dropped(dropped);
        };
        if bytes.len() > SEALED_FRAME_BYTES_MAX {
            tracing::warn!(%session, %from, "a frame over the limit ends its session");
            return seat.cancel.cancel();
        }
        match seat.frames.try_send((from, bytes)) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Closed(_)) => self.count_dropped(1),
            Err(mpsc::error::TrySendError::Full(_)) => {
                tracing::warn!(%session, %from, "a flood of frames ends its session");
                seat.cancel.cancel();
            }
        }
    }

    /// Hands a frame to the line. Never waits: whoever calls this may be the line itself.
    fn report(&self, frame: FromNode) {
        if self.outbox.try_send(frame).is_err() {
            tracing::warn!("a report was dropped: the line to the coordinator takes nothing");
        }
    }

    fn count_dropped(&self, frames: u64) {
        self.dropped.fetch_add(frames, Ordering::Relaxed);
    }

    /// A panic of another holder leaves the maps whole: every change to them is one call.
    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl Listener for Arc<Switchboard> {
    async fn take(&self, frame: ToNode) {
        match frame {
            ToNode::Enrolment { document } => self.take_enrolment(document).await,
            ToNode::Freeze { document } => self.take_freeze(document).await,
            ToNode::Policy { document } => self.take_policy(document).await,
            ToNode::Registry { document } => self.take_registry(document).await,
            ToNode::Report { document } => self.take_report(document).await,
            ToNode::Prepare { session, agent } => self.begin(session, Work::Prepare { agent }),
            ToNode::Keygen { session, request } => {
                self.begin(session, Work::Keygen { request: Box::new(request) });
            }
            ToNode::Sign { session, envelope, claim, approvals } => {
                let (envelope, claim) = (Box::new(envelope), Box::new(claim));
                self.begin(session, Work::Sign { envelope, claim, approvals });
            }
            ToNode::Presign { session, wallet, count } => {
                self.begin(session, Work::Presign { wallet, count });
            }
            ToNode::Part { session, envelope, claim, approvals } => {
                self.give_part(Brought { session, envelope, claim, approvals });
            }
            ToNode::Join { session, envelope, claim, approvals, part } => {
                self.join_part(Brought { session, envelope, claim, approvals }, part);
            }
            ToNode::Frame { session, from, bytes } => self.deliver(session, from, bytes),
            ToNode::Abort { session, reason } => match self.sessions().seats.get(&session) {
                Some(seat) => {
                    tracing::info!(%session, reason, "the coordinator called a session off");
                    seat.cancel.cancel();
                }
                None => self.count_dropped(1),
            },
        }
    }

    fn line_lost(&self) {
        self.call_off_all();
    }

    fn garbage(&self) {
        self.count_dropped(1);
    }
}
