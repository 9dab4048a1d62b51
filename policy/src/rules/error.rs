//! Why a policy was not taken.

use serde::{Deserialize, Serialize};

use crate::document::DocumentError;
use crate::rules::POLICY_BYTES_MAX;
use crate::subject::Subject;

/// Why a policy was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum PolicyError {
    /// Larger than is ever read.
    #[error("the policy has {bytes} bytes; at most {limit} are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// Most that is read.
        limit: usize,
    },
    /// Not a policy.
    #[error("line {line}: {reason}")]
    Malformed {
        /// Line in the file, from 1; 0 where it is about the whole.
        line: u64,
        /// What is wrong, for people.
        reason: String,
    },
    /// Not signed by the authority.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The policy is for somebody else.
    #[error("the policy is for {found}, not for {expected}")]
    OtherSubject {
        /// Whose it is.
        found: Subject,
        /// Whose it should be.
        expected: Subject,
    },
    /// Epochs only rise.
    #[error("the policy has epoch {offered}; epoch {held} is held already, and epochs only rise")]
    OlderEpoch {
        /// Epoch offered.
        offered: u64,
        /// Epoch held.
        held: u64,
    },
    /// Two policies of one epoch.
    #[error("another policy of epoch {epoch} is held already")]
    OtherContent {
        /// The epoch of both.
        epoch: u64,
    },
}

/// A file that is larger than any that is read is not looked at.
pub(crate) fn check_size(yaml: &str) -> Result<(), PolicyError> {
    let (bytes, limit) = (yaml.len(), POLICY_BYTES_MAX);
    if bytes <= limit { Ok(()) } else { Err(PolicyError::TooLarge { bytes, limit }) }
}
