//! The folder in which a node keeps what it must not lose and nobody else may read.
//!
//! ```text
//! home/              0700
//!   lock             held while a process uses the home
//!   kek.salt         salt and cost of the key-encryption key
//!   identity.sealed
//!   groups/<agent>.aux.sealed
//!   wallets/<address>.share.sealed
//!   primes/<id>.primes.sealed  made ahead, each for one group
//!   journal.sqlite   what this node has agreed to sign
//! ```
//! Promises: one process at a time; every file 0600 and ours; a share is never overwritten by
//! [`Home::seal`].
//! Refuses: lax modes, symlinks, other owners, and a home that has shares but no journal.
//! Does not protect against: root, a network file system that lies about locks or fsync, or a
//! copy of the whole folder started elsewhere (peers notice by their journal heads).

mod disk;
mod harden;

use std::future::Future;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use alloy_primitives::Address;
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use tercet_policy::time::UnixSeconds;
use tokio_util::sync::{CancellationToken, DropGuard};
use zeroize::Zeroizing;

pub use self::disk::DiskError;
pub use self::harden::{Hardening, NotHardened, harden_process};

use self::disk::Folder;
pub(crate) use self::disk::{read_credential, read_private};
use crate::kek::{KEK_SALT_FILE_BYTES, Kek};
use crate::sealed::{
    self, PrimeSetId, SEALED_FILE_BYTES_MAX, SealedError, SealedName, Shelf, Unsealed,
};

const LOCK: &str = "lock";
const KEK_SALT: &str = "kek.salt";
const GROUPS: &str = "groups";
const WALLETS: &str = "wallets";
const PRIMES: &str = "primes";
const JOURNAL: &str = "journal.sqlite";

/// Why a home is not usable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HomeError {
    /// Another process holds the lock.
    #[error("{path} is in use by another process")]
    InUse {
        /// The home.
        path: PathBuf,
    },
    /// There are key shares, and no record of what they were used for.
    #[error(
        "{path} holds {shares} key shares but no journal: restore the journal, or reconcile \
         with the chain before signing anything"
    )]
    JournalMissing {
        /// The home.
        path: PathBuf,
        /// How many shares lie there.
        shares: usize,
    },
    /// A file or folder could not be used.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// An opened home, locked for this process until dropped.
#[derive(Debug)]
pub struct Home {
    root: Folder,
    groups: Folder,
    wallets: Folder,
    primes: Folder,
    lock: OwnedFd,
    /// Told of when the lock is free. Last, for fields are dropped in this order.
    freed: DropGuard,
}

/// A descriptor that a process being started has inherited for a moment would keep the lock, so it
/// is given back and not left to the closing of ours.
impl Drop for Home {
    fn drop(&mut self) {
        if let Err(error) = rustix::fs::flock(&self.lock, FlockOperation::Unlock) {
            tracing::warn!(%error, "a home's lock is left to the end of this process");
        }
    }
}

impl Home {
    /// Makes a new home and opens it.
    ///
    /// # Errors
    /// [`DiskError::AlreadyThere`] if anything is at `path`; other [`HomeError`]s.
    pub fn create(path: &Path) -> Result<Self, HomeError> {
        Folder::create(path)?;
        Self::open(path)
    }

    /// Opens and locks a home, and removes what a killed write left behind. Makes the folders
    /// inside if a crash came between [`Home::create`] and them.
    ///
    /// # Errors
    /// [`HomeError::InUse`], or [`HomeError::Disk`] for whatever is not ours alone.
    pub fn open(path: &Path) -> Result<Self, HomeError> {
        let root = Folder::open(path)?;
        let lock = root.lock_file(LOCK)?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(HomeError::InUse { path: path.to_owned() }),
            Err(e) => Err(DiskError::from_io(path.join(LOCK), "lock", e.into()))?,
        }
        let groups = open_or_create(&root, GROUPS)?;
        let wallets = open_or_create(&root, WALLETS)?;
        let primes = open_or_create(&root, PRIMES)?;
        for folder in [&root, &groups, &wallets, &primes] {
            folder.sweep()?;
        }
        let freed = CancellationToken::new().drop_guard();
        Ok(Self { root, groups, wallets, primes, lock, freed })
    }

    /// Ends once this home was dropped by everybody who holds it, and may be opened anew.
    pub fn freed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.freed.token().clone().cancelled_owned()
    }

    /// Where the home is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// Seals a secret into a file that must not exist yet.
    ///
    /// # Errors
    /// [`DiskError::AlreadyThere`] inside [`SealedError::Disk`] for a name that is taken.
    pub fn seal(
        &self,
        name: &SealedName,
        created: UnixSeconds,
        secret: &[u8],
        kek: &Kek,
    ) -> Result<(), SealedError> {
        let file = sealed::seal(name, created, secret, kek)?;
        Ok(self.shelf(name).create_file(&name.file_name(), &file)?)
    }

    /// Seals a secret over the one that is there. What was there is gone for ever: for a share
    /// of a key that is in use, that is the loss of this party's part of the wallet.
    ///
    /// # Errors
    /// [`SealedError`]; the old file stands after any of them.
    pub fn seal_over(
        &self,
        name: &SealedName,
        created: UnixSeconds,
        secret: &[u8],
        kek: &Kek,
    ) -> Result<(), SealedError> {
        let file = sealed::seal(name, created, secret, kek)?;
        Ok(self.shelf(name).replace_file(&name.file_name(), &file)?)
    }

    /// Opens a sealed file.
    ///
    /// # Errors
    /// [`SealedError`]; in particular [`DiskError::Missing`] inside [`SealedError::Disk`].
    pub fn unseal(&self, name: &SealedName, kek: &Kek) -> Result<Unsealed, SealedError> {
        let file = self.shelf(name).read(&name.file_name(), SEALED_FILE_BYTES_MAX)?;
        sealed::unseal(name, &file, kek)
    }

    /// Whether anything has that name.
    ///
    /// # Errors
    /// [`DiskError`] if the folder cannot be looked into.
    pub fn holds(&self, name: &SealedName) -> Result<bool, DiskError> {
        self.shelf(name).holds(&name.file_name())
    }

    /// Whether the home has a key-encryption key already.
    ///
    /// # Errors
    /// [`DiskError`] if the folder cannot be looked into.
    pub fn has_kek(&self) -> Result<bool, DiskError> {
        self.root.holds(KEK_SALT)
    }

    /// The wallets this node holds a share of, in order of address.
    ///
    /// # Errors
    /// [`DiskError`] if the folder cannot be listed.
    pub fn wallets(&self) -> Result<Vec<Address>, DiskError> {
        let names = self.wallets.names()?;
        let mut wallets: Vec<_> =
            names.iter().filter_map(|name| SealedName::wallet_of(name)).collect();
        wallets.sort_unstable();
        Ok(wallets)
    }

    /// Whether there are parameters of any group.
    ///
    /// # Errors
    /// [`DiskError`] if the folder cannot be listed.
    pub fn has_groups(&self) -> Result<bool, DiskError> {
        Ok(self.groups.names()?.iter().any(|name| SealedName::is_aux_info(name)))
    }

    /// The sets of primes in stock, in no order.
    ///
    /// # Errors
    /// [`DiskError`] if the folder cannot be listed.
    pub fn prime_sets(&self) -> Result<Vec<PrimeSetId>, DiskError> {
        let names = self.primes.names()?;
        Ok(names.iter().filter_map(|name| SealedName::prime_set_of(name)).collect())
    }

    /// Takes a set of primes out of stock: its file is gone, durably, before anybody has seen what
    /// was in it. Whatever is wrong with the file, it does not stay.
    pub(crate) fn take_primes(&self, set: PrimeSetId, kek: &Kek) -> Result<Unsealed, SealedError> {
        let name = SealedName::PrimeSet { set };
        let file = self.primes.read(&name.file_name(), SEALED_FILE_BYTES_MAX);
        self.primes.remove_file(&name.file_name())?;
        sealed::unseal(&name, &file?, kek)
    }

    /// Refuses a home with shares but no journal: its limits and used slots would start from
    /// nothing. Called by the journal before it would make a new file.
    ///
    /// # Errors
    /// [`HomeError::JournalMissing`]; [`HomeError::Disk`] for a journal that is not ours alone.
    pub fn refuse_missing_journal(&self) -> Result<(), HomeError> {
        if self.has_journal()? {
            return Ok(self.root.check_file(JOURNAL)?);
        }
        match self.wallets()?.len() {
            0 => Ok(()),
            shares => Err(HomeError::JournalMissing { path: self.path().to_owned(), shares }),
        }
    }

    /// Whether there is a journal.
    ///
    /// # Errors
    /// [`DiskError`] if the folder cannot be looked into.
    pub fn has_journal(&self) -> Result<bool, DiskError> {
        self.root.holds(JOURNAL)
    }

    pub(crate) fn journal_path(&self) -> PathBuf {
        self.path().join(JOURNAL)
    }

    /// Makes an empty file with the right mode, for SQLite to fill; its log takes the mode over.
    pub(crate) fn create_journal(&self) -> Result<(), DiskError> {
        self.root.create_file(JOURNAL, b"")
    }

    pub(crate) fn create_kek_salt(&self, file: &[u8]) -> Result<(), DiskError> {
        self.root.create_file(KEK_SALT, file)
    }

    pub(crate) fn read_kek_salt(&self) -> Result<Zeroizing<Vec<u8>>, DiskError> {
        self.root.read(KEK_SALT, KEK_SALT_FILE_BYTES)
    }

    fn shelf(&self, name: &SealedName) -> &Folder {
        match name.shelf() {
            Shelf::Root => &self.root,
            Shelf::Groups => &self.groups,
            Shelf::Wallets => &self.wallets,
            Shelf::Primes => &self.primes,
        }
    }
}

fn open_or_create(root: &Folder, name: &str) -> Result<Folder, DiskError> {
    let path = root.path().join(name);
    if root.holds(name)? { Folder::open(&path) } else { Folder::create(&path) }
}

#[cfg(test)]
mod tests;
