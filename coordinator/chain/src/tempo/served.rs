//! Whether an endpoint still has what it would have to show: servers that prune answer a question
//! for old logs with none.
//!
//! Does not protect against: an endpoint that keeps the receipts of one block and not those of the
//! next.

use alloy_primitives::B256;
use alloy_rpc_types_eth::Filter;
use serde_json::Value;

use super::quantity;
use super::window::Window;
use crate::endpoint::Endpoint;
use crate::error::FailureCause;

/// Most empty blocks at the beginning of a window that are walked over: more than there are in the
/// longest window of a chain that makes one each second.
const EMPTY_BLOCKS_MAX: u64 = 1_024;

/// What an endpoint that has pruned says.
const PRUNED: FailureCause = FailureCause::Missing { what: "the receipts of old blocks" };

impl Window {
    /// Passes an endpoint that has the receipt of the first transaction in the window, and the logs
    /// of its block: what prunes, prunes the oldest first. A window with no transaction at all
    /// hides none.
    pub(super) async fn check_served(&self, endpoint: &Endpoint) -> Result<(), FailureCause> {
        let last = self.end.unwrap_or(self.safe).number;
        let most = self.from.number.saturating_add(EMPTY_BLOCKS_MAX);
        for number in self.from.number..=last.min(most) {
            if let Some(transaction) = endpoint.first_transaction(number).await? {
                return check_block(endpoint, number, transaction).await;
            }
        }
        if last <= most { Ok(()) } else { Err(PRUNED) }
    }
}

async fn check_block(
    endpoint: &Endpoint,
    number: u64,
    transaction: B256,
) -> Result<(), FailureCause> {
    let receipt = endpoint.raw_receipt(transaction).await?;
    let is_of = receipt.get("blockNumber").and_then(quantity).is_some_and(|of| of == number);
    let Some(Value::Array(logs)) = receipt.get("logs").filter(|_| is_of) else {
        return Err(PRUNED);
    };
    if logs.is_empty() {
        return Ok(());
    }
    let of_block = Filter::new().from_block(number).to_block(number);
    if endpoint.logs(&of_block).await?.is_empty() { Err(PRUNED) } else { Ok(()) }
}
