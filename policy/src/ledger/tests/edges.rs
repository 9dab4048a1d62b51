//! Sums at the edges of 128 bits: every combination of a few amounts there, exactly or not at all.

use super::*;
use crate::ask::{Ask, Facts};
use crate::decision::{Verdict, decide};
use crate::fixture::{VENDOR, intent, parsed};
use crate::rows::HoldKind;

const MOST: u128 = AMOUNT_UNITS_MAX;
const AMOUNTS: [u128; 5] = [0, 1, MOST / 2 + 1, MOST - 1, MOST];

fn watching() -> Ledger {
    let mut ledger = Ledger::new();
    let line = |measure| Line { measure, axis: None };
    ledger.watch(&Organisation, [Measure::Amount("USDC"), Measure::Count].map(line));
    ledger
}

#[test]
fn sums_of_the_largest_amounts_are_exact() {
    let all = || AMOUNTS.into_iter();
    for (a, b, c) in all().flat_map(|a| all().flat_map(move |b| all().map(move |c| (a, b, c)))) {
        let rows = [(1, a), (2, b), (3, c)].map(|(n, units)| row(n, units, Some(0), 1, NOW));
        for mut ledger in [Ledger::new(), watching()] {
            rows.iter().for_each(|row| ledger.record(row).unwrap());
            assert_eq!(total(&ledger), (a + b + c, 3));
            ledger.apply(&settled(&rows[0], a / 2)).unwrap();
            ledger.apply(&void(&rows[2])).unwrap();
            assert_eq!(total(&ledger), (a / 2 + b, 2));
        }
    }
}

#[test]
fn what_is_more_than_can_be_counted_is_refused() {
    for mut ledger in [Ledger::new(), watching()] {
        ledger.record(&row(1, MOST, Some(0), 1, NOW)).unwrap();
        let before = ledger.clone();
        for units in [MOST + 1, u128::MAX / 2, u128::MAX] {
            let too_much = row(2, units, Some(0), 1, NOW);
            assert_eq!(ledger.record(&too_much), Err(LedgerError::TooMuch(too_much.intent)));
            let hold = holds::hold(2, HoldKind::SessionDeposit, units, NOW);
            assert_eq!(ledger.hold(&hold), Err(LedgerError::TooMuch(too_much.intent)));
        }
        assert_eq!(ledger, before);
        ledger.hold(&holds::hold(2, HoldKind::SessionDeposit, MOST, NOW)).unwrap();
        assert_eq!(total(&ledger), (2 * MOST, 2));
    }
}

/// As many payments as a ledger numbers, all of the largest amount, fit 128 bits.
#[test]
fn no_sum_of_a_full_ledger_passes_128_bits() {
    assert!(u128::from(u32::MAX).checked_mul(MOST).is_some());
}

fn decimal(units: u128) -> String {
    format!("{}.{:06}", units / 1_000_000, units % 1_000_000)
}

#[test]
fn a_limit_is_kept_exactly_up_to_the_last_unit() {
    let edges = |around: u128| [around.saturating_sub(1), around, around.saturating_add(1)];
    for spent in [0, 1, MOST] {
        let mut ledger = watching();
        ledger.record(&row(1, spent, Some(0), 1, NOW)).unwrap();
        let limits = [1, MOST, 2 * MOST, u128::MAX].map(edges).concat();
        for limit in limits {
            let rules = format!(
                "  - allow: {{ services: vendors }}\n  - limit: {{ amount: {} USDC, per: day }}",
                decimal(limit)
            );
            let policy = parsed(&rules);
            for asked in edges(limit.saturating_sub(spent)).into_iter().chain([u128::MAX]) {
                let payment = crate::fixture::x402(asked, VENDOR, PAYEE);
                let intent = intent(9, payment, NOW);
                let facts = Facts::of(&ledger, NOW);
                let decision = decide(&[&policy], &Ask::of(&intent).unwrap(), &facts);
                let fits = spent.checked_add(asked).is_some_and(|sum| sum <= limit);
                let expected = if fits { Verdict::Approve } else { Verdict::Refuse };
                assert_eq!(decision.verdict, expected, "{spent} + {asked} of {limit}");
            }
        }
    }
}
