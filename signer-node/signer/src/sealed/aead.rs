//! AES-256-GCM with a random nonce in front of the ciphertext.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use zeroize::Zeroizing;

/// Length of a key, in bytes.
pub(crate) const KEY_BYTES: usize = 32;
/// What a box adds to its plaintext: a 96-bit nonce and a 128-bit tag.
pub(crate) const OVERHEAD_BYTES: usize = NONCE_BYTES + TAG_BYTES;

const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// A key that is wiped when dropped.
pub(crate) type Key = Zeroizing<[u8; KEY_BYTES]>;

/// Nothing could be encrypted: the machine's fault or ours, never the input's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CipherFailure {
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness: {0}")]
    NoRandomness(#[from] getrandom::Error),
    /// More than AES-GCM takes. Callers limit what they seal long before.
    #[error("AES-GCM refused the length of a plaintext")]
    TooLong,
}

/// Bytes from the operating system.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, CipherFailure> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice())?;
    Ok(bytes)
}

/// Nonce ‖ ciphertext ‖ tag.
pub(crate) fn lock(key: &Key, aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, CipherFailure> {
    let nonce = random::<NONCE_BYTES>()?;
    let cipher = Aes256Gcm::new((&**key).into());
    let sealed = cipher
        .encrypt(Nonce::from_slice(&*nonce), Payload { msg: plaintext, aad })
        .map_err(|_| CipherFailure::TooLong)?;
    Ok([nonce.as_slice(), &sealed].concat())
}

/// The plaintext, if key, AAD and every byte of the box are those of [`lock`].
pub(crate) fn unlock(key: &Key, aad: &[u8], boxed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, sealed) = boxed.split_first_chunk::<NONCE_BYTES>()?;
    let cipher = Aes256Gcm::new((&**key).into());
    cipher.decrypt(Nonce::from_slice(nonce), Payload { msg: sealed, aad }).ok().map(Zeroizing::new)
}
