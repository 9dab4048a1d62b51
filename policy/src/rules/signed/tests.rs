use super::*;
use crate::fixture::{authority, key, parsed, yaml};

const WIDE: &str = "  - allow: { services: vendors }\n  - max_amount: 2 USDC";
const NARROW: &str = "  - allow: { services: vendors }\n  - max_amount: 1 USDC";

fn by(seeds: &[u8], yaml: String) -> SignedPolicy {
    let mut signed = Signed { document: PolicyDocument { yaml }, signatures: Vec::new() };
    for seed in seeds {
        signed.add_signature(&key(*seed)).unwrap();
    }
    signed
}

/// What one key of an authority of two may put after the policy of epoch 7.
fn by_one(held: &str, yaml: String) -> Result<AuthenticPolicy, PolicyError> {
    by(&[1], yaml).open_policy_after(&authority(2, 2), Some(&parsed(held)))
}

#[test]
fn one_key_tightens() {
    let people = crate::fixture::people();
    for (held, new) in [
        (WIDE, NARROW.to_owned()),
        (WIDE, format!("{WIDE}\n  - max_fee: 0.0001 ETH")),
        (WIDE, format!("{WIDE}\n  - block: {{ services: [b.inference.example] }}")),
        (WIDE, WIDE.replace("vendors", "[api.search.example]")),
        (WIDE, "  - block: { assets: [USDC] }\n".to_owned() + WIDE),
        (WIDE, format!("{WIDE}\n  - {{ max_amount: 1 USDC, then: ask }}\n{people}")),
    ] {
        let opened = by_one(held, yaml(8, &new));
        assert!(opened.is_ok(), "{new}: {opened:?}");
    }
}

/// Whatever is not shown to be no wider takes the quorum, and with it is taken.
#[test]
fn one_key_does_nothing_else() {
    let held = [
        NARROW,
        "  - limit: { amount: 5 USDC, per: day }",
        "  - rate: { count: 9, per: hour }",
        "  - block: { services: [bad.inference.example] }",
        "  - payee_pinning: { new: refuse }",
        "  - hours: { from: \"09:00\", to: \"17:00\", zone: UTC }",
        "  - freeze: { refusals: 9, per: hour }",
    ]
    .join("\n");
    let other_agent = |text: String| text.replace("agent: research-01", "agent: other");
    let same = || yaml(8, &held);
    let with = |from: &str, to: &str| {
        let text = same().replace(from, to);
        assert_ne!(text, same(), "{from}");
        text
    };
    for new in [
        with("max_amount: 1 USDC", "max_amount: 1.000001 USDC"),
        with("  - max_amount: 1 USDC\n", ""),
        with("amount: 5 USDC", "amount: 6 USDC"),
        with("per: day }", "per: hour }"),
        with("per: day }", "per: day, by: service }"),
        with("count: 9", "count: 10"),
        with("[bad.inference.example]", "[other.inference.example]"),
        with("[bad.inference.example]", "[]"),
        with("new: refuse", "new: allow"),
        with("09:00", "08:59"),
        with("17:00", "17:01"),
        with("zone: UTC", "zone: Europe/Berlin"),
        with("refusals: 9", "refusals: 10"),
        with(
            "services: vendors }",
            "services: vendors, recipients: payees }\n  - allow: { services: [new.example] }",
        ),
        with("\"*.inference.example\"", "\"*.example\""),
        with("  - allow: { services: vendors }\n", ""),
        with("  - max_amount: 1 USDC\n", "  - { max_amount: 1 USDC, then: warn }\n"),
        with("lists:", "mode: warn\nlists:"),
        with("agent: research-01", "organisation: acme"),
        other_agent(same()),
        // Epochs only rise, and not past where the quorum could follow.
        with("epoch: 8", "epoch: 7").replace("count: 9", "count: 8"),
        with("epoch: 8", "epoch: 6"),
        with("epoch: 8", "epoch: 1"),
        with("epoch: 8", &format!("epoch: {}", POLICY_EPOCH_BY_ONE_MAX + 1)),
    ] {
        let opened = by_one(&held, new.clone());
        let missing = matches!(
            &opened,
            Err(PolicyError::Document(crate::document::DocumentError::TooFewSignatures {
                found: 1,
                needed: 2,
                ..
            }))
        );
        assert!(missing, "{new}: {opened:?}");
        let quorum = by(&[1, 2], new.clone()).open_policy_after(&authority(2, 2), None);
        assert!(quorum.is_ok(), "{new}: {quorum:?}");
        let after = by(&[2, 1], new).open_policy_after(&authority(2, 2), Some(&parsed(&held)));
        assert_eq!(after, quorum);
    }
}

#[test]
fn only_a_key_of_the_authority_tightens() {
    let two = authority(2, 2);
    let held = parsed(WIDE);
    let open = |signed: SignedPolicy| signed.open_policy_after(&two, Some(&held));
    for seeds in [&[][..], &[9], &[9, 8]] {
        assert!(open(by(seeds, yaml(8, NARROW))).is_err(), "{seeds:?}");
    }
    assert!(open(by(&[2], yaml(8, NARROW))).is_ok());
    assert!(open(by(&[9, 2], yaml(8, NARROW))).is_ok(), "a stranger's beside it says nothing");
    let mut changed = by(&[1], yaml(8, NARROW));
    changed.document.yaml = yaml(9, NARROW);
    assert!(open(changed).is_err());
    // Nothing is held that it could tighten.
    assert!(by(&[1], yaml(8, NARROW)).open_policy_after(&two, None).is_err());
    // A stranger's text is not even read.
    let malformed = open(by(&[9], "policy: [".to_owned()));
    assert!(matches!(malformed, Err(PolicyError::Document(_))));
}

/// A courier brings what is held once more: that is neither news nor an error.
#[test]
fn the_very_same_is_taken_again_on_the_signature_it_had() {
    let held = by_one(WIDE, yaml(8, NARROW)).unwrap();
    let again = by(&[1], yaml(8, NARROW));
    let again = again.open_policy_after(&authority(2, 2), Some(held.policy())).unwrap();
    assert_eq!(again.may_follow(Some(&held.pin()), held.subject()), Ok(()));
    let last = yaml(POLICY_EPOCH_BY_ONE_MAX, NARROW);
    assert!(by_one(WIDE, last).is_ok());
}
