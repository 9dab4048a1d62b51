//! Presignatures in stock: in memory alone, each given out once.
//!
//! Promises: [`Stock::take`] and [`Stock::lend`] move a presignature out, whatever becomes of
//! it then; there is no way to look at one. None is given out that is older than
//! [`PRESIGNATURE_AGE_MAX`] or for another pair. What is dropped is gone: a restart, a change of the
//! key, a peer that begins anew and any doubt cost the processor time to make others, and nothing
//! else.
//!
//! Refuses: more than [`PRESIGNATURES_PER_WALLET_MAX`] of a wallet (many that are outstanding weaken
//! the bound on forgeries) and [`PRESIGNATURES_MAX`] in all.
//!
//! Does not protect against: a copy of this process's memory that is run a second time. Do not
//! snapshot a signer's machine while it runs.

mod counts;
mod uses;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::time::Duration;

use alloy_primitives::Address;
use tercet_policy::party::Party;
use tokio::time::Instant;

use self::counts::Counts;
use self::uses::Uses;
use crate::tss::{Presignature, PresignatureCard, PresignatureId};

pub use self::counts::{ShelfLevel, StockLevels};
pub use self::uses::USES_MAX;

/// Most presignatures of one wallet with one peer.
pub const PRESIGNATURES_PER_WALLET_MAX: usize = 256;
/// Most presignatures of a node.
pub const PRESIGNATURES_MAX: usize = 16_384;
/// Most names that a side tells: what is in stock, and what was lent and may come back used.
pub const NAMES_MAX: usize = 2 * PRESIGNATURES_PER_WALLET_MAX;
/// How long a presignature may be used: an hour.
pub const PRESIGNATURE_AGE_MAX: Duration = Duration::from_secs(3_600);
/// How old a presignature may be when our part goes out first: the peer's clock may run ahead.
pub const LENT_AGE_MAX: Duration = Duration::from_secs(3_300);
/// How long one that the peer does not name is kept: its session may not have ended there yet.
pub const UNMATCHED_GRACE: Duration = Duration::from_secs(60);

/// Whose presignatures: a wallet's, with one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shelf {
    /// The wallet.
    pub wallet: Address,
    /// Who has the other halves.
    pub peer: Party,
}

/// Where to begin on a shelf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// What was made first.
    Oldest,
    /// What was made last.
    Newest,
}

/// Why a presignature was not put in stock. It is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotStocked {
    /// The wallet has as many as it may.
    #[error("the wallet has {PRESIGNATURES_PER_WALLET_MAX} presignatures in stock")]
    ShelfFull,
    /// The node has as many as it may.
    #[error("the node has {PRESIGNATURES_MAX} presignatures in stock")]
    Full,
    /// One of that name is or was there.
    #[error("a presignature of that name is in stock")]
    Repeated,
}

/// What is in stock. `V` is [`Presignature`] everywhere but in this module's tests.
pub struct Stock<V = Presignature> {
    shelves: BTreeMap<Shelf, VecDeque<Stocked<V>>>,
    count: usize,
    uses: Uses,
    counts: Counts,
}

struct Stocked<V> {
    card: PresignatureCard,
    made_at: Instant,
    value: V,
}

impl<V> Default for Stock<V> {
    fn default() -> Self {
        let (uses, counts) = (Uses::default(), Counts::default());
        Self { shelves: BTreeMap::new(), count: 0, uses, counts }
    }
}

impl Stock {
    /// Puts a presignature in stock.
    ///
    /// # Errors
    /// [`NotStocked`]; the presignature is gone.
    pub fn put(&mut self, made: Presignature, now: Instant) -> Result<(), NotStocked> {
        let card = made.card();
        self.put_value(card, made, now)
    }
}

impl<V> Stock<V> {
    fn put_value(
        &mut self,
        card: PresignatureCard,
        value: V,
        now: Instant,
    ) -> Result<(), NotStocked> {
        self.sweep(now);
        if self.count >= PRESIGNATURES_MAX {
            return Err(NotStocked::Full);
        }
        let was_used = self.uses.knows(card.id);
        let shelf = self.shelves.entry(Shelf { wallet: card.wallet, peer: card.peer }).or_default();
        if shelf.len() >= PRESIGNATURES_PER_WALLET_MAX {
            return Err(NotStocked::ShelfFull);
        }
        if was_used || shelf.iter().any(|held| held.card.id == card.id) {
            return Err(NotStocked::Repeated);
        }
        shelf.push_back(Stocked { card, made_at: now, value });
        self.count = self.count.saturating_add(1);
        self.counts.made = self.counts.made.saturating_add(1);
        Ok(())
    }

    /// Takes the presignature that a peer names out, for good. Nothing if it is not there: it was
    /// used, has grown too old, was dropped, or is another wallet's or peer's.
    pub fn take(&mut self, shelf: Shelf, id: PresignatureId, now: Instant) -> Option<V> {
        self.drop_old(shelf, now);
        let held = self.shelves.get_mut(&shelf);
        let place = held.as_ref().and_then(|held| held.iter().position(|one| one.card.id == id));
        let Some((held, place)) = held.zip(place) else {
            self.counts.not_found = self.counts.not_found.saturating_add(1);
            return None;
        };
        let taken = held.remove(place)?;
        self.uses.taken(id);
        self.gone(shelf, 1);
        self.counts.used = self.counts.used.saturating_add(1);
        Some(taken.value)
    }

    /// Takes one out, for good, for a part that goes out first. Until [`Self::settle`] the peer is
    /// told that it has not been forgotten. The two sides begin at different ends, so that they
    /// meet at the last one alone.
    pub fn lend(&mut self, shelf: Shelf, end: End, now: Instant) -> Option<V> {
        self.drop_old(shelf, now);
        let held = self.shelves.get_mut(&shelf)?;
        let is_lendable = |held: &Stocked<V>| is_lendable(held.made_at, now);
        let place = match end {
            End::Oldest => held.iter().position(is_lendable),
            End::Newest => held.iter().rposition(is_lendable),
        }?;
        let taken = held.remove(place)?;
        self.uses.lent(shelf, taken.card.id, now);
        self.gone(shelf, 1);
        self.counts.used = self.counts.used.saturating_add(1);
        Some(taken.value)
    }

    /// The use of one that was lent has ended, one way or the other.
    pub fn settle(&mut self, id: PresignatureId) {
        self.uses.settle(id);
    }

    /// The letter that this presignature was taken for has proved to be the peer's.
    pub fn used_by(&mut self, id: PresignatureId, letter: &[u8]) {
        self.uses.used_by(id, letter);
    }

    /// Whether a letter of the peer is another than its letter that used this presignature up: then
    /// the peer uses it twice. Anything else that is not in stock is nobody's fault that can be
    /// proved: the courier repeats and delays, and either side may have lost or dropped it.
    #[must_use]
    pub fn is_other_use(&self, id: PresignatureId, letter: &[u8]) -> bool {
        self.uses.is_other(id, letter)
    }

    /// How many could be lent now.
    #[must_use]
    pub fn lendable(&self, shelf: Shelf, now: Instant) -> usize {
        let held = self.shelves.get(&shelf).into_iter().flatten();
        held.filter(|held| is_lendable(held.made_at, now)).count()
    }

    /// The names of what is on a shelf or lent from it, and for how many more there is room: what
    /// the peer is told.
    pub fn told(&mut self, shelf: Shelf, now: Instant) -> (Vec<PresignatureId>, usize) {
        self.sweep(now);
        let held = self.shelves.get(&shelf);
        let on_shelf = held.map_or(0, VecDeque::len);
        let mut names: Vec<_> = held.into_iter().flatten().map(|held| held.card.id).collect();
        let lent_max = NAMES_MAX.saturating_sub(names.len());
        names.extend(self.uses.lent_from(shelf).take(lent_max));
        let room = PRESIGNATURES_PER_WALLET_MAX.saturating_sub(on_shelf);
        (names, room.min(PRESIGNATURES_MAX.saturating_sub(self.count)))
    }

    /// Keeps of a shelf only what the peer has too, and what it may not have put away yet: what is
    /// younger than `grace`. What one side lacks is of no use to the other.
    pub fn keep_only(
        &mut self,
        shelf: Shelf,
        theirs: &[PresignatureId],
        (now, grace): (Instant, Duration),
    ) {
        let theirs: BTreeSet<_> = theirs.iter().collect();
        let is_young = |made_at| now.saturating_duration_since(made_at) < grace;
        let dropped =
            self.retain(shelf, |held| theirs.contains(&held.card.id) || is_young(held.made_at));
        self.counts.unmatched = self.counts.unmatched.saturating_add(dropped);
    }

    /// Drops a wallet's, with every peer: its key has changed, or there is doubt.
    pub fn drop_wallet(&mut self, wallet: Address) {
        for peer in Party::ALL {
            self.drop_shelf(Shelf { wallet, peer });
        }
    }

    /// Drops all that the peer of a wallet has a half of: it began anew, or there is doubt.
    pub fn drop_shelf(&mut self, shelf: Shelf) {
        let dropped = self.retain(shelf, |_| false);
        self.counts.doubted = self.counts.doubted.saturating_add(dropped);
    }

    /// Counts the time that making one took.
    pub fn took(&mut self, time: Duration) {
        self.counts.making = self.counts.making.saturating_add(time);
    }

    /// How many there are in all.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What is there, and what became of what was.
    #[must_use]
    pub fn levels(&self, now: Instant) -> StockLevels {
        let level = |(shelf, held): (&Shelf, &VecDeque<Stocked<V>>)| ShelfLevel {
            wallet: shelf.wallet,
            peer: shelf.peer,
            count: held.len(),
            oldest: held.front().map(|held| now.saturating_duration_since(held.made_at)),
        };
        let shelves: Vec<_> = self.shelves.iter().map(level).collect();
        self.counts.levels(self.count, shelves)
    }

    fn retain(&mut self, shelf: Shelf, keep: impl Fn(&Stocked<V>) -> bool) -> usize {
        let Some(held) = self.shelves.get_mut(&shelf) else { return 0 };
        let before = held.len();
        held.retain(keep);
        let dropped = before.saturating_sub(held.len());
        self.gone(shelf, dropped);
        dropped
    }

    /// Drops what is too old, on every shelf.
    fn sweep(&mut self, now: Instant) {
        let shelves: Vec<_> = self.shelves.keys().copied().collect();
        shelves.into_iter().for_each(|shelf| self.drop_old(shelf, now));
        self.uses.forget_old(now);
    }

    fn drop_old(&mut self, shelf: Shelf, now: Instant) {
        let age = |made_at| now.saturating_duration_since(made_at);
        let dropped = self.retain(shelf, |held| age(held.made_at) < PRESIGNATURE_AGE_MAX);
        self.counts.expired = self.counts.expired.saturating_add(dropped);
    }

    fn gone(&mut self, shelf: Shelf, count: usize) {
        self.count = self.count.saturating_sub(count);
        if self.shelves.get(&shelf).is_some_and(VecDeque::is_empty) {
            self.shelves.remove(&shelf);
        }
    }
}

fn is_lendable(made_at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(made_at) < LENT_AGE_MAX
}

/// Tells how many there are.
impl<V> fmt::Debug for Stock<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stock({} presignatures)", self.count)
    }
}

#[cfg(test)]
mod tests;
