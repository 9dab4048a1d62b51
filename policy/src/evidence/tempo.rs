//! What Tempo must show: movements of TIP-20 tokens by their logs, channels by theirs, and that
//! nothing of either is there once a transaction can no longer be mined.

use alloy_primitives::{Address, B256};

use super::{NoProof, SafeBlock, SettledProof, VoidProof, VoidReason, check_depth};
use crate::channel::ChannelAct;
use crate::money::Amount;
use crate::mpp::ChannelId;
use crate::proposal::ChainTerms;
use crate::rows::{PaymentKind, SpendRow};

/// A TIP-20 transfer with a memo, by its `TransferWithMemo` log. Who was credited is what the log
/// says, whatever became of the transaction that asked (TIP-1028).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenMovement {
    /// The token contract that wrote the log.
    pub token: Address,
    /// Who paid.
    pub from: Address,
    /// Who was credited.
    pub to: Address,
    /// Base units.
    pub amount: Amount,
    /// The memo.
    pub memo: B256,
    /// The transaction.
    pub transaction: B256,
    /// Number of the block it is in.
    pub block: u64,
}

/// A channel that ended, by its `ChannelClosed` log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedChannel {
    /// The channel.
    pub channel: ChannelId,
    /// Base units that the payee got in all.
    pub settled: Amount,
    /// The transaction that closed it.
    pub transaction: B256,
    /// Number of the block it is in.
    pub block: u64,
}

/// That every log between two safe blocks was looked through, and the payment's was not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotSeen {
    /// The first block looked through.
    pub from: SafeBlock,
    /// The last one.
    pub to: SafeBlock,
}

impl SettledProof {
    /// A Tempo transfer or charge happened: its memo and its payee are in the logs.
    ///
    /// # Errors
    /// [`NoProof`] when the log is of another payment or not in a safe block.
    pub fn tempo(row: &SpendRow, seen: &TokenMovement, at: SafeBlock) -> Result<Self, NoProof> {
        let (PaymentKind::TempoTransfer | PaymentKind::MppCharge, Some(mark)) =
            (row.kind, &row.mark)
        else {
            return Err(NoProof::OtherKind);
        };
        let wanted = (row.token, row.wallet, row.recipient, mark.amount, mark.memo);
        if (seen.token, seen.from, Some(seen.to), seen.amount, seen.memo) != wanted {
            return Err(NoProof::OtherPayment);
        }
        check_depth(seen.block, at)?;
        Ok(Self::new(row, seen.transaction, at))
    }

    /// The channel of a deposit has ended, and `share` of what the payee got was of this deposit.
    ///
    /// # Errors
    /// [`NoProof`] when the log is of another channel, the share is more than the deposit or than
    /// what was settled, or the log is not in a safe block.
    pub fn deposit(
        row: &SpendRow,
        closed: &ClosedChannel,
        share: Amount,
        at: SafeBlock,
    ) -> Result<Self, NoProof> {
        if !row.kind.is_deposit() {
            return Err(NoProof::OtherKind);
        }
        let own = channel_of(row) == Some(closed.channel);
        if !own || share > row.amount || share > closed.settled {
            return Err(NoProof::OtherPayment);
        }
        check_depth(closed.block, at)?;
        Ok(Self { amount: share, ..Self::new(row, closed.transaction, at) })
    }
}

impl VoidProof {
    /// A Tempo transaction was never mined, and no longer can be: safe blocks from before the
    /// chain could take it ([`ChainTerms::first_minable`]) to after its end hold no log of it. No
    /// clock of ours has a say in that.
    ///
    /// # Errors
    /// [`NoProof`] when it can still be mined, too few blocks were looked through, or the row is of
    /// another kind.
    pub fn tempo(row: &SpendRow, unseen: NotSeen) -> Result<Self, NoProof> {
        if !row.kind.pays() {
            return Err(NoProof::OtherKind);
        }
        check_over(row, unseen)?;
        Ok(Self::new(row, VoidReason::NeverMined, unseen.to))
    }
}

/// Whether every block was looked through in which the chain could take a row's transaction.
pub(super) fn check_over(row: &SpendRow, unseen: NotSeen) -> Result<(), NoProof> {
    let ChainTerms::Tempo { valid_before, .. } = row.terms else {
        return Err(NoProof::OtherKind);
    };
    let NotSeen { from, to } = unseen;
    if to.timestamp < valid_before {
        return Err(NoProof::StillValid { valid_before, at: to.timestamp });
    }
    // Several blocks have the same second, so the search begins before it; and nothing comes before
    // the chain's first block.
    let first = row.terms.first_minable().unwrap_or_default();
    if from.number > 0 && from.timestamp >= first {
        return Err(NoProof::SearchedTooLittle { from: from.timestamp });
    }
    Ok(())
}

/// The channel that a row puts money into.
pub(super) fn channel_of(row: &SpendRow) -> Option<ChannelId> {
    let act = row.channel.as_ref()?;
    let pays_in = matches!(act, ChannelAct::Open { .. } | ChannelAct::TopUp { .. });
    pays_in.then(|| act.channel(row.chain))
}
