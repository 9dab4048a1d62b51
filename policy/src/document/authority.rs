//! Who may loosen what agents are allowed to do.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::document::Ed25519PublicKey;

/// Most keys a policy authority may have.
pub const AUTHORITY_KEYS_MAX: usize = 16;

/// The keys that may loosen what agents are allowed to do, pinned wherever they are checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "AuthorityConfig", into = "AuthorityConfig")]
pub struct Authority {
    keys: BTreeSet<Ed25519PublicKey>,
    threshold: usize,
}

impl Authority {
    /// Whether this is one of its keys.
    #[must_use]
    pub fn has(&self, key: &Ed25519PublicKey) -> bool {
        self.keys.contains(key)
    }

    /// How many of its keys must sign.
    #[must_use]
    pub const fn threshold(&self) -> usize {
        self.threshold
    }
}

/// An authority as configuration files write it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityConfig {
    /// The public keys.
    pub keys: Vec<Ed25519PublicKey>,
    /// How many of them must sign.
    pub threshold: usize,
}

/// An authority that could not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an authority has 1 to {AUTHORITY_KEYS_MAX} different keys and a threshold between 1 and \
     their number"
)]
pub struct BadAuthority;

impl TryFrom<AuthorityConfig> for Authority {
    type Error = BadAuthority;
    fn try_from(config: AuthorityConfig) -> Result<Self, BadAuthority> {
        let listed = config.keys.len();
        let keys: BTreeSet<_> = config.keys.into_iter().collect();
        let whole = keys.len() == listed && (1..=AUTHORITY_KEYS_MAX).contains(&listed);
        if whole && (1..=listed).contains(&config.threshold) {
            Ok(Self { keys, threshold: config.threshold })
        } else {
            Err(BadAuthority)
        }
    }
}

impl From<Authority> for AuthorityConfig {
    fn from(authority: Authority) -> Self {
        Self { keys: authority.keys.into_iter().collect(), threshold: authority.threshold }
    }
}
