//! What a running node tells of itself, to this machine: `GET /status`.
//!
//! Promises: numbers, names of agents and addresses of wallets; never a secret, a payee, an amount
//! or a presignature. Lists end at a limit, beside a count that does not.
//! Does not protect against: other users of this machine. Whoever can open a socket on loopback can
//! read this; wallets and who owns them are not secret, but are nobody else's business.

use std::collections::BTreeMap;
use std::time::Duration;

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};
use tercet_policy::document::ContentHash;
use tercet_policy::party::{AgentId, NodeId, Party};
use tercet_policy::rows::TripRow;
use tercet_signer::stock::{
    PRESIGNATURE_AGE_MAX, PRESIGNATURES_MAX, PRESIGNATURES_PER_WALLET_MAX, StockLevels,
};
use tercet_signer::vault::PrimeLevels;

use crate::restock::StockWish;

/// Most wallets that are listed: of those that are stopped, and of those with presignatures.
pub const STATUS_WALLETS_MAX: usize = 20;

/// What `/status` answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Release of the node's program.
    pub version: String,
    /// The node.
    pub node: NodeId,
    /// Its role.
    pub role: Party,
    /// How long it has run, in seconds.
    pub up_seconds: u64,
    /// Whether a payment could be signed now, as far as this node is concerned.
    pub ready: bool,
    /// Whether the line to the coordinator stands.
    pub connected: bool,
    /// The bug after which it refuses, if there was one.
    pub bug: Option<String>,
    /// The fault after which its journal admits nothing, if there was one.
    pub journal_fault: Option<String>,
    /// Rows in its journal.
    pub journal_rows: u64,
    /// Hash of its journal's last row.
    pub journal_head: ContentHash,
    /// The wallets it holds shares of.
    pub wallets: WalletStatus,
    /// Agents that a rule of their policy stopped, until the authority thaws them.
    pub tripped: Vec<TripRow>,
    /// What runs now.
    pub work: WorkStatus,
    /// Presignatures.
    pub presignatures: PresignatureStatus,
    /// Primes for groups to come.
    pub primes: PrimeStatus,
}

/// Wallets of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletStatus {
    /// How many it holds shares of.
    pub held: usize,
    /// For how many signing is stopped.
    pub stopped: usize,
    /// The first of those.
    pub stopped_first: Vec<StoppedWallet>,
}

/// A wallet for which signing is stopped until an operator has looked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoppedWallet {
    /// The wallet.
    pub wallet: Address,
    /// Whose it is.
    pub agent: Option<AgentId>,
    /// Why.
    pub reason: String,
}

/// What runs at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkStatus {
    /// Sessions with peers.
    pub sessions: usize,
    /// Sessions that may run at a time, background ones not counted.
    pub sessions_max: usize,
    /// Threads that compute for payments and new wallets.
    pub payment_runs: usize,
    /// Threads that compute what gives way to those.
    pub background_runs: usize,
    /// Frames that were nobody's, since the start.
    pub dropped_frames: u64,
}

/// Presignatures of a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PresignatureStatus {
    /// In stock.
    pub in_stock: usize,
    /// Most that may be, in all.
    pub in_stock_max: usize,
    /// Most that may be of one wallet with one peer.
    pub per_wallet_max: usize,
    /// How long one may be used, in seconds.
    pub age_seconds_max: u64,
    /// Wallets that have some.
    pub wallets: usize,
    /// Age of the oldest, in seconds.
    pub oldest_seconds: Option<u64>,
    /// Made since the start.
    pub made: usize,
    /// Used.
    pub used: usize,
    /// Dropped as too old.
    pub expired: usize,
    /// Dropped because the peer had not the other half.
    pub unmatched: usize,
    /// Dropped because the peer began anew, the key changed, or there was doubt.
    pub doubted: usize,
    /// Asked for by a peer, and not there.
    pub not_found: usize,
    /// Time that making them took, summed, in milliseconds.
    pub making_ms: u64,
    /// The wallets that pay most, then those with most in stock.
    pub first: Vec<WalletStock>,
}

/// Presignatures of one wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletStock {
    /// The wallet.
    pub wallet: Address,
    /// Who has the other halves; nobody where there are none.
    pub peer: Option<Party>,
    /// In stock.
    pub in_stock: usize,
    /// Age of the oldest, in seconds.
    pub oldest_seconds: Option<u64>,
    /// Payments in the last minute, where this node keeps the stock up.
    pub per_minute: Option<usize>,
    /// How many there are to be now, where this node keeps the stock up.
    pub target: Option<usize>,
}

/// Sets of primes of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrimeStatus {
    /// In stock: groups that need not wait for a search.
    pub in_stock: usize,
    /// How many there are to be.
    pub wanted: usize,
    /// Found ahead of need, since the start.
    pub found: u64,
    /// Used from stock.
    pub used: u64,
    /// Dropped: damaged, or used before.
    pub dropped: u64,
    /// Searched for while somebody waited.
    pub awaited: u64,
}

impl PrimeStatus {
    pub(crate) const fn of(levels: PrimeLevels, wanted: usize) -> Self {
        let PrimeLevels { in_stock, found, used, dropped, awaited, .. } = levels;
        Self { in_stock, wanted, found, used, dropped, awaited }
    }
}

impl PresignatureStatus {
    pub(crate) fn of(levels: &StockLevels, wishes: &[StockWish]) -> Self {
        let wallets: std::collections::BTreeSet<_> =
            levels.shelves.iter().map(|shelf| shelf.wallet).collect();
        let oldest = levels.shelves.iter().filter_map(|shelf| shelf.oldest).max();
        Self {
            in_stock: levels.count,
            in_stock_max: PRESIGNATURES_MAX,
            per_wallet_max: PRESIGNATURES_PER_WALLET_MAX,
            age_seconds_max: PRESIGNATURE_AGE_MAX.as_secs(),
            wallets: wallets.len(),
            oldest_seconds: oldest.map(|age| age.as_secs()),
            made: levels.made,
            used: levels.used,
            expired: levels.expired,
            unmatched: levels.unmatched,
            doubted: levels.doubted,
            not_found: levels.not_found,
            making_ms: millis(levels.making),
            first: first(levels, wishes),
        }
    }
}

/// Shelves and wishes by wallet, those that matter most first.
fn first(levels: &StockLevels, wishes: &[StockWish]) -> Vec<WalletStock> {
    let mut wished: BTreeMap<_, _> = wishes.iter().map(|wish| (wish.wallet, *wish)).collect();
    let mut all: Vec<_> = levels
        .shelves
        .iter()
        .map(|shelf| {
            let wish = wished.remove(&shelf.wallet);
            WalletStock {
                wallet: shelf.wallet,
                peer: Some(shelf.peer),
                in_stock: shelf.count,
                oldest_seconds: shelf.oldest.map(|age| age.as_secs()),
                per_minute: wish.map(|wish| wish.per_minute),
                target: wish.map(|wish| wish.target),
            }
        })
        .collect();
    all.extend(wished.into_values().map(|wish| WalletStock {
        wallet: wish.wallet,
        peer: None,
        in_stock: 0,
        oldest_seconds: None,
        per_minute: Some(wish.per_minute),
        target: Some(wish.target),
    }));
    all.sort_by_key(|stock| std::cmp::Reverse((stock.per_minute, stock.in_stock)));
    all.truncate(STATUS_WALLETS_MAX);
    all
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tercet_signer::stock::ShelfLevel;

    use super::*;

    fn shelf(last: u8, count: usize) -> ShelfLevel {
        let oldest = Some(Duration::from_secs(u64::from(last)));
        ShelfLevel { wallet: Address::with_last_byte(last), peer: Party::Operator, count, oldest }
    }

    #[test]
    fn the_wallets_that_pay_most_come_first_and_the_list_ends_while_the_counts_do_not() {
        let shelves: Vec<_> = (1..=60).map(|n| shelf(n, usize::from(n))).collect();
        let count = shelves.iter().map(|shelf| shelf.count).sum();
        let levels = StockLevels { count, shelves, ..StockLevels::default() };
        let wish = |last, per_minute| StockWish {
            wallet: Address::with_last_byte(last),
            per_minute,
            target: 8,
        };
        let told = PresignatureStatus::of(&levels, &[wish(3, 5), wish(200, 9)]);
        assert_eq!((told.in_stock, told.wallets, told.oldest_seconds), (1_830, 60, Some(60)));
        assert_eq!(told.first.len(), STATUS_WALLETS_MAX);
        let lasts: Vec<_> = told.first.iter().map(|stock| stock.wallet[19]).collect();
        assert_eq!(lasts[..4], [200, 3, 60, 59]);
        assert_eq!((told.first[0].in_stock, told.first[0].peer), (0, None));
        assert_eq!((told.first[1].target, told.first[2].target), (Some(8), None));
    }
}
