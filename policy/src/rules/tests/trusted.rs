//! Who is paid, how far it is trusted, when people decide and what stops an agent: each with what
//! is known, and with what is not.

use alloy_primitives::Address;

use super::*;
use crate::chain::{ASSETS, Chain};
use crate::decision::{Decision, Verdict, decide};
use crate::fixture::{NOW, PAYEE, VENDOR, file, intent, proposal, registry, row, transfer, x402};
use crate::intent::Payment;
use crate::ledger::{Health, Ledger};
use crate::time::UnixSeconds;

const OTHER: Address = Address::repeat_byte(0xee);
const THIRD: Address = Address::repeat_byte(0xdd);
const GRANT: &str = "  - allow: { services: [\"*.example\"] }\n  - allow: { recipients: [\
    \"0x209693bc6afc0c5328ba36faf03c514ef312287c\", \
    \"0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee\", \
    \"0xdddddddddddddddddddddddddddddddddddddddd\"] }\n";

fn policy_with(rule: &str) -> Policy {
    let text = file("{ agent: research-01 }", 7, &format!("{GRANT}  - {rule}\n"));
    Policy::parse(&text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

/// What a rule makes of a payment, by facts.
fn said(rule: &str, payment: Payment, facts: &Facts<'_>) -> (Verdict, Finding) {
    let intent = intent(99, payment, NOW);
    let ask = Ask::of(&intent).unwrap();
    let mut decision: Decision = decide(&[&policy_with(rule)], &ask, facts);
    (decision.verdict, decision.policies[0].findings.remove(2))
}

fn paid(payments: &[(u64, Payment)]) -> Ledger {
    let mut ledger = Ledger::new();
    for (n, (ago, payment)) in (1..).zip(payments) {
        let at = NOW.minus(*ago);
        ledger.record(&row(&proposal(n, payment.clone(), at), at)).unwrap();
    }
    ledger
}

#[test]
fn payees_are_known_new_or_changed() {
    use Verdict::{Approve, AskHuman, Refuse};
    let ledger = paid(&[(90, x402(1, VENDOR, OTHER)), (50, transfer(1, PAYEE))]);
    let facts = Facts::of(&ledger, NOW);
    let known = || x402(1, VENDOR, OTHER);
    let changed = || x402(1, VENDOR, THIRD);
    let other = || x402(1, "b.example", OTHER);
    for (rule, known_to, new_service, other_payee, new_transfer) in [
        ("payee_pinning: {}", Approve, AskHuman, Refuse, AskHuman),
        ("payee_pinning: { new: ask, changed: ask }", Approve, AskHuman, AskHuman, AskHuman),
        ("payee_pinning: { new: refuse, changed: refuse }", Approve, Refuse, Refuse, Refuse),
        ("payee_pinning: { new: allow, changed: refuse }", Approve, Approve, Refuse, Approve),
        ("payee_pinning: { new: allow, changed: ask }", Approve, Approve, AskHuman, Approve),
    ] {
        for (payment, verdict, asked) in [
            (known(), known_to, format!("a payee it was paid at before: {OTHER}")),
            (transfer(1, PAYEE), known_to, format!("a payee it was paid at before: {PAYEE}")),
            (other(), new_service, format!("a new payee: {OTHER}")),
            (changed(), other_payee, format!("another payee than before: {THIRD}")),
            (transfer(1, THIRD), new_transfer, format!("a new payee: {THIRD}")),
        ] {
            let (found_verdict, found) = said(rule, payment, &facts);
            assert_eq!((found_verdict, &found.asked), (verdict, &asked), "{rule}");
            assert_eq!(found.kind, "payee_pinning");
            let who = (verdict == AskHuman).then_some("1 of alice within 30m");
            assert_eq!(found.approvers.as_deref(), who, "{rule}");
        }
    }
    let (_, found) = said("payee_pinning: {}", known(), &facts);
    assert_eq!(found.limit, "new ask, changed refuse");
    // Whoever was paid as a transfer is new to a service that was never paid.
    let (_, found) = said("payee_pinning: {}", x402(1, "b.example", PAYEE), &facts);
    assert_eq!(found.outcome, Outcome::Asks);
}

#[test]
fn nobody_known_is_trusted_nothing_and_lives_nowhere() {
    use Verdict::{Approve, Refuse};
    let (ledger, known) = (Ledger::new(), registry(1));
    let without = Facts::of(&ledger, NOW);
    let with = Facts { registry: Some(known.registry()), ..without };
    let stranger = || x402(1, "b.example", OTHER);
    for (rule, payment, facts, verdict, asked) in [
        ("trust: { min: 80 }", x402(1, VENDOR, OTHER), &with, Approve, "80 of 80 for vendor"),
        ("trust: { min: 80 }", transfer(1, PAYEE), &with, Approve, "80 of 80 for vendor"),
        ("trust: { min: 81 }", transfer(1, PAYEE), &with, Refuse, "80 of 80 for vendor"),
        ("trust: { min: 20 }", stranger(), &with, Approve, "20 of 20 for somebody unknown"),
        ("trust: { min: 21 }", stranger(), &with, Refuse, "20 of 20 for somebody unknown"),
        ("trust: { min: 0 }", stranger(), &without, Approve, "0 of 0 for somebody unknown"),
        (
            "trust: { min: 1 }",
            x402(1, VENDOR, OTHER),
            &without,
            Refuse,
            "0 of 0 for somebody unknown",
        ),
        ("country: { allow: [DE] }", x402(1, VENDOR, OTHER), &with, Approve, "DE"),
        ("country: { allow: [DE] }", stranger(), &with, Refuse, "unknown"),
        ("country: { allow: [DE] }", x402(1, VENDOR, OTHER), &without, Refuse, "unknown"),
        ("country: { block: [FR] }", x402(1, VENDOR, OTHER), &with, Approve, "DE"),
        ("country: { block: [DE] }", transfer(1, PAYEE), &with, Refuse, "DE"),
        // Nobody can say of a stranger that it is not in a blocked country.
        ("country: { block: [FR] }", stranger(), &with, Refuse, "unknown"),
        ("country: { block: [FR] }", transfer(1, OTHER), &without, Refuse, "unknown"),
        ("block: { categories: [search] }", x402(1, VENDOR, OTHER), &with, Approve, "data"),
        ("block: { categories: [data] }", transfer(1, PAYEE), &with, Refuse, "data"),
        ("block: { categories: [search] }", stranger(), &with, Refuse, "no category"),
        ("block: { categories: [] }", stranger(), &with, Refuse, "no category"),
    ] {
        let (found_verdict, found) = said(rule, payment.clone(), facts);
        assert_eq!((found_verdict, found.asked.as_str()), (verdict, asked), "{rule} {payment:?}");
    }
}

#[test]
fn an_allowed_category_grants_whoever_the_registry_puts_in_it() {
    use Verdict::{Approve, Refuse};
    let (ledger, known) = (Ledger::new(), registry(1));
    let without = Facts::of(&ledger, NOW);
    let with = Facts { registry: Some(known.registry()), ..without };
    let sepolia = || match x402(1, VENDOR, OTHER) {
        Payment::X402Exact(mut x) => {
            (x.chain, x.token) = (Chain::BaseSepolia, ASSETS[1].token);
            Payment::X402Exact(x)
        }
        other => other,
    };
    let base = "contracts: [\"0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913\"]";
    for (named, payment, facts, verdict) in [
        ("categories: [data]", x402(1, VENDOR, OTHER), &with, Approve),
        ("categories: [data]", transfer(1, PAYEE), &with, Approve),
        ("categories: [search]", x402(1, VENDOR, OTHER), &with, Refuse),
        ("categories: [data]", x402(1, "b.example", PAYEE), &with, Refuse),
        ("categories: [data]", transfer(1, OTHER), &with, Refuse),
        ("categories: [data]", x402(1, VENDOR, OTHER), &without, Refuse),
        ("categories: []", x402(1, VENDOR, OTHER), &with, Refuse),
        (
            "services: [api.search.example], categories: [data]",
            x402(1, VENDOR, OTHER),
            &with,
            Approve,
        ),
        ("services: [b.example], categories: [data]", x402(1, VENDOR, OTHER), &with, Refuse),
        ("services: [api.search.example], categories: [data]", transfer(1, PAYEE), &with, Refuse),
        ("recipients: payees, categories: [data]", transfer(1, PAYEE), &with, Approve),
        ("recipients: payees, categories: [data]", x402(1, VENDOR, OTHER), &with, Refuse),
        (&format!("services: vendors, {base}"), x402(1, VENDOR, OTHER), &with, Approve),
        (&format!("services: vendors, {base}"), sepolia(), &with, Refuse),
        (base, x402(1, VENDOR, OTHER), &with, Refuse),
    ] {
        let policy = parsed(&format!("  - allow: {{ {named} }}"));
        let intent = intent(99, payment.clone(), NOW);
        let decision = decide(&[&policy], &Ask::of(&intent).unwrap(), facts);
        assert_eq!(decision.verdict, verdict, "{named} {payment:?}");
    }
    // Which contract is called restricts whatever else is granted.
    let policy = parsed(&format!("  - allow: {{ services: vendors }}\n  - allow: {{ {base} }}"));
    for (payment, verdict) in [(x402(1, VENDOR, OTHER), Approve), (sepolia(), Refuse)] {
        let intent = intent(99, payment, NOW);
        let decision = decide(&[&policy], &Ask::of(&intent).unwrap(), &with);
        assert_eq!(decision.verdict, verdict);
    }
}

#[test]
fn people_decide_when_any_of_what_is_named_is_met() {
    let (ledger, known) = (paid(&[(90, x402(1, VENDOR, OTHER))]), registry(1));
    let without = Facts::of(&ledger, NOW);
    let with = Facts { registry: Some(known.registry()), ..without };
    let vendor = |amount| x402(amount, VENDOR, OTHER);
    for (when, payment, facts, asks, limit, asked) in [
        ("above: 1 USDC", vendor(1_000_000), &with, false, "above 1 USDC", "1 USDC"),
        ("above: 1 USDC", vendor(1_000_001), &with, true, "above 1 USDC", "1.000001 USDC"),
        ("new_payee: true", vendor(1), &with, false, "a new payee", "a known payee"),
        ("new_payee: true", x402(1, VENDOR, THIRD), &with, true, "a new payee", "a new payee"),
        ("new_payee: true", transfer(1, PAYEE), &with, true, "a new payee", "a new payee"),
        ("trust_below: 80", vendor(1), &with, false, "trust below 80", "80"),
        ("trust_below: 81", vendor(1), &with, true, "trust below 81", "80"),
        ("trust_below: 1", vendor(1), &without, true, "trust below 1", "0"),
        ("categories: [search]", vendor(1), &with, false, "categories search", "data"),
        ("categories: [data]", vendor(1), &with, true, "categories data", "data"),
        // Nobody can say that a stranger is not in it.
        ("categories: [search]", vendor(1), &without, true, "categories search", "no category"),
        ("agents: [other]", vendor(1), &with, false, "agents other", "research-01"),
        (
            "agents: [other, research-01]",
            vendor(1),
            &with,
            true,
            "agents other research-01",
            "research-01",
        ),
        (
            "above: 1 USDC, trust_below: 80",
            vendor(1),
            &with,
            false,
            "above 1 USDC, trust below 80",
            "0.000001 USDC, 80",
        ),
        (
            "above: 1 USDC, trust_below: 81",
            vendor(1),
            &with,
            true,
            "above 1 USDC, trust below 81",
            "0.000001 USDC, 80",
        ),
    ] {
        let (verdict, found) = said(&format!("ask: {{ {when} }}"), payment, facts);
        let expected = if asks { Outcome::Asks } else { Outcome::Kept };
        let human = if asks { Verdict::AskHuman } else { Verdict::Approve };
        assert_eq!((verdict, found.outcome), (human, expected), "{when}");
        assert_eq!((found.limit.as_str(), found.asked.as_str()), (limit, asked), "{when}");
        assert_eq!(found.kind, "ask");
    }
}

/// Refusals and failures, so many seconds ago.
fn health(refused: &[u64], failed: &[u64]) -> Health {
    let mut health = Health::default();
    refused.iter().for_each(|ago| health.refuse(NOW.minus(*ago)));
    failed.iter().for_each(|ago| health.fail(NOW.minus(*ago)));
    health
}

#[test]
fn refusals_and_failures_stop_the_agent_and_what_led_to_a_stop_does_not_stop_it_again() {
    let ledger = Ledger::new();
    let bad = health(&[3_601, 3_599, 20, 10], &[30]);
    let stopped = |stopped_at: Option<UnixSeconds>| Facts {
        health: &bad,
        stopped_at,
        ..Facts::of(&ledger, NOW)
    };
    for (rule, stopped_ago, current, kept) in [
        ("refusals: 3, per: hour", None, "3", false),
        ("refusals: 4, per: hour", None, "3", true),
        ("refusals: 4, per: 61m", None, "4", false),
        ("refusals: 3, per: minute", None, "2", true),
        ("failures: 1, per: minute", None, "1", false),
        ("failures: 2, per: day", None, "1", true),
        ("failures: 1, per: 1m", Some(30), "0", true),
        ("refusals: 2, per: hour", Some(20), "1", true),
        ("refusals: 1, per: hour", Some(20), "1", false),
        ("refusals: 2, per: hour", Some(21), "2", false),
    ] {
        let facts = stopped(stopped_ago.map(|ago| NOW.minus(ago)));
        let (verdict, found) =
            said(&format!("freeze: {{ {rule} }}"), x402(1, VENDOR, OTHER), &facts);
        assert_eq!((found.kept(), found.current.as_deref()), (kept, Some(current)), "{rule}");
        assert_eq!((verdict == Verdict::Approve, found.freezes), (kept, !kept), "{rule}");
    }
}

#[test]
fn too_many_new_payees_stop_the_agent_and_known_ones_do_not() {
    let ledger = paid(&[
        (7_000, transfer(1, PAYEE)),
        (600, x402(1, VENDOR, OTHER)),
        (300, x402(1, VENDOR, OTHER)),
    ]);
    let facts = Facts::of(&ledger, NOW);
    for (rule, payment, current, kept) in [
        ("new_payees: 1, per: hour", transfer(1, THIRD), "1", false),
        ("new_payees: 2, per: hour", transfer(1, THIRD), "1", true),
        ("new_payees: 2, per: day", x402(1, VENDOR, THIRD), "2", false),
        ("new_payees: 1, per: day", transfer(1, PAYEE), "2", true),
        ("new_payees: 1, per: 5m", transfer(1, THIRD), "0", true),
    ] {
        let (_, found) = said(&format!("freeze: {{ {rule} }}"), payment, &facts);
        assert_eq!((found.kept(), found.current.as_deref()), (kept, Some(current)), "{rule}");
        assert_eq!(found.freezes, !kept, "{rule}");
    }
}

#[test]
fn a_spike_is_many_times_the_agents_own_mean() {
    // 3 USDC in the two hours before this one: a mean of 1.5.
    let ledger = paid(&[
        (9_000, x402(2_000_000, VENDOR, OTHER)),
        (5_000, x402(1_000_000, VENDOR, OTHER)),
        (100, x402(500_000, VENDOR, OTHER)),
    ]);
    let fresh = Ledger::new();
    let rule = "spike: 2x, per: hour, over: 2";
    for (rule, ledger, stopped_ago, amount, kept) in [
        (rule, &ledger, None, 2_500_000, true),
        (rule, &ledger, None, 2_500_001, false),
        (rule, &fresh, None, u128::MAX >> 1, true),
        ("spike: 3x, per: hour, over: 2", &ledger, None, 4_000_000, true),
        ("spike: 3x, per: hour, over: 2", &ledger, None, 4_000_001, false),
        ("spike: 2x, per: hour, over: 1", &ledger, None, 1_500_000, true),
        ("spike: 2x, per: hour, over: 1", &ledger, None, 1_500_001, false),
        (&format!("{rule}, at_least: 4 USDC"), &ledger, None, 3_500_000, true),
        (&format!("{rule}, at_least: 4 USDC"), &ledger, None, 3_500_001, false),
        // What was spent before a stop is not spent again.
        (rule, &ledger, Some(100), 3_000_000, true),
        (rule, &ledger, Some(100), 3_000_001, false),
    ] {
        let stopped_at = stopped_ago.map(|ago| NOW.minus(ago));
        let facts = Facts { stopped_at, ..Facts::of(ledger, NOW) };
        let (_, found) =
            said(&format!("freeze: {{ {rule} }}"), x402(amount, VENDOR, OTHER), &facts);
        assert_eq!((found.kept(), found.freezes), (kept, !kept), "{rule} {amount}: {found}");
    }
}
