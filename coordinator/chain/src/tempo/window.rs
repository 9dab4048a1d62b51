//! The blocks in which a payment can have been mined, and their logs.

use alloy_rpc_types_eth::{BlockNumberOrTag, Filter, Log};
use tercet_policy::evidence::SafeBlock;
use tercet_policy::time::UnixSeconds;

use crate::endpoint::{Endpoint, LOG_SPAN_BLOCKS};
use crate::error::{ChainError, FailureCause};
use crate::evidence::BlockRef;
use crate::reader::ChainReader;

/// Most log queries for one payment in its window. The longest window is that of a lane: 16
/// minutes, or at most four queries at Tempo's pace.
pub const LOG_QUERIES_MAX: usize = 32;
/// Blocks in a second: the first guess at how far back a moment lies.
const BLOCKS_PER_SECOND: u64 = 2;
/// Blocks that are added to the guess.
const GUESS_MARGIN_BLOCKS: u64 = 16;
/// Steps that find one block among 2^63: doublings out, then halvings.
const STEPS_MAX: u32 = 63;

/// The blocks in which a payment can have been mined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// One that is earlier than the first second in which the chain can take the payment.
    pub(super) from: SafeBlock,
    /// The newest safe block.
    pub(super) safe: SafeBlock,
    /// A safe block at the end of the payment's time; none while there is none.
    pub(super) end: Option<SafeBlock>,
}

impl ChainReader {
    /// The window of a payment that the chain can take from one moment on and before another.
    pub(super) async fn window(
        &self,
        safe: SafeBlock,
        begins: UnixSeconds,
        valid_before: UnixSeconds,
    ) -> Result<Window, ChainError> {
        // Not in that second itself: several blocks may share it.
        let from = self.block_before(safe, begins.minus(1)).await?;
        let end = match safe.timestamp >= valid_before {
            true => Some(self.block_reaching(from, safe, valid_before).await?),
            false => None,
        };
        Ok(Window { from, safe, end })
    }

    /// A block not later than a moment, and not long before it; the chain's first, where there is
    /// none.
    async fn block_before(
        &self,
        safe: SafeBlock,
        moment: UnixSeconds,
    ) -> Result<SafeBlock, ChainError> {
        if safe.timestamp <= moment || safe.number == 0 {
            return Ok(safe);
        }
        let mut after = safe;
        let mut back = blocks_in(safe.timestamp, moment);
        for _ in 0..STEPS_MAX {
            let before = self.agreed(safe.number.saturating_sub(back)).await?;
            if before.timestamp <= moment || before.number == 0 {
                let is_before = |block: SafeBlock| block.timestamp <= moment;
                return Ok(self.narrowed(before, after, is_before).await?.0);
            }
            after = before;
            back = back.saturating_mul(2);
        }
        self.agreed(0).await
    }

    /// A block that has reached a moment which the safe block has reached, and that is not long
    /// after it.
    async fn block_reaching(
        &self,
        from: SafeBlock,
        safe: SafeBlock,
        moment: UnixSeconds,
    ) -> Result<SafeBlock, ChainError> {
        if from.timestamp >= moment {
            return Ok(from);
        }
        let mut before = from;
        let mut on = blocks_in(moment, from.timestamp);
        for _ in 0..STEPS_MAX {
            let number = from.number.saturating_add(on);
            if number >= safe.number {
                break;
            }
            let block = self.agreed(number).await?;
            if block.timestamp >= moment {
                let is_before = |block: SafeBlock| block.timestamp < moment;
                return Ok(self.narrowed(before, block, is_before).await?.1);
            }
            before = block;
            on = on.saturating_mul(2);
        }
        Ok(self.narrowed(before, safe, |block| block.timestamp < moment).await?.1)
    }

    /// Halves what lies between two blocks until it is one log query, or less.
    async fn narrowed(
        &self,
        mut before: SafeBlock,
        mut after: SafeBlock,
        is_before: impl Fn(SafeBlock) -> bool,
    ) -> Result<(SafeBlock, SafeBlock), ChainError> {
        for _ in 0..STEPS_MAX {
            if after.number.saturating_sub(before.number) <= LOG_SPAN_BLOCKS {
                break;
            }
            let middle = self.agreed(before.number.midpoint(after.number)).await?;
            if is_before(middle) { before = middle } else { after = middle }
        }
        Ok((before, after))
    }

    /// A block below a safe one, as a quorum has it.
    async fn agreed(&self, number: u64) -> Result<SafeBlock, ChainError> {
        let BlockRef { number, hash, timestamp } = self.block(number).await?;
        Ok(SafeBlock { number, hash, timestamp })
    }
}

const fn blocks_in(later: UnixSeconds, earlier: UnixSeconds) -> u64 {
    let seconds = later.0.saturating_sub(earlier.0);
    seconds.saturating_mul(BLOCKS_PER_SECOND).saturating_add(GUESS_MARGIN_BLOCKS)
}

impl Window {
    /// Every log of the window that an endpoint has. An endpoint that does not have the last block,
    /// as the others know it, has no say about what is not there.
    pub(super) async fn logs(
        &self,
        endpoint: &Endpoint,
        filter: &Filter,
    ) -> Result<Vec<Log>, FailureCause> {
        let last = match self.end {
            Some(end) => {
                check_has(endpoint, end).await?;
                end.number
            }
            None => endpoint.block(BlockNumberOrTag::Latest).await?.number,
        };
        let (mut logs, mut first) = (Vec::new(), self.from.number);
        for _ in 0..LOG_QUERIES_MAX {
            if first > last {
                return Ok(logs);
            }
            let until = span_end(first).min(last);
            logs.extend(endpoint.logs(&filter.clone().from_block(first).to_block(until)).await?);
            first = until.saturating_add(1);
        }
        if first > last { Ok(logs) } else { Err(FailureCause::Missing { what: "so many blocks" }) }
    }
}

/// The last block of a query that begins here.
const fn span_end(first: u64) -> u64 {
    first.saturating_add(LOG_SPAN_BLOCKS).saturating_sub(1)
}

async fn check_has(endpoint: &Endpoint, block: SafeBlock) -> Result<(), FailureCause> {
    let own = endpoint.block(block.number.into()).await?;
    if own.hash == block.hash {
        return Ok(());
    }
    Err(FailureCause::Missing { what: "the safe block of the others" })
}
