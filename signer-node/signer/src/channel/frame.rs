//! What is inside a frame's ciphertext, and how frames become a message again.
//!
//! ```text
//! session 16 | from 1 | to 1 | round 2 | message 4 | chunk 2 | message bytes 4 | part of message
//! ```
//! Numbers are big-endian. Every part but the last is full, so the length of the message says
//! which part is the last.

use zeroize::Zeroizing;

use super::{CHUNK_BYTES, ChannelError, MESSAGE_BYTES_MAX, Message, SESSION_ID_BYTES};

pub(super) const HEADER_BYTES: usize = SESSION_ID_BYTES + 1 + 1 + 2 + 4 + 2 + 4;

pub(super) struct Frame<'a> {
    pub(super) session: [u8; SESSION_ID_BYTES],
    pub(super) from: u8,
    pub(super) to: u8,
    pub(super) round: u16,
    pub(super) message: u32,
    pub(super) chunk: u16,
    pub(super) message_bytes: usize,
    pub(super) bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let capacity = HEADER_BYTES.saturating_add(self.bytes.len());
        let mut plain = Zeroizing::new(Vec::with_capacity(capacity));
        plain.extend_from_slice(&self.session);
        plain.extend_from_slice(&[self.from, self.to]);
        plain.extend_from_slice(&self.round.to_be_bytes());
        plain.extend_from_slice(&self.message.to_be_bytes());
        plain.extend_from_slice(&self.chunk.to_be_bytes());
        // At most MESSAGE_BYTES_MAX, which `seal` has checked.
        let message_bytes = u32::try_from(self.message_bytes).unwrap_or(u32::MAX);
        plain.extend_from_slice(&message_bytes.to_be_bytes());
        plain.extend_from_slice(self.bytes);
        plain
    }

    pub(super) fn decode(plain: &'a [u8]) -> Option<Self> {
        let (session, rest) = plain.split_first_chunk()?;
        let (&[from, to], rest) = rest.split_first_chunk()?;
        let (round, rest) = rest.split_first_chunk()?;
        let (message, rest) = rest.split_first_chunk()?;
        let (chunk, rest) = rest.split_first_chunk()?;
        let (message_bytes, bytes) = rest.split_first_chunk()?;
        Some(Self {
            session: *session,
            from,
            to,
            round: u16::from_be_bytes(*round),
            message: u32::from_be_bytes(*message),
            chunk: u16::from_be_bytes(*chunk),
            message_bytes: usize::try_from(u32::from_be_bytes(*message_bytes)).ok()?,
            bytes,
        })
    }

    pub(super) const fn out_of_order(&self) -> ChannelError {
        ChannelError::OutOfOrder { message: self.message, chunk: self.chunk }
    }
}

/// A message of which parts are there.
pub(super) struct Incoming {
    round: u16,
    message: u32,
    next_chunk: u16,
    message_bytes: usize,
    bytes: Zeroizing<Vec<u8>>,
}

impl Incoming {
    pub(super) fn begin(frame: &Frame<'_>) -> Result<Self, ChannelError> {
        if frame.message_bytes > MESSAGE_BYTES_MAX {
            return Err(ChannelError::MessageTooLarge { bytes: frame.message_bytes });
        }
        // Sized beforehand, so that no grown-out-of buffer stays behind in freed memory.
        let bytes = Zeroizing::new(Vec::with_capacity(frame.message_bytes));
        let (round, message, message_bytes) = (frame.round, frame.message, frame.message_bytes);
        Self { round, message, next_chunk: 0, message_bytes, bytes }.add(frame)
    }

    pub(super) fn add(mut self, frame: &Frame<'_>) -> Result<Self, ChannelError> {
        if (frame.message, frame.chunk) != (self.message, self.next_chunk) {
            return Err(frame.out_of_order());
        }
        let missing = self.message_bytes.saturating_sub(self.bytes.len());
        let same_message = (frame.round, frame.message_bytes) == (self.round, self.message_bytes);
        if !same_message || frame.bytes.len() != missing.min(CHUNK_BYTES) {
            return Err(ChannelError::Malformed);
        }
        self.bytes.extend_from_slice(frame.bytes);
        self.next_chunk = self.next_chunk.checked_add(1).ok_or(ChannelError::Malformed)?;
        Ok(self)
    }

    /// The message, or what is there of it.
    pub(super) fn finish(self) -> Result<Message, Self> {
        if self.bytes.len() == self.message_bytes {
            Ok(Message { round: self.round, bytes: self.bytes })
        } else {
            Err(self)
        }
    }
}
