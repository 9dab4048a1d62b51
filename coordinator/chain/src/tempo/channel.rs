//! What the reserve keeps of a channel.

use std::sync::Arc;

use alloy_rpc_types_eth::BlockId;
use tercet_policy::money::Amount;
use tercet_policy::mpp::ChannelId;
use tercet_policy::tempo::CHANNEL_RESERVE;
use tercet_policy::time::UnixSeconds;

use super::Reserve::getChannelStateCall;
use super::deposit::amount_of;
use crate::endpoint::Endpoint;
use crate::error::{ChainError, FailureCause, Read};
use crate::reader::ChainReader;

/// What the reserve keeps of a channel. A deposit of nothing says that it has ended, or never was:
/// the logs tell which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelState {
    /// Base units that the payee has taken.
    pub settled: Amount,
    /// Base units that were put in.
    pub deposit: Amount,
    /// When the payer asked for its end; the payer may withdraw 900 seconds later.
    pub close_requested_at: Option<UnixSeconds>,
}

impl ChannelState {
    /// Whether the reserve holds money of it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.deposit > Amount::ZERO
    }
}

impl ChainReader {
    /// The state of a channel at the newest safe block, as a quorum has it.
    ///
    /// # Errors
    /// [`ChainError`] when no quorum agrees.
    pub async fn channel_state(&self, channel: ChannelId) -> Result<ChannelState, ChainError> {
        let at = BlockId::hash(self.safe_block().await?.hash);
        let read = move |endpoint| state_at(endpoint, channel, at);
        self.ask(Read::Channel, read).await?.agreed()
    }
}

async fn state_at(
    endpoint: Arc<Endpoint>,
    channel: ChannelId,
    at: BlockId,
) -> Result<ChannelState, FailureCause> {
    let call = getChannelStateCall { channelId: channel.into() };
    let state = endpoint.view(CHANNEL_RESERVE, &call, at).await?;
    Ok(ChannelState {
        settled: amount_of(state.settled),
        deposit: amount_of(state.deposit),
        close_requested_at: Some(UnixSeconds(state.closeRequestedAt)).filter(|at| at.0 > 0),
    })
}
