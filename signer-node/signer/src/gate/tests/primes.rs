//! Primes for groups: from stock, and no prime twice.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::house::{House, NOW};
use super::*;
use crate::primes::SafePrimes;
use crate::vault::NotStocked;

fn fixture() -> serde_json::Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/TEST-ONLY-primes.json");
    serde_json::from_slice::<serde_json::Value>(&std::fs::read(path).unwrap()).unwrap()["payload"]
        .take()
}

fn read(stored: &serde_json::Value) -> SafePrimes {
    SafePrimes::from_sealed_bytes(&serde_json::to_vec(stored).unwrap()).unwrap()
}

fn primes(party: &str) -> SafePrimes {
    read(&fixture()[party])
}

/// Three primes of one set and one of another.
fn mixed(most: &str, one: &str) -> SafePrimes {
    let fixture = fixture();
    let mut set = fixture[most].clone();
    set["primes"][2] = fixture[one]["primes"][1].clone();
    read(&set)
}

/// The one file in stock, and what is in it.
fn stocked(home: &Path) -> (PathBuf, Vec<u8>) {
    let entries = std::fs::read_dir(home.join("primes")).unwrap();
    let files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    (files[0].clone(), std::fs::read(&files[0]).unwrap())
}

/// What the operator's node finds if it may not search.
async fn find(house: &House) -> (Result<SafePrimes, GateError>, Vec<CeremonyStep>) {
    let (steps, cancel) = (Mutex::new(Vec::new()), CancellationToken::new());
    cancel.cancel();
    let report = |step| steps.lock().unwrap().push(step);
    let operator = house.signer(Party::Operator);
    let found = operator.find_primes(cancel, &report).await;
    (found, steps.into_inner().unwrap())
}

fn is_called_off(found: &Result<SafePrimes, GateError>) -> bool {
    matches!(found, Err(GateError::Failed(Failure::Session(SessionError::CalledOff { .. }))))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_set_in_stock_is_used_without_a_search_and_once() {
    let house = House::new().await;
    let operator = house.signer(Party::Operator);
    operator.vault.stock_primes(primes("agent"), NOW).unwrap();
    let (found, steps) = find(&house).await;
    assert_eq!(found.unwrap().uses(), primes("agent").uses());
    assert_eq!(steps.len(), 1);
    assert_eq!(steps[0].stage, "taking safe primes from stock");
    let (none, steps) = find(&house).await;
    assert!(is_called_off(&none), "{none:?}");
    assert_eq!(steps[0].stage, "searching safe primes");
    let levels = *operator.prime_levels().borrow();
    assert_eq!((levels.in_stock, levels.used, levels.awaited), (0, 1, 1));
}

/// A copy of the file that is put back after its use, and one under another name: the journal
/// remembers the primes, not the file. A restart does not make it forget.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_a_used_set_that_is_put_back_is_dropped() {
    let mut house = House::new().await;
    let operator = house.signer(Party::Operator);
    operator.vault.stock_primes(primes("agent"), NOW).unwrap();
    let home = operator.vault.home().path().to_owned();
    drop(operator);
    let (file, bytes) = stocked(&home);
    assert!(find(&house).await.0.is_ok());
    house
        .restart(Party::Operator, |home| {
            let put_back = home.join("primes").join(file.file_name().unwrap());
            std::fs::write(&put_back, &bytes).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(&put_back, mode).unwrap();
        })
        .await;
    let operator = house.signer(Party::Operator);
    assert_eq!(operator.prime_levels().borrow().in_stock, 1);
    let (refused, _) = find(&house).await;
    assert!(is_called_off(&refused), "not used again, and a search was begun: {refused:?}");
    let levels = *operator.prime_levels().borrow();
    assert_eq!((levels.in_stock, levels.used, levels.dropped), (0, 0, 1));
    // One prime in common is one too many: whoever sees both moduli can factor them.
    operator.vault.stock_primes(mixed("recovery", "agent"), NOW).unwrap();
    assert!(is_called_off(&find(&house).await.0));
    operator.vault.stock_primes(primes("operator"), NOW).unwrap();
    assert!(find(&house).await.0.is_ok(), "what is new is used");
}

/// While a run has a place, nothing is tested; the search can be called off all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stocking_waits_for_a_search_that_somebody_waits_for() {
    let house = House::new().await;
    let operator = house.signer(Party::Operator);
    let _searching = operator.searching_primes.acquire().await.unwrap();
    assert!(operator.is_busy()());
    let cancel = CancellationToken::new();
    let stocking = operator.stock_primes(|| NOW, cancel.clone());
    let later = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        cancel.cancel();
    };
    let (stocked, ()) = tokio::join!(stocking, later);
    let called_off =
        matches!(stocked, Err(NotStocked::Search(crate::primes::PrimesError::Cancelled)));
    assert!(called_off, "{stocked:?}");
}
