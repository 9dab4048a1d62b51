//! The gate's stock of presignatures: what is told of it, and when it is dropped.

use std::sync::{MutexGuard, PoisonError};

use alloy_primitives::Address;
use tercet_policy::party::NodeId;
use tokio::time::Instant;

use super::{Failure, GateError, Signer};
use crate::stock::{Shelf, Stock, StockLevels};

impl Signer {
    /// What is in stock, and what became of what was.
    #[must_use]
    pub fn stock_levels(&self) -> StockLevels {
        self.stock().levels(Instant::now())
    }

    /// How many payments of a wallet could be signed in one round trip now.
    #[must_use]
    pub fn presignatures(&self, wallet: Address) -> usize {
        let lendable = |peer| self.stock().lendable(Shelf { wallet, peer }, Instant::now());
        self.everyday_peer().map_or(0, lendable)
    }

    /// Drops a wallet's presignatures: whoever has the other halves may have lost them.
    pub fn doubt_stock(&self, wallet: Address) {
        self.stock().drop_wallet(wallet);
    }

    /// A panic of another holder leaves the stock whole: what it took is gone, and counted.
    pub(super) fn stock(&self) -> MutexGuard<'_, Stock> {
        self.stock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops all that a node has the other halves of.
    pub(super) fn drop_stock_with(&self, node: &NodeId) {
        let roll = self.journal.roll();
        for level in self.stock_levels().shelves {
            let of = roll.wallet(&level.wallet).and_then(|of| roll.enrolment(&of.agent));
            if of.is_none_or(|enrolment| enrolment.keys(level.peer).id == *node) {
                self.stock().drop_shelf(Shelf { wallet: level.wallet, peer: level.peer });
            }
        }
    }

    /// Counts a peer's failed proof against the wallet, and drops its stock: there is doubt.
    pub(super) async fn charge<T>(
        &self,
        wallet: Address,
        result: Result<T, GateError>,
    ) -> Result<T, GateError> {
        match &result {
            Ok(_) => self.budget.clear(wallet),
            Err(GateError::Failed(Failure::Session(error))) => {
                self.count_against(wallet, error).await?;
            }
            Err(_) => {}
        }
        result
    }
}
