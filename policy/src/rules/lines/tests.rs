#![allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use super::*;
use crate::fixture::yaml;
use crate::ledger::LEDGER_SECONDS_KEPT;
use crate::rules::PolicyError;

const USDC: Measure = Measure::Amount("USDC");

fn read(rule: &str) -> Result<Policy, PolicyError> {
    Policy::parse(&yaml(7, &format!("  - allow: {{ services: vendors }}\n  - {rule}")))
}

#[test]
fn whatever_is_counted_over_is_kept_ready() {
    let session = Some(Axis::Session);
    for (rule, expected) in [
        ("limit: { amount: 1 USDC, per: day }", Some((USDC, None))),
        ("limit: { amount: 1 USDC, per: 90m, by: category }", Some((USDC, Some(Axis::Category)))),
        ("rate: { count: 9, per: hour }", Some((Measure::Count, None))),
        (
            "rate: { count: 9, per: hour, by: endpoint }",
            Some((Measure::Count, Some(Axis::Endpoint))),
        ),
        ("max_fee: { amount: 1 ETH, per: day }", Some((Measure::FeeWei, None))),
        ("max_fee: 1 ETH", None),
        ("x402: { session_budget: 1 USDC }", Some((USDC, session))),
        ("mpp: { session_budget: 1 USDC }", Some((USDC, session))),
        ("mpp: { max_deposit: 1 USDC }", Some((USDC, session))),
        ("freeze: { refusals: 5, per: hour }", None),
        ("max_amount: 1 USDC", None),
    ] {
        let lines = read(rule).unwrap().lines();
        let expected: Vec<_> =
            expected.into_iter().map(|(measure, axis)| Line { measure, axis }).collect();
        assert_eq!(lines, expected, "{rule}");
    }
}

#[test]
fn a_spike_is_one_of_any_asset() {
    let lines = read("freeze: { spike: 5x, per: hour, over: 7 }").unwrap().lines();
    let symbols: std::collections::BTreeSet<_> = ASSETS.iter().map(|a| a.symbol).collect();
    assert_eq!(lines.len(), symbols.len());
    assert!(
        symbols.into_iter().all(|symbol| {
            lines.contains(&Line { measure: Measure::Amount(symbol), axis: None })
        })
    );
}

#[test]
fn no_rule_looks_back_further_than_payments_are_remembered() {
    assert_eq!(LEDGER_SECONDS_KEPT, 40 * 86_400);
    for (per, over, fits) in [
        ("day", 30, true),
        ("2d", 19, true),
        ("2d", 20, false),
        ("week", 4, true),
        ("week", 5, false),
    ] {
        let rule = format!("freeze: {{ spike: 5x, per: {per}, over: {over} }}");
        match (fits, read(&rule)) {
            (true, Ok(_)) => {}
            (false, Err(PolicyError::Malformed { line: 9, reason })) => {
                assert!(reason.contains("40 days"), "{reason}");
            }
            (_, other) => panic!("{rule}: {other:?}"),
        }
    }
    for rule in ["limit: { amount: 1 USDC, per: 32d }", "freeze: { failures: 3, per: 32d }"] {
        assert!(matches!(read(rule), Err(PolicyError::Malformed { line: 1.., .. })), "{rule}");
    }
}
