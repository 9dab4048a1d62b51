//! What an escrow contract from before TIP-1034 keeps of a channel.

use std::sync::Arc;

use alloy_primitives::Address;
use alloy_rpc_types_eth::BlockId;
use tercet_policy::money::Amount;
use tercet_policy::mpp::ChannelId;
use tercet_policy::time::UnixSeconds;

use super::Escrow::getChannelCall;
use crate::endpoint::Endpoint;
use crate::error::{ChainError, FailureCause, Read};
use crate::reader::ChainReader;

/// A channel of such a contract. One without a payer never was, or has ended and is [`finalized`].
///
/// [`finalized`]: Self::finalized
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct V1Channel {
    /// Who paid in and gets the rest back; zero where there is no channel.
    pub payer: Address,
    /// TIP-20 token.
    pub token: Address,
    /// Base units that were put in.
    pub deposit: Amount,
    /// Base units that the payee has taken.
    pub settled: Amount,
    /// When the payer asked for its end; the payer may withdraw 900 seconds later.
    pub close_requested_at: Option<UnixSeconds>,
    /// Whether it has ended.
    pub finalized: bool,
}

impl ChainReader {
    /// The state of a channel at the newest safe block, as a quorum has it, with that block's time.
    ///
    /// # Errors
    /// [`ChainError`] when no quorum agrees, and where `escrow` is no such contract.
    pub async fn v1_channel(
        &self,
        escrow: Address,
        channel: ChannelId,
    ) -> Result<(UnixSeconds, V1Channel), ChainError> {
        let safe = self.safe_block().await?;
        let at = BlockId::hash(safe.hash);
        let read = move |endpoint| state_at(endpoint, escrow, channel, at);
        Ok((safe.timestamp, self.ask(Read::Channel, read).await?.agreed()?))
    }
}

async fn state_at(
    endpoint: Arc<Endpoint>,
    escrow: Address,
    channel: ChannelId,
    at: BlockId,
) -> Result<V1Channel, FailureCause> {
    let call = getChannelCall { channelId: channel.into() };
    let state = endpoint.view(escrow, &call, at).await?;
    Ok(V1Channel {
        payer: state.payer,
        token: state.token,
        deposit: Amount::from_base_units(state.deposit),
        settled: Amount::from_base_units(state.settled),
        close_requested_at: Some(UnixSeconds(state.closeRequestedAt)).filter(|at| at.0 > 0),
        finalized: state.finalized,
    })
}
