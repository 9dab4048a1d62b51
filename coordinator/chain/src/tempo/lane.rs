//! The nonce lane of a transaction, which the chain keeps for good: it says whether the chain took
//! the transaction, whatever became of its logs.

use alloy_primitives::{Address, B256, U256, address};
use alloy_rpc_types_eth::BlockId;
use serde_json::Value;

use super::Nonces::getNonceCall;
use super::window::Window;
use super::{Marks, parsed, quantity};
use crate::endpoint::Endpoint;
use crate::error::FailureCause;

/// The precompile that has the nonces of all lanes, at the same address on every Tempo chain.
const NONCES: Address = address!("0x4E4F4E4345000000000000000000000000000000");
/// Steps that find one block among 2^63.
const STEPS_MAX: u32 = 63;

/// What one endpoint's state says of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// The transaction has none: the state says nothing of it.
    None,
    /// Nothing was taken on it, and so it was never mined, whatever became of logs.
    Free,
    /// What was taken on it failed, and so moved nothing.
    Failed(B256),
    /// Something was taken on it, and what became of that is not shown.
    Used,
}

impl Lane {
    /// Reads it at the newest safe block: nonces only grow, so one of 0 was 0 in all blocks before,
    /// and the state of that block is the last to be pruned.
    pub(super) async fn of(
        endpoint: &Endpoint,
        wallet: Address,
        marks: &Marks,
        window: &Window,
    ) -> Result<Self, FailureCause> {
        let Some(key) = marks.lane() else { return Ok(Self::None) };
        let lane = Reading { endpoint, wallet, key };
        if lane.nonce(BlockId::hash(window.safe.hash)).await? == 0 {
            return Ok(Self::Free);
        }
        // An endpoint that cannot show it has said that the lane was used all the same.
        let failed = lane.failed(window).await.ok().flatten();
        Ok(failed.map_or(Self::Used, Self::Failed))
    }
}

/// The transaction that used a lane up to the safe block; none where it is unused.
pub(super) async fn taken(
    endpoint: &Endpoint,
    wallet: Address,
    key: U256,
    window: &Window,
) -> Result<Option<B256>, FailureCause> {
    let lane = Reading { endpoint, wallet, key };
    if lane.nonce(BlockId::hash(window.safe.hash)).await? == 0 {
        return Ok(None);
    }
    let found = lane.taken(window).await?.map(|(transaction, _)| Some(transaction));
    found.ok_or(FailureCause::Missing { what: "the transaction of a lane" })
}

struct Reading<'a> {
    endpoint: &'a Endpoint,
    wallet: Address,
    key: U256,
}

impl Reading<'_> {
    async fn nonce(&self, block: BlockId) -> Result<u64, FailureCause> {
        let call = getNonceCall { account: self.wallet, nonceKey: self.key };
        self.endpoint.view(NONCES, &call, block).await
    }

    /// The transaction that used the lane, where it failed. Nothing else can use the lane then: an
    /// intent signs its first nonce alone. It is the intent's, or one of an access key of the wallet:
    /// either way the intent's moved nothing and never will.
    async fn failed(&self, window: &Window) -> Result<Option<B256>, FailureCause> {
        let Some((hash, used)) = self.taken(window).await? else { return Ok(None) };
        let receipt = self.endpoint.receipt(hash).await?;
        let failed = receipt.is_some_and(|seen| !seen.succeeded && seen.block_number == used);
        Ok(failed.then_some(hash))
    }

    /// The transaction that used the lane, and its block, where the endpoint shows it.
    async fn taken(&self, window: &Window) -> Result<Option<(B256, u64)>, FailureCause> {
        let (mut free, mut used) = (window.from.number, window.safe.number);
        for _ in 0..STEPS_MAX {
            if used.saturating_sub(free) <= 1 {
                break;
            }
            let middle = free.midpoint(used);
            if self.nonce(middle.into()).await? == 0 { free = middle } else { used = middle }
        }
        let transactions = self.endpoint.raw_transactions(used).await?;
        let own = transactions.iter().find(|transaction| self.is_on_it(transaction));
        Ok(own.and_then(|own| parsed::<B256>(own, "hash")).map(|hash| (hash, used)))
    }

    fn is_on_it(&self, transaction: &Value) -> bool {
        parsed(transaction, "from") == Some(self.wallet)
            && transaction.get("nonceKey").and_then(quantity) == Some(self.key)
    }
}
