//! Public keys, signatures and hashes: bytes of a fixed length, written in hexadecimal.

use std::fmt;

use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

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
