#![allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use super::*;
use crate::fixture::{NOW, PAYEE, fees, proposal, row as row_of, settled, transfer};
use crate::ledger::{LEDGER_SECONDS_KEPT, Line, Measure, Scope};
use crate::subject::Subject::{self, Organisation};
use crate::time::UnixSeconds;

fn paid(n: u64) -> SpendRow {
    SpendRow { terms: fees(n, 1, 1), ..row_of(&proposal(n, transfer(10, PAYEE), NOW), NOW) }
}

fn raised(row: &SpendRow, fee: u128, at: UnixSeconds) -> SpendRow {
    SpendRow { replaces: Some(row.digest), terms: fees(0, fee, 1), at, ..row.clone() }
}

fn fees_since(ledger: &Ledger, subject: &Subject, since: UnixSeconds) -> u128 {
    ledger.sum(subject, Measure::FeeWei, &Scope::Total, since) / 60_000
}

fn line() -> Line {
    Line { measure: Measure::FeeWei, axis: None }
}

#[test]
fn a_rise_counts_at_its_own_time_and_no_payment() {
    let row = paid(1);
    let mut ledger = Ledger::new();
    ledger.watch(&Organisation, [line()]);
    ledger.record(&row).unwrap();
    ledger.record(&raised(&row, 5, NOW.plus(10))).unwrap();
    ledger.record(&raised(&row, 3, NOW.plus(20))).unwrap();
    ledger.record(&raised(&row, 6, NOW.plus(30))).unwrap();
    for subject in [Organisation, Subject::Agent(row.agent.clone()), Subject::Wallet(row.wallet)] {
        let since = |seconds| fees_since(&ledger, &subject, NOW.plus(seconds));
        assert_eq!([since(0), since(1), since(11), since(31)], [6, 5, 1, 0], "{subject}");
    }
    assert_eq!(ledger.len(), 1);
    let sum = |measure| ledger.sum(&Organisation, measure, &Scope::Total, NOW);
    assert_eq!((sum(Measure::Count), sum(Measure::Amount("USDC"))), (1, 10));
    assert_eq!(ledger.fee_wei(&row.intent), Some(Amount::from_base_units(360_000)));
    let mut bare = ledger.clone();
    bare.watch(&Organisation, []);
    assert_eq!(fees_since(&bare, &Organisation, NOW.plus(1)), 5, "a scan says the same");
}

#[test]
fn rises_of_one_second_take_one_place() {
    let (row, other) = (paid(1), paid(2));
    let mut ledger = Ledger::new();
    ledger.watch(&Organisation, [line()]);
    ledger.record(&row).unwrap();
    ledger.record(&other).unwrap();
    let places = |ledger: &Ledger| ledger.entries.next().unwrap();
    for (fee, at, expected) in [(2, 0, 3), (3, 0, 3), (9, 0, 3), (10, 1, 4), (11, 1, 4)] {
        ledger.record(&raised(&row, fee, NOW.plus(at))).unwrap();
        assert_eq!(places(&ledger), expected, "{fee}");
        assert_eq!(fees_since(&ledger, &Organisation, NOW), fee + 1);
    }
    ledger.record(&raised(&other, 7, NOW.plus(1))).unwrap();
    assert_eq!(places(&ledger), 5, "another payment's is its own");
    let since = |seconds| fees_since(&ledger, &Organisation, NOW.plus(seconds));
    assert_eq!([since(0), since(1), since(2)], [18, 8, 0]);
    let mut bare = ledger.clone();
    bare.watch(&Organisation, []);
    assert_eq!(fees_since(&bare, &Organisation, NOW.plus(1)), 8, "a scan says the same");
}

#[test]
fn a_rise_of_what_is_not_known_is_refused_and_changes_nothing() {
    let mut ledger = Ledger::new();
    let row = paid(1);
    let unknown = Err(LedgerError::UnknownIntent(row.intent));
    assert_eq!(ledger.record(&raised(&row, 5, NOW)), unknown);
    assert_eq!(ledger, Ledger::new());
}

#[test]
fn a_rise_leaves_memory_with_its_time() {
    let row = paid(1);
    let mut ledger = Ledger::new();
    ledger.record(&row).unwrap();
    ledger.record(&raised(&row, 5, NOW.plus(10))).unwrap();
    ledger.apply(&settled(&row, 10)).unwrap();
    let mut plain = Ledger::new();
    plain.record(&row).unwrap();
    plain.apply(&settled(&row, 10)).unwrap();
    let late = NOW.plus(LEDGER_SECONDS_KEPT + 11);
    let next = SpendRow { at: late, ..paid(2) };
    ledger.record(&next).unwrap();
    plain.record(&next).unwrap();
    assert_eq!((ledger.len(), plain.len()), (1, 1));
    assert!(ledger.raised.is_empty());
    assert_eq!(ledger.fee_wei(&row.intent), None);
    assert_eq!(ledger.names, plain.names, "its names are given up as often as they were taken");
    assert_eq!(fees_since(&ledger, &Organisation, UnixSeconds(0)), 1);
}

#[test]
fn what_is_forgone_gives_back_all_of_its_fee() {
    let (row, other) = (paid(1), paid(2));
    let mut ledger = Ledger::new();
    ledger.watch(&Organisation, [line()]);
    ledger.record(&row).unwrap();
    ledger.record(&other).unwrap();
    ledger.record(&raised(&other, 2, NOW)).unwrap();
    ledger.record(&raised(&row, 5, NOW)).unwrap();
    ledger.record(&raised(&row, 9, NOW)).unwrap();
    ledger.forgo(&row);
    assert_eq!(fees_since(&ledger, &Organisation, NOW), 2, "the other's stays");
}

#[test]
fn no_fee_is_too_large_to_be_summed_up() {
    let mut ledger = Ledger::new();
    ledger.watch(&Organisation, [line()]);
    let most = u128::MAX / 60_000;
    let huge = |n| SpendRow { terms: fees(n, most, 1), ..paid(n) };
    ledger.record(&huge(1)).unwrap();
    ledger.record(&huge(2)).unwrap();
    let small = paid(3);
    ledger.record(&small).unwrap();
    let sum = |ledger: &Ledger| ledger.sum(&Organisation, Measure::FeeWei, &Scope::Total, NOW);
    assert_eq!(sum(&ledger), 2 * AMOUNT_UNITS_MAX + 60_000);
    ledger.forgo(&huge(1));
    assert_eq!(sum(&ledger), AMOUNT_UNITS_MAX + 60_000, "nothing was lost on the way");
}
