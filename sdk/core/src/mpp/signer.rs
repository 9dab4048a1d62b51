//! Who signs the vouchers of a session: a key of the session's own, held at the agent's node.

use alloy_primitives::{Address, B256};
use async_trait::async_trait;
use tercet_policy::payload::MppSignature;

pub use tercet_signer::gate::SessionAsk as VoucherAsk;

use crate::seam::PayError;

/// Signs for the channels of a wallet.
#[async_trait]
pub trait VoucherSigner: Send + Sync {
    /// The address of the key that signs for the channel with this salt. Always the same.
    ///
    /// # Errors
    /// [`PayError`], as for every call.
    async fn session_signer(&self, wallet: Address, salt: B256) -> Result<Address, PayError>;

    /// Signs a voucher. Never above the deposit, and never below one that was signed.
    async fn sign_voucher(&self, ask: VoucherAsk) -> Result<MppSignature, PayError>;

    /// Agrees to the end of a channel. No voucher is signed for it afterwards.
    async fn sign_close(&self, ask: VoucherAsk) -> Result<MppSignature, PayError>;
}
