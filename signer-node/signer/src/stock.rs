//! Presignatures in stock: in memory alone, each given out once.
//!
//! Promises: [`Stock::take`] moves a presignature out, whatever becomes of it then; there is no way
//! to look at one. It gives out none that is older than [`PRESIGNATURE_AGE_MAX`], of another
//! generation of shares, or for another pair. What is dropped is gone: a restart, a change of the
//! key, a peer that begins anew and any doubt cost the processor time to make others, and nothing
//! else.
//!
//! Refuses: more than [`PRESIGNATURES_PER_WALLET_MAX`] of a wallet (many that are outstanding weaken
//! the bound on forgeries) and [`PRESIGNATURES_MAX`] in all.
//!
//! Does not protect against: a copy of this process's memory that is run a second time. Do not
//! snapshot a signer's machine while it runs.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use alloy_primitives::Address;
use tercet_policy::party::Party;
use tokio::time::Instant;

use crate::tss::{Presignature, PresignatureCard, PresignatureId};

/// Most presignatures of one wallet with one peer.
pub const PRESIGNATURES_PER_WALLET_MAX: usize = 256;
/// Most presignatures of a node.
pub const PRESIGNATURES_MAX: usize = 16_384;
/// How long a presignature may be used: an hour.
pub const PRESIGNATURE_AGE_MAX: Duration = Duration::from_secs(3_600);

/// Whose presignatures: a wallet's, with one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shelf {
    /// The wallet.
    pub wallet: Address,
    /// Who has the other halves.
    pub peer: Party,
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
}

struct Stocked<V> {
    card: PresignatureCard,
    made_at: Instant,
    value: V,
}

impl<V> Default for Stock<V> {
    fn default() -> Self {
        Self { shelves: BTreeMap::new(), count: 0 }
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
        self.drop_old(now);
        if self.count >= PRESIGNATURES_MAX {
            return Err(NotStocked::Full);
        }
        let shelf = self.shelves.entry(Shelf { wallet: card.wallet, peer: card.peer }).or_default();
        if shelf.len() >= PRESIGNATURES_PER_WALLET_MAX {
            return Err(NotStocked::ShelfFull);
        }
        if shelf.iter().any(|held| held.card.id == card.id) {
            return Err(NotStocked::Repeated);
        }
        shelf.push_back(Stocked { card, made_at: now, value });
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// Takes the presignature of that name out, for good. Nothing if it is not there: it was used,
    /// has grown too old, was dropped, or is another wallet's or peer's.
    pub fn take(&mut self, shelf: Shelf, id: PresignatureId, now: Instant) -> Option<V> {
        self.drop_old(now);
        let held = self.shelves.get_mut(&shelf)?;
        let place = held.iter().position(|held| held.card.id == id)?;
        let taken = held.remove(place)?;
        self.count = self.count.saturating_sub(1);
        self.drop_empty(shelf);
        Some(taken.value)
    }

    /// The names on a shelf, the oldest first: the one to use next.
    pub fn names(&self, shelf: Shelf, now: Instant) -> impl Iterator<Item = PresignatureId> {
        let held = self.shelves.get(&shelf).into_iter().flatten();
        held.filter(move |held| is_young(held.made_at, now)).map(|held| held.card.id)
    }

    /// Keeps of a shelf only what the peer has too; what one side lacks is of no use to the other.
    pub fn keep_only(&mut self, shelf: Shelf, theirs: &[PresignatureId]) {
        self.retain(shelf, |card| theirs.contains(&card.id));
    }

    /// Drops a wallet's, with every peer: its key has changed, or there is doubt.
    pub fn drop_wallet(&mut self, wallet: Address) {
        for peer in Party::ALL {
            self.retain(Shelf { wallet, peer }, |_| false);
        }
    }

    /// Drops all that the peer of a wallet has a half of: it began anew.
    pub fn drop_shelf(&mut self, shelf: Shelf) {
        self.retain(shelf, |_| false);
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

    fn retain(&mut self, shelf: Shelf, keep: impl Fn(&PresignatureCard) -> bool) {
        let Some(held) = self.shelves.get_mut(&shelf) else { return };
        let before = held.len();
        held.retain(|held| keep(&held.card));
        self.count = self.count.saturating_sub(before.saturating_sub(held.len()));
        self.drop_empty(shelf);
    }

    fn drop_empty(&mut self, shelf: Shelf) {
        if self.shelves.get(&shelf).is_some_and(VecDeque::is_empty) {
            self.shelves.remove(&shelf);
        }
    }

    fn drop_old(&mut self, now: Instant) {
        let mut dropped = 0usize;
        self.shelves.retain(|_, held| {
            while held.front().is_some_and(|oldest| !is_young(oldest.made_at, now)) {
                held.pop_front();
                dropped = dropped.saturating_add(1);
            }
            !held.is_empty()
        });
        self.count = self.count.saturating_sub(dropped);
    }
}

fn is_young(made_at: Instant, now: Instant) -> bool {
    now.saturating_duration_since(made_at) < PRESIGNATURE_AGE_MAX
}

/// Tells how many there are.
impl<V> fmt::Debug for Stock<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stock({} presignatures)", self.count)
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::B256;

    use super::*;
    use crate::tss::AuxHash;

    const WALLET: Address = Address::repeat_byte(1);
    const SHELF: Shelf = Shelf { wallet: WALLET, peer: Party::Operator };

    fn id(n: u16) -> PresignatureId {
        PresignatureId(B256::left_padding_from(&n.to_be_bytes()))
    }

    fn card(n: u16) -> PresignatureCard {
        PresignatureCard {
            id: id(n),
            wallet: WALLET,
            key_epoch: 0,
            aux_hash: AuxHash([0; 32]),
            me: Party::Agent,
            peer: Party::Operator,
        }
    }

    fn stock(count: u16, now: Instant) -> Stock<u16> {
        let mut stock = Stock::default();
        (0..count).for_each(|n| stock.put_value(card(n), n, now).unwrap());
        stock
    }

    #[test]
    fn one_is_given_out_once() {
        let now = Instant::now();
        let mut stock = stock(3, now);
        assert_eq!(stock.names(SHELF, now).collect::<Vec<_>>(), [id(0), id(1), id(2)]);
        assert_eq!(stock.take(SHELF, id(1), now), Some(1));
        assert_eq!(stock.take(SHELF, id(1), now), None);
        let elsewhere = Shelf { peer: Party::Recovery, ..SHELF };
        assert_eq!(stock.take(elsewhere, id(0), now), None, "another pair's");
        assert_eq!((stock.len(), format!("{stock:?}")), (2, "Stock(2 presignatures)".to_owned()));
    }

    #[test]
    fn what_is_old_is_given_out_no_more() {
        let now = Instant::now();
        let mut stock = stock(2, now);
        let later = now + PRESIGNATURE_AGE_MAX;
        let just_before = later - Duration::from_nanos(1);
        assert_eq!(stock.take(SHELF, id(0), just_before), Some(0));
        assert_eq!(stock.names(SHELF, later).count(), 0);
        assert_eq!(stock.take(SHELF, id(1), later), None);
        assert!(stock.is_empty());
    }

    #[test]
    fn a_shelf_and_a_stock_are_bounded_and_names_are_their_own() {
        let now = Instant::now();
        let mut one = stock(u16::try_from(PRESIGNATURES_PER_WALLET_MAX).unwrap(), now);
        assert_eq!(one.put_value(card(9_999), 0, now), Err(NotStocked::ShelfFull));
        assert!(one.take(SHELF, id(0), now).is_some());
        assert_eq!(one.put_value(card(1), 0, now), Err(NotStocked::Repeated));
        assert_eq!(one.put_value(card(9_999), 0, now), Ok(()));

        let mut full = Stock::default();
        for n in 0..PRESIGNATURES_MAX {
            let n = u16::try_from(n).unwrap();
            let wallet = Address::left_padding_from(&(n / 200).to_be_bytes());
            full.put_value(PresignatureCard { wallet, ..card(n) }, n, now).unwrap();
        }
        assert_eq!(full.put_value(card(0), 0, now), Err(NotStocked::Full));
    }

    #[test]
    fn doubt_drops_and_only_what_both_have_is_kept() {
        let now = Instant::now();
        let mut stock = stock(5, now);
        stock.keep_only(SHELF, &[id(4), id(2), id(77)]);
        assert_eq!(stock.names(SHELF, now).collect::<Vec<_>>(), [id(2), id(4)]);
        stock.drop_wallet(Address::repeat_byte(2));
        assert_eq!(stock.len(), 2);
        stock.drop_wallet(WALLET);
        assert!(stock.is_empty() && stock.names(SHELF, now).next().is_none());
    }
}
