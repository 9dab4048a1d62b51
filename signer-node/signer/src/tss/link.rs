//! The two bounded channels between a run and the session that carries its messages.
//!
//! Promises: a run learns who sent a message from the session alone, which learns it from the
//! authenticated channel. Confidentiality and authenticity between the parties are the session's:
//! point-to-point messages hold secrets.

use std::fmt;

use tercet_policy::party::Party;
use tokio::sync::mpsc;

/// Messages in flight in one direction. A run has at most six rounds with each of two peers.
pub const LINK_MESSAGES_MAX: usize = 16;

/// What the session hands to the run.
pub enum Inbound {
    /// A round message.
    Message {
        /// The party at the other end of the channel it came on.
        from: Party,
        /// The message as it was sent.
        bytes: Vec<u8>,
    },
    /// A peer called the run off.
    Abort {
        /// The party at the other end of the channel it came on.
        from: Party,
    },
}

/// What the run hands to the session.
pub enum Outbound {
    /// A round message.
    Message {
        /// Who is to get it.
        to: Recipient,
        /// The message, opaque.
        bytes: Vec<u8>,
    },
    /// The run failed here: tell every peer, for the protocol itself does not. Always last.
    Abort,
}

/// Who is to get a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// One peer.
    One(Party),
    /// Every peer of the run, the same bytes.
    All,
}

/// The run's end.
#[derive(Debug)]
pub struct Link {
    pub(super) inbound: mpsc::Receiver<Inbound>,
    pub(super) outbound: mpsc::Sender<Outbound>,
}

/// The session's end.
#[derive(Debug)]
pub struct Courier {
    /// To the run. Dropping it calls the run off.
    pub to_run: mpsc::Sender<Inbound>,
    /// From the run. Ends when the run has ended and everything was taken.
    pub from_run: mpsc::Receiver<Outbound>,
}

/// Length alone: messages to one party hold parts of its share.
impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { from, bytes } => {
                write!(f, "Message {{ from: {from}, bytes: {} }}", bytes.len())
            }
            Self::Abort { from } => write!(f, "Abort {{ from: {from} }}"),
        }
    }
}

/// Length alone: messages to one party hold parts of its share.
impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { to, bytes } => {
                write!(f, "Message {{ to: {to:?}, bytes: {} }}", bytes.len())
            }
            Self::Abort => f.write_str("Abort"),
        }
    }
}

/// A fresh pair of ends.
#[must_use]
pub fn link() -> (Link, Courier) {
    let (to_run, inbound) = mpsc::channel(LINK_MESSAGES_MAX);
    let (outbound, from_run) = mpsc::channel(LINK_MESSAGES_MAX);
    (Link { inbound, outbound }, Courier { to_run, from_run })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_do_not_show_what_they_hold() {
        let inbound = Inbound::Message { from: Party::Agent, bytes: vec![7, 7, 7] };
        assert_eq!(format!("{inbound:?}"), "Message { from: agent, bytes: 3 }");
        let to = Recipient::One(Party::Operator);
        let outbound = Outbound::Message { to, bytes: vec![7, 7] };
        assert_eq!(format!("{outbound:?}"), "Message { to: One(Operator), bytes: 2 }");
    }
}
