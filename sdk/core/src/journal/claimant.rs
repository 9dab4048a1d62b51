//! Whether a process that claims a unit of a session still runs.
//!
//! Promises: a claimant holds a lock of the operating system, on a file of its own beside the
//! journal, from before its first claim until its process ends, however that comes. What a killed
//! process claimed is free at once. The file is seen under its name only once it is locked, and
//! whoever comes next removes those that nobody holds.
//!
//! Refuses: to call a claimant gone that had no lock, or whose file cannot be looked at.
//!
//! Does not protect against: file systems that keep no locks, and a child that a process forked
//! and that goes on with its files. There a claim ends with its time.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// What the name of a lock's file begins with.
const LOCK_PREFIX: &str = "claim-";
/// What it ends with.
const LOCK_SUFFIX: &str = ".lock";
/// Most files of a folder that are looked at for locks that nobody holds.
const FILES_SWEPT_MAX: usize = 4_096;

/// This process, among those that draw on a wallet's sessions.
#[derive(Debug)]
pub(crate) struct Claimant {
    name: String,
    lock: Option<HeldLock>,
}

/// A lock, until the file is closed.
#[derive(Debug)]
struct HeldLock {
    path: PathBuf,
    _file: File,
}

impl Claimant {
    /// A claimant that nobody else is. Without a lock it is one whose claims end with their time.
    pub(super) fn enter(folder: &Path) -> Self {
        sweep(folder);
        let name = fresh_name();
        let lock = HeldLock::take(folder, &name);
        if let Err(error) = &lock {
            tracing::warn!(%error, "other processes cannot see whether this one runs");
        }
        Self { name, lock: lock.ok() }
    }

    /// Its name, which no other process has.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether others can see that it runs.
    pub(crate) const fn is_locked(&self) -> bool {
        self.lock.is_some()
    }
}

impl HeldLock {
    fn take(folder: &Path, name: &str) -> io::Result<Self> {
        let path = lock_file(folder, name);
        let unseen = path.with_extension("new");
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unseen)?;
        let locked = file.try_lock().map_err(io::Error::from);
        let taken = locked.and_then(|()| std::fs::rename(&unseen, &path));
        if taken.is_err() {
            // It has nobody's name yet: what stays of it misleads nobody.
            let _ = std::fs::remove_file(&unseen);
        }
        taken.map(|()| Self { path, _file: file })
    }
}

/// A claimant that is not there is gone, and so is one whose file nobody holds: a file that stays
/// is only untidy.
impl Drop for HeldLock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether the claimant of this name, which had a lock, is gone for certain.
pub(super) fn is_gone(folder: &Path, name: &str) -> bool {
    if !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return false;
    }
    match File::open(lock_file(folder, name)) {
        // Shared, so that two who look at once do not take each other for the claimant.
        Ok(file) => file.try_lock_shared().is_ok(),
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

/// Removes what killed processes left. Names do not come again, so that nobody's is taken away.
fn sweep(folder: &Path) {
    let Ok(files) = std::fs::read_dir(folder) else { return };
    for file in files.flatten().take(FILES_SWEPT_MAX) {
        let found = file.file_name();
        let name = found.to_str().and_then(|name| name.strip_prefix(LOCK_PREFIX));
        let Some(name) = name.and_then(|name| name.strip_suffix(LOCK_SUFFIX)) else { continue };
        if is_gone(folder, name) {
            // Another process may have been quicker.
            let _ = std::fs::remove_file(file.path());
        }
    }
}

fn lock_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{LOCK_PREFIX}{name}{LOCK_SUFFIX}"))
}

fn fresh_name() -> String {
    let mut name = [0; 8];
    match getrandom::fill(&mut name) {
        Ok(()) => hex::encode(name),
        // Without randomness nothing is signed, so that nothing is drawn on either.
        Err(_) => std::process::id().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_claimant_is_there_for_as_long_as_it_holds_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        let first = Claimant::enter(folder.path());
        let file = lock_file(folder.path(), first.name());
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!((first.is_locked(), mode & 0o777), (true, 0o600));
        let second = Claimant::enter(folder.path());
        assert_ne!(first.name(), second.name());
        assert!(file.exists(), "whoever comes next leaves it");
        assert!(!is_gone(folder.path(), first.name()));
        let name = first.name().to_owned();
        drop(first);
        assert!(is_gone(folder.path(), &name) && !file.exists());
        assert!(!is_gone(folder.path(), second.name()));
    }

    #[test]
    fn a_killed_claimant_is_gone_before_and_after_its_file_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        // A kill leaves the file, and takes the lock.
        let left = lock_file(folder.path(), "0badcafe");
        std::fs::write(&left, "").unwrap();
        assert!(is_gone(folder.path(), "0badcafe"));
        let _next = Claimant::enter(folder.path());
        assert!(!left.exists());
        assert!(is_gone(folder.path(), "0badcafe"));
        assert!(!is_gone(folder.path(), "../0badcafe"), "no name of a claimant");
    }

    #[test]
    fn nobody_is_held_up_where_no_lock_can_be_made() {
        let folder = tempfile::tempdir().unwrap();
        let claimant = Claimant::enter(&folder.path().join("nowhere"));
        assert!(!claimant.is_locked() && !claimant.name().is_empty());
    }
}
