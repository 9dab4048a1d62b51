//! A sealed channel between two parties of one session: Noise KK through an untrusted courier.
//!
//! Promises: what [`Channel::open`] yields was sealed by the pinned peer, for us, in this
//! session, about this proposal or ceremony, exactly once and in order. Session, parties and
//! context are mixed into the handshake (prologue), and restated inside every frame.
//! Refuses: frames that were reordered, replayed, cut, altered, or belong elsewhere; the first
//! one ends the channel for good.
//! Does not protect against: a courier that counts, delays or drops frames and sees their sizes;
//! a stolen channel key (an attacker can then pose as anyone *to its owner*: Noise section 7.7,
//! KK). The responder knows that the initiator is there, and not a replay, only when the first
//! frame opens.
//!
//! Sans I/O: bytes in, bytes out. `Noise_KK_25519_ChaChaPoly_SHA256`, revision 34, two handshake
//! messages without payload:
//!
//! ```text
//! Initiator::start ----- hello ----> Responder::accept -> Channel
//! Initiator::finish <--- reply -----
//!   -> Channel
//! ```

mod frame;
mod handshake;
mod letter;

use std::fmt;

use snow::TransportState;
use tercet_policy::party::Party;
use zeroize::{Zeroize as _, Zeroizing};

pub use self::handshake::{Initiator, Pairing, Responder};
pub use self::letter::{LETTER_BYTES_MAX, Letter, Reply, Sent};

use self::frame::{Frame, HEADER_BYTES, Incoming};

/// Largest frame, in bytes: the largest Noise message.
pub const FRAME_BYTES_MAX: usize = 65_535;
/// Largest message before it is cut into frames, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Most messages in one direction of one channel.
pub const MESSAGES_PER_SESSION_MAX: u32 = 1024;
/// Length of a session id, in bytes.
pub const SESSION_ID_BYTES: usize = 16;

const TAG_BYTES: usize = 16;
/// Message bytes that one frame carries.
const CHUNK_BYTES: usize = FRAME_BYTES_MAX - TAG_BYTES - HEADER_BYTES;

/// Why a channel did not come to be, or is over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// The other end does not hold the pinned key, or speaks of another session, other parties
    /// or another context; or the handshake was altered on its way.
    #[error("the handshake failed: another key, session, party or context at the other end")]
    Handshake,
    /// A channel needs two different parties.
    #[error("{party} cannot have a channel with itself")]
    SameParty {
        /// The party on both ends.
        party: Party,
    },
    /// The channel ended with an earlier error.
    #[error("the channel is closed after an earlier error")]
    Closed,
    /// Longer than a Noise message.
    #[error("frame of {bytes} bytes, the limit is {FRAME_BYTES_MAX}")]
    FrameTooLarge {
        /// Its length, in bytes.
        bytes: usize,
    },
    /// Not the next frame of this channel: altered, cut, replayed, reordered, or foreign.
    #[error("the frame is not the next one of this channel")]
    NotAuthentic,
    /// The peer sealed something that is not a frame of ours.
    #[error("the peer sealed a malformed frame")]
    Malformed,
    /// The peer sealed a frame for another session.
    #[error("the peer sealed a frame of another session")]
    OtherSession,
    /// The peer sealed a frame between other parties.
    #[error("the peer sealed a frame from {from} to {to}")]
    OtherParties {
        /// Index of the sender it names.
        from: u8,
        /// Index of the receiver it names.
        to: u8,
    },
    /// The peer skipped or repeated a message or a part of one.
    #[error("the peer sent message {message} part {chunk} out of order")]
    OutOfOrder {
        /// Number of the message, from 0.
        message: u32,
        /// Number of the part, from 0.
        chunk: u16,
    },
    /// A message over the limit.
    #[error("message of {bytes} bytes, the limit is {MESSAGE_BYTES_MAX}")]
    MessageTooLarge {
        /// Its length, in bytes.
        bytes: usize,
    },
    /// More messages than a session has.
    #[error("a session has at most {MESSAGES_PER_SESSION_MAX} messages in each direction")]
    TooManyMessages,
    /// The Noise library refused what it should take: a bug of ours.
    #[error("the Noise library failed: {0}")]
    Noise(String),
}

/// A whole message from the peer.
#[derive(PartialEq, Eq)]
pub struct Message {
    /// The protocol's round it belongs to, as the peer gave it.
    pub round: u16,
    /// Its bytes, wiped on drop.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message(round {}, {} bytes)", self.round, self.bytes.len())
    }
}

/// An established channel. One per session and peer; not `Clone`.
pub struct Channel {
    me: Party,
    peer: Party,
    /// Gone after the first error, with its keys.
    live: Option<Box<Live>>,
}

struct Live {
    noise: TransportState,
    session: [u8; SESSION_ID_BYTES],
    sent: u32,
    received: u32,
    incoming: Option<Incoming>,
}

impl Channel {
    fn new(noise: TransportState, pairing: &Pairing, me: Party, peer: Party) -> Self {
        let session = pairing.session;
        let live = Live { noise, session, sent: 0, received: 0, incoming: None };
        Self { me, peer, live: Some(Box::new(live)) }
    }

    /// The party at the other end, by its key and not by its word.
    #[must_use]
    pub const fn peer(&self) -> Party {
        self.peer
    }

    /// Whether an error has ended this channel.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.live.is_none()
    }

    /// Seals a message into frames, to be delivered in this order. Takes the message, and wipes
    /// it.
    ///
    /// # Errors
    /// [`ChannelError`]; the channel is closed after any of them.
    pub fn seal(&mut self, round: u16, mut message: Vec<u8>) -> Result<Vec<Vec<u8>>, ChannelError> {
        let parties = (self.me, self.peer);
        let sealed = self.run(|live| live.seal(parties, round, &message));
        message.zeroize();
        sealed
    }

    /// Opens the next frame from the peer: a message if this was its last part.
    ///
    /// # Errors
    /// [`ChannelError`]; the channel is closed after any of them.
    pub fn open(&mut self, frame: &[u8]) -> Result<Option<Message>, ChannelError> {
        let parties = (self.peer, self.me);
        self.run(|live| live.open(parties, frame))
    }

    /// Every use goes through here: an error drops keys and half a message.
    fn run<T>(
        &mut self,
        act: impl FnOnce(&mut Live) -> Result<T, ChannelError>,
    ) -> Result<T, ChannelError> {
        let mut live = self.live.take().ok_or(ChannelError::Closed)?;
        let done = act(&mut live)?;
        self.live = Some(live);
        Ok(done)
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_closed() { "closed" } else { "open" };
        write!(f, "Channel({} to {}, {state})", self.me, self.peer)
    }
}

impl Live {
    fn seal(
        &mut self,
        (from, to): (Party, Party),
        round: u16,
        message: &[u8],
    ) -> Result<Vec<Vec<u8>>, ChannelError> {
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(ChannelError::MessageTooLarge { bytes: message.len() });
        }
        let number = count(&mut self.sent)?;
        // `chunks` of nothing is no chunk at all, and an empty message is one frame.
        let chunks =
            if message.is_empty() { vec![message] } else { message.chunks(CHUNK_BYTES).collect() };
        let session = self.session;
        let frames = (0_u16..).zip(chunks).map(|(chunk, bytes)| {
            let frame = Frame {
                session,
                from: party_byte(from),
                to: party_byte(to),
                round,
                message: number,
                chunk,
                message_bytes: message.len(),
                bytes,
            };
            self.encrypt(&frame.encode())
        });
        frames.collect()
    }

    fn open(
        &mut self,
        parties: (Party, Party),
        frame: &[u8],
    ) -> Result<Option<Message>, ChannelError> {
        if frame.len() > FRAME_BYTES_MAX {
            return Err(ChannelError::FrameTooLarge { bytes: frame.len() });
        }
        let plain = self.decrypt(frame)?;
        let frame = Frame::decode(&plain).ok_or(ChannelError::Malformed)?;
        self.check_place(parties, &frame)?;
        let incoming = match self.incoming.take() {
            Some(incoming) => incoming.add(&frame)?,
            None => self.begin(&frame)?,
        };
        Ok(match incoming.finish() {
            Ok(message) => Some(message),
            Err(more_to_come) => {
                self.incoming = Some(more_to_come);
                None
            }
        })
    }

    fn check_place(
        &self,
        (from, to): (Party, Party),
        frame: &Frame<'_>,
    ) -> Result<(), ChannelError> {
        if frame.session != self.session {
            return Err(ChannelError::OtherSession);
        }
        if (frame.from, frame.to) != (party_byte(from), party_byte(to)) {
            return Err(ChannelError::OtherParties { from: frame.from, to: frame.to });
        }
        Ok(())
    }

    fn begin(&mut self, frame: &Frame<'_>) -> Result<Incoming, ChannelError> {
        let expected = count(&mut self.received)?;
        if frame.message != expected {
            return Err(frame.out_of_order());
        }
        Incoming::begin(frame)
    }

    fn encrypt(&mut self, plain: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let mut frame = vec![0; plain.len().saturating_add(TAG_BYTES)];
        self.noise
            .write_message(plain, &mut frame)
            .map_err(|e| ChannelError::Noise(e.to_string()))?;
        Ok(frame)
    }

    fn decrypt(&mut self, frame: &[u8]) -> Result<Zeroizing<Vec<u8>>, ChannelError> {
        let mut plain = Zeroizing::new(vec![0; frame.len()]);
        let bytes =
            self.noise.read_message(frame, &mut plain).map_err(|_| ChannelError::NotAuthentic)?;
        plain.truncate(bytes);
        Ok(plain)
    }
}

/// Gives the next number and counts it.
fn count(counter: &mut u32) -> Result<u32, ChannelError> {
    let number = *counter;
    if number >= MESSAGES_PER_SESSION_MAX {
        return Err(ChannelError::TooManyMessages);
    }
    *counter = number.saturating_add(1);
    Ok(number)
}

const fn party_byte(party: Party) -> u8 {
    party as u8
}

#[cfg(test)]
mod tests;
