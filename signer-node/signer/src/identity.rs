//! Who this node is: an Ed25519 key for what it says, an X25519 key for whom it talks to.
//!
//! Promises: keys are made here from the operating system's randomness, rest sealed in the home,
//! are wiped on drop, and have no voice in `Debug`.
//! Refuses: a sealed identity that is not one of this format.
//! Does not protect against: a copied home with its passphrase, or copies of the channel key
//! that the Noise library makes for the length of a session.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey};
use snow::params::DHChoice;
use snow::resolvers::{CryptoResolver as _, DefaultResolver};
use tercet_policy::document::{Ed25519PublicKey, Ed25519Signature, NodeKeys, X25519PublicKey};
use tercet_policy::party::NodeId;
use tercet_policy::time::UnixSeconds;
use zeroize::{Zeroize as _, Zeroizing};

use crate::home::Home;
use crate::kek::Kek;
use crate::sealed::aead::{self, CipherFailure, KEY_BYTES, Key};
use crate::sealed::{SealedError, SealedName};

const VERSION: u8 = 1;

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The sealed file opened, and what is in it is not an identity of this format.
    #[error("identity.sealed holds no identity that this release reads")]
    Unreadable,
    /// The build has no X25519: a bug of ours.
    #[error("the Noise library offers no X25519")]
    NoX25519,
    /// No randomness.
    #[error(transparent)]
    Cipher(#[from] CipherFailure),
    /// The file could not be sealed or opened.
    #[error(transparent)]
    Sealed(#[from] SealedError),
}

/// A node's keys, alive.
pub struct NodeIdentity {
    signing: Box<SigningKey>,
    channel: Box<Key>,
    public: NodeKeys,
}

impl NodeIdentity {
    /// Makes a new identity under the given name.
    ///
    /// # Errors
    /// [`IdentityError::Cipher`] without randomness.
    pub fn generate(id: NodeId) -> Result<Self, IdentityError> {
        Self::from_secrets(id, &aead::random()?, &aead::random()?)
    }

    /// Seals the identity into a home that has none.
    ///
    /// # Errors
    /// [`IdentityError::Sealed`]; a home's first identity is never overwritten.
    pub fn seal(&self, home: &Home, kek: &Kek, created: UnixSeconds) -> Result<(), IdentityError> {
        Ok(home.seal(&SealedName::Identity, created, &self.encode(), kek)?)
    }

    /// Opens the identity of a home.
    ///
    /// # Errors
    /// [`IdentityError::Sealed`], [`IdentityError::Unreadable`].
    pub fn open(home: &Home, kek: &Kek) -> Result<Self, IdentityError> {
        let unsealed = home.unseal(&SealedName::Identity, kek)?;
        Self::decode(&unsealed.secret).ok_or(IdentityError::Unreadable)
    }

    /// The public half, as enrolments name it.
    #[must_use]
    pub const fn public(&self) -> &NodeKeys {
        &self.public
    }

    /// Signs bytes that already carry their domain (a request's signature base).
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Ed25519Signature {
        Ed25519Signature(self.signing.sign(message).to_bytes())
    }

    /// The signing key, for documents that sign themselves (`Signed::by`).
    #[must_use]
    pub fn expose_signing(&self) -> &SigningKey {
        &self.signing
    }

    pub(crate) fn expose_channel(&self) -> &[u8; KEY_BYTES] {
        &self.channel
    }

    fn from_secrets(id: NodeId, signing: &Key, channel: &Key) -> Result<Self, IdentityError> {
        let signing = Box::new(SigningKey::from_bytes(signing));
        let public = NodeKeys {
            id,
            signing: Ed25519PublicKey::of(&signing),
            channel: x25519_public(channel).ok_or(IdentityError::NoX25519)?,
        };
        Ok(Self { signing, channel: Box::new(channel.clone()), public })
    }

    /// version 1 | Ed25519 seed 32 | X25519 secret 32 | name
    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let name = self.public.id.as_str().as_bytes();
        let mut secret = Zeroizing::new(Vec::with_capacity(1 + 2 * KEY_BYTES + 64));
        secret.push(VERSION);
        let mut seed = self.signing.to_bytes();
        secret.extend_from_slice(&seed);
        seed.zeroize();
        secret.extend_from_slice(self.channel.as_slice());
        secret.extend_from_slice(name);
        secret
    }

    fn decode(secret: &[u8]) -> Option<Self> {
        let rest = secret.strip_prefix(&[VERSION])?;
        let (signing, rest) = rest.split_first_chunk::<KEY_BYTES>()?;
        let (channel, name) = rest.split_first_chunk::<KEY_BYTES>()?;
        let id = NodeId::new(str::from_utf8(name).ok()?).ok()?;
        let [signing, channel] = [signing, channel].map(|key| Zeroizing::new(*key));
        Self::from_secrets(id, &signing, &channel).ok()
    }
}

impl fmt::Debug for NodeIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeIdentity").field("public", &self.public).finish_non_exhaustive()
    }
}

/// RFC 7748, with the library that will use the key, so that the two cannot disagree.
fn x25519_public(secret: &Key) -> Option<X25519PublicKey> {
    let mut dh = DefaultResolver.resolve_dh(&DHChoice::Curve25519)?;
    dh.set(secret.as_slice());
    dh.pubkey().try_into().ok().map(X25519PublicKey)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::DiskError;
    use crate::kek::{Argon2Cost, Passphrase};

    fn node() -> NodeIdentity {
        NodeIdentity::generate(NodeId::new("operator-01").unwrap()).unwrap()
    }

    fn home() -> (tempfile::TempDir, Home, Kek) {
        let place = tempfile::tempdir().unwrap();
        let home = Home::create(&place.path().join("home")).unwrap();
        let passphrase = Passphrase::new(b"correct horse battery".to_vec()).unwrap();
        let kek = Kek::create(&home, &passphrase, Argon2Cost::insecure_for_tests()).unwrap();
        (place, home, kek)
    }

    #[test]
    fn a_sealed_identity_opens_to_the_same_keys() {
        let (_place, home, kek) = home();
        let made = node();
        made.seal(&home, &kek, UnixSeconds(1)).unwrap();
        let opened = NodeIdentity::open(&home, &kek).unwrap();
        assert_eq!(opened.public(), made.public());
        assert_eq!(opened.channel, made.channel);
        let signature = opened.sign(b"message");
        assert!(made.public().signing.verifies(b"message", &signature));
    }

    #[test]
    fn the_first_identity_of_a_home_stays() {
        let (_place, home, kek) = home();
        node().seal(&home, &kek, UnixSeconds(1)).unwrap();
        let refused = node().seal(&home, &kek, UnixSeconds(2));
        let there = matches!(
            refused,
            Err(IdentityError::Sealed(SealedError::Disk(DiskError::AlreadyThere { .. })))
        );
        assert!(there, "{refused:?}");
    }

    #[test]
    fn two_identities_have_nothing_in_common() {
        let (one, two) = (node(), node());
        assert_ne!(one.public().signing, two.public().signing);
        assert_ne!(one.public().channel, two.public().channel);
    }

    /// RFC 7748 section 6.1, Alice's key pair.
    #[test]
    fn the_channel_key_is_that_of_rfc_7748() {
        let bytes = |text: &str| <[u8; 32]>::try_from(hex::decode(text).unwrap()).unwrap();
        let secret = bytes("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
        let public = x25519_public(&Zeroizing::new(secret)).unwrap();
        let expected = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
        assert_eq!(public.to_string(), expected);
    }

    #[test]
    fn content_of_another_shape_is_not_an_identity() {
        let good = node().encode();
        assert!(NodeIdentity::decode(&good).is_some());
        for end in 0..=1 + 2 * KEY_BYTES {
            assert!(NodeIdentity::decode(&good[..end]).is_none(), "{end}");
        }
        let unnamed = [&good[..1 + 2 * KEY_BYTES], b"Not A Name"].concat();
        assert!(NodeIdentity::decode(&unnamed).is_none());
        let mut later = good.to_vec();
        later[0] = 2;
        assert!(NodeIdentity::decode(&later).is_none());
    }

    #[test]
    fn only_public_keys_are_printed() {
        let identity = node();
        let printed = format!("{identity:?}");
        assert!(printed.contains(&identity.public().channel.to_string()));
        assert!(!printed.contains(&hex::encode(identity.channel.as_slice())));
        assert!(!printed.contains(&hex::encode(identity.signing.to_bytes())));
    }
}
