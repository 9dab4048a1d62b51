use alloy_primitives::{Address, address};
use proptest::prelude::*;

use super::*;
use crate::ask::{Ask, Facts};
use crate::decision::{Verdict, decide};
use crate::fixture;
use crate::intent::Payment;
use crate::ledger::Ledger;

const OTHER: Address = address!("0x00000000000000000000000000000000000000aa");

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
        ("  - max_amount: 1 USDC\n", "  - max_amount: 1 USDC\n    then: warn\n", &[Loosened], false),
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
    let (old, new) = ("  - allow: { services: [a.example] }\n", "  - allow: { services: [b.example] }\n");
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

/// Rules over so few values that two random policies are often comparable.
fn rule() -> impl Strategy<Value = String> {
    let then = prop_oneof![3 => Just(""), 1 => Just("    then: ask\n"), 1 => Just("    then: warn\n")];
    let amount = 1..4_u8;
    let per = prop_oneof![Just("hour"), Just("day"), Just("day, calendar: Europe/Berlin")];
    let by = prop_oneof![Just(""), Just(", by: service"), Just(", by: recipient")];
    let list = prop_oneof![
        Just("services: [api.search.example]"),
        Just("services: [\"*.example\"]"),
        Just("services: [other.example]"),
        Just("chains: [\"eip155:8453\"]"),
    ];
    let hours = prop_oneof![Just(("09:00", "17:00")), Just(("08:00", "20:00")), Just(("22:00", "06:00"))];
    let kind = prop_oneof![
        1 => amount.clone().prop_map(|n| format!("max_amount: {n} USDC")),
        2 => (amount.clone(), per, by.clone())
            .prop_map(|(n, per, by)| format!("limit: {{ amount: {n} USDC, per: {per}{by} }}")),
        1 => (amount, by).prop_map(|(n, by)| format!("rate: {{ count: {n}, per: day{by} }}")),
        3 => list.clone().prop_map(|list| format!("allow: {{ {list} }}")),
        1 => list.prop_map(|list| format!("block: {{ {list} }}")),
        1 => hours.prop_map(|(from, to)| format!("hours: {{ from: \"{from}\", to: \"{to}\", zone: UTC }}")),
    ];
    (kind, then).prop_map(|(kind, then)| {
        // Nobody is asked past a block.
        let then = if kind.starts_with("block") { then.replace("ask", "refuse") } else { then.into() };
        format!("  - {kind}\n{then}")
    })
}

/// Two versions that share most of their rules, so that many pairs are tightenings.
fn versions() -> impl Strategy<Value = (Vec<String>, Vec<String>)> {
    let common = prop::collection::vec(rule(), 1..4);
    let own = || prop::collection::vec(rule(), 0..3);
    (common, own(), own()).prop_map(|(common, old, new)| {
        ([common.clone(), old].concat(), [common, new].concat())
    })
}

/// A payment for one of three services, or a transfer, of so many tenths.
fn payment(tenths: u64, payee: u8) -> Payment {
    let amount = u128::from(tenths) * 100_000;
    match payee {
        0 => fixture::x402(amount, fixture::VENDOR, fixture::PAYEE),
        1 => fixture::x402(amount, "api.search.example:8443", fixture::PAYEE),
        2 => fixture::x402(amount, "other.example", OTHER),
        _ => fixture::transfer(amount, fixture::PAYEE),
    }
}

const fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Refuse => 0,
        Verdict::AskHuman => 1,
        Verdict::Approve => 2,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_tightening_approves_nothing_more(
        (old, new) in versions(),
        beside in prop::collection::vec(rule(), 0..3),
        asks in prop::collection::vec((1..40_u64, 0..4_u8, any::<bool>()), 1..12),
    ) {
        let (old, new) = (policy(&old.concat()), policy(&new.concat()));
        if !is_tightening(&old, &new) {
            return Ok(());
        }
        let beside = {
            let head = "policy: o\nepoch: 1\napplies_to: { organisation: o }\nrules:\n";
            Policy::parse(&format!("{head}{}{}", beside.concat(), fixture::people())).unwrap()
        };
        let mut ledger = Ledger::new();
        let mut now = fixture::NOW;
        for (place, (tenths, payee, far)) in asks.into_iter().enumerate() {
            now = now.plus(if far { 7_200 } else { 600 });
            let (payment, number) = (payment(tenths, payee), u64::try_from(place).unwrap());
            let intent = fixture::intent(number, payment.clone(), now);
            let ask = Ask::of(&intent).unwrap();
            let facts = Facts::of(&ledger, now);
            for others in [&[][..], &[&beside]] {
                let said = |own: &Policy| {
                    let all: Vec<_> = others.iter().copied().chain([own]).collect();
                    rank(decide(&all, &ask, &facts).verdict)
                };
                prop_assert!(said(&new) <= said(&old), "{ask:?}");
            }
            ledger.record(&fixture::row(&fixture::proposal(number, payment, now), now)).unwrap();
        }
    }
}
