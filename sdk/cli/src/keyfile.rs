//! An authority key on disk: one line of text, mode 0600, never overwritten.
//!
//! Refuses: a file that others can read, a symbolic link, a file of another form.
//! Does not protect against: whoever reads the file as its owner. It carries no passphrase;
//! keep it offline and bring it out to sign.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use tercet_policy::document::Ed25519PublicKey;
use zeroize::Zeroizing;

/// First word of a key file; the number rises when the form changes.
pub const KEY_FILE_MARK: &str = "tercet-authority-key-1:";
/// Longest key file that is read, in bytes.
pub const KEY_FILE_BYTES_MAX: u64 = 256;

/// Why there is no authority key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file is there already; a key is never overwritten.
    #[error("{} is there already; a key is never overwritten", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Others can read or write it.
    #[error("{} has mode {mode:o}; others must not read it: chmod 600", path.display())]
    LaxMode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not one line of the right form.
    #[error("{} is not an authority key file", path.display())]
    Form {
        /// The file.
        path: PathBuf,
    },
    /// No randomness.
    #[error("the operating system gives no randomness")]
    NoRandomness,
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// An authority's signing key, in memory; `ed25519-dalek` wipes it on drop.
pub struct AuthorityKey(Box<SigningKey>);

impl AuthorityKey {
    /// Makes a key and writes it where no file is yet.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn create(path: &Path) -> Result<Self, KeyFileError> {
        let mut seed = Zeroizing::new([0u8; 32]);
        getrandom::fill(seed.as_mut()).map_err(|_| KeyFileError::NoRandomness)?;
        let line = Zeroizing::new(format!("{KEY_FILE_MARK}{}\n", hex::encode(seed.as_ref())));
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(
                |source| match source.kind() {
                    std::io::ErrorKind::AlreadyExists => KeyFileError::Exists { path: path.into() },
                    _ => KeyFileError::File { path: path.into(), source },
                },
            )?;
        file.write_all(line.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|source| KeyFileError::File { path: path.into(), source })?;
        Ok(Self(Box::new(SigningKey::from_bytes(&seed))))
    }

    /// Reads a key that nobody else can read.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn open(path: &Path) -> Result<Self, KeyFileError> {
        let text = read_private(path)?;
        let mut seed = Zeroizing::new([0u8; 32]);
        text.strip_prefix(KEY_FILE_MARK)
            .and_then(|hex| hex::decode_to_slice(hex.trim_end(), seed.as_mut()).ok())
            .ok_or_else(|| KeyFileError::Form { path: path.into() })?;
        Ok(Self(Box::new(SigningKey::from_bytes(&seed))))
    }

    /// The public half, as configurations pin it.
    #[must_use]
    pub fn public(&self) -> Ed25519PublicKey {
        Ed25519PublicKey::of(&self.0)
    }

    /// The key, for documents that sign themselves.
    #[must_use]
    pub fn expose(&self) -> &SigningKey {
        &self.0
    }
}

impl fmt::Debug for AuthorityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthorityKey({})", self.public())
    }
}

fn read_private(path: &Path) -> Result<Zeroizing<String>, KeyFileError> {
    let fail = |source| KeyFileError::File { path: path.into(), source };
    let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let file: File = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(fail)?;
    let mode = file.metadata().map_err(fail)?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::LaxMode { path: path.into(), mode });
    }
    let mut text = String::with_capacity(256);
    let read = file.take(KEY_FILE_BYTES_MAX).read_to_string(&mut text);
    let text = Zeroizing::new(text);
    read.map_err(fail).map(|_| text)
}

/// Opens several keys.
///
/// # Errors
/// [`KeyFileError`] of the first that cannot be opened.
pub fn open_all(paths: &[PathBuf]) -> Result<Vec<AuthorityKey>, KeyFileError> {
    paths.iter().map(|path| AuthorityKey::open(path)).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("authority.key");
        let made = AuthorityKey::create(&path).unwrap();
        assert_eq!(AuthorityKey::open(&path).unwrap().public(), made.public());
        assert!(matches!(AuthorityKey::create(&path), Err(KeyFileError::Exists { .. })));
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(format!("{made:?}"), format!("AuthorityKey({})", made.public()));
    }

    #[test]
    fn a_lax_linked_or_damaged_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("authority.key");
        AuthorityKey::create(&path).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(AuthorityKey::open(&link), Err(KeyFileError::File { .. })));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            AuthorityKey::open(&path),
            Err(KeyFileError::LaxMode { mode: 0o640, .. })
        ));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "tercet-authority-key-1:zz\n").unwrap();
        assert!(matches!(AuthorityKey::open(&path), Err(KeyFileError::Form { .. })));
    }
}
