use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use tercet_policy::party::Party;

use super::*;
use crate::home::Home;
use crate::kek::{Argon2Cost, Kek, Passphrase};

const NOW: UnixSeconds = UnixSeconds(1_790_000_000);

struct Place {
    place: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let made = Self { place: tempfile::tempdir().unwrap() };
        let home = Home::create(&made.home()).unwrap();
        Kek::create(&home, &passphrase(), Argon2Cost::insecure_for_tests()).unwrap();
        made
    }

    fn home(&self) -> PathBuf {
        self.place.path().join("home")
    }

    /// What a node finds when it starts.
    fn vault(&self) -> Vault {
        let home = Home::open(&self.home()).unwrap();
        let kek = Kek::unlock(&home, &passphrase(), Argon2Cost::insecure_for_tests()).unwrap();
        let vault = Vault::new(Arc::new(home), kek, Party::Operator);
        vault.count_primes().unwrap();
        vault
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.home().join("primes")).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort_unstable();
        files
    }
}

fn passphrase() -> Passphrase {
    Passphrase::new(b"correct horse battery".to_vec()).unwrap()
}

fn primes(party: &str) -> SafePrimes {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/TEST-ONLY-primes.json");
    let fixture: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let stored = serde_json::to_vec(&fixture["payload"][party]).unwrap();
    SafePrimes::from_sealed_bytes(&stored).unwrap()
}

fn in_stock(vault: &Vault) -> usize {
    vault.prime_levels().borrow().in_stock
}

#[test]
fn a_set_is_sealed_outlives_a_restart_and_is_given_out_once() {
    let place = Place::new();
    let put = primes("agent");
    let uses = put.uses();
    place.vault().stock_primes(put, NOW).unwrap();
    let files = place.files();
    assert_eq!(files.len(), 1);
    assert_eq!(std::fs::metadata(&files[0]).unwrap().permissions().mode() & 0o7777, 0o600);
    let bytes = std::fs::read(&files[0]).unwrap();
    assert!(!bytes.windows(11).any(|window| window == b"safe-primes"), "it is sealed");

    let vault = place.vault();
    assert_eq!(in_stock(&vault), 1);
    assert_eq!(vault.take_primes().unwrap().uses(), uses);
    assert!(place.files().is_empty(), "the file is gone before the set is used");
    assert!(vault.take_primes().is_none());
    drop(vault);
    let vault = place.vault();
    assert_eq!(in_stock(&vault), 0);
    assert!(vault.take_primes().is_none(), "a crash after the taking brings nothing back");
}

#[test]
fn of_many_that_ask_at_once_one_is_given_the_set() {
    let place = Place::new();
    let vault = place.vault();
    vault.stock_primes(primes("agent"), NOW).unwrap();
    let given = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(|| vault.take_primes())).collect();
        asking.into_iter().filter_map(|asking| asking.join().unwrap()).count()
    });
    assert_eq!(given, 1);
}

/// Each in the place of the one whole set there is: the next whole one is given out, and what is
/// not whole is gone.
#[test]
fn what_cannot_be_used_is_dropped_and_the_next_given_out() {
    for damage in ["cut", "flipped", "another's", "empty", "lax"] {
        let place = Place::new();
        place.vault().stock_primes(primes("agent"), NOW).unwrap();
        let bad = place.files().remove(0);
        let mut bytes = std::fs::read(&bad).unwrap();
        match damage {
            "cut" => bytes.truncate(bytes.len() / 2),
            "flipped" => *bytes.last_mut().unwrap() ^= 1,
            "another's" => {
                let other = bad.with_file_name(format!("{}.primes.sealed", "ab".repeat(16)));
                std::fs::rename(&bad, other).unwrap();
            }
            "empty" => bytes.clear(),
            _ => std::fs::set_permissions(&bad, std::fs::Permissions::from_mode(0o644)).unwrap(),
        }
        if damage != "another's" {
            std::fs::write(&bad, &bytes).unwrap();
        }
        let vault = place.vault();
        assert_eq!(in_stock(&vault), 1, "{damage}: not known before it is opened");
        assert!(vault.take_primes().is_none(), "{damage}");
        assert!(place.files().is_empty(), "{damage}");
        assert_eq!(vault.prime_levels().borrow().dropped, 1, "{damage}");
        vault.stock_primes(primes("operator"), NOW).unwrap();
        assert!(vault.take_primes().is_some(), "{damage}: the stock goes on");
    }
}

#[test]
fn a_set_that_the_disk_does_not_take_waits_in_memory_and_may_be_used_from_there() {
    let place = Place::new();
    let vault = place.vault();
    // The folder is gone under the vault's feet: nothing can be written to it.
    std::fs::remove_dir(place.home().join("primes")).unwrap();
    let refused = vault.stock_primes(primes("agent"), NOW).unwrap_err();
    assert!(matches!(refused, NotStocked::Unsealed(_)), "{refused}");
    assert!(vault.has_waiting_primes() && in_stock(&vault) == 1);
    assert!(matches!(vault.seal_waiting_primes(NOW), Err(NotStocked::Unsealed(_))));
    let one_more = vault.stock_primes(primes("operator"), NOW);
    assert!(matches!(one_more, Err(NotStocked::Full)), "one waits, not many");
    assert_eq!(vault.take_primes().unwrap().uses(), primes("agent").uses());
    assert!(in_stock(&vault) == 0 && vault.take_primes().is_none());
}

#[test]
fn a_foreign_file_in_the_folder_is_left_alone() {
    let place = Place::new();
    let foreign = place.home().join("primes/readme");
    std::fs::write(&foreign, b"mine").unwrap();
    let vault = place.vault();
    assert_eq!(in_stock(&vault), 0);
    assert!(vault.take_primes().is_none() && foreign.exists());
}
