//! What each rule says of a payment: one table per rule.

use alloy_primitives::Address;

use super::*;
use crate::chain::{ASSETS, Chain};
use crate::decision::{Decision, Verdict, decide};
use crate::fixture::{NOW, PAYEE, VENDOR, intent, transfer, x402};
use crate::intent::{Payment, PaymentIntent};
use crate::ledger::Ledger;
use crate::rows::SpendRow;
use crate::time::UnixSeconds;

const OTHER: Address = Address::repeat_byte(0xee);

fn asked(policy: &Policy, payment: Payment, ledger: &Ledger, now: UnixSeconds) -> Decision {
    let intent = intent(99, payment, now);
    decide(&[policy], &Ask::of(&intent).unwrap(), &Facts::of(ledger, now))
}

/// The verdict of the rules on a first payment.
fn verdict(rules: &str, payment: Payment) -> Verdict {
    asked(&parsed(rules), payment, &Ledger::new(), NOW).verdict
}

fn check(rules: &str, table: impl IntoIterator<Item = (Payment, Verdict)>) {
    for (payment, expected) in table {
        assert_eq!(verdict(rules, payment.clone()), expected, "{rules}\n{payment:?}");
    }
}

/// A ledger with payments of so many base units, so many seconds ago, for what.
fn paid(payments: &[(u128, u64, Payment)]) -> Ledger {
    let mut ledger = Ledger::new();
    for (n, (amount, ago, payment)) in (0u64..).zip(payments) {
        let PaymentIntent { payment, .. } = intent(n, payment.clone(), NOW);
        let mut row: SpendRow = row_of(n, payment);
        row.amount = crate::fixture::units(*amount);
        row.at = NOW.minus(*ago);
        ledger.record(&row).unwrap();
    }
    ledger
}

fn row_of(n: u64, payment: Payment) -> SpendRow {
    crate::fixture::row(&crate::fixture::proposal(n, payment, NOW), NOW)
}

const ALLOW: &str = "  - allow: { services: vendors }\n  - allow: { recipients: payees }\n";

#[test]
fn max_amount() {
    use Verdict::{Approve, Refuse};
    let rules = format!("{ALLOW}  - max_amount: 0.50 USDC");
    check(
        &rules,
        [
            (x402(1, VENDOR, OTHER), Approve),
            (x402(500_000, VENDOR, OTHER), Approve),
            (x402(500_001, VENDOR, OTHER), Refuse),
            (x402(u128::MAX, VENDOR, OTHER), Refuse),
            (transfer(500_000, PAYEE), Approve),
            (transfer(500_001, PAYEE), Refuse),
        ],
    );
    let decision = asked(&parsed(&rules), x402(600_000, VENDOR, OTHER), &Ledger::new(), NOW);
    let finding = decision.violations().next().unwrap();
    assert_eq!((finding.rule, finding.kind.as_str()), (2, "max_amount"));
    assert_eq!((finding.limit.as_str(), finding.asked.as_str()), ("0.5 USDC", "0.6 USDC"));
}

#[test]
fn an_asset_that_a_rule_cannot_measure_is_refused() {
    static DAI: crate::chain::Asset = crate::chain::Asset {
        chain: Chain::Base,
        token: Address::ZERO,
        symbol: "DAI",
        decimals: 6,
        eip3009: None,
    };
    let intent = intent(1, x402(1, VENDOR, OTHER), NOW);
    let ask = Ask { asset: &DAI, ..Ask::of(&intent).unwrap() };
    for rule in ["max_amount: 1 USDC", "limit: { amount: 1 USDC, per: day }"] {
        let policy = parsed(&format!("{ALLOW}  - {rule}"));
        assert_eq!(
            decide(&[&policy], &ask, &Facts::of(&Ledger::new(), NOW)).verdict,
            Verdict::Refuse,
            "{rule}"
        );
    }
}

#[test]
fn limits_count_what_is_in_the_window() {
    use Verdict::{Approve, Refuse};
    let vendor = || x402(1, VENDOR, OTHER);
    let ledger = paid(&[
        (400_000, 3_600, vendor()),
        (300_000, 3_599, vendor()),
        (200_000, 10, x402(1, "b.inference.example", OTHER)),
        (50_000, 10, transfer(1, PAYEE)),
    ]);
    for (rule, fits) in [
        ("amount: 1 USDC, per: hour", 450_000),
        ("amount: 1 USDC, per: day", 50_000),
        ("amount: 1 USDC, per: minute", 750_000),
        ("amount: 1 USDC, per: day, by: service", 300_000),
        ("amount: 1 USDC, per: day, by: recipient", 100_000),
        ("amount: 1 USDC, per: day, calendar: UTC", 50_000),
    ] {
        let policy = parsed(&format!("{ALLOW}  - limit: {{ {rule} }}"));
        let of = |amount| asked(&policy, x402(amount, VENDOR, OTHER), &ledger, NOW).verdict;
        assert_eq!((of(fits), of(fits + 1), of(u128::MAX)), (Approve, Refuse, Refuse), "{rule}");
    }
    // Transfers share one place under `by: service`.
    let policy = parsed(&format!("{ALLOW}  - limit: {{ amount: 1 USDC, per: day, by: service }}"));
    let of = |amount| asked(&policy, transfer(amount, PAYEE), &ledger, NOW).verdict;
    assert_eq!((of(950_000), of(950_001)), (Approve, Refuse));
}

#[test]
fn a_limit_tells_when_the_same_would_fit() {
    let vendor = || x402(1, VENDOR, OTHER);
    let ledger =
        paid(&[(400_000, 3_000, vendor()), (300_000, 2_000, vendor()), (200_000, 1_000, vendor())]);
    let reset = |rule: &str, amount| {
        let policy = parsed(&format!("{ALLOW}  - limit: {{ {rule} }}"));
        let decision = asked(&policy, x402(amount, VENDOR, OTHER), &ledger, NOW);
        decision.policies[0].findings[2].resets_at
    };
    let hour = "amount: 1 USDC, per: hour";
    assert_eq!(reset(hour, 100_000), None, "it fits");
    assert_eq!(reset(hour, 100_001), Some(NOW.plus(600)));
    assert_eq!(reset(hour, 500_000), Some(NOW.plus(600)));
    assert_eq!(reset(hour, 500_001), Some(NOW.plus(1_600)));
    assert_eq!(reset(hour, 1_000_000), Some(NOW.plus(2_600)));
    assert_eq!(reset(hour, 1_000_001), None, "it never fits");
    // 16:01:29 UTC is 11:01:29 in New York, so midnight is 12 h 58 min 31 s away.
    let day = "amount: 1 USDC, per: day, calendar: America/New_York";
    assert_eq!(reset(day, 900_000), Some(NOW.plus(46_711)));
}

#[test]
fn asking_again_at_the_reset_is_approved_and_a_second_before_is_not() {
    let ledger = paid(&[(900_000, 1_000, x402(1, VENDOR, OTHER))]);
    for rule in [
        "limit: { amount: 1 USDC, per: hour }",
        "limit: { amount: 1 USDC, per: day, calendar: Asia/Kathmandu }",
        "rate: { count: 1, per: hour, by: service }",
    ] {
        let policy = parsed(&format!("{ALLOW}  - {rule}"));
        let at = |now| asked(&policy, x402(900_000, VENDOR, OTHER), &ledger, now);
        let resets_at = at(NOW).policies[0].findings[2].resets_at.unwrap();
        assert_eq!(at(resets_at.minus(1)).verdict, Verdict::Refuse, "{rule}");
        assert_eq!(at(resets_at).verdict, Verdict::Approve, "{rule}");
    }
}

#[test]
fn rates_count_payments() {
    use Verdict::{Approve, Refuse};
    let ledger = paid(&[
        (1, 3_600, x402(1, VENDOR, OTHER)),
        (1, 100, x402(1, VENDOR, OTHER)),
        (1, 50, x402(1, "b.inference.example", OTHER)),
        (1, 20, transfer(1, PAYEE)),
    ]);
    for (rule, expected) in [
        ("count: 4, per: hour", Approve),
        ("count: 3, per: hour", Refuse),
        ("count: 1, per: minute", Refuse),
        ("count: 3, per: minute", Approve),
        ("count: 2, per: hour, by: service", Approve),
        ("count: 1, per: hour, by: service", Refuse),
        ("count: 3, per: hour, by: recipient", Approve),
        ("count: 2, per: hour, by: recipient", Refuse),
        ("count: 0, per: minute", Refuse),
    ] {
        let policy = parsed(&format!("{ALLOW}  - rate: {{ {rule} }}"));
        let decision = asked(&policy, x402(1, VENDOR, OTHER), &ledger, NOW);
        assert_eq!(decision.verdict, expected, "{rule}");
    }
    let policy = parsed(&format!("{ALLOW}  - rate: {{ count: 3, per: hour }}"));
    let decision = asked(&policy, x402(1, VENDOR, OTHER), &ledger, NOW);
    let finding = decision.violations().next().unwrap();
    assert_eq!(finding.current.as_deref(), Some("3"));
    assert_eq!(finding.resets_at, Some(NOW.plus(3_500)));
    assert_eq!(finding.per.as_deref(), Some("hour"));
}

#[test]
fn allowed_services_grant_x402_and_never_transfers() {
    use Verdict::{Approve, Refuse};
    check(
        "  - allow: { services: vendors }",
        [
            (x402(1, VENDOR, OTHER), Approve),
            (x402(1, "eu.inference.example", OTHER), Approve),
            (x402(1, "a.b.inference.example", OTHER), Approve),
            (x402(1, "inference.example", OTHER), Refuse),
            (x402(1, "evilinference.example", OTHER), Refuse),
            (x402(1, "inference.example.evil", OTHER), Refuse),
            (x402(1, "sub.api.search.example", OTHER), Refuse),
            (x402(1, "api.search.example:8443", OTHER), Refuse),
            (x402(1, "api.search.example.", OTHER), Refuse),
            (transfer(1, OTHER), Refuse),
            (transfer(1, PAYEE), Refuse),
        ],
    );
}

#[test]
fn allowed_recipients_grant_transfers_and_never_x402() {
    use Verdict::{Approve, Refuse};
    check(
        "  - allow: { recipients: payees }",
        [
            (transfer(1, PAYEE), Approve),
            (transfer(1, OTHER), Refuse),
            (x402(1, VENDOR, PAYEE), Refuse),
        ],
    );
}

#[test]
fn what_one_rule_names_must_all_match_and_rules_are_alternatives() {
    use Verdict::{Approve, Refuse};
    check(
        "  - allow: { services: vendors, recipients: payees }",
        [
            (x402(1, VENDOR, PAYEE), Approve),
            (x402(1, VENDOR, OTHER), Refuse),
            (x402(1, "other.example", PAYEE), Refuse),
            (transfer(1, PAYEE), Refuse),
        ],
    );
    check(
        ALLOW,
        [
            (x402(1, VENDOR, OTHER), Approve),
            (transfer(1, PAYEE), Approve),
            (transfer(1, OTHER), Refuse),
            (x402(1, "other.example", PAYEE), Refuse),
        ],
    );
}

#[test]
fn allowed_assets_and_chains_restrict_and_grant_nothing() {
    use Verdict::{Approve, Refuse};
    let on_sepolia = || match x402(1, VENDOR, OTHER) {
        Payment::X402Exact(mut x) => {
            (x.chain, x.token) = (Chain::BaseSepolia, ASSETS[1].token);
            Payment::X402Exact(x)
        }
        other => other,
    };
    let on_base = || x402(1, VENDOR, OTHER);
    check("  - allow: { assets: [USDC], chains: [\"eip155:8453\"] }", [(on_base(), Refuse)]);
    check(
        &format!("{ALLOW}  - allow: {{ chains: [\"eip155:8453\"] }}"),
        [(on_base(), Approve), (on_sepolia(), Refuse)],
    );
    check(
        "  - allow: { services: vendors, chains: [\"eip155:84532\"] }",
        [(on_base(), Refuse), (on_sepolia(), Approve)],
    );
    check(&format!("{ALLOW}  - block: {{ assets: [USDC] }}"), [(on_base(), Refuse)]);
    check(
        &format!("{ALLOW}  - block: {{ chains: [\"eip155:84532\"] }}"),
        [(on_base(), Approve), (on_sepolia(), Refuse)],
    );
}

#[test]
fn a_block_is_never_outweighed() {
    use Verdict::{Approve, Refuse};
    let allow_all = "  - allow: { services: [api.search.example, api.search.example:8443, \
                     api.search.example., b.example, \"[::1]:8402\"] }\n";
    for (block, expected) in [
        ("services: [api.search.example]", Refuse),
        ("services: [\"*.search.example\"]", Refuse),
        ("services: [\"*.example\"]", Refuse),
        ("services: [b.example]", Approve),
        ("services: [api.search.example:8443]", Approve),
        ("services: [search.example]", Approve),
        ("services: []", Approve),
        ("recipients: payees", Approve),
        ("recipients: [\"0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\"]", Refuse),
        // Anything named is enough.
        (
            "services: [b.example], recipients: [\"0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\"]",
            Refuse,
        ),
    ] {
        for rules in [
            format!("{allow_all}  - block: {{ {block} }}"),
            format!("  - block: {{ {block} }}\n{allow_all}"),
        ] {
            check(&rules, [(x402(1, VENDOR, OTHER), expected)]);
        }
    }
    // Neither a port nor a dot is a way round a block.
    let rules = format!("{allow_all}  - block: {{ services: [api.search.example] }}");
    for service in ["api.search.example:8443", "api.search.example."] {
        check(allow_all, [(x402(1, service, OTHER), Approve)]);
        check(&rules, [(x402(1, service, OTHER), Refuse)]);
    }
    check(
        &format!("{allow_all}  - block: {{ services: [\"[::1]\"] }}"),
        [(x402(1, "[::1]:8402", OTHER), Refuse)],
    );
}

#[test]
fn hours_follow_the_wall_clock() {
    let at = |text: &str| {
        let moment: jiff::Timestamp = text.parse().unwrap();
        UnixSeconds(moment.as_second().try_into().unwrap())
    };
    let office = "from: \"09:00\", to: \"17:00\", days: [mon, tue, wed, thu, fri], \
                  zone: America/New_York";
    let night = "from: \"22:00\", to: \"06:00\", days: [fri], zone: Europe/Berlin";
    let day = "from: \"00:00\", to: \"24:00\", days: [sun], zone: UTC";
    let gap = "from: \"02:30\", to: \"04:00\", zone: America/New_York";
    for (hours, now, open, resets_at) in [
        // Winter: UTC-5.
        (office, "2025-02-27T14:00:00Z", true, None),
        (office, "2025-02-27T13:59:59Z", false, Some("2025-02-27T14:00:00Z")),
        (office, "2025-02-27T21:59:59Z", true, None),
        (office, "2025-02-27T22:00:00Z", false, Some("2025-02-28T14:00:00Z")),
        // Friday evening to Monday, over the change to UTC-4.
        (office, "2025-03-07T22:00:00Z", false, Some("2025-03-10T13:00:00Z")),
        (office, "2025-03-10T13:00:00Z", true, None),
        (office, "2025-03-08T15:00:00Z", false, Some("2025-03-10T13:00:00Z")),
        // A night belongs to the day on which it began.
        (night, "2025-02-28T20:59:59Z", false, Some("2025-02-28T21:00:00Z")),
        (night, "2025-02-28T21:00:00Z", true, None),
        (night, "2025-03-01T04:59:59Z", true, None),
        (night, "2025-03-01T05:00:00Z", false, Some("2025-03-07T21:00:00Z")),
        (night, "2025-03-01T21:00:00Z", false, Some("2025-03-07T21:00:00Z")),
        (day, "2025-03-02T23:59:59Z", true, None),
        (day, "2025-03-03T00:00:00Z", false, Some("2025-03-09T00:00:00Z")),
        // 02:30 does not exist on that day.
        (gap, "2025-03-09T06:59:59Z", false, Some("2025-03-09T07:00:00Z")),
        (gap, "2025-03-09T07:00:00Z", true, None),
    ] {
        let policy = parsed(&format!("{ALLOW}  - hours: {{ {hours} }}"));
        let decision = asked(&policy, x402(1, VENDOR, OTHER), &Ledger::new(), at(now));
        let finding = &decision.policies[0].findings[2];
        assert_eq!(finding.kept(), open, "{hours} at {now}");
        assert_eq!(decision.verdict == Verdict::Approve, open);
        assert_eq!(finding.resets_at, resets_at.map(at), "{hours} at {now}");
    }
}
