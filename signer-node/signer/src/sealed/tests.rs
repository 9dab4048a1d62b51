use alloy_primitives::Address;
use proptest::prelude::*;
use tercet_policy::party::AgentId;

use super::*;
use crate::kek::{Argon2Cost, Passphrase};

const CREATED: UnixSeconds = UnixSeconds(1_790_000_000);

fn kek() -> Kek {
    let place = tempfile::tempdir().unwrap();
    let home = crate::home::Home::create(&place.path().join("home")).unwrap();
    let passphrase = Passphrase::new(b"correct horse battery".to_vec()).unwrap();
    Kek::create(&home, &passphrase, Argon2Cost::insecure_for_tests()).unwrap()
}

fn share(last: u8) -> SealedName {
    SealedName::KeyShare { wallet: Address::with_last_byte(last) }
}

#[test]
fn what_was_sealed_comes_back_with_its_time() {
    let kek = kek();
    for secret in [&b""[..], b"x", &[7; 100_000]] {
        let file = seal(&share(1), CREATED, secret, &kek).unwrap();
        let opened = unseal(&share(1), &file, &kek).unwrap();
        assert_eq!((&**opened.secret, opened.created), (secret, CREATED));
    }
}

#[test]
fn two_writes_of_one_secret_share_no_key_nonce_or_ciphertext() {
    let kek = kek();
    let one = seal(&share(1), CREATED, &[0; 64], &kek).unwrap();
    let two = seal(&share(1), CREATED, &[0; 64], &kek).unwrap();
    let header_bytes = one.len() - WRAPPED_KEY_BYTES - OVERHEAD_BYTES - 64;
    assert_eq!(one[..header_bytes], two[..header_bytes]);
    for (place, window) in one[header_bytes..].windows(12).enumerate() {
        assert!(!two.windows(12).any(|other| other == window), "repeats at {place}");
    }
}

#[test]
fn every_altered_byte_is_refused() {
    let kek = kek();
    let file = seal(&share(1), CREATED, b"the share", &kek).unwrap();
    for place in 0..file.len() {
        for bit in 0..8 {
            let mut altered = file.clone();
            altered[place] ^= 1 << bit;
            assert!(unseal(&share(1), &altered, &kek).is_err(), "byte {place} bit {bit}");
        }
    }
}

#[test]
fn every_cut_and_every_addition_is_refused() {
    let kek = kek();
    let file = seal(&share(1), CREATED, b"the share", &kek).unwrap();
    for end in 0..file.len() {
        let refused = unseal(&share(1), &file[..end], &kek);
        let typed = matches!(refused, Err(SealedError::Truncated | SealedError::NotAuthentic));
        assert!(typed, "cut at {end}: {refused:?}");
    }
    let longer = [&file[..], b"\0"].concat();
    assert!(matches!(unseal(&share(1), &longer, &kek), Err(SealedError::NotAuthentic)));
}

#[test]
fn a_genuine_file_in_anothers_place_is_refused_as_such() {
    let kek = kek();
    let agent = AgentId::new("research-01").unwrap();
    let sets = [PrimeSetId::random().unwrap(), PrimeSetId::random().unwrap()];
    let [one, other] = sets.map(|set| SealedName::PrimeSet { set });
    let aux = SealedName::AuxInfo { agent };
    let names = [share(1), share(2), aux, SealedName::Identity, one, other];
    for sealed_as in &names {
        let file = seal(sealed_as, CREATED, b"secret", &kek).unwrap();
        for asked_for in &names {
            let opened = unseal(asked_for, &file, &kek);
            if asked_for == sealed_as {
                assert!(opened.is_ok());
            } else {
                let swapped = matches!(opened, Err(SealedError::OtherSubject { .. }));
                assert!(swapped, "{sealed_as:?} as {asked_for:?}: {opened:?}");
            }
        }
    }
}

#[test]
fn a_header_rewritten_to_fit_is_not_authentic() {
    let kek = kek();
    let mut file = seal(&share(1), CREATED, b"secret", &kek).unwrap();
    let subject_end = HEADER_BYTES_MAX - header::SUBJECT_BYTES_MAX + 42;
    assert_eq!(file[subject_end - 1], b'1');
    file[subject_end - 1] = b'2';
    let refused = unseal(&share(2), &file, &kek);
    assert!(matches!(refused, Err(SealedError::NotAuthentic)), "{refused:?}");
}

#[test]
fn halves_of_two_files_do_not_join() {
    let kek = kek();
    let one = seal(&share(1), CREATED, b"one", &kek).unwrap();
    let two = seal(&share(1), CREATED, b"two", &kek).unwrap();
    let body_bytes = OVERHEAD_BYTES + 3;
    let (front, _) = one.split_at(one.len() - body_bytes);
    let (_, back) = two.split_at(two.len() - body_bytes);
    let refused = unseal(&share(1), &[front, back].concat(), &kek);
    assert!(matches!(refused, Err(SealedError::NotAuthentic)));
}

#[test]
fn another_homes_key_opens_nothing() {
    let file = seal(&share(1), CREATED, b"secret", &kek()).unwrap();
    assert!(matches!(unseal(&share(1), &file, &kek()), Err(SealedError::NotAuthentic)));
}

#[test]
fn a_later_format_says_so() {
    let kek = kek();
    let mut file = seal(&share(1), CREATED, b"secret", &kek).unwrap();
    file[8] = 2;
    let refused = unseal(&share(1), &file, &kek);
    assert!(matches!(refused, Err(SealedError::UnknownVersion { found: 2 })));
}

#[test]
fn more_than_the_limit_is_not_sealed() {
    let secret = vec![0; SEALED_PLAINTEXT_BYTES_MAX + 1];
    let refused = seal(&share(1), CREATED, &secret, &kek());
    assert!(matches!(refused, Err(SealedError::TooLarge { .. })));
}

#[test]
fn the_secret_has_no_voice() {
    let kek = kek();
    let file = seal(&share(1), CREATED, b"secret", &kek).unwrap();
    let opened = unseal(&share(1), &file, &kek).unwrap();
    assert!(!format!("{opened:?}").contains("115"), "{opened:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn garbage_never_opens_and_never_panics(
        valid_front in any::<bool>(),
        kind in 0_u8..6,
        tail in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        thread_local!(static KEK: Kek = kek());
        let front: &[u8] = if valid_front { b"TERCETSF\x01" } else { b"" };
        let file = [front, &[kind], &tail].concat();
        let opened = KEK.with(|kek| unseal(&share(1), &file, kek).is_ok());
        prop_assert!(!opened);
    }
}
