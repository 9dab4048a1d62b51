//! Whose spending a policy judges.

use std::fmt;

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

use crate::party::AgentId;

/// What a policy applies to, and so whose payments its limits count together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Subject {
    /// Every agent under one policy authority.
    Organisation,
    /// One agent, over all its wallets.
    Agent(AgentId),
    /// One wallet.
    Wallet(Address),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organisation => f.write_str("organisation"),
            Self::Agent(agent) => write!(f, "agent/{agent}"),
            Self::Wallet(wallet) => write!(f, "wallet/{wallet}"),
        }
    }
}
