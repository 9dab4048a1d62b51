//! Where a passphrase comes from, and what counts as one.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::KekError;
use crate::home::{read_credential, read_private};

/// Shortest passphrase, in bytes.
pub const PASSPHRASE_BYTES_MIN: usize = 12;
/// Longest passphrase, in bytes.
pub const PASSPHRASE_BYTES_MAX: usize = 1024;

const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
const CREDENTIAL_NAME_BYTES_MAX: usize = 128;
/// A passphrase and the line end that an editor or `echo` puts behind it.
const FILE_BYTES_MAX: usize = PASSPHRASE_BYTES_MAX + 2;

/// A passphrase, wiped on drop.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Takes the bytes, without one line end behind them.
    ///
    /// # Errors
    /// [`KekError::PassphraseLength`].
    pub fn new(bytes: Vec<u8>) -> Result<Self, KekError> {
        Self::from_zeroizing(Zeroizing::new(bytes))
    }

    /// Reads a file that is ours alone (no right for group or others, no symlink).
    ///
    /// # Errors
    /// [`KekError::Disk`], [`KekError::PassphraseLength`].
    pub fn from_file(path: &Path) -> Result<Self, KekError> {
        Self::from_zeroizing(read_private(path, FILE_BYTES_MAX)?)
    }

    /// Reads the credential `name` in `directory`, as systemd places it with `LoadCredential=`
    /// or `LoadCredentialEncrypted=`. Root may own it; others may not read it.
    ///
    /// # Errors
    /// [`KekError::CredentialName`], [`KekError::Disk`], [`KekError::PassphraseLength`].
    pub fn from_credential(directory: &Path, name: &str) -> Result<Self, KekError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        let good = (1..=CREDENTIAL_NAME_BYTES_MAX).contains(&name.len())
            && name.bytes().all(plain)
            && !name.starts_with('.');
        if !good {
            return Err(KekError::CredentialName { name: name.to_owned() });
        }
        Self::from_zeroizing(read_credential(&directory.join(name), FILE_BYTES_MAX)?)
    }

    fn from_zeroizing(mut bytes: Zeroizing<Vec<u8>>) -> Result<Self, KekError> {
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        if (PASSPHRASE_BYTES_MIN..=PASSPHRASE_BYTES_MAX).contains(&bytes.len()) {
            Ok(Self(bytes))
        } else {
            Err(KekError::PassphraseLength { bytes: bytes.len() })
        }
    }

    pub(super) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// A configured place to take the passphrase from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PassphraseSource {
    /// A file of ours, mode 0600 or stricter.
    File(PathBuf),
    /// A credential of the service manager, by name.
    SystemdCredential(String),
}

impl PassphraseSource {
    /// Reads the passphrase. `$CREDENTIALS_DIRECTORY` is the one variable looked at.
    ///
    /// # Errors
    /// Those of [`Passphrase::from_file`] and [`Passphrase::from_credential`], and
    /// [`KekError::NoCredentials`].
    pub fn read(&self) -> Result<Passphrase, KekError> {
        self.read_with(std::env::var_os(CREDENTIALS_DIRECTORY))
    }

    fn read_with(&self, credentials: Option<OsString>) -> Result<Passphrase, KekError> {
        match self {
            Self::File(path) => Passphrase::from_file(path),
            Self::SystemdCredential(name) => {
                let directory = credentials.ok_or(KekError::NoCredentials)?;
                Passphrase::from_credential(Path::new(&directory), name)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(content: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("pass");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (place, path)
    }

    #[test]
    fn one_line_end_is_not_part_of_it() {
        for (content, bytes) in
            [("twelve bytes\n", 12), ("twelve bytes\r\n", 12), ("twelve bytes\n\n", 13)]
        {
            let (_place, path) = file(content.as_bytes(), 0o600);
            assert_eq!(Passphrase::from_file(&path).unwrap().expose().len(), bytes);
        }
    }

    #[test]
    fn lengths_outside_the_limits_are_refused() {
        for bytes in [0, PASSPHRASE_BYTES_MIN - 1, PASSPHRASE_BYTES_MAX + 1] {
            let refused = Passphrase::new(vec![b'x'; bytes]);
            let right =
                matches!(refused, Err(KekError::PassphraseLength { bytes: b }) if b == bytes);
            assert!(right, "{refused:?}");
        }
        for bytes in [PASSPHRASE_BYTES_MIN, PASSPHRASE_BYTES_MAX] {
            assert!(Passphrase::new(vec![b'x'; bytes]).is_ok());
        }
    }

    #[test]
    fn a_file_others_may_read_is_refused() {
        for mode in [0o640, 0o604, 0o666] {
            let (_place, path) = file(b"long enough a phrase", mode);
            let refused = PassphraseSource::File(path).read_with(None);
            assert!(matches!(refused, Err(KekError::Disk(DiskError::LaxMode { .. }))));
        }
    }

    #[test]
    fn a_linked_file_is_refused() {
        let (place, path) = file(b"long enough a phrase", 0o600);
        let link = place.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let refused = Passphrase::from_file(&link);
        assert!(matches!(refused, Err(KekError::Disk(DiskError::NotAFile { .. }))));
    }

    #[test]
    fn a_credential_is_found_by_name_only() {
        let (place, _path) = file(b"long enough a phrase", 0o440);
        let directory = || Some(place.path().as_os_str().to_owned());
        let source = |name: &str| PassphraseSource::SystemdCredential(name.to_owned());
        assert!(source("pass").read_with(directory()).is_ok());
        let unset = source("pass").read_with(None);
        assert!(matches!(unset, Err(KekError::NoCredentials)));
        for name in ["", ".", "..", "../pass", "a/b", "/etc/passwd", "a\0b"] {
            let refused = source(name).read_with(directory());
            assert!(matches!(refused, Err(KekError::CredentialName { .. })), "{name:?}");
        }
    }

    use crate::home::DiskError;
}
