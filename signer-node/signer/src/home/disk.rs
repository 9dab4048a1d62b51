//! Files and folders that only their owner may touch.
//!
//! Promises: a file is replaced whole or not at all (temporary file in the same folder, fsync,
//! rename, fsync of the folder); what is read came from a regular file of ours with no bit for
//! group or others.
//! Refuses: symlinks, pipes, devices, lax modes, other owners, files past their named size.
//! Does not protect against: root, another process of the same user, or a disk that lies
//! about fsync.

use std::ffi::CStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;
use zeroize::Zeroizing;

/// Bits that give anybody but the owner something.
const LAX_BITS: u32 = 0o077;
const FILE_MODE: Mode = Mode::from_raw_mode(0o600);
const FOLDER_MODE: Mode = Mode::from_raw_mode(0o700);
const TEMPORARY_SUFFIX: &str = ".tmp";

/// Why a file or folder was not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiskError {
    /// Nothing of that name.
    #[error("{path} is not there")]
    Missing {
        /// What was looked for.
        path: PathBuf,
    },
    /// Something of that name exists and may not be replaced.
    #[error("{path} is already there")]
    AlreadyThere {
        /// What was to be made.
        path: PathBuf,
    },
    /// A symlink, pipe, device, or a folder in place of a file.
    #[error("{path} is not a regular file (symlinks are refused)")]
    NotAFile {
        /// What was opened.
        path: PathBuf,
    },
    /// Not a folder, or a symlink to one.
    #[error("{path} is not a folder (symlinks are refused)")]
    NotAFolder {
        /// What was opened.
        path: PathBuf,
    },
    /// Group or others may do something with it.
    #[error("{path} has mode {mode:03o}: take all rights from group and others (chmod go= )")]
    LaxMode {
        /// What was opened.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to another user.
    #[error("{path} belongs to user {owner}, this process runs as user {user}")]
    OtherOwner {
        /// What was opened.
        path: PathBuf,
        /// Its owner's user id.
        owner: u32,
        /// Our effective user id.
        user: u32,
    },
    /// Larger than such a file can be.
    #[error("{path} is larger than {bytes_max} bytes")]
    TooLarge {
        /// What was read.
        path: PathBuf,
        /// The limit, in bytes.
        bytes_max: usize,
    },
    /// No room on the disk, or over the user's quota. What was there before is untouched.
    #[error("no room on the disk for {path}; what was there before is untouched")]
    Full {
        /// What was to be written.
        path: PathBuf,
    },
    /// Another failure of the operating system.
    #[error("{path}: could not {act}")]
    Io {
        /// What was touched.
        path: PathBuf,
        /// What was tried.
        act: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
}

impl DiskError {
    pub(crate) fn from_io(path: PathBuf, act: &'static str, source: std::io::Error) -> Self {
        match Errno::from_io_error(&source) {
            Some(Errno::NOENT) => Self::Missing { path },
            Some(Errno::EXIST) => Self::AlreadyThere { path },
            Some(Errno::LOOP) => Self::NotAFile { path },
            Some(Errno::NOTDIR) => Self::NotAFolder { path },
            Some(Errno::NOSPC | Errno::DQUOT) => Self::Full { path },
            _ => Self::Io { path, act, source },
        }
    }
}

/// A folder of ours, held open: names are looked up in it even if its path is moved away.
#[derive(Debug)]
pub(crate) struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

impl Folder {
    /// Makes the folder with mode 0700 and opens it.
    pub(crate) fn create(path: &Path) -> Result<Self, DiskError> {
        rustix::fs::mkdir(path, FOLDER_MODE).map_err(|e| failed(path, "make the folder", e))?;
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            let synced = File::open(parent).and_then(|parent| parent.sync_all());
            synced.map_err(|e| DiskError::from_io(parent.to_owned(), "fsync", e))?;
        }
        Self::open(path)
    }

    /// Opens a folder that is ours alone.
    pub(crate) fn open(path: &Path) -> Result<Self, DiskError> {
        let fd = open_folder(path)?;
        let stat = rustix::fs::fstat(&fd).map_err(|e| failed(path, "stat", e))?;
        refuse_shared(path, &stat)?;
        Ok(Self { fd, path: path.to_owned() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether anything of that name is there, a dangling symlink included.
    pub(crate) fn holds(&self, name: &str) -> Result<bool, DiskError> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(e) => Err(self.failed(name, "stat", e)),
        }
    }

    /// The whole content of a file of ours.
    pub(crate) fn read(
        &self,
        name: &str,
        bytes_max: usize,
    ) -> Result<Zeroizing<Vec<u8>>, DiskError> {
        // NONBLOCK: opening a pipe must fail the check below, not wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::empty())
            .map_err(|e| self.failed(name, "open", e))?;
        let path = self.path.join(name);
        let stat = private_file(&path, &fd)?;
        read_whole(path, fd, &stat, bytes_max)
    }

    /// Writes a file that must not exist yet, durably.
    pub(crate) fn create_file(&self, name: &str, bytes: &[u8]) -> Result<(), DiskError> {
        self.write(name, RenameFlags::NOREPLACE, |file| file.write_all(bytes))
    }

    /// Writes a file, durably, over the one that is there. After any failure the old one stands.
    pub(crate) fn replace_file(&self, name: &str, bytes: &[u8]) -> Result<(), DiskError> {
        self.write(name, RenameFlags::empty(), |file| file.write_all(bytes))
    }

    /// Opens a file of ours for locking, making it (0600) if it is not there.
    pub(crate) fn lock_file(&self, name: &str) -> Result<OwnedFd, DiskError> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = rustix::fs::openat(&self.fd, name, flags, FILE_MODE)
            .map_err(|e| self.failed(name, "open", e))?;
        private_file(&self.path.join(name), &fd)?;
        Ok(fd)
    }

    /// Checks a file that another library will open by its path.
    pub(crate) fn check_file(&self, name: &str) -> Result<(), DiskError> {
        let stat = rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|e| self.failed(name, "stat", e))?;
        refuse_unusual(&self.path.join(name), &stat)
    }

    /// Every name in the folder that is UTF-8, in no order.
    pub(crate) fn names(&self) -> Result<Vec<String>, DiskError> {
        let entries =
            rustix::fs::Dir::read_from(&self.fd).map_err(|e| failed(&self.path, "list", e))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|e| failed(&self.path, "list", e))?;
            let name: &CStr = entry.file_name();
            names.extend(name.to_str().ok().map(str::to_owned));
        }
        Ok(names)
    }

    /// Removes a file, durably: once this returns, no crash brings it back.
    pub(crate) fn remove_file(&self, name: &str) -> Result<(), DiskError> {
        rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())
            .map_err(|e| self.failed(name, "remove", e))?;
        rustix::fs::fsync(&self.fd).map_err(|e| self.failed(name, "fsync the folder of", e))
    }

    /// Removes what a killed write left behind. Call only while holding the home's lock.
    pub(crate) fn sweep(&self) -> Result<(), DiskError> {
        for name in self.names()? {
            if name.starts_with('.') && name.ends_with(TEMPORARY_SUFFIX) {
                rustix::fs::unlinkat(&self.fd, &*name, AtFlags::empty())
                    .map_err(|e| self.failed(&name, "remove", e))?;
            }
        }
        Ok(())
    }

    /// The one way a file comes to be. `fill` is a seam for the test of a full disk.
    fn write(
        &self,
        name: &str,
        rename: RenameFlags,
        fill: impl FnOnce(&mut File) -> std::io::Result<()>,
    ) -> Result<(), DiskError> {
        if self.holds(name)? {
            self.check_file(name)?;
        }
        let temporary = temporary_name(name).map_err(|e| self.failed_io(name, "name", e))?;
        let written = self.write_temporary(&temporary, fill).and_then(|()| {
            rustix::fs::renameat_with(&self.fd, &*temporary, &self.fd, name, rename)
                .map_err(std::io::Error::from)
        });
        if let Err(e) = written {
            // The first failure is the one to report; a leftover is swept at the next open.
            let _ = rustix::fs::unlinkat(&self.fd, &*temporary, AtFlags::empty());
            return Err(self.failed_io(name, "write", e));
        }
        rustix::fs::fsync(&self.fd).map_err(|e| self.failed(name, "fsync the folder of", e))
    }

    fn write_temporary(
        &self,
        temporary: &str,
        fill: impl FnOnce(&mut File) -> std::io::Result<()>,
    ) -> std::io::Result<()> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(&self.fd, temporary, flags, FILE_MODE)?);
        // A strict umask may have taken the owner's own bits.
        rustix::fs::fchmod(&file, FILE_MODE)?;
        fill(&mut file)?;
        file.sync_all()
    }

    fn failed(&self, name: &str, act: &'static str, errno: Errno) -> DiskError {
        self.failed_io(name, act, errno.into())
    }

    fn failed_io(&self, name: &str, act: &'static str, source: std::io::Error) -> DiskError {
        DiskError::from_io(self.path.join(name), act, source)
    }
}

/// Reads a file by its path, which must be ours alone. For files outside a home.
pub(crate) fn read_private(path: &Path, bytes_max: usize) -> Result<Zeroizing<Vec<u8>>, DiskError> {
    let fd = open_for_reading(path)?;
    let stat = private_file(path, &fd)?;
    read_whole(path.to_owned(), fd, &stat, bytes_max)
}

/// Reads a file that the service manager placed for us: root may own it, and an access list may
/// show as rights of the group; others get nothing, and the group may not write.
pub(crate) fn read_credential(
    path: &Path,
    bytes_max: usize,
) -> Result<Zeroizing<Vec<u8>>, DiskError> {
    const LAX_CREDENTIAL_BITS: u32 = 0o037;
    const ROOT: u32 = 0;
    let fd = open_for_reading(path)?;
    let stat = rustix::fs::fstat(&fd).map_err(|e| failed(path, "stat", e))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(DiskError::NotAFile { path: path.to_owned() });
    }
    if stat.st_mode & LAX_CREDENTIAL_BITS != 0 {
        return Err(DiskError::LaxMode { path: path.to_owned(), mode: stat.st_mode & 0o7777 });
    }
    if stat.st_uid != ROOT {
        refuse_other_owner(path, &stat)?;
    }
    read_whole(path.to_owned(), fd, &stat, bytes_max)
}

fn open_for_reading(path: &Path) -> Result<OwnedFd, DiskError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|e| failed(path, "open", e))
}

fn open_folder(path: &Path) -> Result<OwnedFd, DiskError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|e| failed(path, "open", e))
}

fn private_file(path: &Path, fd: impl AsFd) -> Result<Stat, DiskError> {
    let stat = rustix::fs::fstat(fd).map_err(|e| failed(path, "stat", e))?;
    refuse_unusual(path, &stat)?;
    Ok(stat)
}

fn refuse_unusual(path: &Path, stat: &Stat) -> Result<(), DiskError> {
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(DiskError::NotAFile { path: path.to_owned() });
    }
    refuse_shared(path, stat)
}

fn refuse_shared(path: &Path, stat: &Stat) -> Result<(), DiskError> {
    refuse_other_owner(path, stat)?;
    if stat.st_mode & LAX_BITS != 0 {
        return Err(DiskError::LaxMode { path: path.to_owned(), mode: stat.st_mode & 0o7777 });
    }
    Ok(())
}

fn refuse_other_owner(path: &Path, stat: &Stat) -> Result<(), DiskError> {
    let user = rustix::process::geteuid().as_raw();
    if stat.st_uid == user {
        Ok(())
    } else {
        Err(DiskError::OtherOwner { path: path.to_owned(), owner: stat.st_uid, user })
    }
}

fn read_whole(
    path: PathBuf,
    fd: OwnedFd,
    stat: &Stat,
    bytes_max: usize,
) -> Result<Zeroizing<Vec<u8>>, DiskError> {
    // Sized beforehand, so that no grown-out-of buffer stays behind in freed memory.
    let size = usize::try_from(stat.st_size).unwrap_or(usize::MAX);
    if size > bytes_max {
        return Err(DiskError::TooLarge { path, bytes_max });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(size.saturating_add(1)));
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let read = File::from(fd).take(limit).read_to_end(&mut bytes);
    read.map_err(|source| DiskError::from_io(path.clone(), "read", source))?;
    if bytes.len() > bytes_max {
        return Err(DiskError::TooLarge { path, bytes_max });
    }
    Ok(bytes)
}

fn temporary_name(name: &str) -> std::io::Result<String> {
    let mut tail = [0_u8; 8];
    getrandom::fill(&mut tail).map_err(|e| std::io::Error::other(e.to_string()))?;
    Ok(format!(".{name}.{}{TEMPORARY_SUFFIX}", hex::encode(tail)))
}

fn failed(path: &Path, act: &'static str, errno: Errno) -> DiskError {
    DiskError::from_io(path.to_owned(), act, errno.into())
}

#[cfg(test)]
mod tests;
