//! Who is who, through the door: trust that moves, countries, categories.

use alloy_primitives::B256;

use super::*;
use crate::document::Signed;
use crate::evidence::{SettledProof, UsedAuthorization};
use crate::fixture::{Anybody, WALLET, admit_under, key, registry, set};
use crate::registry::AuthenticRegistry;
use crate::report::{Report, ReportKind};

fn pay_with(
    rules: &str,
    known: Option<&AuthenticRegistry>,
    (n, service): (u64, &str),
    book: &mut Book,
) -> Admitted {
    let policies = set(&[&policy(rules)]);
    let rulebook = Rulebook { policies: &policies, registry: known, frozen: None };
    let paid = authentic(intent(n, x402(10, service, PAYEE), NOW));
    admit_under(&rulebook, paid, vec![], NOW, book)
}

fn report(row: &SpendRow, outcome: ReportKind, book: &mut Book) {
    let report = Report {
        agent: row.agent.clone(),
        intent: row.intent,
        content_hash: row.content_hash,
        outcome,
        at: NOW,
    };
    let report = Signed::by(report, &key(7)).unwrap();
    book.report(&report.open_report(&Anybody, row, NOW).unwrap());
}

fn settle(row: &SpendRow, book: &mut Book) {
    let Slot::Eip3009 { nonce, .. } = row.slot else { panic!("not an authorization") };
    let used = UsedAuthorization {
        token: row.token,
        from: WALLET,
        to: PAYEE,
        value: row.amount,
        nonce,
        transaction: B256::ZERO,
        block: 10,
    };
    let proof = SettledProof::eip3009(row, &used, safe(10, NOW)).unwrap();
    book.apply(&OutcomeRow::settled(proof, NOW)).unwrap();
}

#[test]
fn outcomes_lower_the_trust_that_a_rule_looks_at_and_settlements_heal_it() {
    let rules = format!("{ALLOW}  - trust: {{ min: 60 }}");
    let known = registry(1);
    let mut book = Book::new();
    let pay = |n, book: &mut Book| pay_with(&rules, Some(&known), (n, VENDOR), book);
    let first = pay(1, &mut book).unwrap().row().clone();
    report(&first, ReportKind::MerchantRefused, &mut book);
    let second = pay(2, &mut book).unwrap().row().clone();
    report(&second, ReportKind::Undelivered, &mut book);
    // 80 * 10 / (10 + 1 + 4) = 53.
    let refused = pay(3, &mut book);
    let Err(AdmitError::Refused(Refusal::Policy(decision))) = &refused else {
        panic!("{refused:?}")
    };
    let found = decision.violations().next().unwrap();
    assert_eq!((found.kind.as_str(), found.limit.as_str()), ("trust", "at least 60"));
    assert_eq!(
        found.asked,
        "53 of 80 for vendor (0 settled, 1 refused, 1 undelivered, 0 disputed)"
    );
    // 80 * 12 / (12 + 5) = 56: two settled payments are not enough to be trusted again.
    settle(&first, &mut book);
    settle(&first, &mut book);
    settle(&second, &mut book);
    let Err(AdmitError::Refused(Refusal::Policy(decision))) = pay(4, &mut book) else { panic!() };
    assert!(decision.violations().next().unwrap().asked.starts_with("56 of 80 for vendor (2 "));
}

#[test]
fn who_is_not_known_is_not_vouched_for() {
    let stranger = "new.inference.example";
    let known = registry(1);
    for (rule, service, registered, expected) in [
        ("trust: { min: 80 }", VENDOR, true, "reserved"),
        ("trust: { min: 81 }", VENDOR, true, "policy"),
        ("trust: { min: 20 }", stranger, true, "reserved"),
        ("trust: { min: 21 }", stranger, true, "policy"),
        ("trust: { min: 1 }", VENDOR, false, "policy"),
        ("trust: { min: 0 }", stranger, false, "reserved"),
        ("country: { allow: [DE] }", VENDOR, true, "reserved"),
        ("country: { allow: [FR] }", VENDOR, true, "policy"),
        ("country: { block: [FR] }", VENDOR, true, "reserved"),
        ("country: { block: [DE] }", VENDOR, true, "policy"),
        ("country: { allow: [DE] }", stranger, true, "policy"),
        ("country: { block: [FR] }", stranger, true, "policy"),
        ("country: { block: [FR] }", VENDOR, false, "policy"),
        ("block: { categories: [data] }", VENDOR, true, "policy"),
    ] {
        let rules = format!("{ALLOW}  - {rule}");
        let admitted =
            pay_with(&rules, registered.then_some(&known), (1, service), &mut Book::new());
        assert_eq!(code(&admitted), expected, "{rule} {service} {registered}: {admitted:?}");
    }
}

#[test]
fn a_row_keeps_the_category_it_was_judged_by() {
    let rules = format!("{ALLOW}  - limit: {{ amount: 0.000015 USDC, per: day, by: category }}");
    let mut book = Book::new();
    let known = registry(1);
    let row = pay_with(&rules, Some(&known), (1, VENDOR), &mut book).unwrap().row().clone();
    assert_eq!(row.category.as_ref().map(crate::registry::Category::as_str), Some("data"));
    let strangers = pay_with(&rules, Some(&known), (2, "b.inference.example"), &mut book).unwrap();
    assert_eq!(strangers.row().category, None);
    // The vendor's category and those without one are counted apart.
    assert_eq!(code(&pay_with(&rules, Some(&known), (3, VENDOR), &mut book)), "policy");
}
