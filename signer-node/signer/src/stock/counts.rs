//! What a stock tells of itself: numbers, never a presignature.

use std::time::Duration;

use alloy_primitives::Address;
use tercet_policy::party::Party;

/// What became of presignatures since the process began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) made: usize,
    pub(super) used: usize,
    pub(super) expired: usize,
    pub(super) unmatched: usize,
    pub(super) doubted: usize,
    pub(super) not_found: usize,
    pub(super) making: Duration,
}

/// What is in stock, and what became of what was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StockLevels {
    /// In stock now.
    pub count: usize,
    /// Put in stock since the process began.
    pub made: usize,
    /// Given out.
    pub used: usize,
    /// Dropped as too old.
    pub expired: usize,
    /// Dropped because the peer had not the other half.
    pub unmatched: usize,
    /// Dropped because the peer began anew, the key changed, or there was doubt.
    pub doubted: usize,
    /// Asked for by a peer, and not there.
    pub not_found: usize,
    /// Time that making them took, summed.
    pub making: Duration,
    /// The shelves that are not empty, by wallet.
    pub shelves: Vec<ShelfLevel>,
}

/// What is in stock of a wallet with one peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShelfLevel {
    /// The wallet.
    pub wallet: Address,
    /// Who has the other halves.
    pub peer: Party,
    /// How many.
    pub count: usize,
    /// Age of the oldest.
    pub oldest: Option<Duration>,
}

impl Counts {
    pub(super) fn levels(self, count: usize, shelves: Vec<ShelfLevel>) -> StockLevels {
        let Self { made, used, expired, unmatched, doubted, not_found, making } = self;
        StockLevels { count, made, used, expired, unmatched, doubted, not_found, making, shelves }
    }
}
