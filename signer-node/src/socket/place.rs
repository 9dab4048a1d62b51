//! Where the socket lies: in a folder that nobody else may write, at a path that nobody uses.

use std::fs::{Metadata, Permissions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use tokio::net::{UnixListener, UnixStream};

use super::SocketError;

/// Bits that let somebody else put something in the place of a file.
const WRITABLE_BITS: u32 = 0o022;
const OWN_MODE: u32 = 0o600;
const GROUP_MODE: u32 = 0o660;

/// A socket file of ours, and who listens at it. Dropping it removes the file.
#[derive(Debug)]
pub(super) struct Place {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode, so that what somebody put there since is left alone.
    file: (u64, u64),
}

impl Place {
    /// Takes the place, and lets the group open it if one is given.
    pub(super) async fn take(path: &Path, group: Option<u32>) -> Result<Self, SocketError> {
        let failed = |source| SocketError::System { path: path.to_owned(), source };
        check_folder(path)?;
        clear(path).await?;
        let listener = UnixListener::bind(path).map_err(failed)?;
        // Until here the file has the mode that the process's mask leaves. Whoever connects
        // meanwhile is asked for its user like everybody else.
        let mode = if group.is_some() { GROUP_MODE } else { OWN_MODE };
        chown(path, None, group).map_err(failed)?;
        std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed)?;
        let file = identity(&std::fs::symlink_metadata(path).map_err(failed)?);
        Ok(Self { listener, path: path.to_owned(), file })
    }

    pub(super) const fn listener(&self) -> &UnixListener {
        &self.listener
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let found = std::fs::symlink_metadata(&self.path);
        if found.is_ok_and(|found| identity(&found) == self.file) {
            // What stays is replaced by the next node.
            drop(std::fs::remove_file(&self.path));
        }
    }
}

fn identity(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

fn check_folder(path: &Path) -> Result<(), SocketError> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let bad = |why| SocketError::Folder { path: folder.to_owned(), why };
    let found = std::fs::symlink_metadata(folder).map_err(|_| bad("is not there"))?;
    if !found.is_dir() {
        return Err(bad("is not a folder (symbolic links are refused)"));
    }
    if ![0, geteuid().as_raw()].contains(&found.uid()) {
        return Err(bad("belongs to another user"));
    }
    if found.mode() & WRITABLE_BITS != 0 {
        return Err(bad("may be written by others: chmod go-w it"));
    }
    Ok(())
}

/// Takes away what a dead node left. Whoever answers there lives.
async fn clear(path: &Path) -> Result<(), SocketError> {
    let failed = |source| SocketError::System { path: path.to_owned(), source };
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(SocketError::NotASocket { path: path.to_owned() });
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => gone(path).map_err(failed),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        // A listener whose queue is full lives, too.
        Ok(_) => Err(SocketError::InUse { path: path.to_owned() }),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            Err(SocketError::InUse { path: path.to_owned() })
        }
        Err(error) => Err(failed(error)),
    }
}

fn gone(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
