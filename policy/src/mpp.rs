//! What the Machine Payments Protocol has signed on Tempo, byte for byte: channels, vouchers,
//! the end of a channel, proofs, and the memo that ties a transfer to its challenge.
//!
//! Promises: the bytes of the official SDKs (mppx, mpp-rs, ox) and of the channel reserve
//! (TIP-1034). An amount of a channel fits the chain's 96 bits before it is encoded.
//!
//! Refuses: an escrow of the merchant's choice. The current session protocol ("v2") lives at
//! [`CHANNEL_RESERVE`] on every chain, and no function here takes another address for it.
//!
//! Does not protect against: a voucher for more than was delivered. What a voucher may say is
//! decided from the ledger, not here.

mod memo;
mod typed;

use std::fmt;

use alloy_primitives::aliases::U96;
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_sol_types::SolValue as _;
use serde::{Deserialize, Serialize};

use crate::document::{NotHex, hex_bytes};
use crate::money::Amount;
use crate::tempo::CHANNEL_RESERVE;

pub use memo::attribution_memo;
pub use typed::{close_preimage, proof_preimage, voucher_preimage, voucher_preimage_v1};

hex_bytes! {
    /// The id of a payment channel; 64 hexadecimal digits in our JSON. On MPP's wire they have a
    /// `0x` before them, which is how its `B256` is written.
    ChannelId, 32
}

impl From<B256> for ChannelId {
    fn from(id: B256) -> Self {
        Self(id.0)
    }
}

impl From<ChannelId> for B256 {
    fn from(id: ChannelId) -> Self {
        Self(id.0)
    }
}

/// Most base units of a channel: the reserve keeps `uint96`.
pub const CHANNEL_AMOUNT_UNITS_MAX: u128 = (1 << 96) - 1;

/// An amount that the channel reserve can keep. In JSON a string of digits, as [`Amount`].
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default,
)]
#[serde(try_from = "Amount", into = "Amount")]
pub struct ChannelAmount(Amount);

/// An amount beyond the 96 bits of the channel reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{units} base units do not fit the 96 bits of a channel")]
pub struct BeyondChannel {
    /// The amount.
    pub units: u128,
}

impl ChannelAmount {
    /// Nothing.
    pub const ZERO: Self = Self(Amount::ZERO);

    /// The amount.
    #[must_use]
    pub const fn amount(self) -> Amount {
        self.0
    }
}

impl TryFrom<Amount> for ChannelAmount {
    type Error = BeyondChannel;
    fn try_from(amount: Amount) -> Result<Self, BeyondChannel> {
        match amount.base_units() {
            units if units > CHANNEL_AMOUNT_UNITS_MAX => Err(BeyondChannel { units }),
            _ => Ok(Self(amount)),
        }
    }
}

impl From<ChannelAmount> for Amount {
    fn from(amount: ChannelAmount) -> Self {
        amount.0
    }
}

/// Exact: no value of the type has more than 96 bits.
impl From<ChannelAmount> for U96 {
    fn from(amount: ChannelAmount) -> Self {
        Self::saturating_from(amount.0.base_units())
    }
}

/// What a payer chooses when it opens a channel. With the payer and the transaction's hash it
/// becomes a [`ChannelDescriptor`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelOpening {
    /// Who is paid.
    pub payee: Address,
    /// Who may settle and close for the payee; zero for nobody. The money goes to the payee.
    pub operator: Address,
    /// TIP-20 token.
    pub token: Address,
    /// Tells channels of one transaction apart.
    pub salt: B256,
    /// Who signs vouchers; zero for the payer.
    pub authorized_signer: Address,
}

impl ChannelOpening {
    /// The channel that this opens in a transaction of `payer` with that
    /// [hash](crate::tempo::TempoTransaction::expiring_nonce_hash).
    #[must_use]
    pub const fn descriptor(&self, payer: Address, expiring_nonce_hash: B256) -> ChannelDescriptor {
        ChannelDescriptor {
            payer,
            payee: self.payee,
            operator: self.operator,
            token: self.token,
            salt: self.salt,
            authorized_signer: self.authorized_signer,
            expiring_nonce_hash,
        }
    }
}

/// A channel of the reserve. The chain does not keep it, and takes no call without it: whoever
/// loses it has to find the `ChannelOpened` event. In JSON it is MPP's `descriptor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChannelDescriptor {
    /// Who paid in and gets the rest back.
    pub payer: Address,
    /// Who is paid.
    pub payee: Address,
    /// Who may settle and close for the payee; zero for nobody.
    pub operator: Address,
    /// TIP-20 token.
    pub token: Address,
    /// The payer's choice.
    pub salt: B256,
    /// Who signs vouchers; zero for the payer.
    pub authorized_signer: Address,
    /// From the transaction that opened it, before it was signed.
    pub expiring_nonce_hash: B256,
}

impl ChannelDescriptor {
    /// The id under which the reserve of that chain keeps the channel: Keccak-256 of the ABI
    /// encoding of the descriptor, the reserve's address and the chain id.
    #[must_use]
    pub fn channel_id(&self, chain_id: u64) -> ChannelId {
        let fields = (
            self.payer,
            self.payee,
            self.operator,
            self.token,
            self.salt,
            self.authorized_signer,
            self.expiring_nonce_hash,
            CHANNEL_RESERVE,
            U256::from(chain_id),
        );
        keccak256(fields.abi_encode()).into()
    }

    /// Whose signature the reserve wants under a voucher.
    #[must_use]
    pub fn voucher_signer(&self) -> Address {
        if self.authorized_signer.is_zero() { self.payer } else { self.authorized_signer }
    }
}

#[cfg(test)]
mod tests;
