//! The key-encryption key of a node's home, from a passphrase.
//!
//! Promises: Argon2id (RFC 9106) with the salt and cost kept in `kek.salt`; a wrong passphrase is
//! told apart from a damaged file; the key is derived once per start, wiped on drop, and has no
//! voice in `Debug`.
//! Refuses: costs under the caller's floor or over the named limits, short passphrases,
//! passphrase files that others may read.
//! Does not protect against: a weak passphrase once the home is copied (the cost only slows
//! guessing), or a reader of this process's memory.

mod file;
mod passphrase;

use std::fmt;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroizing;

pub(crate) use self::file::KEK_SALT_FILE_BYTES;
pub use self::passphrase::{
    PASSPHRASE_BYTES_MAX, PASSPHRASE_BYTES_MIN, Passphrase, PassphraseSource,
};
use crate::sealed::CipherFailure;

use crate::home::{DiskError, Home};
use crate::sealed::aead::{self, KEY_BYTES, Key};

/// Most memory a `kek.salt` file may ask for, in KiB: RFC 9106's first recommendation.
pub const ARGON2_MEMORY_KIB_MAX: u32 = 2 * 1024 * 1024;
/// Most passes over the memory a `kek.salt` file may ask for.
pub const ARGON2_PASSES_MAX: u32 = 16;
/// Most lanes a `kek.salt` file may ask for.
pub const ARGON2_LANES_MAX: u32 = 16;

/// What one guess at the passphrase costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Argon2Cost {
    /// RFC 9106 section 4, second recommendation: 64 MiB, 3 passes, 4 lanes. For nodes that
    /// start unattended.
    #[must_use]
    pub const fn standard() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 }
    }

    /// RFC 9106 section 4, first recommendation: 2 GiB, 1 pass, 4 lanes. For a share kept cold.
    #[must_use]
    pub const fn cold() -> Self {
        Self { memory_kib: ARGON2_MEMORY_KIB_MAX, passes: 1, lanes: 4 }
    }

    /// 64 KiB and one pass: a guess costs nothing. Never for a home that holds a share of value.
    #[must_use]
    pub const fn insecure_for_tests() -> Self {
        Self { memory_kib: 64, passes: 1, lanes: 1 }
    }

    fn check(self, floor: Self) -> Result<Self, KekError> {
        let over = self.memory_kib > ARGON2_MEMORY_KIB_MAX
            || self.passes > ARGON2_PASSES_MAX
            || self.lanes > ARGON2_LANES_MAX;
        if over {
            return Err(KekError::CostTooHigh { found: self });
        }
        if self.memory_kib < floor.memory_kib || self.work() < floor.work() {
            return Err(KekError::CostTooLow { found: self, floor });
        }
        Ok(self)
    }

    /// KiB filled over all passes.
    fn work(self) -> u64 {
        u64::from(self.memory_kib).saturating_mul(u64::from(self.passes))
    }
}

impl fmt::Display for Argon2Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} KiB, {} passes, {} lanes", self.memory_kib, self.passes, self.lanes)
    }
}

/// Why there is no key-encryption key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KekError {
    /// The passphrase is not the one this home was made with.
    #[error("wrong passphrase for this home")]
    WrongPassphrase,
    /// The `kek.salt` file is cut, altered, or something else.
    #[error("kek.salt is damaged: {what}; restore it from a backup of this home")]
    Damaged {
        /// The first thing that was wrong.
        what: &'static str,
    },
    /// Guessing would be cheaper than the caller accepts.
    #[error("argon2 cost of {found} is under the floor of {floor}")]
    CostTooLow {
        /// What the file says, or the caller asked for.
        found: Argon2Cost,
        /// The least accepted.
        floor: Argon2Cost,
    },
    /// Deriving would cost more than any home of ours asks for.
    #[error("argon2 cost of {found} is over the limit")]
    CostTooHigh {
        /// What the file says, or the caller asked for.
        found: Argon2Cost,
    },
    /// The passphrase is too short or too long.
    #[error(
        "the passphrase has {bytes} bytes: \
         use {PASSPHRASE_BYTES_MIN} to {PASSPHRASE_BYTES_MAX}"
    )]
    PassphraseLength {
        /// Its length, in bytes.
        bytes: usize,
    },
    /// A credential's name that is a path, or empty.
    #[error("{name:?} is not the name of a credential: use letters, digits, '.', '_' and '-'")]
    CredentialName {
        /// What was configured.
        name: String,
    },
    /// The service manager passed no credentials.
    #[error("CREDENTIALS_DIRECTORY is not set: the unit has no LoadCredential= for this service")]
    NoCredentials,
    /// No random salt.
    #[error(transparent)]
    Cipher(#[from] CipherFailure),
    /// A file could not be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Argon2 itself refused: parameters inside our limits should not do that.
    #[error("argon2 refused: {0}")]
    Derivation(argon2::Error),
}

/// The key-encryption key of one home.
pub struct Kek(Box<Key>);

impl Kek {
    /// Makes the salt of a new home and derives its key. Takes the time and memory of `cost`:
    /// call it off the async runtime.
    ///
    /// # Errors
    /// [`KekError`]; in particular [`DiskError::AlreadyThere`] for a home that has a salt.
    pub fn create(
        home: &Home,
        passphrase: &Passphrase,
        cost: Argon2Cost,
    ) -> Result<Self, KekError> {
        let salt = file::Salt::fresh(cost.check(cost)?)?;
        let kek = Self::derive(passphrase, &salt)?;
        home.create_kek_salt(&salt.encode(&kek)?)?;
        Ok(kek)
    }

    /// Derives the key of an existing home, whose cost must not be under `floor`
    /// ([`Argon2Cost::standard`] outside tests). Call it off the async runtime.
    ///
    /// # Errors
    /// [`KekError`]; in particular [`KekError::WrongPassphrase`].
    pub fn unlock(
        home: &Home,
        passphrase: &Passphrase,
        floor: Argon2Cost,
    ) -> Result<Self, KekError> {
        let (salt, check) = file::Salt::decode(&home.read_kek_salt()?)?;
        salt.cost.check(floor)?;
        let kek = Self::derive(passphrase, &salt)?;
        if check.proves(&kek, &salt) { Ok(kek) } else { Err(KekError::WrongPassphrase) }
    }

    fn derive(passphrase: &Passphrase, salt: &file::Salt) -> Result<Self, KekError> {
        let Argon2Cost { memory_kib, passes, lanes } = salt.cost;
        let params = Params::new(memory_kib, passes, lanes, Some(KEY_BYTES))
            .map_err(KekError::Derivation)?;
        // Our own memory, because the crate's would be freed without being wiped.
        let mut memory = Zeroizing::new(vec![Block::default(); params.block_count()]);
        let mut key = Box::new(Key::default());
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(
                passphrase.expose(),
                &salt.bytes,
                key.as_mut_slice(),
                memory.as_mut_slice(),
            )
            .map_err(KekError::Derivation)?;
        Ok(Self(key))
    }

    /// Wraps a data key: 60 bytes that only this KEK and the same `aad` open.
    pub(crate) fn wrap(&self, aad: &[u8], data_key: &Key) -> Result<Vec<u8>, CipherFailure> {
        aead::lock(&self.0, aad, data_key.as_slice())
    }

    /// The data key, if this KEK wrapped it under the same `aad`.
    pub(crate) fn unwrap(&self, aad: &[u8], wrapped: &[u8]) -> Option<Key> {
        let bytes = aead::unlock(&self.0, aad, wrapped)?;
        let mut key = Key::default();
        (bytes.len() == key.len()).then(|| key.copy_from_slice(&bytes))?;
        Some(key)
    }
}

impl fmt::Debug for Kek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kek(..)")
    }
}

#[cfg(test)]
mod tests;
