//! Documents that bind: canonical JSON (RFC 8785) under Ed25519 signatures (RFC 8032).
//!
//! Promises: [`Signed::open`] and its siblings yield an [`Authentic`] value, and nothing else
//! makes one. What is signed is `tercet/<kind>/v1`, a zero byte, and the canonical form of the
//! *parsed* document, so two writings of one document are one document, a field that was not
//! understood cannot have been signed, and a signature over one kind says nothing about another.
//!
//! Does not protect against: an authority that signs something it did not read.

use std::collections::BTreeSet;
use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::party::{AgentId, NodeId, Party};
use crate::time::UnixSeconds;

/// Most signatures one document may carry.
pub const SIGNATURES_MAX: usize = 16;
/// Most keys a policy authority may have.
pub const AUTHORITY_KEYS_MAX: usize = 16;
/// The largest whole number that JSON carries exactly everywhere (RFC 7493): 2^53 - 1.
pub const JSON_INTEGER_MAX: u64 = (1 << 53) - 1;

/// Highest epoch of a freeze that one authority key may sign alone; the quorum can always thaw
/// above it.
pub const FREEZE_EPOCH_BY_ONE_MAX: u64 = 1 << 52;

macro_rules! hex_bytes {
    ($(#[$doc:meta])* $type:ident, $len:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(pub [u8; $len]);

        impl TryFrom<String> for $type {
            type Error = NotHex;
            fn try_from(text: String) -> Result<Self, NotHex> {
                text.parse()
            }
        }

        impl std::str::FromStr for $type {
            type Err = NotHex;
            fn from_str(text: &str) -> Result<Self, NotHex> {
                let mut bytes = [0u8; $len];
                hex::decode_to_slice(text, &mut bytes)
                    .map(|()| Self(bytes))
                    .map_err(|_| NotHex { bytes: $len })
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                hex::encode(value.0)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "({})"), self)
            }
        }
    };
}
pub(crate) use hex_bytes;

/// A text that is not hexadecimal of the right length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {bytes} bytes as hexadecimal digits without a prefix")]
pub struct NotHex {
    /// Bytes expected.
    pub bytes: usize,
}

hex_bytes! {
    /// An Ed25519 public key; 64 hexadecimal digits in JSON.
    Ed25519PublicKey, 32
}
hex_bytes! {
    /// An Ed25519 signature; 128 hexadecimal digits in JSON.
    Ed25519Signature, 64
}
hex_bytes! {
    /// An X25519 public key for the Noise channel between nodes.
    X25519PublicKey, 32
}
hex_bytes! {
    /// SHA-256 of a document's canonical form with its domain.
    ContentHash, 32
}

impl Ed25519PublicKey {
    /// The public half of `key`.
    #[must_use]
    pub fn of(key: &SigningKey) -> Self {
        Self(key.verifying_key().to_bytes())
    }

    /// Whether `signature` is this key's over `message`, by the strict rules (no small-order
    /// keys, no malleability).
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &Ed25519Signature) -> bool {
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| {
            let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
            key.verify_strict(message, &signature).is_ok()
        })
    }
}

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

fn signed_bytes<T: Document>(document: &T) -> Result<Vec<u8>, DocumentError> {
    let mut bytes = format!("tercet/{}/v1\0", T::KIND).into_bytes();
    serde_json_canonicalizer::to_writer(document, &mut bytes)
        .map_err(|_| DocumentError::NotCanonical { kind: T::KIND.to_owned() })?;
    Ok(bytes)
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
            .filter(|s| authority.keys.contains(&s.key) && s.key.verifies(&bytes, &s.signature))
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
        let needed = authority.threshold;
        self.open_with(authority, needed)
    }
}

impl Signed<Freeze> {
    /// Opens a freeze or an unfreeze: any one authority key may freeze, and thawing needs
    /// the quorum. So does a freeze above [`FREEZE_EPOCH_BY_ONE_MAX`]: were it open to one key,
    /// that key could take the last epoch and freeze for ever.
    ///
    /// # Errors
    /// [`DocumentError`] for too few good signatures.
    pub fn open_freeze(self, authority: &Authority) -> Result<Authentic<Freeze>, DocumentError> {
        let by_one = self.document.frozen && self.document.epoch <= FREEZE_EPOCH_BY_ONE_MAX;
        let needed = if by_one { 1 } else { authority.threshold };
        self.open_with(authority, needed)
    }
}

fn hash(bytes: &[u8]) -> ContentHash {
    ContentHash(Sha256::digest(bytes).into())
}

/// The keys that may loosen what agents are allowed to do, pinned wherever they are checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "AuthorityConfig", into = "AuthorityConfig")]
pub struct Authority {
    keys: BTreeSet<Ed25519PublicKey>,
    threshold: usize,
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

/// The public half of a node's identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeKeys {
    /// The node's name.
    pub id: NodeId,
    /// Signs its requests; for an agent's node, its intents too.
    pub signing: Ed25519PublicKey,
    /// Its static key in the Noise channels.
    pub channel: X25519PublicKey,
}

/// The three nodes that hold an agent's wallets, signed by the authority: who may ask, and who
/// may sign with whom. Every node checks it against its own pins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// The agent this enrols.
    pub agent: AgentId,
    /// Rises with every change; a node refuses an older one.
    pub epoch: u64,
    /// The agent's own node.
    pub agent_node: NodeKeys,
    /// The operator's node.
    pub operator_node: NodeKeys,
    /// The recovery officer's node.
    pub recovery_node: NodeKeys,
}

impl Document for Enrolment {
    const KIND: &'static str = "enrolment";
}

impl Enrolment {
    /// The keys of one party.
    #[must_use]
    pub const fn keys(&self, party: Party) -> &NodeKeys {
        match party {
            Party::Agent => &self.agent_node,
            Party::Operator => &self.operator_node,
            Party::Recovery => &self.recovery_node,
        }
    }

    /// The party a node is for this agent, if any.
    #[must_use]
    pub fn party_of(&self, node: &NodeId) -> Option<Party> {
        Party::ALL.into_iter().find(|&party| self.keys(party).id == *node)
    }

    /// Whether the three nodes are three different nodes with different keys.
    #[must_use]
    pub fn parties_are_distinct(&self) -> bool {
        let keys = Party::ALL.map(|party| self.keys(party));
        let distinct = |count: usize| count == Party::ALL.len();
        distinct(keys.iter().map(|k| &k.id).collect::<BTreeSet<_>>().len())
            && distinct(keys.iter().map(|k| k.signing).collect::<BTreeSet<_>>().len())
            && distinct(keys.iter().map(|k| k.channel).collect::<BTreeSet<_>>().len())
    }
}

/// Stops or resumes an agent. Any one authority key stops; resuming takes the quorum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// The agent.
    pub agent: AgentId,
    /// Rises with every change; a node refuses an older one.
    pub epoch: u64,
    /// Whether the agent is stopped.
    pub frozen: bool,
    /// Why, for people.
    pub reason: String,
}

impl Freeze {
    /// Whether this takes the place of the document that is held: at a higher epoch it does, and at the
    /// same one a freeze does so over a thaw. Which of the two a courier brings first decides nothing,
    /// for anyone in the authority may stop an agent.
    #[must_use]
    pub const fn supersedes(&self, held: &Self) -> bool {
        self.epoch > held.epoch || (self.epoch == held.epoch && self.frozen && !held.frozen)
    }
}

impl Document for Freeze {
    const KIND: &'static str = "freeze";
}

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

#[cfg(test)]
mod tests;
