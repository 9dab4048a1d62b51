//! Registries under the authority's signatures, and their epochs.

use serde::{Deserialize, Serialize};

use crate::document::{Authority, ContentHash, Document, DocumentError, Signed};
use crate::registry::{Registry, file};

/// The exact text of a registry file, as the authority signs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryDocument {
    /// The file.
    pub yaml: String,
}

impl Document for RegistryDocument {
    const KIND: &'static str = "registry";
}

/// A registry with its signatures, unchecked.
pub type SignedRegistry = Signed<RegistryDocument>;

/// A registry that the authority signed with its full quorum. [`SignedRegistry::open_registry`]
/// alone makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticRegistry {
    registry: Registry,
    content_hash: ContentHash,
}

/// What a node remembers of the registry it holds, so that an older one is not taken later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryPin {
    /// Its epoch.
    pub epoch: u64,
    /// The hash of what was signed.
    pub content_hash: ContentHash,
}

/// Why a registry was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum RegistryError {
    /// Larger than is ever read.
    #[error("the registry has {bytes} bytes; at most {limit} are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// Most that is read.
        limit: usize,
    },
    /// Not a registry.
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
    /// Epochs only rise.
    #[error("the registry has epoch {offered}; epoch {held} is held already, and epochs only rise")]
    OlderEpoch {
        /// Epoch offered.
        offered: u64,
        /// Epoch held.
        held: u64,
    },
    /// Two registries of one epoch.
    #[error("another registry of epoch {epoch} is held already")]
    OtherContent {
        /// The epoch of both.
        epoch: u64,
    },
}

impl SignedRegistry {
    /// Checks the authority's signatures, and reads the registry. What is said of counterparties
    /// widens what may be paid, so every registry takes the quorum.
    ///
    /// # Errors
    /// [`RegistryError`] for too few signatures, or a text that is no registry.
    pub fn open_registry(self, authority: &Authority) -> Result<AuthenticRegistry, RegistryError> {
        file::check_size(&self.document.yaml)?;
        let document = self.open(authority)?;
        let registry = Registry::parse(&document.yaml)?;
        Ok(AuthenticRegistry { registry, content_hash: document.content_hash() })
    }
}

impl AuthenticRegistry {
    /// The registry.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The hash of what was signed.
    #[must_use]
    pub const fn content_hash(&self) -> ContentHash {
        self.content_hash
    }

    /// What to remember of it.
    #[must_use]
    pub const fn pin(&self) -> RegistryPin {
        RegistryPin { epoch: self.registry.epoch(), content_hash: self.content_hash }
    }

    /// Whether this may be the registry where `held` is held so far: a higher epoch, or the very
    /// same registry again.
    ///
    /// # Errors
    /// [`RegistryError`] that says why not.
    pub fn may_follow(&self, held: Option<&RegistryPin>) -> Result<(), RegistryError> {
        let offered = self.epoch();
        match held {
            Some(held) if offered < held.epoch => {
                Err(RegistryError::OlderEpoch { offered, held: held.epoch })
            }
            Some(held) if offered == held.epoch && self.content_hash != held.content_hash => {
                Err(RegistryError::OtherContent { epoch: offered })
            }
            _ => Ok(()),
        }
    }
}

impl std::ops::Deref for AuthenticRegistry {
    type Target = Registry;
    fn deref(&self) -> &Registry {
        &self.registry
    }
}

#[cfg(test)]
mod tests;
