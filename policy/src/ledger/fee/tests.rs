#![allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

use alloy_primitives::B256;

use super::*;
use crate::evidence::{FeeProof, FeeReceipt, NotSeen, SettledProof, TokenMovement, VoidProof};
use crate::fixture::tempo::{exit, strange, tempo_transfer};
use crate::fixture::{NOW, PAYEE, fees, proposal, row as row_of, safe, settled, transfer};
use crate::intent::ExitStep;
use crate::ledger::{LEDGER_SECONDS_KEPT, Line, Measure, Scope};
use crate::rows::OutcomeRow;
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

/// A payment of 10 with a fee in the token, of 33,600 at most.
fn on_tempo(n: u64) -> SpendRow {
    row_of(&proposal(n, tempo_transfer(10, PAYEE), NOW), NOW)
}

const CEILING: u128 = 33_600;

fn in_token(ledger: &Ledger) -> u128 {
    ledger.sum(&Organisation, Measure::Amount("pathUSD"), &Scope::Total, NOW)
}

/// A ledger that keeps the sum ready, with one payment on Tempo.
fn with_one(row: &SpendRow) -> Ledger {
    let mut ledger = Ledger::new();
    ledger.watch(&Organisation, [Line { measure: Measure::Amount("pathUSD"), axis: None }]);
    ledger.record(row).unwrap();
    ledger
}

fn taken(row: &SpendRow, succeeded: bool) -> FeeProof {
    let receipt = FeeReceipt {
        transaction: B256::repeat_byte(2),
        from: row.wallet,
        block: 3,
        succeeded,
        gas_used: 50_000,
        gas_price: 20_000_000_000,
    };
    FeeProof::mined(row, &receipt, safe(3, NOW)).unwrap()
}

fn settled_on_tempo(row: &SpendRow, fee: Option<FeeProof>) -> OutcomeRow {
    let movement = TokenMovement {
        token: row.token,
        from: row.wallet,
        to: PAYEE,
        amount: row.amount,
        memo: row.mark.unwrap().memo,
        transaction: B256::repeat_byte(2),
        block: 3,
    };
    let proof = SettledProof::tempo(row, &movement, safe(3, NOW)).unwrap();
    OutcomeRow::settled(proof.with_fee(row, fee), NOW)
}

fn unseen() -> NotSeen {
    NotSeen { from: safe(0, NOW), to: safe(9, NOW.plus(25)) }
}

fn void_on_tempo(row: &SpendRow, fee: Option<FeeProof>) -> OutcomeRow {
    OutcomeRow::void(VoidProof::tempo(row, unseen()).unwrap().with_fee(fee), NOW)
}

#[test]
fn what_the_chain_took_replaces_the_ceiling_with_the_outcome() {
    let row = on_tempo(1);
    let never = FeeProof::never_mined(&row, unseen()).ok();
    for (outcome, counts) in [
        (settled_on_tempo(&row, Some(taken(&row, true))), 10 + 1_000),
        (settled_on_tempo(&row, None), 10 + CEILING),
        (void_on_tempo(&row, never), 0),
        (void_on_tempo(&row, Some(taken(&row, false))), 1_000),
        (void_on_tempo(&row, None), CEILING),
    ] {
        let mut ledger = with_one(&row);
        ledger.apply(&OutcomeRow::released(&row, NOW)).unwrap();
        assert_eq!(in_token(&ledger), 10 + CEILING, "a signature settles no fee");
        assert!(ledger.has_open_fee(&row.intent));
        for _ in 0..2 {
            ledger.apply(&outcome).unwrap();
            assert_eq!((in_token(&ledger), ledger.has_open_fee(&row.intent)), (counts, false));
        }
        let later = OutcomeRow::charged(&row, taken(&row, true), NOW);
        ledger.apply(&later).unwrap();
        assert_eq!(in_token(&ledger), counts, "an outcome without a fee leaves it for good");
        ledger.watch(&Organisation, []);
        assert_eq!(in_token(&ledger), counts, "a scan says the same");
    }
}

#[test]
fn a_journal_s_row_above_the_ceiling_counts_the_ceiling() {
    let row = on_tempo(1);
    let honest = settled_on_tempo(&row, Some(taken(&row, true)));
    let mut forged = serde_json::to_value(honest).unwrap();
    forged["outcome"]["proof"]["fee"]["units"] = "99999999".into();
    let mut ledger = with_one(&row);
    ledger.apply(&serde_json::from_value(forged).unwrap()).unwrap();
    assert_eq!(in_token(&ledger), 10 + CEILING);
}

#[test]
fn what_moves_nothing_has_a_fee_that_ends_by_itself() {
    let (step, other) = (exit(strange(), ExitStep::RequestClose), on_tempo(2));
    let row = row_of(&proposal(1, step, NOW), NOW);
    let mut ledger = with_one(&row);
    ledger.record(&other).unwrap();
    assert_eq!(in_token(&ledger), 10 + 2 * CEILING);
    ledger.apply(&OutcomeRow::charged(&row, taken(&row, true), NOW)).unwrap();
    assert_eq!(in_token(&ledger), 10 + CEILING + 1_000);
    assert!(!ledger.has_open_fee(&row.intent) && ledger.has_open_fee(&other.intent));
    ledger.forgo(&other);
    assert_eq!(in_token(&ledger), 1_000, "nothing was signed: nothing is taken");
}

#[test]
fn a_fee_that_nobody_tells_of_leaves_memory_with_its_time() {
    let row = on_tempo(1);
    let mut ledger = with_one(&row);
    ledger.apply(&OutcomeRow::released(&row, NOW)).unwrap();
    ledger.record(&SpendRow { at: NOW.plus(LEDGER_SECONDS_KEPT + 1), ..paid(2) }).unwrap();
    assert!(!ledger.has_open_fee(&row.intent));
    ledger.apply(&settled_on_tempo(&row, Some(taken(&row, true)))).unwrap();
    assert_eq!(ledger.len(), 1);
}
