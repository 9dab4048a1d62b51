//! What people say to a payment that a policy asks them about.
//!
//! Promises: an [`AuthenticApproval`] was signed with the key it names, over this very intent and
//! the epochs it was judged by.
//!
//! Does not protect against: a person who approves what it did not read.

use serde::{Deserialize, Serialize};

use crate::document::{Authentic, ContentHash, Document, DocumentError, Ed25519PublicKey, Signed};
use crate::intent::IntentId;
use crate::rows::PolicyEpochs;
use crate::time::UnixSeconds;

/// Most approvals of one payment that are looked at.
pub const APPROVALS_MAX: usize = 16;

/// One person's word on one payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The intent.
    pub intent: IntentId,
    /// Hash of what the agent signed.
    pub content_hash: ContentHash,
    /// Epochs of the policies that ask.
    pub policies: PolicyEpochs,
    /// Yes, or a no that ends it.
    pub approves: bool,
    /// When it was said.
    pub at: UnixSeconds,
}

impl Document for Approval {
    const KIND: &'static str = "approval";
}

/// An approval with its signature, unchecked.
pub type SignedApproval = Signed<Approval>;

/// An approval and the key that is proved to have signed it. Whose key that is, a policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticApproval {
    key: Ed25519PublicKey,
    approval: Authentic<Approval>,
}

impl AuthenticApproval {
    /// The key that signed.
    #[must_use]
    pub const fn key(&self) -> Ed25519PublicKey {
        self.key
    }

    /// What was said.
    #[must_use]
    pub const fn approval(&self) -> &Approval {
        self.approval.document()
    }
}

impl SignedApproval {
    /// Checks the one signature, by whatever key it names.
    ///
    /// # Errors
    /// [`DocumentError`] unless there is exactly one signature, and good.
    pub fn open_approval(self) -> Result<AuthenticApproval, DocumentError> {
        let bad = || DocumentError::BadSignature { kind: Approval::KIND.to_owned() };
        let key = self.signatures.first().map(|signature| signature.key).ok_or_else(bad)?;
        Ok(AuthenticApproval { key, approval: self.open_by(&key)? })
    }
}
