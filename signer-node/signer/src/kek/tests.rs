use proptest::prelude::*;

use super::file::{KEK_SALT_FILE_BYTES, Salt};
use super::*;

const TEST_COST: Argon2Cost = Argon2Cost::insecure_for_tests();

fn phrase(text: &str) -> Passphrase {
    Passphrase::new(text.as_bytes().to_vec()).unwrap()
}

fn home() -> (tempfile::TempDir, Home) {
    let place = tempfile::tempdir().unwrap();
    let home = Home::create(&place.path().join("home")).unwrap();
    (place, home)
}

#[test]
fn the_same_passphrase_gives_the_same_key() {
    let (_place, home) = home();
    let made = Kek::create(&home, &phrase("correct horse battery"), TEST_COST).unwrap();
    let again = Kek::unlock(&home, &phrase("correct horse battery"), TEST_COST).unwrap();
    assert_eq!(*made.0, *again.0);
}

#[test]
fn another_passphrase_is_refused_by_type() {
    let (_place, home) = home();
    Kek::create(&home, &phrase("correct horse battery"), TEST_COST).unwrap();
    let refused = Kek::unlock(&home, &phrase("correct horse batterz"), TEST_COST);
    assert!(matches!(refused, Err(KekError::WrongPassphrase)), "{refused:?}");
}

#[test]
fn a_home_keeps_its_first_salt() {
    let (_place, home) = home();
    Kek::create(&home, &phrase("correct horse battery"), TEST_COST).unwrap();
    let refused = Kek::create(&home, &phrase("another horse battery"), TEST_COST);
    assert!(matches!(refused, Err(KekError::Disk(DiskError::AlreadyThere { .. }))));
    assert!(Kek::unlock(&home, &phrase("correct horse battery"), TEST_COST).is_ok());
}

#[test]
fn the_test_profile_is_under_the_standard_floor() {
    let (_place, home) = home();
    Kek::create(&home, &phrase("correct horse battery"), TEST_COST).unwrap();
    let refused = Kek::unlock(&home, &phrase("correct horse battery"), Argon2Cost::standard());
    assert!(matches!(refused, Err(KekError::CostTooLow { .. })), "{refused:?}");
}

#[test]
fn the_cold_profile_is_above_the_standard_floor() {
    assert!(Argon2Cost::cold().check(Argon2Cost::standard()).is_ok());
}

#[test]
fn costs_over_the_limits_are_refused_before_any_memory_is_taken() {
    let base = Argon2Cost::standard();
    let over = [
        Argon2Cost { memory_kib: ARGON2_MEMORY_KIB_MAX + 1, ..base },
        Argon2Cost { passes: ARGON2_PASSES_MAX + 1, ..base },
        Argon2Cost { lanes: ARGON2_LANES_MAX + 1, ..base },
    ];
    for cost in over {
        let (_place, home) = home();
        let refused = Kek::create(&home, &phrase("correct horse battery"), cost);
        assert!(matches!(refused, Err(KekError::CostTooHigh { .. })), "{refused:?}");
    }
}

#[test]
fn every_altered_byte_is_seen_as_damage() {
    let (_place, home) = home();
    Kek::create(&home, &phrase("correct horse battery"), TEST_COST).unwrap();
    let file = home.read_kek_salt().unwrap();
    assert_eq!(file.len(), KEK_SALT_FILE_BYTES);
    for place in 0..file.len() {
        let mut altered = file.to_vec();
        altered[place] ^= 1;
        assert!(matches!(Salt::decode(&altered), Err(KekError::Damaged { .. })), "{place}");
        assert!(matches!(Salt::decode(&file[..place]), Err(KekError::Damaged { .. })));
    }
}

#[test]
fn a_cost_lowered_with_a_new_checksum_does_not_open() {
    let (_place, home) = home();
    let two_passes = Argon2Cost { passes: 2, ..TEST_COST };
    let kek = Kek::create(&home, &phrase("correct horse battery"), two_passes).unwrap();
    let (salt, check) = Salt::decode(&home.read_kek_salt().unwrap()).unwrap();
    assert!(check.proves(&kek, &salt));
    let lowered = Salt { cost: TEST_COST, ..salt };
    assert!(!check.proves(&kek, &lowered));
}

#[test]
fn neither_key_nor_passphrase_speaks() {
    let (_place, home) = home();
    let passphrase = phrase("correct horse battery");
    let kek = Kek::create(&home, &passphrase, TEST_COST).unwrap();
    assert_eq!(format!("{kek:?} {passphrase:?}"), "Kek(..) Passphrase(..)");
}

/// Computed by OpenSSL 3 through Python's `cryptography` (Argon2id, version 0x13).
#[test]
fn derivation_agrees_with_another_implementation() {
    let cost = Argon2Cost { memory_kib: 256, passes: 3, lanes: 4 };
    let bytes = std::array::from_fn(|n| n as u8);
    let kek = Kek::derive(&phrase("correct horse battery"), &Salt { cost, bytes }).unwrap();
    let expected = "49350b61a17b8c6c98123a86ebced9f2560361e8fdb3daf3607dccff16ac5ba5";
    assert_eq!(hex::encode(kek.0.as_slice()), expected);
}

proptest! {
    #[test]
    fn garbage_is_refused_without_a_panic(file in prop::collection::vec(any::<u8>(), 0..400)) {
        let is_damage = matches!(Salt::decode(&file), Err(KekError::Damaged { .. }));
        prop_assert!(is_damage);
    }
}
