//! What makes a wallet.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::document::{Document, NotHex, hex_bytes};
use crate::party::AgentId;
use crate::time::UnixSeconds;

/// An agent asks for a new wallet of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalletRequest {
    /// The agent that will own it.
    pub agent: AgentId,
    /// 32 random bytes: the same request twice makes one wallet.
    pub request: RequestId,
    /// What people call the wallet.
    pub label: String,
    /// When the agent asked.
    pub created_at: UnixSeconds,
}

impl Document for WalletRequest {
    const KIND: &'static str = "wallet-request";
}

hex_bytes! {
    /// 32 random bytes that name a request for good.
    RequestId, 32
}
