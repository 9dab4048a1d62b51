//! Which presignatures went out lately, by name: what was lent and is not settled, and by which
//! letter of the peer each was used up, once that letter has proved to be the peer's.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::Shelf;
use crate::tss::PresignatureId;

/// Most uses that are remembered. What is forgotten is refused like any other that is not there.
pub const USES_MAX: usize = 32_768;
/// How long one that was lent is told to the peer: longer than any request takes where the courier
/// does not hold it back.
const LENT_MAX: Duration = Duration::from_secs(300);

#[derive(Debug, Default)]
pub(super) struct Uses {
    lent: BTreeMap<PresignatureId, (Shelf, Instant)>,
    letters: BTreeMap<PresignatureId, Option<[u8; 32]>>,
    order: VecDeque<PresignatureId>,
}

impl Uses {
    pub(super) fn lent(&mut self, shelf: Shelf, id: PresignatureId, now: Instant) {
        self.lent.insert(id, (shelf, now));
        self.remember(id, None);
    }

    pub(super) fn taken(&mut self, id: PresignatureId) {
        self.remember(id, None);
    }

    pub(super) fn used_by(&mut self, id: PresignatureId, letter: &[u8]) {
        self.remember(id, Some(Sha256::digest(letter).into()));
    }

    pub(super) fn settle(&mut self, id: PresignatureId) {
        self.lent.remove(&id);
    }

    pub(super) fn knows(&self, id: PresignatureId) -> bool {
        self.letters.contains_key(&id)
    }

    pub(super) fn is_other(&self, id: PresignatureId, letter: &[u8]) -> bool {
        let used_by = self.letters.get(&id).copied().flatten();
        used_by.is_some_and(|used_by| used_by != <[u8; 32]>::from(Sha256::digest(letter)))
    }

    pub(super) fn lent_from(&self, shelf: Shelf) -> impl Iterator<Item = PresignatureId> {
        let of_shelf = self.lent.iter().filter(move |(_, (from, _))| *from == shelf);
        of_shelf.map(|(id, _)| *id)
    }

    pub(super) fn forget_old(&mut self, now: Instant) {
        self.lent.retain(|_, (_, since)| now.saturating_duration_since(*since) < LENT_MAX);
    }

    fn remember(&mut self, id: PresignatureId, letter: Option<[u8; 32]>) {
        if self.letters.insert(id, letter).is_none() {
            self.order.push_back(id);
        }
        while self.order.len() > USES_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.letters.remove(&oldest);
            }
        }
    }
}
