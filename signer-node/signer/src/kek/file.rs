//! The bytes of `kek.salt`: everything that derivation needs but the passphrase.
//!
//! ```text
//! magic 8 | version 1 | algorithm 1 | memory KiB 4 | passes 4 | lanes 4 | salt 16
//!   | check value 60 (AES-256-GCM of 32 zero bytes under the KEK, AAD = all before it)
//!   | SHA-256 of all before it, 32
//! ```
//! Numbers are big-endian. The hash tells damage from a wrong passphrase; it is not a protection,
//! the check value's tag is.

use sha2::{Digest, Sha256};

use super::{Argon2Cost, CipherFailure, Kek, KekError};
use crate::sealed::aead::{self, KEY_BYTES, Key, OVERHEAD_BYTES};

/// Exact size of the file.
pub(crate) const KEK_SALT_FILE_BYTES: usize = HEADER_BYTES + CHECK_BYTES + HASH_BYTES;

const MAGIC: &[u8; 8] = b"TERCETKS";
const VERSION: u8 = 1;
/// Argon2id, version 0x13.
const ALGORITHM: u8 = 1;
/// RFC 9106 recommends 128 bits.
const SALT_BYTES: usize = 16;
const HEADER_BYTES: usize = 8 + 1 + 1 + 3 * 4 + SALT_BYTES;
const CHECK_BYTES: usize = KEY_BYTES + OVERHEAD_BYTES;
const HASH_BYTES: usize = 32;

pub(super) struct Salt {
    pub(super) cost: Argon2Cost,
    pub(super) bytes: [u8; SALT_BYTES],
}

/// A constant sealed under the right KEK.
pub(super) struct Check([u8; CHECK_BYTES]);

impl Salt {
    pub(super) fn fresh(cost: Argon2Cost) -> Result<Self, CipherFailure> {
        Ok(Self { cost, bytes: *aead::random()? })
    }

    pub(super) fn encode(&self, kek: &Kek) -> Result<Vec<u8>, CipherFailure> {
        let mut file = self.header();
        let check = kek.wrap(&file, &Key::default())?;
        file.extend(check);
        let hash = Sha256::digest(&file);
        file.extend_from_slice(&hash);
        Ok(file)
    }

    pub(super) fn decode(file: &[u8]) -> Result<(Self, Check), KekError> {
        let damaged = |what| KekError::Damaged { what };
        let (body, hash) =
            file.split_last_chunk::<HASH_BYTES>().ok_or(damaged("it is cut short"))?;
        if file.len() != KEK_SALT_FILE_BYTES {
            return Err(damaged("it has the wrong length"));
        }
        if Sha256::digest(body).as_slice() != hash {
            return Err(damaged("its checksum differs"));
        }
        let (header, check) =
            body.split_first_chunk::<HEADER_BYTES>().ok_or(damaged("it is cut short"))?;
        let check = check.try_into().map_err(|_| damaged("its check value is cut short"))?;
        let salt = Self::decode_header(header).ok_or(damaged("its header is not ours"))?;
        Ok((salt, Check(check)))
    }

    fn header(&self) -> Vec<u8> {
        let Argon2Cost { memory_kib, passes, lanes } = self.cost;
        let mut header = MAGIC.to_vec();
        header.extend([VERSION, ALGORITHM]);
        for number in [memory_kib, passes, lanes] {
            header.extend(number.to_be_bytes());
        }
        header.extend(self.bytes);
        header
    }

    fn decode_header(header: &[u8]) -> Option<Self> {
        let rest = header.strip_prefix(MAGIC)?.strip_prefix(&[VERSION, ALGORITHM])?;
        let (memory, rest) = rest.split_first_chunk()?;
        let (passes, rest) = rest.split_first_chunk()?;
        let (lanes, salt) = rest.split_first_chunk()?;
        let cost = Argon2Cost {
            memory_kib: u32::from_be_bytes(*memory),
            passes: u32::from_be_bytes(*passes),
            lanes: u32::from_be_bytes(*lanes),
        };
        Some(Self { cost, bytes: salt.try_into().ok()? })
    }
}

impl Check {
    pub(super) fn proves(&self, kek: &Kek, salt: &Salt) -> bool {
        kek.unwrap(&salt.header(), &self.0).is_some()
    }
}
