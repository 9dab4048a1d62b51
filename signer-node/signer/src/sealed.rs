//! Sealed files: a secret at rest, bound to what it is and whom it is for.
//!
//! Promises: AES-256-GCM under a data key and nonce that are fresh at every write; the data key
//! is wrapped by the home's KEK; the header (format, kind, subject, time) is authenticated with
//! both, so a file that opens is the file that was asked for.
//! Refuses: files cut, altered, of another home, of another kind or subject, of another version;
//! each with its own error, none with a panic.
//! Does not protect against: an older sealed file of the same subject put back in place (the
//! journal notices a rolled-back disk), or a reader of this process's memory.
//!
//! ```text
//! header: magic 8 | version 1 | kind 1 | created 8 | subject length 1 | subject 0..=128
//! wrapped data key 60   AES-256-GCM under the KEK, AAD = domain ‖ header
//! body 28 + n           AES-256-GCM under the data key, AAD = domain ‖ header ‖ wrapped key
//! ```
//! A box is nonce 12 ‖ ciphertext ‖ tag 16; numbers are big-endian.

pub(crate) mod aead;
mod header;
mod name;

use zeroize::Zeroizing;

use tercet_policy::time::UnixSeconds;

pub use self::aead::CipherFailure;
pub use self::header::SealedKind;
pub(crate) use self::name::Shelf;
pub use self::name::{PrimeSetId, SealedName};

use self::aead::{KEY_BYTES, Key, OVERHEAD_BYTES};
use self::header::{HEADER_BYTES_MAX, Header};
use crate::home::DiskError;
use crate::kek::Kek;

/// Largest secret in a sealed file, in bytes.
pub const SEALED_PLAINTEXT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Largest sealed file, in bytes.
pub const SEALED_FILE_BYTES_MAX: usize =
    HEADER_BYTES_MAX + WRAPPED_KEY_BYTES + OVERHEAD_BYTES + SEALED_PLAINTEXT_BYTES_MAX;

const WRAPPED_KEY_BYTES: usize = KEY_BYTES + OVERHEAD_BYTES;
const KEY_DOMAIN: &[u8] = b"tercet/sealed/data-key/v1\0";
const BODY_DOMAIN: &[u8] = b"tercet/sealed/body/v1\0";

/// Why a secret was not sealed or not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealedError {
    /// The file ends too early.
    #[error("the sealed file is cut short")]
    Truncated,
    /// The file is not one of ours.
    #[error("not a sealed file")]
    NotSealed,
    /// Written by a later release, or altered.
    #[error("sealed file of format {found}; this release reads format {}", header::VERSION)]
    UnknownVersion {
        /// The version it claims.
        found: u8,
    },
    /// A byte differs from what was sealed, or another KEK sealed it.
    #[error("the sealed file is damaged, or belongs to another home")]
    NotAuthentic,
    /// Genuine, but in the place of another file.
    #[error("the file holds {found}, where {expected} was asked for")]
    OtherSubject {
        /// What was asked for.
        expected: String,
        /// What the authenticated header says.
        found: String,
    },
    /// More than a sealed file holds.
    #[error("{bytes} bytes to seal, the limit is {SEALED_PLAINTEXT_BYTES_MAX}")]
    TooLarge {
        /// What was given, in bytes.
        bytes: usize,
    },
    /// Encryption itself failed.
    #[error(transparent)]
    Cipher(#[from] CipherFailure),
    /// The file could not be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// A secret out of its file.
pub struct Unsealed {
    /// When it was sealed.
    pub created: UnixSeconds,
    /// The secret, wiped on drop.
    pub secret: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Unsealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unsealed").field("created", &self.created).finish_non_exhaustive()
    }
}

/// The bytes of a sealed file. Two calls never give the same bytes.
pub(crate) fn seal(
    name: &SealedName,
    created: UnixSeconds,
    secret: &[u8],
    kek: &Kek,
) -> Result<Vec<u8>, SealedError> {
    if secret.len() > SEALED_PLAINTEXT_BYTES_MAX {
        return Err(SealedError::TooLarge { bytes: secret.len() });
    }
    let header = Header { kind: name.kind(), subject: name.subject(), created }.encode();
    let data_key: Key = aead::random()?;
    let wrapped = kek.wrap(&[KEY_DOMAIN, &header].concat(), &data_key)?;
    let body = aead::lock(&data_key, &[BODY_DOMAIN, &header, &wrapped].concat(), secret)?;
    Ok([header, wrapped, body].concat())
}

/// The secret in a sealed file's bytes, if they are those of `name` under this KEK.
pub(crate) fn unseal(name: &SealedName, file: &[u8], kek: &Kek) -> Result<Unsealed, SealedError> {
    let (header, rest) = Header::decode(file)?;
    let head_bytes = file.strip_suffix(rest).ok_or(SealedError::Truncated)?;
    let (wrapped, body) =
        rest.split_first_chunk::<WRAPPED_KEY_BYTES>().ok_or(SealedError::Truncated)?;
    if body.len() < OVERHEAD_BYTES {
        return Err(SealedError::Truncated);
    }
    let data_key =
        kek.unwrap(&[KEY_DOMAIN, head_bytes].concat(), wrapped).ok_or(SealedError::NotAuthentic)?;
    name.expect(&header)?;
    let secret = aead::unlock(&data_key, &[BODY_DOMAIN, head_bytes, wrapped].concat(), body)
        .ok_or(SealedError::NotAuthentic)?;
    Ok(Unsealed { created: header.created, secret })
}

#[cfg(test)]
mod tests;
