use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

const BYTES_MAX: usize = 64;

fn folder() -> (tempfile::TempDir, Folder) {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::create(&place.path().join("home")).unwrap();
    (place, folder)
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_is_written_with_mode_0600_and_read_back() {
    let (_place, folder) = folder();
    folder.create_file("a", b"one").unwrap();
    folder.replace_file("a", b"two").unwrap();
    assert_eq!(&**folder.read("a", BYTES_MAX).unwrap(), b"two");
    let mode = std::fs::metadata(folder.path().join("a")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert_eq!(folder.names().unwrap().iter().filter(|n| n.ends_with(".tmp")).count(), 0);
}

#[test]
fn creating_does_not_replace() {
    let (_place, folder) = folder();
    folder.create_file("a", b"one").unwrap();
    let refused = folder.create_file("a", b"two");
    assert!(matches!(refused, Err(DiskError::AlreadyThere { .. })), "{refused:?}");
    assert_eq!(&**folder.read("a", BYTES_MAX).unwrap(), b"one");
}

#[test]
fn a_disk_that_fills_up_midway_leaves_the_old_file_and_no_leftover() {
    let (_place, folder) = folder();
    folder.create_file("a", b"old").unwrap();
    let refused = folder.write("a", RenameFlags::empty(), |file| {
        file.write_all(b"ne")?;
        Err(Errno::NOSPC.into())
    });
    assert!(matches!(refused, Err(DiskError::Full { .. })), "{refused:?}");
    assert_eq!(&**folder.read("a", BYTES_MAX).unwrap(), b"old");
    assert!(folder.names().unwrap().iter().all(|name| !name.ends_with(".tmp")));
}

#[test]
fn every_mode_with_a_bit_for_group_or_others_is_refused() {
    let (_place, folder) = folder();
    folder.create_file("a", b"one").unwrap();
    for mode in [0o601, 0o602, 0o604, 0o610, 0o620, 0o640, 0o644, 0o660, 0o666, 0o777] {
        set_mode(&folder.path().join("a"), mode);
        let read = folder.read("a", BYTES_MAX);
        assert!(matches!(read, Err(DiskError::LaxMode { .. })), "{mode:o}: {read:?}");
        let written = folder.replace_file("a", b"two");
        assert!(matches!(written, Err(DiskError::LaxMode { .. })), "{mode:o}: {written:?}");
    }
}

#[test]
fn a_lax_or_linked_folder_is_refused() {
    let (place, folder) = folder();
    let link = place.path().join("link");
    symlink(folder.path(), &link).unwrap();
    let linked = Folder::open(&link);
    assert!(matches!(linked, Err(DiskError::NotAFolder { .. })), "{linked:?}");
    set_mode(folder.path(), 0o750);
    let lax = Folder::open(folder.path());
    assert!(matches!(lax, Err(DiskError::LaxMode { mode: 0o750, .. })), "{lax:?}");
}

#[test]
fn links_pipes_and_folders_are_not_files() {
    let (place, folder) = folder();
    let target = place.path().join("target");
    std::fs::write(&target, b"elsewhere").unwrap();
    set_mode(&target, 0o600);
    symlink(&target, folder.path().join("link")).unwrap();
    rustix::fs::mknodat(&folder.fd, "pipe", FileType::Fifo, FILE_MODE, 0).unwrap();
    rustix::fs::mkdirat(&folder.fd, "folder", FOLDER_MODE).unwrap();
    for name in ["link", "pipe", "folder"] {
        let read = folder.read(name, BYTES_MAX);
        assert!(matches!(read, Err(DiskError::NotAFile { .. })), "{name}: {read:?}");
        let written = folder.replace_file(name, b"x");
        assert!(matches!(written, Err(DiskError::NotAFile { .. })), "{name}: {written:?}");
    }
    assert_eq!(std::fs::read(&target).unwrap(), b"elsewhere");
}

#[test]
fn a_file_past_its_limit_is_not_read() {
    let (_place, folder) = folder();
    folder.create_file("a", &[7; BYTES_MAX]).unwrap();
    assert_eq!(folder.read("a", BYTES_MAX).unwrap().len(), BYTES_MAX);
    folder.replace_file("a", &[7; BYTES_MAX + 1]).unwrap();
    let read = folder.read("a", BYTES_MAX);
    assert!(matches!(read, Err(DiskError::TooLarge { .. })), "{read:?}");
}

#[test]
fn leftovers_of_a_killed_write_are_swept_and_nothing_else() {
    let (_place, folder) = folder();
    folder.create_file("a", b"one").unwrap();
    folder.write_temporary(".a.0011.tmp", |file| file.write_all(b"half")).unwrap();
    folder.sweep().unwrap();
    let mut names: Vec<_> =
        folder.names().unwrap().into_iter().filter(|n| ![".", ".."].contains(&&**n)).collect();
    names.sort();
    assert_eq!(names, ["a"]);
}

#[test]
fn a_credential_may_be_the_service_managers_but_nobody_elses() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("pass");
    std::fs::write(&path, b"from the manager").unwrap();
    for (mode, good) in [(0o400, true), (0o440, true), (0o460, false), (0o404, false)] {
        set_mode(&path, mode);
        assert_eq!(read_credential(&path, BYTES_MAX).is_ok(), good, "{mode:o}");
    }
}

#[test]
fn a_file_of_another_user_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("foreign");
    std::fs::write(&path, b"x").unwrap();
    set_mode(&path, 0o600);
    // Only root can give a file away; elsewhere /etc/hosts is owned by root, which is not us.
    let given_away = std::os::unix::fs::chown(&path, Some(12_345), None).is_ok();
    let foreign = if given_away { path } else { PathBuf::from("/etc/hosts") };
    let read = read_private(&foreign, 1 << 20);
    assert!(matches!(read, Err(DiskError::OtherOwner { .. })), "{read:?}");
}
