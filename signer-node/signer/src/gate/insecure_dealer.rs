//! INSECURE: fills the stock from a seed, for load tests alone. See [`crate::tss::InsecureDeal`].

use std::ops::Range;

use alloy_primitives::Address;
use tokio::time::Instant;

use super::{Failure, GateError, Signer};
use crate::session::SessionError;
use crate::tss::InsecureDeal;

impl Signer {
    /// Deals presignatures of these numbers to this node's stock; the everyday peer must deal the
    /// same. How many were put in stock: those that found no room are gone.
    ///
    /// **Whoever knows the seed computes the wallet's key** from what is signed with them.
    ///
    /// # Errors
    /// [`GateError`] for a wallet of which this node has no share.
    pub async fn insecurely_deal(
        &self,
        wallet: Address,
        seed: &[u8; 32],
        numbers: Range<u64>,
    ) -> Result<usize, GateError> {
        let (roll, peer) = (self.journal.roll(), self.everyday_peer()?);
        let agent = roll.wallet(&wallet).map(|of| of.agent.clone());
        let agent = agent.ok_or(Failure::Bug("dealt for a wallet that is not here"))?;
        let share = self.share_of(&roll, wallet, &agent).await?;
        let mut stocked = 0usize;
        for number in numbers {
            let half = InsecureDeal { seed, number }.half(&share, peer);
            let half = half.map_err(SessionError::from)?;
            let kept = self.stock().put(half, Instant::now());
            stocked = stocked.saturating_add(usize::from(kept.is_ok()));
        }
        Ok(stocked)
    }
}
