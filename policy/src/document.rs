//! Documents that bind: canonical JSON (RFC 8785) under Ed25519 signatures (RFC 8032).
//!
//! Promises: [`Signed::open`] and its siblings yield an [`Authentic`] value, and nothing else
//! makes one. What is signed is `tercet/<kind>/v1`, a zero byte, and the canonical form of the
//! *parsed* document, so two writings of one document are one document, a field that was not
//! understood cannot have been signed, and a signature over one kind says nothing about another.
//!
//! Refuses: whole numbers beyond 2^53, of which canonical JSON writes several alike.
//!
//! Does not protect against: an authority that signs something it did not read.

mod authority;
mod canonical;
mod enrolment;
mod freeze;
mod keys;
mod wallet;

use std::collections::BTreeSet;

use ed25519_dalek::{Signer as _, SigningKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use canonical::signed_bytes;

pub use authority::{AUTHORITY_KEYS_MAX, Authority, AuthorityConfig, BadAuthority};
pub use enrolment::{Enrolment, NodeKeys};
pub use freeze::{FREEZE_EPOCH_BY_ONE_MAX, Freeze};
pub(crate) use keys::hex_bytes;
pub use keys::{ContentHash, Ed25519PublicKey, Ed25519Signature, NotHex, X25519PublicKey};
pub use wallet::{RequestId, WalletRequest};

/// Most signatures one document may carry.
pub const SIGNATURES_MAX: usize = 16;
/// The largest whole number that JSON carries exactly everywhere (RFC 7493): 2^53 - 1.
pub const JSON_INTEGER_MAX: u64 = (1 << 53) - 1;

/// Something that can be signed: its kind is part of what is signed.
pub trait Document: Serialize + DeserializeOwned {
    /// One word for the kind, part of the signed bytes.
    const KIND: &'static str;
}

/// One signature and the key that is said to have made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeySignature {
    /// The signer's public key.
    pub key: Ed25519PublicKey,
    /// The signature over the document's bytes.
    pub signature: Ed25519Signature,
}

/// A document and signatures that have not been checked. Nothing in it may be believed yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed<T> {
    /// The document, unchecked.
    pub document: T,
    /// Its signatures, unchecked.
    pub signatures: Vec<KeySignature>,
}

/// A document whose signatures were found good. Only the `open` functions make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentic<T> {
    document: T,
    content_hash: ContentHash,
}

impl<T> Authentic<T> {
    /// The document.
    pub const fn document(&self) -> &T {
        &self.document
    }

    /// The hash of what was signed: equal exactly when the documents are equal.
    pub const fn content_hash(&self) -> ContentHash {
        self.content_hash
    }

    /// The document by value; the proof that it was signed is given up.
    pub fn into_document(self) -> T {
        self.document
    }
}

impl<T> std::ops::Deref for Authentic<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.document
    }
}

/// Why a document was not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum DocumentError {
    /// The document has no canonical form (a number beyond 2^53, for one).
    #[error("the {kind} has no canonical JSON form")]
    NotCanonical {
        /// Kind of the document.
        kind: String,
    },
    /// A signature does not verify, or its key is not one that counts here.
    #[error("the {kind} is not signed by the key it needs")]
    BadSignature {
        /// Kind of the document.
        kind: String,
    },
    /// Fewer good signatures of different authority keys than needed.
    #[error("the {kind} carries {found} of the {needed} authority signatures it needs")]
    TooFewSignatures {
        /// Kind of the document.
        kind: String,
        /// Good signatures by different keys.
        found: usize,
        /// Signatures needed.
        needed: usize,
    },
    /// More signatures than are ever looked at.
    #[error("a document carries at most {SIGNATURES_MAX} signatures")]
    TooManySignatures,
}

impl<T: Document> Signed<T> {
    /// Signs with one key.
    ///
    /// # Errors
    /// [`DocumentError::NotCanonical`] if the document has no canonical form.
    pub fn by(document: T, key: &SigningKey) -> Result<Self, DocumentError> {
        let mut signed = Self { document, signatures: Vec::new() };
        signed.add_signature(key)?;
        Ok(signed)
    }

    /// Adds one more signature over the same document.
    ///
    /// # Errors
    /// [`DocumentError::NotCanonical`] if the document has no canonical form.
    pub fn add_signature(&mut self, key: &SigningKey) -> Result<(), DocumentError> {
        let signature = Ed25519Signature(key.sign(&signed_bytes(&self.document)?).to_bytes());
        self.signatures.push(KeySignature { key: Ed25519PublicKey::of(key), signature });
        Ok(())
    }

    /// Opens a document that `key` alone must have signed.
    ///
    /// # Errors
    /// [`DocumentError::BadSignature`] unless there is exactly one signature, by `key`, and good.
    pub fn open_by(self, key: &Ed25519PublicKey) -> Result<Authentic<T>, DocumentError> {
        let bytes = signed_bytes(&self.document)?;
        match self.signatures.as_slice() {
            [one] if one.key == *key && key.verifies(&bytes, &one.signature) => {
                Ok(Authentic { document: self.document, content_hash: hash(&bytes) })
            }
            _ => Err(DocumentError::BadSignature { kind: T::KIND.to_owned() }),
        }
    }

    /// Opens a document that `needed` different keys of the authority must have signed.
    fn open_with(
        self,
        authority: &Authority,
        needed: usize,
    ) -> Result<Authentic<T>, DocumentError> {
        if self.signatures.len() > SIGNATURES_MAX {
            return Err(DocumentError::TooManySignatures);
        }
        let bytes = signed_bytes(&self.document)?;
        let good: BTreeSet<_> = self
            .signatures
            .iter()
            .filter(|s| authority.has(&s.key) && s.key.verifies(&bytes, &s.signature))
            .map(|s| s.key)
            .collect();
        if good.len() < needed {
            return Err(DocumentError::TooFewSignatures {
                kind: T::KIND.to_owned(),
                found: good.len(),
                needed,
            });
        }
        Ok(Authentic { document: self.document, content_hash: hash(&bytes) })
    }

    /// Opens a document that any one key of the authority must have signed.
    pub(crate) fn open_by_any(self, authority: &Authority) -> Result<Authentic<T>, DocumentError> {
        self.open_with(authority, 1)
    }

    /// Opens a document that needs the authority's full quorum.
    ///
    /// # Errors
    /// [`DocumentError`] for too few good signatures by different keys of the authority.
    pub fn open(self, authority: &Authority) -> Result<Authentic<T>, DocumentError> {
        let needed = authority.threshold();
        self.open_with(authority, needed)
    }
}

fn hash(bytes: &[u8]) -> ContentHash {
    ContentHash(Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests;
