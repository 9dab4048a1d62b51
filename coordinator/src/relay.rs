//! The courier: which nodes are connected, which sessions run, and who may send to whom.
//!
//! Promises: a frame goes only from a party of a session to another party of it, within
//! [`SESSION_FRAMES_MAX`]; a party gets nothing of a session before it was told what the session
//! is for, and then all of it; when one party refuses, fails or leaves, the others are told at once;
//! a node that does not read what it is sent is dropped, and no other node waits for it.
//!
//! Does not protect against: a coordinator that drops or delays frames. What a frame says is
//! sealed between the nodes, and they believe none of the names here.

mod open;
mod seats;
pub mod socket;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tercet_api::relay::{
    FailureKind, FromNode, Outcome, SESSION_FRAMES_MAX, SealedPart, SessionId, ToNode,
};
use tercet_policy::party::{NodeId, Party};
use tercet_policy::refusal::Refusal;
use tokio::sync::{mpsc, watch};

pub use open::{CannotOpen, NotConnected, OpenSession};
pub use seats::Seats;

/// Frames waiting for one node before it is dropped.
pub const NODE_QUEUE_FRAMES_MAX: usize = 1_024;
/// Sessions at once.
pub const SESSIONS_MAX: usize = 4_096;
/// Sessions at once that nobody waits for.
pub const BACKGROUND_SESSIONS_MAX: usize = 64;
/// Events of one session waiting for whoever runs it.
const SESSION_EVENTS_MAX: usize = 128;
/// Frames kept for a party that was not yet told what its session is for; a peer that greets first
/// sends a handful.
const EARLY_FRAMES_MAX: usize = 64;
/// Room that progress leaves for what counts: every party has at most four other events.
const SESSION_EVENTS_RESERVED: usize = 16;

/// What a session's parties report to whoever runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// How far it is.
    Progress {
        /// What is being done.
        stage: String,
        /// Steps done.
        done: u32,
        /// Steps in all.
        total: u32,
    },
    /// The payment was admitted there.
    Admitted,
    /// The node's part of a payment's signature; it has no more to say.
    Part(SealedPart),
    /// It ended well there.
    Done(Outcome),
    /// The node says no.
    Refused(Refusal),
    /// It failed there.
    Failed {
        /// Whose doing.
        kind: FailureKind,
        /// For people.
        detail: String,
    },
    /// The node is gone.
    Lost,
}

/// All connections and sessions.
#[derive(Debug)]
pub struct Relay {
    inner: Mutex<Inner>,
    arrivals: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    next_connection: u64,
    nodes: HashMap<NodeId, Line>,
    sessions: HashMap<SessionId, Session>,
    /// How many of them nobody waits for.
    background: usize,
}

#[derive(Debug)]
struct Line {
    connection: u64,
    queue: mpsc::Sender<ToNode>,
}

#[derive(Debug)]
struct Session {
    seats: Seats,
    purpose: Purpose,
    frames: HashMap<Party, u32>,
    /// Frames for parties that do not know of the session yet; none for those that do.
    early: HashMap<Party, Vec<ToNode>>,
    over: Vec<Party>,
    reports: mpsc::Sender<(Party, Report)>,
}

/// Who waits for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Asked,
    Background,
}

/// One node's connection, as the socket holds it.
#[derive(Debug)]
pub struct Connection {
    /// The node.
    pub node: NodeId,
    /// Which connection of it.
    pub serial: u64,
    /// What to send; closed when the relay drops the node.
    pub queue: mpsc::Receiver<ToNode>,
}

impl Default for Relay {
    fn default() -> Self {
        Self { inner: Mutex::default(), arrivals: watch::Sender::new(0) }
    }
}

impl Relay {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here stops half way, so a poisoned lock still guards a whole table.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a node in; an older connection of it is dropped.
    pub fn connect(&self, node: &NodeId) -> Connection {
        let (sender, queue) = mpsc::channel(NODE_QUEUE_FRAMES_MAX);
        let mut inner = self.lock();
        if inner.nodes.contains_key(node) {
            inner.lose(node);
        }
        inner.next_connection = inner.next_connection.saturating_add(1);
        let serial = inner.next_connection;
        inner.nodes.insert(node.clone(), Line { connection: serial, queue: sender });
        drop(inner);
        self.arrivals.send_modify(|count| *count = count.wrapping_add(1));
        Connection { node: node.clone(), serial, queue }
    }

    /// Forgets a connection, unless a newer one of the node took its place.
    pub fn disconnect(&self, node: &NodeId, serial: u64) {
        let mut inner = self.lock();
        if inner.nodes.get(node).is_some_and(|line| line.connection == serial) {
            inner.lose(node);
        }
    }

    /// Drops a node whose key no longer counts.
    pub fn drop_node(&self, node: &NodeId) {
        self.lock().lose(node);
    }

    /// Drops every connection.
    pub fn disconnect_all(&self) {
        let mut inner = self.lock();
        let nodes: Vec<_> = inner.nodes.keys().cloned().collect();
        nodes.iter().for_each(|node| inner.lose(node));
    }

    /// Whether a node is connected now.
    #[must_use]
    pub fn is_connected(&self, node: &NodeId) -> bool {
        self.lock().nodes.contains_key(node)
    }

    /// Whether all of these are connected now.
    #[must_use]
    pub fn are_connected(&self, seats: &Seats) -> bool {
        let inner = self.lock();
        seats.iter().all(|(_, node)| inner.nodes.contains_key(node))
    }

    /// The nodes that are connected now.
    #[must_use]
    pub fn connected(&self) -> Vec<NodeId> {
        self.lock().nodes.keys().cloned().collect()
    }

    /// Waits until all of `nodes` are connected. Give it a time limit.
    pub async fn wait_for(&self, nodes: &[NodeId]) {
        let mut arrivals = self.arrivals.subscribe();
        while !nodes.iter().all(|node| self.is_connected(node)) {
            // The sender lives as long as this relay.
            let _ = arrivals.changed().await;
        }
    }

    /// Sends to a node that is connected; one that is not learns it when it connects.
    ///
    /// # Errors
    /// [`NotConnected`], also when its queue is full: then the node is dropped.
    pub fn send(&self, node: &NodeId, frame: ToNode) -> Result<(), NotConnected> {
        self.lock().send(node, frame)
    }

    /// Opens a session between connected nodes.
    ///
    /// # Errors
    /// [`CannotOpen`]
    pub fn open(&self, seats: Seats) -> Result<OpenSession<'_>, CannotOpen> {
        self.open_as(seats, Purpose::Asked)
    }

    /// Opens a session that nobody waits for. It takes no place of those that somebody waits for.
    ///
    /// # Errors
    /// [`CannotOpen`]
    pub fn open_background(&self, seats: Seats) -> Result<OpenSession<'_>, CannotOpen> {
        self.open_as(seats, Purpose::Background)
    }

    fn open_as(&self, seats: Seats, purpose: Purpose) -> Result<OpenSession<'_>, CannotOpen> {
        let mut id = [0u8; 16];
        getrandom::fill(&mut id).map_err(|_| CannotOpen::NoRandomness)?;
        let (reports, receiver) = mpsc::channel(SESSION_EVENTS_MAX);
        let mut inner = self.lock();
        let (running, limit) = match purpose {
            Purpose::Asked => (inner.sessions.len().saturating_sub(inner.background), SESSIONS_MAX),
            Purpose::Background => (inner.background, BACKGROUND_SESSIONS_MAX),
        };
        if running >= limit {
            return Err(CannotOpen::TooMany(limit));
        }
        if let Some((_, node)) = seats.iter().find(|(_, node)| !inner.nodes.contains_key(*node)) {
            return Err(NotConnected(node.clone()).into());
        }
        let id = SessionId(id);
        let session = Session {
            seats: seats.clone(),
            purpose,
            frames: HashMap::new(),
            early: seats.iter().map(|(party, _)| (party, Vec::new())).collect(),
            over: Vec::new(),
            reports,
        };
        inner.sessions.insert(id, session);
        if purpose == Purpose::Background {
            inner.background = inner.background.saturating_add(1);
        }
        drop(inner);
        Ok(OpenSession { relay: self, id, reports: receiver })
    }

    /// Takes a session's frame from a node. Frames of unknown sessions, of strangers to the
    /// session and beyond the limit are dropped.
    pub fn receive(&self, node: &NodeId, frame: FromNode) {
        let mut inner = self.lock();
        match frame {
            FromNode::Frame { session, to, bytes } => inner.forward(node, session, to, bytes),
            FromNode::Progress { session, stage, done, total } => {
                inner.report(node, session, Report::Progress { stage, done, total });
            }
            FromNode::Admitted { session } => inner.report(node, session, Report::Admitted),
            FromNode::Done { session, outcome } => {
                inner.report(node, session, Report::Done(outcome));
            }
            FromNode::Refused { session, refusal } => {
                inner.report(node, session, Report::Refused(refusal));
            }
            FromNode::Failed { session, kind, detail } => {
                inner.report(node, session, Report::Failed { kind, detail });
            }
            FromNode::Part { session, part } => inner.report(node, session, Report::Part(part)),
            // Of no session; the socket takes them.
            FromNode::Head { .. } | FromNode::Document { .. } | FromNode::Restock { .. } => {}
        }
    }
}

impl Inner {
    fn send(&mut self, node: &NodeId, frame: ToNode) -> Result<(), NotConnected> {
        let line = self.nodes.get(node).ok_or_else(|| NotConnected(node.clone()))?;
        if line.queue.try_send(frame).is_ok() {
            return Ok(());
        }
        tracing::warn!(%node, "the node does not read what it is sent; it is dropped");
        self.lose(node);
        Err(NotConnected(node.clone()))
    }

    fn lose(&mut self, node: &NodeId) {
        self.nodes.remove(node);
        let parted: Vec<_> = self
            .sessions
            .iter()
            .filter_map(|(id, session)| session.seats.party_of(node).map(|party| (*id, party)))
            .collect();
        for (id, party) in parted {
            self.end_for(id, party, Report::Lost);
        }
    }

    fn forward(&mut self, from: &NodeId, id: SessionId, to: Party, bytes: Vec<u8>) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(party) = session.seats.party_of(from) else {
            tracing::warn!(node = %from, session = %id, "a frame of a stranger to the session");
            return;
        };
        let count = session.frames.entry(party).or_default();
        *count = count.saturating_add(1);
        let receiver = session.seats.node(to).filter(|_| party != to).cloned();
        if *count > SESSION_FRAMES_MAX || session.over.contains(&party) {
            return;
        }
        let Some(node) = receiver else { return };
        let frame = ToNode::Frame { session: id, from: party, bytes };
        match session.early.get_mut(&to) {
            Some(early) if early.len() < EARLY_FRAMES_MAX => early.push(frame),
            Some(_) => {
                tracing::warn!(session = %id, %to, "too many frames before the session began")
            }
            // A receiver that is gone has been reported as lost.
            None => drop(self.send(&node, frame)),
        }
    }

    /// Tells a party what the session is for, and then what came for it before that.
    fn begin(&mut self, id: SessionId, party: Party, frame: ToNode) -> Result<(), NotConnected> {
        let Some(session) = self.sessions.get_mut(&id) else { return Ok(()) };
        let early = session.early.remove(&party).unwrap_or_default();
        let Some(node) = session.seats.node(party).cloned() else { return Ok(()) };
        self.send(&node, frame)?;
        early.into_iter().try_for_each(|frame| self.send(&node, frame))
    }

    fn report(&mut self, from: &NodeId, id: SessionId, report: Report) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(party) = session.seats.party_of(from) else { return };
        match report {
            Report::Progress { .. } => {
                if session.reports.capacity() > SESSION_EVENTS_RESERVED {
                    let _ = session.reports.try_send((party, report));
                }
            }
            Report::Admitted if !session.over.contains(&party) => {
                if session.reports.capacity() > SESSION_EVENTS_RESERVED / 2 {
                    let _ = session.reports.try_send((party, report));
                }
            }
            Report::Admitted => {}
            _ => self.end_for(id, party, report),
        }
    }

    /// The session is over for one party; unless it ended well, it is over for the others too.
    fn end_for(&mut self, id: SessionId, party: Party, report: Report) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.over.contains(&party) {
            return;
        }
        session.over.push(party);
        let reason = match &report {
            Report::Done(_) | Report::Part(_) => None,
            Report::Refused(refusal) => Some(format!("the {party} refused: {refusal}")),
            Report::Failed { detail, .. } => Some(format!("the {party} failed: {detail}")),
            _ => Some(format!("the {party} is gone")),
        };
        let _ = session.reports.try_send((party, report));
        let Some(reason) = reason else { return };
        let others: Vec<_> = session
            .seats
            .iter()
            .filter(|(other, _)| *other != party && !session.over.contains(other))
            .map(|(_, node)| node.clone())
            .collect();
        for node in others {
            let _ = self.send(&node, ToNode::Abort { session: id, reason: reason.clone() });
        }
    }
}

#[cfg(test)]
mod tests;
