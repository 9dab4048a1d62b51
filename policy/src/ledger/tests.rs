#![allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

mod edges;
mod holds;
mod memory;
mod model;

use alloy_primitives::Address;
use serde_json::json;

use super::*;
use crate::evidence::VoidProof;
use crate::fixture::{NOW, PAYEE, fees, id, proposal, row as row_of, safe, transfer, units, x402};
use crate::subject::Subject::Organisation;

const SERVICES: [&str; 3] = ["a.example", "b.example", "c.example"];

/// Rows without the signatures that would lead to them: the ledger looks at none.
static TEMPLATES: std::sync::LazyLock<[SpendRow; 2]> = std::sync::LazyLock::new(|| {
    [x402(1, SERVICES[0], PAYEE), transfer(1, PAYEE)]
        .map(|payment| row_of(&proposal(0, payment, NOW), NOW))
});

fn row(n: u64, amount: u128, service: Option<usize>, recipient: u8, at: UnixSeconds) -> SpendRow {
    SpendRow {
        intent: id(n),
        amount: units(amount),
        recipient: Some(Address::repeat_byte(recipient)),
        service: service.map(|service| serde_json::from_value(json!(SERVICES[service])).unwrap()),
        at,
        ..TEMPLATES[usize::from(service.is_none())].clone()
    }
}

fn void(row: &SpendRow) -> OutcomeRow {
    let proof = VoidProof::eip3009(row, false, safe(1, NOW.plus(60))).unwrap();
    OutcomeRow::void(proof, NOW)
}

/// As a journal reads it back; the amount may be less than was reserved.
fn settled(row: &SpendRow, amount: u128) -> OutcomeRow {
    let proof = json!({
        "intent": row.intent,
        "agent": row.agent,
        "amount": amount.to_string(),
        "transaction": alloy_primitives::B256::ZERO,
        "at": safe(1, NOW),
    });
    let outcome = json!({ "state": "settled", "amount": amount.to_string(), "proof": proof });
    let row = json!({
        "intent": row.intent, "agent": row.agent, "outcome": outcome, "at": NOW.0,
    });
    serde_json::from_value(row).unwrap()
}

fn total(ledger: &Ledger) -> (u128, u128) {
    let sum = |measure| ledger.sum(&Organisation, measure, &Scope::Total, UnixSeconds(0));
    (sum(Measure::Amount("USDC")), sum(Measure::Count))
}

#[test]
fn a_reservation_counts_until_an_outcome_changes_it() {
    let mut ledger = Ledger::new();
    let (a, b) = (row(1, 10, Some(0), 1, NOW), row(2, 5, Some(1), 1, NOW));
    ledger.record(&a).unwrap();
    ledger.record(&b).unwrap();
    assert_eq!(total(&ledger), (15, 2));
    ledger.apply(&OutcomeRow::released(&a, NOW)).unwrap();
    assert_eq!(ledger.entry(&a.intent).unwrap().state, SpendState::Spent);
    assert_eq!(total(&ledger), (15, 2));
    ledger.apply(&settled(&a, 7)).unwrap();
    assert_eq!(total(&ledger), (12, 2));
    ledger.apply(&void(&b)).unwrap();
    assert_eq!(total(&ledger), (7, 1));
    let service = Scope::Service(b.service.clone());
    assert_eq!(ledger.sum(&Organisation, Measure::Count, &service, UnixSeconds(0)), 0);
    assert_eq!(
        ledger.sum(&Organisation, Measure::Amount("USDC"), &Scope::Recipient(Some(PAYEE)), NOW),
        0
    );
}

#[test]
fn rows_that_cannot_follow_change_nothing() {
    let mut ledger = Ledger::new();
    let (a, b) = (row(1, 10, Some(0), 1, NOW), row(2, 5, Some(1), 1, NOW));
    ledger.record(&a).unwrap();
    let before = ledger.clone();
    assert_eq!(ledger.record(&a), Err(LedgerError::AlreadyRecorded(a.intent)));
    assert_eq!(ledger.apply(&void(&b)), Err(LedgerError::UnknownIntent(b.intent)));
    assert_eq!(ledger.apply(&settled(&a, 11)), Err(LedgerError::SettledTooMuch(a.intent)));
    let full = row(3, u128::MAX, Some(0), 1, NOW);
    assert_eq!(ledger.record(&full), Err(LedgerError::TooMuch(full.intent)));
    assert_eq!(ledger, before);
}

#[test]
fn the_first_final_outcome_stays() {
    let finals: [fn(&SpendRow) -> OutcomeRow; 2] = [|row| settled(row, 4), void];
    for (first, second) in [(0, 1), (1, 0)] {
        let mut ledger = Ledger::new();
        let a = row(1, 10, Some(0), 1, NOW);
        ledger.record(&a).unwrap();
        ledger.apply(&finals[first](&a)).unwrap();
        let before = ledger.clone();
        assert_eq!(ledger.apply(&finals[first](&a)), Ok(()), "the same again");
        assert_eq!(ledger.apply(&OutcomeRow::released(&a, NOW)), Ok(()), "learned of late");
        assert_eq!(ledger.apply(&finals[second](&a)), Err(LedgerError::OutcomeIsFinal(a.intent)));
        assert_eq!(ledger, before);
    }
}

#[test]
fn time_does_not_run_backwards() {
    let mut ledger = Ledger::new();
    ledger.record(&row(1, 10, Some(0), 1, NOW)).unwrap();
    ledger.record(&row(2, 5, Some(0), 1, NOW.minus(1_000))).unwrap();
    assert_eq!(
        ledger.sum(&Organisation, Measure::Count, &Scope::Total, NOW),
        2,
        "an old row counts as of now"
    );
    assert_eq!(ledger.clamp(NOW.minus(5)), NOW);
    assert_eq!(ledger.clamp(NOW.plus(5)), NOW.plus(5));
}

#[test]
fn replacements_and_cancellations_do_not_count() {
    let mut ledger = Ledger::new();
    let first = row(1, 10, None, 1, NOW);
    ledger.record(&first).unwrap();
    let bump = SpendRow { replaces: Some(first.digest), terms: fees(1, 2, 1), ..first.clone() };
    ledger.record(&bump).unwrap();
    assert_eq!(total(&ledger), (10, 1));
}

#[test]
fn what_is_final_and_older_than_every_window_is_dropped() {
    let mut ledger = Ledger::new();
    let (a, b) = (row(1, 10, Some(0), 1, NOW), row(2, 5, Some(1), 2, NOW));
    ledger.record(&a).unwrap();
    ledger.record(&b).unwrap();
    ledger.apply(&settled(&a, 10)).unwrap();
    ledger.record(&row(3, 1, Some(0), 1, NOW.plus(LEDGER_SECONDS_KEPT))).unwrap();
    assert_eq!(ledger.len(), 3, "the last second that is kept");
    ledger.record(&row(4, 1, Some(0), 1, NOW.plus(LEDGER_SECONDS_KEPT + 1))).unwrap();
    assert_eq!(ledger.len(), 3);
    assert_eq!(ledger.entry(&a.intent), None, "settled");
    assert_eq!(ledger.entry(&b.intent).unwrap().state, SpendState::Reserved, "may still change");
    assert_eq!(total(&ledger), (2, 2), "no window reaches back to it");
    ledger.apply(&void(&b)).unwrap();
    assert_eq!(ledger.entry(&b.intent), None, "final at last");
    assert_eq!(ledger.len(), 2);
    let service = a.service.as_ref();
    let pinned =
        |ledger: &Ledger, payee| ledger.pinned(&Organisation, service, Address::repeat_byte(payee));
    assert_eq!(pinned(&ledger, 1), Pinned::Known, "payees outlive their payments");
    assert_eq!(pinned(&ledger, 2), Pinned::Changed);
    assert_eq!(ledger.pinned(&Organisation, b.service.as_ref(), b.recipient.unwrap()), Pinned::New);
}

#[test]
fn a_clock_that_is_set_back_sees_no_less() {
    let mut ledger = Ledger::new();
    ledger.record(&row(1, 10, Some(0), 1, NOW)).unwrap();
    ledger.record(&row(2, 7, Some(0), 1, NOW.plus(2 * LEDGER_SECONDS_KEPT))).unwrap();
    let window = crate::window::Window::rolling(crate::window::Period::Month);
    let since = window.since(ledger.clamp(NOW));
    let spent = ledger.sum(&Organisation, Measure::Amount("USDC"), &Scope::Total, since);
    assert_eq!(spent, 7, "answered for the moment of the last row");
    ledger.record(&row(3, 5, Some(0), 1, NOW)).unwrap();
    assert_eq!(ledger.sum(&Organisation, Measure::Amount("USDC"), &Scope::Total, since), 12);
}

#[test]
fn a_session_that_goes_on_keeps_its_sum() {
    let name: crate::declared::SessionName = "s-1".parse().unwrap();
    let in_session = |n: u64, days: u64| SpendRow {
        session: Some(name.clone()),
        ..row(n, 10, Some(0), 1, NOW.plus(days * 86_400))
    };
    let scope = Scope::Session(Some(name.clone()));
    let mut ledger = Ledger::new();
    for (n, days) in [(1, 0), (2, 30), (3, 60)] {
        let row = in_session(n, days);
        ledger.record(&row).unwrap();
        ledger.apply(&settled(&row, 10)).unwrap();
    }
    assert_eq!(ledger.len(), 2);
    let spent = |ledger: &Ledger, subject: &Subject| {
        ledger.sum(subject, Measure::Amount("USDC"), &scope, UnixSeconds(0))
    };
    let wallet = Subject::Wallet(TEMPLATES[0].wallet);
    let other = Subject::Wallet(PAYEE);
    assert_eq!([spent(&ledger, &Organisation), spent(&ledger, &wallet)], [30, 30]);
    assert_eq!(spent(&ledger, &other), 0);
    ledger.record(&row(4, 1, Some(0), 1, NOW.plus(101 * 86_400))).unwrap();
    assert_eq!(spent(&ledger, &Organisation), 0, "40 days without a payment end it");
}

#[test]
fn payees_are_known_by_service_and_new_by_subject() {
    let mut ledger = Ledger::new();
    let [one, two] = [1, 2].map(Address::repeat_byte);
    let (a, b) = (row(1, 1, Some(0), 1, NOW), row(2, 1, Some(0), 2, NOW.plus(5)));
    let pinned = |ledger: &Ledger, payee| ledger.pinned(&Organisation, a.service.as_ref(), payee);
    assert_eq!(pinned(&ledger, one), Pinned::New);
    ledger.record(&a).unwrap();
    assert_eq!([pinned(&ledger, one), pinned(&ledger, two)], [Pinned::Known, Pinned::Changed]);
    assert_eq!(ledger.pinned(&Organisation, None, one), Pinned::Known);
    assert_eq!(ledger.pinned(&Organisation, None, two), Pinned::New);
    assert_eq!(ledger.pinned(&Subject::Wallet(PAYEE), None, one), Pinned::New, "another wallet");
    ledger.record(&b).unwrap();
    ledger.record(&SpendRow { intent: id(3), ..a.clone() }).unwrap();
    assert_eq!(ledger.payees(&Organisation, a.service.as_ref().unwrap()), [one, two]);
    let new = |ledger: &Ledger, since| ledger.new_payees_since(&Organisation, since);
    assert_eq!(
        [new(&ledger, NOW), new(&ledger, NOW.plus(1)), new(&ledger, NOW.plus(6))],
        [2, 1, 0]
    );
    ledger.apply(&void(&b)).unwrap();
    assert_eq!(pinned(&ledger, two), Pinned::Changed, "what never happened pins nobody");
    assert_eq!(new(&ledger, NOW), 1);
    ledger.apply(&void(&a)).unwrap();
    assert_eq!(pinned(&ledger, one), Pinned::Known, "the other payment stands");
}
