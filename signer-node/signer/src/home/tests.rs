use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use tercet_policy::party::AgentId;

use super::*;
use crate::kek::{Argon2Cost, Passphrase};

fn home() -> (tempfile::TempDir, Home) {
    let place = tempfile::tempdir().unwrap();
    let home = Home::create(&place.path().join("home")).unwrap();
    (place, home)
}

fn kek(home: &Home) -> Kek {
    let passphrase = Passphrase::new(b"correct horse battery".to_vec()).unwrap();
    Kek::create(home, &passphrase, Argon2Cost::insecure_for_tests()).unwrap()
}

fn share(last: u8) -> SealedName {
    SealedName::KeyShare { wallet: Address::with_last_byte(last) }
}

const NOW: UnixSeconds = UnixSeconds(1_790_000_000);

#[test]
fn everything_in_a_new_home_is_the_owners_alone() {
    let (_place, home) = home();
    let kek = kek(&home);
    home.seal(&SealedName::Identity, NOW, b"keys", &kek).unwrap();
    home.seal(&SealedName::AuxInfo { agent: AgentId::new("a").unwrap() }, NOW, b"aux", &kek)
        .unwrap();
    home.seal(&share(1), NOW, b"share", &kek).unwrap();
    let mut pending = vec![home.path().to_owned()];
    let mut files = 0;
    while let Some(path) = pending.pop() {
        let about = std::fs::metadata(&path).unwrap();
        let mode = about.permissions().mode() & 0o7777;
        if about.is_dir() {
            assert_eq!(mode, 0o700, "{path:?}");
            pending.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            assert_eq!(mode, 0o600, "{path:?}");
            files += 1;
        }
    }
    assert_eq!(files, 5);
}

#[test]
fn a_second_user_of_the_home_is_refused_until_the_first_is_gone() {
    let (_place, home) = home();
    let path = home.path().to_owned();
    let refused = Home::open(&path);
    assert!(matches!(refused, Err(HomeError::InUse { .. })), "{refused:?}");
    drop(home);
    assert!(Home::open(&path).is_ok());
}

/// A process that is being started holds copies of all descriptors until it has become another
/// program, and the lock would live as long as they do.
#[tokio::test]
async fn a_copied_descriptor_does_not_keep_the_lock() {
    let (_place, home) = home();
    let (path, copy, freed) =
        (home.path().to_owned(), home.lock.try_clone().unwrap(), home.freed());
    let mut freed = std::pin::pin!(freed);
    let so_far = std::time::Duration::from_millis(20);
    assert!(tokio::time::timeout(so_far, &mut freed).await.is_err(), "it is held");
    drop(home);
    freed.await;
    assert!(Home::open(&path).is_ok());
    drop(copy);
}

#[test]
fn another_process_holding_the_lock_is_seen() {
    let (_place, home) = home();
    let path = home.path().to_owned();
    let taken = |path: &Path| {
        let flock = Command::new("flock")
            .args(["--nonblock", "--exclusive"])
            .arg(path.join(LOCK))
            .arg("true")
            .status();
        !flock.unwrap().success()
    };
    assert!(taken(&path));
    drop(home);
    assert!(!taken(&path));
}

#[test]
fn a_share_is_not_overwritten_unless_told_in_so_many_words() {
    let (_place, home) = home();
    let kek = kek(&home);
    home.seal(&share(1), NOW, b"first", &kek).unwrap();
    let refused = home.seal(&share(1), NOW, b"second", &kek);
    let taken = matches!(refused, Err(SealedError::Disk(DiskError::AlreadyThere { .. })));
    assert!(taken, "{refused:?}");
    assert_eq!(&**home.unseal(&share(1), &kek).unwrap().secret, b"first");
    home.seal_over(&share(1), NOW, b"second", &kek).unwrap();
    assert_eq!(&**home.unseal(&share(1), &kek).unwrap().secret, b"second");
}

#[test]
fn a_share_copied_over_anothers_does_not_open() {
    let (_place, home) = home();
    let kek = kek(&home);
    home.seal(&share(1), NOW, b"one", &kek).unwrap();
    home.seal(&share(2), NOW, b"two", &kek).unwrap();
    let path = |name: &SealedName| home.path().join(WALLETS).join(name.file_name());
    std::fs::copy(path(&share(1)), path(&share(2))).unwrap();
    let refused = home.unseal(&share(2), &kek);
    assert!(matches!(refused, Err(SealedError::OtherSubject { .. })), "{refused:?}");
}

#[test]
fn wallets_are_listed_in_order_and_strangers_are_not_wallets() {
    let (_place, home) = home();
    let kek = kek(&home);
    for last in [9, 3, 7] {
        home.seal(&share(last), NOW, b"share", &kek).unwrap();
    }
    home.wallets.create_file("notes.share.sealed", b"?").unwrap();
    home.wallets.create_file("readme", b"?").unwrap();
    let lasts: Vec<_> = home.wallets().unwrap().iter().map(|wallet| wallet[19]).collect();
    assert_eq!(lasts, [3, 7, 9]);
}

#[test]
fn shares_without_a_journal_are_refused() {
    let (_place, home) = home();
    let kek = kek(&home);
    assert!(home.refuse_missing_journal().is_ok());
    home.seal(&share(1), NOW, b"share", &kek).unwrap();
    let refused = home.refuse_missing_journal();
    assert!(matches!(refused, Err(HomeError::JournalMissing { shares: 1, .. })), "{refused:?}");
    home.root.create_file(JOURNAL, b"").unwrap();
    assert!(home.refuse_missing_journal().is_ok());
}

#[test]
fn a_home_others_may_look_into_is_refused() {
    let (_place, home) = home();
    let path = home.path().to_owned();
    drop(home);
    for lax in ["", WALLETS, GROUPS] {
        let folder = path.join(lax);
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o711)).unwrap();
        let refused = Home::open(&path);
        let seen = matches!(refused, Err(HomeError::Disk(DiskError::LaxMode { .. })));
        assert!(seen, "{lax}: {refused:?}");
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    assert!(Home::open(&path).is_ok());
}

/// In a process of its own: these settings cannot be taken back, and would hold for every
/// other test of this binary.
#[test]
fn a_hardened_process_cannot_dump_core() {
    const CHILD: &str = "TERCET_TEST_HARDEN_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let hardening = harden_process();
        let core = rustix::process::getrlimit(rustix::process::Resource::Core);
        assert_eq!((core.current, core.maximum), (Some(0), Some(0)));
        let dumpable = rustix::process::dumpable_behavior().unwrap();
        assert_eq!(dumpable, rustix::process::DumpableBehavior::NotDumpable);
        let only_memory = |missing: &NotHardened| missing.protection.contains("mlockall");
        assert!(hardening.missing.iter().all(only_memory), "{hardening:?}");
        return;
    }
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "home::tests::a_hardened_process_cannot_dump_core"])
        .env(CHILD, "1")
        .status()
        .unwrap();
    assert!(status.success());
}
