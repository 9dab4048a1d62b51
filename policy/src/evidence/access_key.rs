//! What Tempo must show of an access key: the log of the AccountKeychain that it was authorized.
//!
//! What a key can take was counted as a whole when it was admitted, and a settled one stays counted
//! so for good: no evidence of what it did not take gives anything back.

use alloy_primitives::{Address, B256};

use super::{NoProof, SafeBlock, SettledProof, check_depth};
use crate::access_key::KeyAct;
use crate::rows::SpendRow;

/// A key that was authorized or revoked, by the `KeyAuthorized` or `KeyRevoked` log of the
/// AccountKeychain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyLog {
    /// Whose key it is.
    pub account: Address,
    /// The key.
    pub key: Address,
    /// Whether it was authorized; otherwise it was revoked.
    pub authorized: bool,
    /// The transaction.
    pub transaction: B256,
    /// Number of the block it is in.
    pub block: u64,
}

impl SettledProof {
    /// An access key was authorized: from now on the chain lets it take what was counted.
    ///
    /// # Errors
    /// [`NoProof`] when the log is of another key or wallet, or not in a safe block.
    pub fn access_key(row: &SpendRow, seen: &KeyLog, at: SafeBlock) -> Result<Self, NoProof> {
        let Some(KeyAct::Authorize { key, .. }) = row.key else {
            return Err(NoProof::OtherKind);
        };
        if (seen.account, seen.key, seen.authorized) != (row.wallet, key, true) {
            return Err(NoProof::OtherPayment);
        }
        check_depth(seen.block, at)?;
        Ok(Self::new(row, seen.transaction, at))
    }
}
