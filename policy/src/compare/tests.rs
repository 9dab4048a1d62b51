#![allow(clippy::arithmetic_side_effects, reason = "tests may overflow, loudly")]

use super::*;
use crate::fixture;

mod sound;
mod states;
mod versions;

fn policy(rules: &str) -> Policy {
    let head = "policy: p\nepoch: 1\napplies_to: { agent: research-01 }\nrules:\n";
    Policy::parse(&format!("{head}{rules}{}", fixture::people())).unwrap()
}

fn direction(old: &str, new: &str) -> (Vec<Direction>, bool) {
    let compared = compare(&policy(old), &policy(new));
    (compared.changes.iter().map(|change| change.direction).collect(), compared.tightening)
}

#[test]
fn changes_are_told_with_their_direction() {
    use Direction::{Changed, Loosened, Tightened};
    let allow = "  - allow: { services: [\"*.example\"] }\n";
    let cases: &[(&str, &str, &[Direction], bool)] = &[
        ("  - max_amount: 1 USDC\n", "  - max_amount: 1 USDC\n", &[], true),
        ("  - max_amount: 1 USDC\n", "  - max_amount: 0.5 USDC\n", &[Tightened], true),
        ("  - max_amount: 1 USDC\n", "  - max_amount: 2 USDC\n", &[Loosened], false),
        ("  - max_amount: 1 USDC\n", "", &[Loosened], false),
        ("", "  - max_amount: 1 USDC\n", &[Tightened], true),
        (
            "  - max_amount: 1 USDC\n",
            "  - max_amount: 1 USDC\n    then: warn\n",
            &[Loosened],
            false,
        ),
        ("  - max_amount: 1 USDC\n    then: ask\n", "  - max_amount: 1 USDC\n", &[Tightened], true),
        (
            "  - limit: { amount: 1 USDC, per: day }\n",
            "  - limit: { amount: 1 USDC, per: day, by: service }\n",
            &[Loosened],
            false,
        ),
        (
            "  - limit: { amount: 1 USDC, per: day }\n",
            "  - limit: { amount: 1 USDC, per: week }\n",
            &[Tightened],
            true,
        ),
        (
            "  - limit: { amount: 2 USDC, per: day }\n",
            "  - limit: { amount: 1 USDC, per: hour }\n",
            &[Changed],
            false,
        ),
        ("", "  - allow: { services: [api.example] }\n", &[Loosened], true),
        ("", "  - access_key: { max: 1 pathUSD, max_life: 7d }\n", &[Loosened], false),
        ("  - access_key: { max: 1 pathUSD, max_life: 7d }\n", "", &[Changed], false),
        (
            "  - access_key: { max: 2 pathUSD, max_life: 7d }\n",
            "  - access_key: { max: 1 pathUSD, max_life: 7d }\n",
            &[Tightened],
            true,
        ),
        (
            "  - access_key: { max: 1 pathUSD, max_life: 6d }\n",
            "  - access_key: { max: 1 pathUSD, max_life: 7d }\n",
            &[Loosened],
            false,
        ),
        (
            "  - block: { services: [a.example, b.example] }\n",
            "  - block: { services: [a.example] }\n  - block: { services: [\"*.example\"] }\n",
            &[Loosened, Tightened],
            true,
        ),
        (
            "  - hours: { from: \"09:00\", to: \"17:00\", zone: UTC }\n",
            "  - hours: { from: \"10:00\", to: \"17:00\", days: [mon], zone: UTC }\n",
            &[Tightened],
            true,
        ),
    ];
    for (old, new, changes, tightening) in cases {
        let found = direction(&format!("{allow}{old}"), &format!("{allow}{new}"));
        assert_eq!(found, (changes.to_vec(), *tightening), "{old} -> {new}");
    }
}

#[test]
fn a_wider_list_is_no_tightening_and_says_what_it_adds() {
    let (old, new) =
        ("  - allow: { services: [a.example] }\n", "  - allow: { services: [b.example] }\n");
    let compared = compare(&policy(old), &policy(new));
    assert!(!compared.tightening);
    assert_eq!(compared.changes[0].reason, "adds b.example, takes away a.example");
    let gone = direction("  - allow: { services: [a.example] }\n", "");
    // Beside an organisation's policy that grants, a policy without a list refuses nothing.
    assert!(!gone.1);
}

#[test]
fn another_subject_or_mode_is_no_tightening() {
    let old = policy("  - allow: { services: [a.example] }\n");
    let text = "policy: p\nepoch: 1\napplies_to: { agent: other }\nrules: []\n";
    assert!(!is_tightening(&old, &Policy::parse(text).unwrap()));
    let text = "policy: p\nepoch: 1\napplies_to: { agent: research-01 }\nmode: warn\nrules: []\n";
    assert!(!is_tightening(&old, &Policy::parse(text).unwrap()));
}

#[test]
fn other_people_are_no_tightening() {
    let people = "people: { alice: { key: 'ALICE' }, bob: { key: 'BOB' } }\n"
        .replace("ALICE", &crate::document::Ed25519PublicKey::of(&fixture::key(11)).to_string())
        .replace("BOB", &crate::document::Ed25519PublicKey::of(&fixture::key(12)).to_string());
    let policy = |rule: &str, who: &str| {
        let head = "policy: p\nepoch: 1\napplies_to: { agent: research-01 }\n";
        let approvals = format!("approvals: {{ {who} }}\n");
        Policy::parse(&format!("{head}{people}{approvals}rules:\n  - {rule}\n")).unwrap()
    };
    let (alice, bob) = ("any: 1, of: [alice]", "any: 1, of: [bob]");
    for rule in [
        "{ max_amount: 1 USDC, then: ask }",
        "ask: { above: 1 USDC }",
        "payee_pinning: {}",
        "{ allow: { services: [a.example] }, then: ask }",
        "{ allow: { chains: [\"eip155:8453\"] }, then: ask }",
    ] {
        let old = policy(rule, alice);
        assert!(is_tightening(&old, &policy(rule, alice)), "{rule}");
        for other in [bob, "any: 1, of: [alice, bob]", "any: 1, of: [alice], expires: 1h"] {
            assert!(!is_tightening(&old, &policy(rule, other)), "{rule}: {other}");
        }
    }
    let pinned = "payee_pinning: { new: refuse, changed: refuse }";
    assert!(is_tightening(&policy("payee_pinning: {}", alice), &policy(pinned, bob)));
}

#[test]
fn what_is_not_shown_to_be_stricter_is_no_tightening() {
    let allow = "  - allow: { services: [\"*.example\"] }\n";
    for (old, new) in [
        // The window of a fee forgets the first fee of a transaction that is raised.
        ("max_fee: 0.001 ETH", "max_fee: { amount: 0.001 ETH, per: minute }"),
        ("max_fee: { amount: 0.001 ETH, per: day }", "max_fee: 0.0001 ETH"),
        (
            "limit: { amount: 2 USDC, per: day, calendar: UTC }",
            "limit: { amount: 1 USDC, per: day }",
        ),
        ("limit: { amount: 2 USDC, per: day }", "limit: { amount: 1 USDC, per: day, by: asset }"),
        (
            "rate: { count: 2, per: hour, by: service }",
            "rate: { count: 1, per: hour, by: endpoint }",
        ),
        ("price_ceiling: { mpp: 2 USDC }", "max_amount: 1 USDC"),
        ("country: { allow: [DE] }", "country: { block: [FR] }"),
        ("freeze: { refusals: 9, per: day }", "freeze: { refusals: 5, per: hour }"),
        ("freeze: { spike: 9x, per: day, over: 3 }", "freeze: { spike: 5x, per: day, over: 2 }"),
        ("mpp: { voucher_signer: wallet }", "mpp: { voucher_signer: session_key }"),
        ("x402: { session_budget: 2 USDC }", "max_amount: 1 USDC"),
        ("when: 'resource.amount < 9'", "when: 'resource.amount < 8'"),
        (
            "hours: { from: \"09:00\", to: \"17:00\", zone: UTC }",
            "hours: { from: \"10:00\", to: \"11:00\", zone: Europe/Berlin }",
        ),
        ("block: { services: [\"*.a.example\"] }", "block: { services: [b.a.example] }"),
        ("payee_pinning: { new: refuse }", "payee_pinning: { new: ask }"),
    ] {
        let compared = compare(
            &policy(&format!("{allow}  - {old}\n")),
            &policy(&format!("{allow}  - {new}\n")),
        );
        assert!(!compared.tightening, "{old} -> {new}");
        assert!(!compared.changes.is_empty(), "{old} -> {new}");
    }
}

#[test]
fn one_key_takes_channels_from_those_that_may_be_left_and_adds_none() {
    let allow = "  - allow: { services: [\"*.example\"] }\n";
    let rule = |channels: &[u8]| {
        let named: Vec<_> = channels.iter().map(|n| format!("\"0x{n:064x}\"")).collect();
        format!("{allow}  - v1_channels: [{}]\n", named.join(", "))
    };
    use Direction::{Changed, Loosened, Tightened};
    let cases: [(String, String, &[Direction], bool); 6] = [
        (rule(&[1, 2]), rule(&[2]), &[Tightened], true),
        (rule(&[1]), rule(&[]), &[Tightened], true),
        (rule(&[1]), rule(&[1, 2]), &[Loosened], false),
        (rule(&[1]), rule(&[2]), &[Changed], false),
        (allow.to_owned(), rule(&[1]), &[Loosened], false),
        // What was refused here another policy may grant.
        (rule(&[]), allow.to_owned(), &[Loosened], false),
    ];
    for (old, new, directions, tightening) in cases {
        assert_eq!(direction(&old, &new), (directions.to_vec(), tightening), "{old}{new}");
    }
    let said = compare(&policy(&rule(&[1])), &policy(&rule(&[2]))).changes.remove(0).reason;
    assert!(said.contains("adds 0x") && said.contains("takes away 0x"), "{said}");
}

#[test]
fn a_condition_over_another_context_is_another_condition() {
    let policy = |kind: &str| {
        let head = "policy: p\nepoch: 1\napplies_to: { agent: research-01 }\n";
        let rule = "  - when: 'context.attempts == context.attempts'\n";
        Policy::parse(&format!("{head}context: {{ attempts: {kind} }}\nrules:\n{rule}")).unwrap()
    };
    assert!(is_tightening(&policy("long"), &policy("long")));
    assert!(!is_tightening(&policy("long"), &policy("string")));
}
