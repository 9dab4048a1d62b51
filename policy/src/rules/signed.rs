//! Policies under the authority's signatures, and their epochs.

use serde::{Deserialize, Serialize};

use crate::compare::is_tightening;
use crate::document::{Authority, ContentHash, Document, Signed};
use crate::rules::{Policy, PolicyError, check_size};
use crate::subject::Subject;

/// Highest epoch of a policy that one authority key may sign alone, where it tightens; the quorum
/// can always follow above it.
pub const POLICY_EPOCH_BY_ONE_MAX: u64 = 1 << 52;

/// The exact text of a policy file, as the authority signs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyDocument {
    /// The file.
    pub yaml: String,
}

impl Document for PolicyDocument {
    const KIND: &'static str = "policy";
}

/// A policy with its signatures, unchecked.
pub type SignedPolicy = Signed<PolicyDocument>;

/// A policy that the authority signed: with its quorum ([`SignedPolicy::open_policy`]), or with one
/// key where it tightens the one that is held ([`SignedPolicy::open_policy_after`]). Nothing else
/// makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticPolicy {
    policy: Policy,
    content_hash: ContentHash,
}

/// What a node remembers of the policy it holds, so that an older one is not taken later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyPin {
    /// Its epoch.
    pub epoch: u64,
    /// The hash of what was signed.
    pub content_hash: ContentHash,
}

impl SignedPolicy {
    /// Checks the authority's signatures, and reads the policy.
    ///
    /// # Errors
    /// [`PolicyError`] for too few signatures, or a text that is no policy.
    pub fn open_policy(self, authority: &Authority) -> Result<AuthenticPolicy, PolicyError> {
        check_size(&self.document.yaml)?;
        let document = self.open(authority)?;
        let policy = Policy::parse(&document.yaml)?;
        Ok(AuthenticPolicy { policy, content_hash: document.content_hash() })
    }

    /// Checks the signatures of a policy that is to follow `held`, and reads it. One authority key
    /// is enough for a policy of a higher epoch that is shown to be no wider than the one held
    /// ([`is_tightening`]), up to [`POLICY_EPOCH_BY_ONE_MAX`], and for the very one that is held;
    /// everything else takes the quorum.
    ///
    /// A journal that replays its documents in order opens each as it did the first time.
    ///
    /// # Errors
    /// [`PolicyError`] for too few signatures, or a text that is no policy.
    pub fn open_policy_after(
        self,
        authority: &Authority,
        held: Option<&Policy>,
    ) -> Result<AuthenticPolicy, PolicyError> {
        let Some(held) = held else { return self.open_policy(authority) };
        check_size(&self.document.yaml)?;
        // Signatures come first: nobody's text is read.
        let document = self.clone().open_by_any(authority)?;
        let policy = Policy::parse(&document.yaml)?;
        let epochs_by_one = held.epoch().saturating_add(1)..=POLICY_EPOCH_BY_ONE_MAX;
        let tightens = epochs_by_one.contains(&policy.epoch()) && is_tightening(held, &policy);
        let by_one = tightens || policy == *held;
        if !by_one {
            return self.open_policy(authority);
        }
        Ok(AuthenticPolicy { policy, content_hash: document.content_hash() })
    }
}

impl AuthenticPolicy {
    /// The policy.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The hash of what was signed.
    #[must_use]
    pub const fn content_hash(&self) -> ContentHash {
        self.content_hash
    }

    /// What to remember of it.
    #[must_use]
    pub const fn pin(&self) -> PolicyPin {
        PolicyPin { epoch: self.policy.epoch(), content_hash: self.content_hash }
    }

    /// Whether this may be the policy of `subject` where `held` is held so far: a higher epoch, or
    /// the very same policy again.
    ///
    /// # Errors
    /// [`PolicyError`] that says why not.
    pub fn may_follow(
        &self,
        held: Option<&PolicyPin>,
        subject: &Subject,
    ) -> Result<(), PolicyError> {
        if self.subject() != subject {
            let (found, expected) = (self.subject().clone(), subject.clone());
            return Err(PolicyError::OtherSubject { found, expected });
        }
        let offered = self.epoch();
        match held {
            Some(held) if offered < held.epoch => {
                Err(PolicyError::OlderEpoch { offered, held: held.epoch })
            }
            Some(held) if offered == held.epoch && self.content_hash != held.content_hash => {
                Err(PolicyError::OtherContent { epoch: offered })
            }
            _ => Ok(()),
        }
    }
}

impl std::ops::Deref for AuthenticPolicy {
    type Target = Policy;
    fn deref(&self) -> &Policy {
        &self.policy
    }
}

#[cfg(test)]
mod tests;
