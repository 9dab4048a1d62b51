//! A session as whoever runs it holds it, and why there is none.

use tercet_api::relay::{SessionId, ToNode};
use tercet_policy::party::{NodeId, Party};
use tokio::sync::mpsc;

use super::{Purpose, Relay, Report};

/// The node is not connected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("node {0} is not connected")]
pub struct NotConnected(pub NodeId);

/// Why a session was not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotOpen {
    /// So many of its kind run already.
    #[error("{0} sessions run already")]
    TooMany(usize),
    /// A party is not connected.
    #[error(transparent)]
    NotConnected(#[from] NotConnected),
    /// The operating system gives no randomness.
    #[error("no randomness for a session's name")]
    NoRandomness,
}

/// A session in the hands of whoever runs it; dropping it ends it for all parties.
#[derive(Debug)]
pub struct OpenSession<'a> {
    pub(super) relay: &'a Relay,
    /// Its name.
    pub id: SessionId,
    pub(super) reports: mpsc::Receiver<(Party, Report)>,
}

impl OpenSession<'_> {
    /// Tells one party what the session is for. What its peers sent it before follows.
    ///
    /// # Errors
    /// [`NotConnected`]
    pub fn begin(&self, party: Party, frame: ToNode) -> Result<(), NotConnected> {
        self.relay.lock().begin(self.id, party, frame)
    }

    /// The next report; none when the session was ended elsewhere.
    pub async fn next(&mut self) -> Option<(Party, Report)> {
        self.reports.recv().await
    }
}

impl Drop for OpenSession<'_> {
    fn drop(&mut self) {
        let mut inner = self.relay.lock();
        let Some(session) = inner.sessions.remove(&self.id) else { return };
        if session.purpose == Purpose::Background {
            inner.background = inner.background.saturating_sub(1);
        }
        for (party, node) in session.seats.iter() {
            if !session.over.contains(&party) {
                let reason = "the coordinator ended the session".to_owned();
                let _ = inner.send(node, ToNode::Abort { session: self.id, reason });
            }
        }
    }
}
