use super::*;
use crate::fixture::{authority, key};
use crate::registry::REGISTRY_BYTES_MAX;

fn text(epoch: u64, name: &str) -> String {
    format!("registry: {name}\nepoch: {epoch}\n")
}

fn signed(epoch: u64, name: &str) -> SignedRegistry {
    by(text(epoch, name), &[1])
}

fn by(yaml: String, seeds: &[u8]) -> SignedRegistry {
    let mut signed = Signed { document: RegistryDocument { yaml }, signatures: Vec::new() };
    for seed in seeds {
        signed.add_signature(&key(*seed)).unwrap();
    }
    signed
}

#[test]
fn an_epoch_only_rises() {
    let held = signed(5, "a").open_registry(&authority(1, 1)).unwrap().pin();
    let open = |epoch, name| signed(epoch, name).open_registry(&authority(1, 1)).unwrap();
    for (epoch, name, expected) in [
        (6, "a", Ok(())),
        (900, "b", Ok(())),
        // The very same again.
        (5, "a", Ok(())),
        (5, "b", Err(RegistryError::OtherContent { epoch: 5 })),
        (4, "a", Err(RegistryError::OlderEpoch { offered: 4, held: 5 })),
        (1, "b", Err(RegistryError::OlderEpoch { offered: 1, held: 5 })),
    ] {
        assert_eq!(open(epoch, name).may_follow(Some(&held)), expected, "{epoch} {name}");
        assert_eq!(open(epoch, name).may_follow(None), Ok(()));
    }
}

/// Every registry takes the quorum: what it says of counterparties widens what may be paid. The
/// registry of another organisation is signed by another authority.
#[test]
fn a_registry_takes_the_quorum_of_the_authority_pinned_here() {
    let two_of_three = authority(3, 2);
    let missing = |found| {
        let kind = "registry".to_owned();
        Err(RegistryError::Document(DocumentError::TooFewSignatures { kind, found, needed: 2 }))
    };
    for (seeds, found) in
        [(&[][..], 0), (&[1], 1), (&[1, 1], 1), (&[1, 9], 1), (&[8, 9], 0), (&[4, 5, 6], 0)]
    {
        let opened = by(text(1, "a"), seeds).open_registry(&two_of_three);
        assert_eq!(opened, missing(found), "{seeds:?}");
    }
    for seeds in [&[1, 2][..], &[3, 1], &[9, 3, 2], &[1, 2, 3]] {
        assert!(by(text(1, "a"), seeds).open_registry(&two_of_three).is_ok(), "{seeds:?}");
    }
}

#[test]
fn a_registry_that_was_changed_or_signed_as_something_else_is_not_believed() {
    let one = authority(1, 1);
    let mut changed = signed(1, "a");
    changed.document.yaml.push_str("unknown_trust: 100\n");
    assert!(matches!(changed.open_registry(&one), Err(RegistryError::Document(_))));
    let policy = crate::fixture::signed(text(1, "a"));
    let moved = Signed {
        document: RegistryDocument { yaml: policy.document.yaml.clone() },
        signatures: policy.signatures,
    };
    assert!(matches!(moved.open_registry(&one), Err(RegistryError::Document(_))));
}

#[test]
fn what_is_signed_and_no_registry_is_refused_and_nobody_s_text_is_read() {
    let one = authority(1, 1);
    let malformed = by("registry: a\nepoch: 0\n".to_owned(), &[1]).open_registry(&one);
    assert!(matches!(malformed, Err(RegistryError::Malformed { line: 2, .. })), "{malformed:?}");
    let strangers = by("registry: a\nepoch: 0\n".to_owned(), &[9]).open_registry(&one);
    assert!(matches!(strangers, Err(RegistryError::Document(_))), "signatures come first");
    let large = by("#".repeat(REGISTRY_BYTES_MAX + 1), &[1]).open_registry(&one);
    assert_eq!(
        large,
        Err(RegistryError::TooLarge { bytes: REGISTRY_BYTES_MAX + 1, limit: REGISTRY_BYTES_MAX })
    );
}
