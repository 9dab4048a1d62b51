//! One run between parties, from the first handshake to the last comparison, over a courier that
//! is not trusted.
//!
//! Promises: the parties have proved their pinned keys to each other, speak about the same session
//! and the same subject, and are of one mind about the group's parameters before a protocol runs;
//! every wait has a deadline; a word of abort, from a peer or from our own side, ends the session
//! at once, and so does the end of the wire where something is still awaited on it.
//! Refuses: frames that are not the next of their channel, messages nobody asked for, more than
//! [`EARLY_MESSAGES_MAX`] messages ahead of time.
//! Does not protect against: a courier that drops frames or calls sessions off.
//!
//! ```text
//! handshakes (Noise KK, lower index first) -> hello -> rounds of the protocol -> closing
//! ```
//! A frame of no bytes is the courier's or a peer's unsealed word that it is gone. It has no
//! power that dropping all frames has not.

mod hello;
mod mesh;
mod run;

use std::time::Duration;

use tercet_policy::document::ContentHash;
use tercet_policy::party::Party;
use tokio::sync::mpsc;

pub use self::hello::{AbortReason, Hello, Hex32, PROTOCOL_VERSION};
pub(crate) use self::mesh::{Mesh, MeshTerms};
pub(crate) use self::run::{Nonces, RunTerms};

use crate::channel::ChannelError;
use crate::tss::{BadCall, TssError};

/// Longest wait for the handshakes and hellos, in milliseconds. The peer may still be judging.
pub const GREETING_MS_MAX: u64 = 20_000;
/// Longest wait for a peer's search for primes, in milliseconds.
pub const PRIMES_MS_MAX: u64 = 900_000;
/// Longest wait for a peer's closing message, in milliseconds.
pub const CLOSING_MS_MAX: u64 = 60_000;
/// Longest wait for the wire to take a frame, in milliseconds.
pub const SEND_MS_MAX: u64 = 15_000;
/// How long a run may go on after the wire has ended, in milliseconds: it may have all it needs.
pub const WIRE_END_MS_MAX: u64 = 2_000;
/// Most messages that are held because they came ahead of time.
pub const EARLY_MESSAGES_MAX: usize = 64;
/// Frames that one direction of a wire should hold.
pub const WIRE_FRAMES_MAX: usize = 256;

/// The two directions of a session's frames, as the courier carries them.
#[derive(Debug)]
pub struct SessionWire {
    /// Sealed frames for a party.
    pub outgoing: mpsc::Sender<(Party, Vec<u8>)>,
    /// Sealed frames, from a party by the courier's word. The seal itself decides.
    pub incoming: mpsc::Receiver<(Party, Vec<u8>)>,
}

/// What a session was about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Handshakes and hellos.
    Greeting,
    /// Agreement on the next protocol's run.
    Opening,
    /// The protocol itself.
    Rounds,
    /// Comparison of what came out.
    Closing,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Greeting => "greeting",
            Self::Opening => "opening",
            Self::Rounds => "rounds",
            Self::Closing => "closing",
        })
    }
}

/// Why a session gave nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// Time ran out.
    #[error("nothing came from {silent:?} in time ({stage})")]
    Deadline {
        /// What was being done.
        stage: Stage,
        /// Who is awaited.
        silent: Vec<Party>,
    },
    /// The wire ended.
    #[error("the wire ended ({stage})")]
    WireEnded {
        /// What was being done.
        stage: Stage,
    },
    /// Somebody called it off without saying why, or our own side did.
    #[error("the session was called off by {}", by.map_or("the courier or this node", Party::word))]
    CalledOff {
        /// Who, by the courier's word.
        by: Option<Party>,
    },
    /// A peer called it off, under its seal.
    #[error("{by} called the session off: {reason}")]
    PeerAborted {
        /// Who.
        by: Party,
        /// Why.
        reason: AbortReason,
    },
    /// A channel could not be made or broke: the courier altered frames, or the peer is another.
    #[error("the channel with {peer} failed: {error}")]
    Channel {
        /// The peer at its other end.
        peer: Party,
        /// What happened.
        error: ChannelError,
    },
    /// A peer's sealed message is not one that belongs here.
    #[error("{peer} sent what does not belong into this session")]
    OutOfPlace {
        /// Who.
        peer: Party,
    },
    /// A peer holds something else than we do.
    #[error("{peer} differs from this node in {what}")]
    Differs {
        /// Who.
        peer: Party,
        /// In what.
        what: &'static str,
    },
    /// The protocol failed.
    #[error(transparent)]
    Tss(#[from] TssError),
    /// Our mistake.
    #[error("a bug of ours: {0}")]
    Bug(&'static str),
}

impl From<BadCall> for SessionError {
    fn from(error: BadCall) -> Self {
        Self::Tss(TssError::BadCall(error))
    }
}

impl SessionError {
    /// What the peers are told.
    pub(crate) const fn abort_reason(&self) -> AbortReason {
        match self {
            Self::Differs { .. } => AbortReason::Differs,
            Self::Deadline { .. } | Self::WireEnded { .. } => AbortReason::Deadline,
            _ => AbortReason::Failed,
        }
    }
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Binds a session to its subject: the enrolment whose keys speak, and what it is about.
pub(crate) fn context(protocol: &str, parts: &[&[u8]]) -> ContentHash {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    for part in [b"tercet/session/v1".as_slice(), protocol.as_bytes()].iter().chain(parts) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    ContentHash(hash.finalize().into())
}

#[cfg(test)]
mod tests;
