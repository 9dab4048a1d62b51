//! The place that a signature fills, by which two signatures for one thing are told.
//!
//! Promises: a slot follows from an intent and its terms alone, so all who have both name the same.

use alloy_primitives::{Address, B256, U256};
use serde::{Deserialize, Serialize};

use super::ChainTerms;
use crate::chain::Chain;
use crate::intent::{IntentId, Payment, PaymentIntent};
use crate::money::Amount;
use crate::mpp::ChannelId;
use crate::tempo::EXPIRING_NONCE_KEY;

/// Something that can only ever hold one digest.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Slot {
    /// An EIP-3009 nonce of a wallet in a token.
    Eip3009 {
        /// Wallet.
        wallet: Address,
        /// Chain.
        chain: Chain,
        /// Token.
        token: Address,
        /// Nonce.
        nonce: B256,
    },
    /// An account nonce of a wallet.
    Account {
        /// Wallet.
        wallet: Address,
        /// Chain.
        chain: Chain,
        /// Nonce.
        nonce: u64,
    },
    /// The first nonce of a lane of a wallet.
    TempoLane {
        /// Wallet.
        wallet: Address,
        /// Chain.
        chain: Chain,
        /// `nonce_key`.
        nonce_key: U256,
    },
    /// The one transaction with an expiring nonce that an intent has.
    TempoExpiring {
        /// Wallet.
        wallet: Address,
        /// Chain.
        chain: Chain,
        /// The intent.
        intent: IntentId,
    },
    /// The answer to one challenge that asks for a proof.
    Proof {
        /// Wallet.
        wallet: Address,
        /// Chain.
        chain: Chain,
        /// The intent.
        intent: IntentId,
    },
    /// One voucher of a channel: so much in all, and its place is above every other before it.
    Voucher {
        /// Chain.
        chain: Chain,
        /// Channel.
        channel: ChannelId,
        /// Base units in all.
        cumulative: Amount,
    },
    /// The end of a channel, agreed at so much in all; its place is above every other before it.
    Close {
        /// Chain.
        chain: Chain,
        /// Channel.
        channel: ChannelId,
        /// Base units in all. A row may name the channel alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cumulative: Option<Amount>,
    },
}

impl Slot {
    /// The slot that an intent with these terms fills.
    #[must_use]
    pub fn of(intent: &PaymentIntent, terms: &ChainTerms) -> Self {
        let PaymentIntent { wallet, id, payment, .. } = intent;
        let (wallet, intent) = (*wallet, *id);
        let (chain, token) = (payment.chain(), payment.token());
        match (terms, payment) {
            (ChainTerms::Eip3009 { nonce, .. }, _) => {
                Self::Eip3009 { wallet, chain, token, nonce: *nonce }
            }
            (ChainTerms::Eip1559 { nonce, .. }, _) => {
                Self::Account { wallet, chain, nonce: *nonce }
            }
            (ChainTerms::Tempo { nonce_key, .. }, _) if *nonce_key == EXPIRING_NONCE_KEY => {
                Self::TempoExpiring { wallet, chain, intent }
            }
            (ChainTerms::Tempo { nonce_key, .. }, _) => {
                Self::TempoLane { wallet, chain, nonce_key: *nonce_key }
            }
            (ChainTerms::TypedData, Payment::MppVoucher(voucher)) => {
                let channel = voucher.channel.channel_id(chain.id());
                Self::Voucher { chain, channel, cumulative: voucher.cumulative }
            }
            (ChainTerms::TypedData, Payment::MppClose(close)) => {
                let channel = close.channel.channel_id(chain.id());
                Self::Close { chain, channel, cumulative: Some(close.cumulative) }
            }
            (ChainTerms::TypedData, _) => Self::Proof { wallet, chain, intent },
        }
    }
}

impl std::fmt::Display for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Eip3009 { wallet, chain, token, nonce } => {
                write!(f, "eip3009/{chain}/{token}/{wallet}/{nonce}")
            }
            Self::Account { wallet, chain, nonce } => write!(f, "account/{chain}/{wallet}/{nonce}"),
            Self::TempoLane { wallet, chain, nonce_key } => {
                write!(f, "tempo-lane/{chain}/{wallet}/{nonce_key:#x}")
            }
            Self::TempoExpiring { wallet, chain, intent } => {
                write!(f, "tempo-expiring/{chain}/{wallet}/{intent}")
            }
            Self::Proof { wallet, chain, intent } => write!(f, "proof/{chain}/{wallet}/{intent}"),
            Self::Voucher { chain, channel, cumulative } => {
                write!(f, "voucher/{chain}/{channel}/{cumulative}")
            }
            Self::Close { chain, channel, cumulative: None } => {
                write!(f, "close/{chain}/{channel}")
            }
            Self::Close { chain, channel, cumulative: Some(cumulative) } => {
                write!(f, "close/{chain}/{channel}/{cumulative}")
            }
        }
    }
}
