//! What parties tell each other before a protocol runs, and when they give up.

use serde::{Deserialize, Serialize};
use tercet_policy::document::{ContentHash, NotHex};
use tercet_policy::rows::PolicyEpochs;

use crate::journal::Head;

/// The version of the session protocol.
pub const PROTOCOL_VERSION: u8 = 2;

/// The first sealed message of a party to each peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`].
    pub version: u8,
    /// 32 random bytes for the execution id of the first run.
    pub nonce: Hex32,
    /// Names this start of the node's process: a journal cannot roll back within one.
    pub start: Hex32,
    /// Where the node's journal ends.
    pub head: Head,
    /// Where the node saw the hearer's journal end, if it ever did.
    pub seen: Option<Head>,
    /// Hash of the group's parameters, if the node has them.
    pub aux: Option<ContentHash>,
    /// Epochs of the policies and the registry it judged by, where it judged.
    pub policies: Option<PolicyEpochs>,
}

/// 32 bytes as hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hex32(pub [u8; 32]);

impl TryFrom<String> for Hex32 {
    type Error = NotHex;
    fn try_from(text: String) -> Result<Self, NotHex> {
        text.parse::<ContentHash>().map(|hash| Self(hash.0))
    }
}

impl From<Hex32> for String {
    fn from(bytes: Hex32) -> Self {
        hex::encode(bytes.0)
    }
}

/// Why a party gives up, as it tells its peers. Says nothing that they could not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbortReason {
    /// It refuses the payment; its own refusal goes to the coordinator.
    Refused,
    /// It waited too long.
    Deadline,
    /// It holds something else than a peer.
    Differs,
    /// A peer's journal is shorter than it was.
    RolledBack,
    /// The protocol failed.
    Failed,
}

impl std::fmt::Display for AbortReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Refused => "it refuses",
            Self::Deadline => "it waited too long",
            Self::Differs => "the parties differ",
            Self::RolledBack => "a journal is shorter than it was",
            Self::Failed => "the protocol failed",
        })
    }
}
