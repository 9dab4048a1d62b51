//! Frames that came before the word that begins their session.
//!
//! The courier tells the parties of a session one after the other, so a quick party's first frame
//! can overtake the word to a slow one. What can come so early is a handshake's first message or
//! the word that a party is gone; both are short. Anything else is nobody's.

use std::collections::HashMap;
use std::time::Duration;

use tercet_api::relay::SessionId;
use tercet_policy::party::Party;
use tokio::time::Instant;

/// Longest frame that is held, in bytes: a handshake message has 48.
pub(crate) const EARLY_FRAME_BYTES_MAX: usize = 64;
/// Frames that are held for one session: two from each of two peers.
pub(crate) const EARLY_FRAMES_MAX: usize = 4;
/// Sessions for which frames are held.
pub(crate) const EARLY_SESSIONS_MAX: usize = 128;
/// How long they are held, in milliseconds.
pub(crate) const EARLY_MS_MAX: u64 = 5_000;

/// Frames waiting for their session to begin.
#[derive(Default)]
pub(super) struct Early {
    held: HashMap<SessionId, Held>,
}

struct Held {
    since: Instant,
    frames: Vec<(Party, Vec<u8>)>,
}

impl Early {
    /// Holds a frame, and yields how many frames were dropped by that: this one, if it is none that
    /// comes early, and those that waited too long.
    pub(super) fn hold(&mut self, session: SessionId, from: Party, bytes: Vec<u8>) -> u64 {
        let expired = self.drop_expired();
        let is_known = self.held.contains_key(&session);
        let has_room = is_known || self.held.len() < EARLY_SESSIONS_MAX;
        if bytes.len() > EARLY_FRAME_BYTES_MAX || !has_room {
            return expired.saturating_add(1);
        }
        let held = self.held.entry(session);
        let held = held.or_insert_with(|| Held { since: Instant::now(), frames: Vec::new() });
        if held.frames.len() >= EARLY_FRAMES_MAX {
            return expired.saturating_add(1);
        }
        held.frames.push((from, bytes));
        expired
    }

    /// What was held for a session, in the order in which it came.
    pub(super) fn take(&mut self, session: SessionId) -> Vec<(Party, Vec<u8>)> {
        self.held.remove(&session).map(|held| held.frames).unwrap_or_default()
    }

    /// Drops what waited too long, and yields how many frames that were.
    pub(super) fn drop_expired(&mut self) -> u64 {
        let mut dropped = 0u64;
        self.held.retain(|_, held| {
            let is_fresh = held.since.elapsed() <= Duration::from_millis(EARLY_MS_MAX);
            if !is_fresh {
                dropped = dropped.saturating_add(held.frames.len() as u64);
            }
            is_fresh
        });
        dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: SessionId = SessionId([1; 16]);

    #[test]
    fn short_frames_wait_in_order_and_are_bounded() {
        let mut early = Early::default();
        for byte in 0..6u8 {
            let over = u64::from(usize::from(byte) >= EARLY_FRAMES_MAX);
            assert_eq!(early.hold(SESSION, Party::Agent, vec![byte]), over);
        }
        let held: Vec<u8> = early.take(SESSION).into_iter().map(|(_, bytes)| bytes[0]).collect();
        assert_eq!(held, [0, 1, 2, 3]);
        assert!(early.take(SESSION).is_empty());
    }

    #[test]
    fn long_frames_and_too_many_sessions_are_dropped() {
        let mut early = Early::default();
        assert_eq!(early.hold(SESSION, Party::Agent, vec![0; EARLY_FRAME_BYTES_MAX + 1]), 1);
        for number in 0..EARLY_SESSIONS_MAX {
            let mut id = [9; 16];
            id[..8].copy_from_slice(&number.to_be_bytes());
            assert_eq!(early.hold(SessionId(id), Party::Agent, vec![]), 0);
        }
        assert_eq!(early.hold(SESSION, Party::Agent, vec![]), 1);
    }
}
