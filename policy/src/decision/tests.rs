use alloy_primitives::Address;
use proptest::prelude::*;

use super::*;
use crate::fixture::{
    NOW, PAYEE, VENDOR, cancel, id, intent, parsed, policy, proposal, row, transfer, units, x402,
};
use crate::intent::Payment;
use crate::ledger::Ledger;
use crate::rows::SpendRow;

mod order;
mod table;

const OTHER: Address = Address::repeat_byte(0xee);

fn verdict(policy: &Policy, payment: Payment, ledger: &Ledger) -> Verdict {
    let intent = intent(9, payment, NOW);
    decide(&[policy], &Ask::of(&intent).unwrap(), &Facts::of(ledger, NOW)).verdict
}

fn first_row() -> SpendRow {
    row(&proposal(1, x402(10, VENDOR, OTHER), NOW), NOW)
}

fn one_payment() -> Ledger {
    let mut ledger = Ledger::new();
    ledger.record(&first_row()).unwrap();
    ledger
}

#[test]
fn an_empty_set_approves_nothing() {
    let ledger = one_payment();
    for payment in [x402(1, VENDOR, PAYEE), transfer(1, PAYEE), cancel(id(1)), cancel(id(9))] {
        let intent = intent(9, payment, NOW);
        let decision = decide(&[], &Ask::of(&intent).unwrap(), &Facts::of(&ledger, NOW));
        assert_eq!((decision.verdict, decision.policies.len()), (Verdict::Refuse, 0));
        assert_eq!(decision.to_string(), "policy none applies: no rule grants this");
    }
}

#[test]
fn an_empty_policy_approves_nothing() {
    let nothing = parsed("  []");
    for payment in [x402(1, VENDOR, PAYEE), transfer(1, PAYEE)] {
        assert_eq!(verdict(&nothing, payment, &Ledger::new()), Verdict::Refuse);
    }
}

#[test]
fn the_truth_table() {
    use Verdict::{Approve, Refuse};
    let allow = "  - allow: { services: vendors }";
    let vendor = || x402(1, VENDOR, OTHER);
    for (rules, payment, expected) in [
        (allow.to_owned(), cancel(id(1)), Approve),
        ("  []".to_owned(), cancel(id(1)), Approve),
        (format!("{allow}\n  - block: {{ assets: [USDC] }}"), cancel(id(1)), Approve),
        (allow.to_owned(), cancel(id(2)), Refuse),
        (format!("{allow}\n  - block: {{ services: vendors }}"), vendor(), Refuse),
        ("  - block: { services: vendors }".to_owned(), vendor(), Refuse),
        ("  - max_amount: 1 USDC".to_owned(), vendor(), Refuse),
        (allow.to_owned(), vendor(), Approve),
    ] {
        assert_eq!(verdict(&parsed(&rules), payment, &one_payment()), expected, "{rules}");
    }
}

#[test]
fn another_agent_s_policy_approves_nothing() {
    let yaml = crate::fixture::yaml(7, "  - allow: { services: vendors }")
        .replace("{ agent: research-01 }", "{ agent: other }");
    let other = Policy::parse(&yaml).unwrap();
    for payment in [x402(1, VENDOR, OTHER), cancel(id(1))] {
        assert_eq!(verdict(&other, payment, &one_payment()), Verdict::Refuse);
    }
}

#[test]
fn every_rule_is_reported_on_approval_and_on_refusal() {
    let policy = policy(
        "  - max_amount: 1 USDC\n  - limit: { amount: 2 USDC, per: day, by: service }\n  \
         - rate: { count: 5, per: hour }\n  - allow: { services: vendors }\n  \
         - allow: { recipients: payees }\n  - block: { services: [bad.example] }\n  \
         - hours: { from: \"00:00\", to: \"24:00\", zone: UTC }",
    );
    let intent = crate::fixture::authentic(intent(9, x402(500_000, VENDOR, OTHER), NOW));
    let decision = decide(&[&policy], &Ask::from(&intent), &Facts::of(&one_payment(), NOW));
    assert_eq!((decision.verdict, decision.policies.len()), (Verdict::Approve, 1));
    let opinion = &decision.policies[0];
    assert_eq!((opinion.policy.as_str(), opinion.epoch), ("research-01", 7));
    let findings = &opinion.findings;
    let kinds: Vec<_> = findings.iter().map(|f| (f.rule, f.kind.as_str())).collect();
    let all = ["max_amount", "limit", "rate", "allow", "allow", "block", "hours"];
    assert_eq!(kinds, all.into_iter().enumerate().collect::<Vec<_>>());
    assert!(findings.iter().all(Finding::kept));
    let granting: Vec<_> = findings.iter().map(|finding| finding.grants).collect();
    assert_eq!(granting, [false, false, false, true, false, false, false]);
    let limit = &findings[1];
    assert_eq!(limit.current.as_deref(), Some("0.00001 USDC"));
    assert_eq!(limit.per.as_deref(), Some("day by service"));

    let intent = super::tests::intent(9, x402(3_000_000, "bad.example", OTHER), NOW);
    let decision = decide(&[&policy], &Ask::of(&intent).unwrap(), &Facts::of(&one_payment(), NOW));
    let refusing: Vec<_> = decision.violations().map(|finding| finding.rule).collect();
    assert_eq!(refusing, [0, 1, 3, 4, 5], "all of them, not only the first");
    assert_eq!(
        decision.to_string(),
        "policy research-01 (epoch 7); rule 0 max_amount: limit 1 USDC, asked 3 USDC; \
         rule 1 limit: limit 2 USDC per day by service, already 0 USDC, asked 3 USDC; \
         rule 3 allow: limit services vendors, asked bad.example; \
         rule 4 allow: limit recipients payees, asked \
         0xEeeeeEeeeEeEeeEeEeEeeEEEeeeeEeeeeeeeEEeE; \
         rule 5 block: limit services bad.example, asked bad.example"
    );
    let text = serde_json::to_string(&decision).unwrap();
    assert_eq!(serde_json::from_str::<Decision>(&text).unwrap(), decision);
}

#[test]
fn silence_is_said() {
    let decision = decide(
        &[&parsed("  - max_amount: 1 USDC")],
        &Ask::of(&intent(1, x402(1, VENDOR, OTHER), NOW)).unwrap(),
        &Facts::of(&Ledger::new(), NOW),
    );
    assert_eq!(decision.to_string(), "policy research-01 (epoch 7): no rule grants this");
}

fn rule() -> impl Strategy<Value = String> {
    let parties = prop_oneof![
        Just("services: vendors"),
        Just("services: [b.example, \"*.example\"]"),
        Just("recipients: payees"),
        Just("recipients: [\"0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\"]"),
        Just("assets: [USDC]"),
        Just("services: vendors, recipients: payees"),
    ];
    prop_oneof![
        (1u32..4).prop_map(|n| format!("max_amount: {n} USDC")),
        (1u32..9).prop_map(|n| format!("limit: {{ amount: {n} USDC, per: day }}")),
        (0u32..3).prop_map(|n| format!("rate: {{ count: {n}, per: hour, by: service }}")),
        parties.clone().prop_map(|parties| format!("allow: {{ {parties} }}")),
        parties.prop_map(|parties| format!("block: {{ {parties} }}")),
    ]
}

fn payment() -> impl Strategy<Value = Payment> {
    let payee = prop_oneof![Just(PAYEE), Just(OTHER)];
    let service = prop_oneof![Just(VENDOR), Just("b.example"), Just("c.test")];
    (any::<bool>(), 1u128..5_000_000, payee, service).prop_map(
        |(over_x402, amount, to, service)| {
            if over_x402 { x402(amount, service, to) } else { transfer(amount, to) }
        },
    )
}

proptest! {
    /// Whatever is added: a rule that refuses alone refuses in every company, and an approval
    /// needs a rule that grants.
    #[test]
    fn deny_wins_and_silence_refuses(
        rules in prop::collection::vec(rule(), 0..6),
        payment in payment(),
    ) {
        let text = |rules: &[String]| -> String {
            rules.iter().map(|rule| format!("  - {rule}\n")).collect()
        };
        let all = if rules.is_empty() { "  []".to_owned() } else { text(&rules) };
        let together = verdict(&parsed(&all), payment.clone(), &one_payment());
        let mut granted = false;
        for rule in &rules {
            let intent = intent(9, payment.clone(), NOW);
            let policy = parsed(&text(std::slice::from_ref(rule)));
            let ledger = one_payment();
            let facts = Facts::of(&ledger, NOW);
            let alone = decide(&[&policy], &Ask::of(&intent).unwrap(), &facts);
            let found = &alone.policies[0].findings[0];
            granted |= found.grants;
            let grants_by_nature = rule.starts_with("allow") && !rule.contains("assets");
            if !found.kept() && !grants_by_nature {
                prop_assert_eq!(together, Verdict::Refuse, "{} was outweighed", rule);
            }
        }
        if together == Verdict::Approve {
            prop_assert!(granted);
        }
        let mut blocked = rules;
        blocked.push("block: { assets: [USDC] }".to_owned());
        let blocked = parsed(&text(&blocked));
        prop_assert_eq!(verdict(&blocked, payment, &one_payment()), Verdict::Refuse);
    }

    #[test]
    fn no_moment_and_no_amount_panics(now: u64, amount in 1u128.., past: u64) {
        let policy = parsed(
            "  - max_amount: 1 USDC\n  - limit: { amount: 1 USDC, per: month }\n  \
             - limit: { amount: 1 USDC, per: week, calendar: Asia/Tokyo }\n  \
             - rate: { count: 1, per: day, by: recipient }\n  - allow: { services: vendors }\n  \
             - hours: { from: \"22:00\", to: \"06:00\", zone: America/New_York }",
        );
        let mut row = first_row();
        (row.at, row.amount) = (UnixSeconds(past), units(amount));
        let mut ledger = Ledger::new();
        // What a ledger cannot count it does not take, and what is asked is judged all the same.
        let taken = ledger.record(&row).is_ok();
        prop_assert!(taken || amount > u128::MAX >> 64);
        let asking = intent(9, x402(amount, VENDOR, OTHER), NOW);
        let decision = decide(
            &[&policy],
            &Ask::of(&asking).unwrap(),
            &Facts::of(&ledger, UnixSeconds(now)),
        );
        prop_assert_eq!(decision.policies[0].findings.len(), 6);
    }
}
