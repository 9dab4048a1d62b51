use super::*;
use crate::party::AgentId;
use crate::time::UnixSeconds;

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn authority(keys: &[u8], threshold: usize) -> Authority {
    let keys = keys.iter().map(|&n| Ed25519PublicKey::of(&key(n))).collect();
    AuthorityConfig { keys, threshold }.try_into().unwrap()
}

fn freeze(frozen: bool) -> Freeze {
    Freeze {
        agent: AgentId::new("a").unwrap(),
        epoch: 1,
        frozen,
        reason: "drill".into(),
        at: UnixSeconds(1),
    }
}

#[test]
fn a_quorum_counts_different_keys_only() {
    let authority = authority(&[1, 2, 3], 2);
    let mut signed = Signed::by(freeze(false), &key(1)).unwrap();
    signed.add_signature(&key(1)).unwrap();
    assert_eq!(
        signed.clone().open(&authority),
        Err(DocumentError::TooFewSignatures { kind: "freeze".into(), found: 1, needed: 2 })
    );
    signed.add_signature(&key(9)).unwrap();
    assert!(signed.clone().open(&authority).is_err(), "a stranger's signature counts for nothing");
    signed.add_signature(&key(2)).unwrap();
    assert!(signed.open(&authority).is_ok());
}

#[test]
fn one_key_freezes_and_only_the_quorum_thaws() {
    let authority = authority(&[1, 2], 2);
    assert!(Signed::by(freeze(true), &key(1)).unwrap().open_freeze(&authority).is_ok());
    assert!(Signed::by(freeze(false), &key(1)).unwrap().open_freeze(&authority).is_err());
    let mut turned = Signed::by(freeze(true), &key(1)).unwrap();
    turned.document.frozen = false;
    assert!(turned.open_freeze(&authority).is_err());
}

#[test]
fn one_key_cannot_freeze_where_the_quorum_could_not_thaw() {
    let authority = authority(&[1, 2], 2);
    let at = |epoch| Signed::by(Freeze { epoch, ..freeze(true) }, &key(1)).unwrap();
    assert!(at(FREEZE_EPOCH_BY_ONE_MAX).open_freeze(&authority).is_ok());
    assert!(at(FREEZE_EPOCH_BY_ONE_MAX + 1).open_freeze(&authority).is_err());
}

#[test]
fn a_changed_document_is_not_believed() {
    let mut signed = Signed::by(freeze(true), &key(1)).unwrap();
    signed.document.reason.push('!');
    assert!(signed.open_by(&Ed25519PublicKey::of(&key(1))).is_err());
}

/// The point of order one is a key under which a made-up signature fits every message, unless the
/// rules are strict.
#[test]
fn a_key_of_small_order_signs_nothing() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&identity);
    assert!(!Ed25519PublicKey(identity).verifies(b"anything", &Ed25519Signature(signature)));
}

#[test]
fn a_signature_under_another_name_is_not_believed() {
    let right = Ed25519PublicKey::of(&key(1));
    let mut signed = Signed::by(freeze(true), &key(1)).unwrap();
    assert!(signed.clone().open_by(&right).is_ok());
    signed.signatures[0].key = Ed25519PublicKey::of(&key(2));
    assert!(signed.clone().open_by(&right).is_err(), "the name is wrong");
    let mut twice = Signed::by(freeze(true), &key(1)).unwrap();
    twice.add_signature(&key(1)).unwrap();
    assert!(twice.open_by(&right).is_err(), "one signature, and no other");
}

#[test]
fn a_signature_for_one_kind_is_none_for_another() {
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    struct Other(Freeze);
    impl Document for Other {
        const KIND: &'static str = "other";
    }
    let other = Signed::by(Other(freeze(true)), &key(1)).unwrap();
    let moved = Signed { document: other.document.0, signatures: other.signatures };
    assert!(moved.open_by(&Ed25519PublicKey::of(&key(1))).is_err());
}

#[test]
fn authorities_that_could_not_work_are_refused() {
    let k = |n| Ed25519PublicKey::of(&key(n));
    for (keys, threshold) in
        [(vec![], 0), (vec![k(1)], 0), (vec![k(1)], 2), (vec![k(1), k(1)], 1), (vec![], 1)]
    {
        assert!(Authority::try_from(AuthorityConfig { keys, threshold }).is_err());
    }
    let of = |count: u8, threshold| {
        Authority::try_from(AuthorityConfig { keys: (1..=count).map(k).collect(), threshold })
    };
    let most = u8::try_from(AUTHORITY_KEYS_MAX).unwrap();
    assert_eq!(of(most, 16).map(|authority| authority.threshold()), Ok(16));
    assert_eq!(of(most + 1, 2), Err(BadAuthority));
    assert!(of(3, 2).unwrap().has(&k(3)) && !of(3, 2).unwrap().has(&k(4)));
}

/// Canonical JSON writes 2^53 and 2^53 + 1 alike, so a signature over the one would be good for
/// the other: a courier could raise a thaw's epoch past what anybody signed.
#[test]
fn no_epoch_is_changed_where_doubles_end() {
    let signed = |epoch| Signed::by(Freeze { epoch, ..freeze(true) }, &key(1));
    let last = signed(JSON_INTEGER_MAX).unwrap();
    assert!(last.clone().open_by(&Ed25519PublicKey::of(&key(1))).is_ok());
    let none = DocumentError::NotCanonical { kind: "freeze".into() };
    for epoch in [JSON_INTEGER_MAX + 1, JSON_INTEGER_MAX + 2, u64::MAX] {
        assert_eq!(signed(epoch).unwrap_err(), none, "{epoch}");
        let raised = Signed {
            document: Freeze { epoch, ..freeze(true) },
            signatures: last.signatures.clone(),
        };
        assert_eq!(raised.open(&authority(&[1], 1)), Err(none.clone()), "{epoch}");
    }
}

#[test]
fn two_writings_of_one_document_are_one_and_two_documents_are_two() {
    let one = r#"{"agent":"a","epoch":1,"frozen":true,"reason":"drill","at":7}"#;
    let other = "{ \"reason\": \"dr\\u0069ll\", \"frozen\": true, \"epoch\": 1, \"agent\": \"a\", \"at\": 7 }";
    let by = Ed25519PublicKey::of(&key(1));
    let hash = |text: &str| {
        let document: Freeze = serde_json::from_str(text).unwrap();
        Signed::by(document, &key(1)).unwrap().open_by(&by).unwrap().content_hash()
    };
    assert_eq!(hash(one), hash(other));
    let others =
        [("\"a\"", "\"b\""), ("1", "2"), ("true", "false"), ("drill", "Drill"), ("7", "8")];
    for (from, to) in others {
        assert_ne!(hash(one), hash(&one.replace(from, to)), "{to}");
    }
    let unknown = one.replace("{", "{\"until\":9,");
    assert!(serde_json::from_str::<Freeze>(&unknown).is_err(), "what is not understood");
    let twice = one.replace("{", "{\"epoch\":2,");
    assert!(serde_json::from_str::<Freeze>(&twice).is_err(), "which of the two was meant");
}

#[test]
fn no_more_signatures_are_looked_at_than_are_named() {
    let authority = authority(&[1], 1);
    let mut signed = Signed::by(freeze(false), &key(1)).unwrap();
    for _ in 1..SIGNATURES_MAX {
        signed.add_signature(&key(2)).unwrap();
    }
    assert!(signed.clone().open(&authority).is_ok());
    signed.add_signature(&key(2)).unwrap();
    assert_eq!(signed.open(&authority), Err(DocumentError::TooManySignatures));
}

#[test]
fn which_freeze_supersedes_which() {
    let at = |epoch, frozen| Freeze { epoch, ..freeze(frozen) };
    for (new, held, expected) in [
        (at(2, false), at(1, true), true),
        (at(2, true), at(1, false), true),
        (at(1, true), at(1, false), true),
        (at(1, false), at(1, true), false),
        (at(1, true), at(1, true), false),
        (at(1, true), at(2, false), false),
        (at(1, false), at(2, true), false),
    ] {
        assert_eq!(new.supersedes(&held), expected, "{new:?} over {held:?}");
    }
}

#[test]
fn whole_numbers_are_taken_as_far_as_doubles_carry_them() {
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    struct Nested(Vec<std::collections::BTreeMap<String, Option<i64>>>);
    impl Document for Nested {
        const KIND: &'static str = "nested";
    }
    let last = i64::try_from(JSON_INTEGER_MAX).unwrap();
    for (number, taken) in [
        (0, true),
        (last, true),
        (-last, true),
        (last + 1, false),
        (-last - 1, false),
        (i64::MAX, false),
        (i64::MIN, false),
    ] {
        let nested = Nested(vec![[("n".to_owned(), Some(number)), ("m".to_owned(), None)].into()]);
        assert_eq!(Signed::by(nested, &key(1)).is_ok(), taken, "{number}");
    }
}

#[test]
fn three_parties_are_three_nodes_with_three_keys_each() {
    let node = |name: &str, signing: u8, channel: u8| NodeKeys {
        id: name.parse().unwrap(),
        signing: Ed25519PublicKey::of(&key(signing)),
        channel: X25519PublicKey([channel; 32]),
    };
    let enrolled = |agent_node, operator_node, recovery_node| Enrolment {
        agent: AgentId::new("a").unwrap(),
        epoch: 1,
        agent_node,
        operator_node,
        recovery_node,
    };
    let good = enrolled(node("a", 1, 1), node("op", 2, 2), node("rec", 3, 3));
    assert!(good.parties_are_distinct());
    for party in crate::party::Party::ALL {
        assert_eq!(good.party_of(&good.keys(party).id), Some(party));
    }
    assert_eq!(good.party_of(&"b".parse().unwrap()), None);
    for bad in [
        enrolled(node("a", 1, 1), node("a", 2, 2), node("rec", 3, 3)),
        enrolled(node("a", 1, 1), node("op", 2, 2), node("op", 3, 3)),
        enrolled(node("a", 1, 1), node("op", 1, 2), node("rec", 3, 3)),
        enrolled(node("a", 1, 1), node("op", 2, 2), node("rec", 1, 3)),
        enrolled(node("a", 1, 1), node("op", 2, 3), node("rec", 3, 3)),
        enrolled(node("a", 1, 3), node("op", 2, 2), node("rec", 3, 3)),
    ] {
        assert!(!bad.parties_are_distinct(), "{bad:?}");
    }
}
