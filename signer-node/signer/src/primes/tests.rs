#![allow(clippy::arithmetic_side_effects, reason = "tests may overflow, loudly")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

fn search(bits: u32, wanted: usize) -> Vec<Wiped> {
    let mut last = None;
    let (pace, cancel) = (Pace::awaited(), CancellationToken::new());
    let primes = search::safe_primes((bits, wanted), &pace, &cancel, &mut |p| last = Some(p));
    assert!(matches!(last, Some(Progress::Complete { .. })));
    primes.unwrap()
}

/// Miller-Rabin with the bases that decide every 64-bit number (Sorenson and Webster, 2015).
fn is_prime_u64(n: u64) -> bool {
    let mul = |a: u64, b: u64| (u128::from(a) * u128::from(b) % u128::from(n)) as u64;
    let pow = |base: u64, mut e: u64| {
        let (mut base, mut out) = (base % n, 1);
        while e > 0 {
            if e & 1 == 1 {
                out = mul(out, base);
            }
            base = mul(base, base);
            e >>= 1;
        }
        out
    };
    let twos = (n - 1).trailing_zeros();
    [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37].into_iter().all(|base| {
        let first = pow(base, (n - 1) >> twos);
        let squares = std::iter::successors(Some(first), |&x| Some(mul(x, x)));
        first == 1 || squares.take(twos as usize).any(|x| x == n - 1)
    })
}

#[test]
fn small_sets_have_every_property() {
    for bits in [192u32, 224, 256] {
        for _ in 0..3 {
            let primes = search(bits, PRIMES_COUNT);
            assert_eq!(check(&primes, bits), Ok(()));
            for p in &primes {
                assert_eq!(p.value().significant_bits(), bits);
                assert_eq!(p.value().mod_u(4), 3);
                assert_eq!(p.value().mod_u(3), 2);
            }
        }
    }
}

/// Against an independent test of primality, at the shortest length served.
#[test]
fn shortest_primes_agree_with_a_deterministic_test() {
    assert!(is_prime_u64(18_446_744_073_709_551_557) && !is_prime_u64(3_215_031_751));
    for p in search(64, 8) {
        let p = p.value().to_u64().unwrap();
        assert!(is_prime_u64(p) && is_prime_u64((p - 1) / 2), "{p}");
    }
}

#[test]
fn check_refuses_wrong_length_repetition_neighbours_and_composites() {
    let mut primes = search(256, 2);
    assert_eq!(check(&primes, 255), Err(Unfit::Length));
    primes.push(Wiped::new(primes[0].value().clone()));
    assert_eq!(check(&primes, 256), Err(Unfit::Close));
    *primes[2].value_mut() += 2u32;
    assert_eq!(check(&primes, 256), Err(Unfit::Close));
    primes.pop();
    // 2^255 + 95 is prime and not safe; 2^255 + 1 is composite.
    for n in [95u32, 1] {
        let other = (Integer::from(1) << 255u32) + n;
        primes.push(Wiped::new(other));
        assert_eq!(check(&primes, 256), Err(Unfit::NotSafe), "{n}");
        primes.pop();
    }
    assert_eq!(check(&primes, 256), Ok(()));
}

#[test]
fn a_cancelled_search_ends() {
    let cancel = CancellationToken::new();
    let mut calls = 0;
    let result = search::safe_primes((8192, 4), &Pace::awaited(), &cancel, &mut |_| {
        calls += 1;
        cancel.cancel();
    });
    assert!(matches!(result, Err(PrimesError::Cancelled)));
    assert_eq!(calls, 1);
}

/// The search ahead of need tests nothing while it is asked to wait, ends when it is cancelled all
/// the same, and goes on when it may.
#[test]
fn a_search_ahead_gives_way_while_others_want_the_processor() {
    let is_busy = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&is_busy);
    let pace = Pace::ahead(Arc::new(move || asked.load(Ordering::Relaxed)));
    let cancel = CancellationToken::new();
    let waited = search::safe_primes((192, 1), &pace, &cancel, &mut |progress| {
        assert!(matches!(progress, Progress::Searching { candidates_tested: 0, .. }));
        cancel.cancel();
    });
    assert!(matches!(waited, Err(PrimesError::Cancelled)));
    is_busy.store(false, Ordering::Relaxed);
    let found = search::safe_primes((192, 1), &pace, &CancellationToken::new(), &mut |_| ());
    assert_eq!(check(&found.unwrap(), 192), Ok(()));
}

#[test]
fn each_prime_has_a_note_of_its_own_and_the_same_whenever_it_is_made() {
    let fixture: serde_json::Value = serde_json::from_str(include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/TEST-ONLY-primes.json"
    )))
    .unwrap();
    let uses = |party: &str| {
        let stored = serde_json::to_vec(&fixture["payload"][party]).unwrap();
        SafePrimes::from_sealed_bytes(&stored).unwrap().uses()
    };
    let (agent, operator) = (uses("agent"), uses("operator"));
    assert_eq!(agent, uses("agent"));
    let mut all = [agent, operator].concat();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 2 * PRIMES_COUNT);
}

/// Full size: some ten seconds of CPU, so it covers the stored form and the library's type too.
#[tokio::test]
async fn full_size_set_survives_the_store_and_serves_the_library() {
    let (progress, seen) = watch::channel(Progress::Complete { candidates_tested: 0 });
    let primes = generate_apart(CancellationToken::new(), progress).await.unwrap();
    assert!(matches!(*seen.borrow(), Progress::Complete { candidates_tested: 1.. }));
    assert_eq!(format!("{primes:?}"), "SafePrimes(..)");

    let bytes = primes.to_sealed_bytes().unwrap();
    assert!(bytes.len() <= STORED_BYTES_MAX);
    let again = SafePrimes::from_sealed_bytes(&bytes).unwrap();
    assert!(primes.0.iter().zip(again.0.iter()).all(|(a, b)| a.value() == b.value()));

    let library = again.into_pregenerated().unwrap();
    for (theirs, ours) in library.primes_ref().iter().zip(primes.0.iter()) {
        assert_eq!(theirs.clone().to_rug(), *ours.value());
    }
}

#[test]
fn stored_bytes_that_do_not_hold_four_fit_primes_are_refused() {
    let short = r#"{"format":"tercet/safe-primes/v1","primes":["17","17","17","17"]}"#;
    let three = r#"{"format":"tercet/safe-primes/v1","primes":["17","17","17"]}"#;
    let other = r#"{"format":"tercet/safe-primes/v2","primes":["17","17","17","17"]}"#;
    let refusal = |bytes: &str| match SafePrimes::from_sealed_bytes(bytes.as_bytes()) {
        Err(PrimesError::Unfit(unfit)) => unfit,
        _ => panic!("took {bytes}"),
    };
    assert_eq!(refusal(short), Unfit::Length);
    assert_eq!(refusal(three), Unfit::Form);
    assert_eq!(refusal(other), Unfit::Form);
    assert_eq!(refusal("{}"), Unfit::Form);
    assert_eq!(refusal(""), Unfit::Form);
}
