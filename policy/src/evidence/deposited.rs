//! That a deposit is in its channel, which is true for good.
//!
//! One endpoint that shows a deposit keeps it from being called void for as long as it does. A
//! [`DepositedProof`] does so for ever, whatever endpoints have lost by then, and nothing takes it
//! back: made on the word of one, a lie would keep the money from being spent for good. So it is
//! made as what settles is, of what a quorum shows in a safe block.

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

use super::tempo::channel_of;
use super::{NoProof, SafeBlock, check_depth};
use crate::intent::IntentId;
use crate::money::Amount;
use crate::mpp::ChannelId;
use crate::party::AgentId;
use crate::rows::SpendRow;

/// Money that was put into a channel, by its `ChannelOpened` or `TopUp` log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelDeposit {
    /// The channel.
    pub channel: ChannelId,
    /// Base units that were put in.
    pub amount: Amount,
    /// The transaction that did.
    pub transaction: B256,
    /// Number of the block it is in.
    pub block: u64,
}

/// How it is known that a deposit is in its channel, so that it was mined and is never void.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepositedProof {
    intent: IntentId,
    agent: AgentId,
    transaction: B256,
    at: SafeBlock,
}

impl DepositedProof {
    /// A deposit is in its channel: the log that a quorum shows has its channel and its amount.
    ///
    /// # Errors
    /// [`NoProof`] when the row is no deposit, the log is of another one, or it is not in a safe
    /// block.
    pub fn tempo(row: &SpendRow, seen: &ChannelDeposit, at: SafeBlock) -> Result<Self, NoProof> {
        if !row.kind.is_deposit() {
            return Err(NoProof::OtherKind);
        }
        if channel_of(row) != Some(seen.channel) || row.amount != seen.amount {
            return Err(NoProof::OtherPayment);
        }
        check_depth(seen.block, at)?;
        let (intent, agent) = (row.intent, row.agent.clone());
        Ok(Self { intent, agent, transaction: seen.transaction, at })
    }

    /// The intent that put it in.
    #[must_use]
    pub const fn intent(&self) -> IntentId {
        self.intent
    }

    /// The agent that asked for it.
    #[must_use]
    pub const fn agent(&self) -> &AgentId {
        &self.agent
    }

    /// The transaction that put it in.
    #[must_use]
    pub const fn transaction(&self) -> B256 {
        self.transaction
    }

    /// The safe block at which that was seen.
    #[must_use]
    pub const fn at(&self) -> SafeBlock {
        self.at
    }
}
