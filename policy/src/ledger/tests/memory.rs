//! What a ledger keeps and forgets, and what it reads off instead of counting again.

use super::*;
use crate::declared::SessionName;
use crate::rows::{HoldKind, Protocol};

fn in_session(name: &str, row: SpendRow) -> SpendRow {
    SpendRow { session: Some(name.parse().unwrap()), ..row }
}

/// So much later that everything final before it has left memory.
const LATER: UnixSeconds = NOW.plus(LEDGER_SECONDS_KEPT + 1);

#[test]
fn names_go_with_their_last_user() {
    for happened in [false, true] {
        let mut ledger = Ledger::new();
        let gone = in_session("s-1", row(1, 10, Some(0), 1, NOW));
        ledger.record(&gone).unwrap();
        ledger.apply(&if happened { settled(&gone, 10) } else { void(&gone) }).unwrap();
        ledger.record(&row(2, 1, Some(1), 2, LATER)).unwrap();
        assert_eq!((ledger.len(), ledger.is_empty()), (1, false));
        let names = &ledger.names;
        let kept = [
            names.services.find(gone.service.as_ref().unwrap()).is_some(),
            names.addresses.find(&gone.recipient.unwrap()).is_some(),
        ];
        assert_eq!(kept, [happened; 2], "payees stay known, if they were paid");
        assert_eq!(names.sessions.find(gone.session.as_ref().unwrap()), None);
    }
}

#[test]
fn a_session_inherits_nothing_from_one_that_is_over() {
    let mut ledger = Ledger::new();
    let gone = in_session("s-1", row(1, 10, Some(0), 1, NOW));
    ledger.record(&gone).unwrap();
    ledger.apply(&settled(&gone, 10)).unwrap();
    ledger.record(&row(2, 1, Some(1), 2, LATER)).unwrap();
    ledger.record(&in_session("s-2", row(3, 4, Some(0), 1, LATER))).unwrap();
    let spent = |name: &str, measure| {
        let name: SessionName = name.parse().unwrap();
        ledger.sum(&Organisation, measure, &Scope::Session(Some(name)), UnixSeconds(0))
    };
    assert_eq!([spent("s-1", Measure::Count), spent("s-2", Measure::Count)], [0, 1]);
    assert_eq!(spent("s-2", Measure::Amount("USDC")), 4);
}

#[test]
fn an_old_session_is_counted_by_subject_and_measure() {
    let mut ledger = Ledger::new();
    let fee = SpendRow { terms: fees(1, 5, 1), ..row(1, 10, None, 1, NOW) };
    let rows = [
        in_session("s-1", fee),
        in_session("s-1", row(2, 20, Some(0), 1, NOW)),
        in_session("s-2", row(3, 40, Some(0), 1, NOW)),
        in_session("s-1", row(4, 1, Some(0), 1, LATER)),
    ];
    for row in &rows[..3] {
        ledger.record(row).unwrap();
        ledger.apply(&settled(row, row.amount.base_units())).unwrap();
    }
    ledger.record(&rows[3]).unwrap();
    assert_eq!(ledger.len(), 1);
    let scope = Scope::Session(rows[0].session.clone());
    let wallet = rows[0].wallet;
    for (subject, [units, fee_wei, count]) in [
        (Organisation, [31, 300_000, 3]),
        (Subject::Agent(rows[0].agent.clone()), [31, 300_000, 3]),
        (Subject::Wallet(wallet), [31, 300_000, 3]),
        (Subject::Wallet(PAYEE), [0, 0, 0]),
    ] {
        let sum = |measure| ledger.sum(&subject, measure, &scope, UnixSeconds(0));
        assert_eq!(sum(Measure::Amount("USDC")), units, "{subject}");
        assert_eq!(sum(Measure::FeeWei), fee_wei, "{subject}");
        assert_eq!(sum(Measure::Count), count, "{subject}");
        assert_eq!(sum(Measure::Amount("EURC")), 0, "{subject}");
    }
    let recent = ledger.sum(&Organisation, Measure::Count, &scope, ledger.horizon());
    assert_eq!(recent, 1, "windows do not reach back so far");
    let others = Scope::Session(rows[2].session.clone());
    assert_eq!(ledger.sum(&Organisation, Measure::Count, &others, UnixSeconds(0)), 0);
}

#[test]
fn a_payment_that_fails_late_leaves_the_sum_of_its_session() {
    let mut ledger = Ledger::new();
    let open = in_session("s-1", row(1, 10, Some(0), 1, NOW));
    ledger.record(&open).unwrap();
    ledger.record(&in_session("s-1", row(2, 1, Some(0), 1, LATER))).unwrap();
    let scope = Scope::Session(open.session.clone());
    let sum = |ledger: &Ledger, measure| ledger.sum(&Organisation, measure, &scope, UnixSeconds(0));
    assert_eq!(sum(&ledger, Measure::Amount("USDC")), 11);
    ledger.apply(&settled(&open, 4)).unwrap();
    assert_eq!(sum(&ledger, Measure::Amount("USDC")), 5);
    assert_eq!(sum(&ledger, Measure::Count), 2);

    let mut ledger = Ledger::new();
    ledger.record(&open).unwrap();
    ledger.record(&in_session("s-1", row(2, 1, Some(0), 1, LATER))).unwrap();
    ledger.apply(&void(&open)).unwrap();
    assert_eq!([sum(&ledger, Measure::Amount("USDC")), sum(&ledger, Measure::Count)], [1, 1]);
}

#[test]
fn what_is_watched_is_read_off() {
    let one = row(1, 10, Some(0), 1, NOW);
    let subjects = [Organisation, Subject::Agent(one.agent.clone()), Subject::Wallet(one.wallet)];
    let line = Line { measure: Measure::Amount("USDC"), axis: None };
    for subject in &subjects {
        let mut ledger = Ledger::new();
        ledger.record(&one).unwrap();
        let read = |ledger: &Ledger, subject: &Subject| {
            ledger
                .index
                .series(subject, line, names::NOBODY)
                .map(|series| series.map_or(0, |series| series.sum_from(0)))
        };
        assert_eq!(read(&ledger, subject), None);
        ledger.watch(subject, [line]);
        ledger.record(&row(2, 5, Some(1), 1, NOW)).unwrap();
        for other in &subjects {
            assert_eq!(read(&ledger, other), (other == subject).then_some(15), "{other}");
        }
        ledger.apply(&settled(&one, 7)).unwrap();
        assert_eq!(read(&ledger, subject), Some(12));
        ledger.record(&row(3, 1, Some(1), 1, LATER)).unwrap();
        assert_eq!(read(&ledger, subject), Some(1), "what is too old is dropped");
        ledger.watch(subject, []);
        assert_eq!(read(&ledger, subject), None);
    }
}

#[test]
fn scopes_are_listed_along_every_axis() {
    let mut ledger = Ledger::new();
    let first = in_session("s-1", row(1, 1, Some(0), 1, NOW));
    ledger.record(&first).unwrap();
    ledger.record(&row(2, 1, None, 2, NOW.plus(10))).unwrap();
    let list = |axis, since| ledger.scopes(&Organisation, axis, since);
    let both = |axis| list(axis, NOW);
    let recipients = [1, 2].map(|byte| Scope::Recipient(Some(Address::repeat_byte(byte))));
    assert_eq!(both(Axis::Recipient), recipients);
    assert_eq!(both(Axis::Service), [Scope::Service(None), Scope::Service(first.service.clone())]);
    let endpoints = [Scope::Endpoint(None), Scope::Endpoint(first.endpoint.clone())];
    assert_eq!(both(Axis::Endpoint), endpoints);
    assert_eq!(both(Axis::Category), [Scope::Category(None)]);
    let protocols = [Protocol::Transfer, Protocol::X402].map(Scope::Protocol);
    assert_eq!(both(Axis::Protocol), protocols);
    assert_eq!(both(Axis::Asset), [Scope::Asset("USDC")]);
    assert_eq!(both(Axis::Session), [Scope::Session(None), Scope::Session(first.session)]);
    assert_eq!(list(Axis::Protocol, NOW.plus(1)), [Scope::Protocol(Protocol::Transfer)]);
    assert_eq!(ledger.scopes(&Subject::Wallet(PAYEE), Axis::Asset, NOW), []);
}

#[test]
fn health_counts_from_a_moment_on_and_remembers_the_last() {
    let mut health = Health::default();
    for n in 0..3 {
        health.refuse(NOW.plus(n));
    }
    health.fail(NOW);
    let counts = |since| (health.refused_since(since), health.failed_since(since));
    assert_eq!(counts(NOW), (3, 1));
    assert_eq!(counts(NOW.plus(1)), (2, 0));
    assert_eq!(counts(NOW.plus(3)), (0, 0));
    for n in 0..HEALTH_MOMENTS_MAX as u64 {
        health.refuse(NOW.plus(10 + n));
    }
    assert_eq!(health.refused_since(UnixSeconds(0)), HEALTH_MOMENTS_MAX);
    assert_eq!(health.refused_since(NOW.plus(10)), HEALTH_MOMENTS_MAX, "the oldest are forgotten");
}

/// Two ledgers that differ in one part alone: in time, in a payment, in a hold, in who was paid
/// first when.
#[test]
fn ledgers_that_differ_in_any_part_differ() {
    let built = |rows: &[SpendRow]| {
        let mut ledger = Ledger::new();
        rows.iter().for_each(|row| ledger.record(row).unwrap());
        ledger
    };
    let one = row(1, 10, Some(0), 1, NOW);
    let bump = |at| SpendRow { replaces: Some(one.digest), at, ..one.clone() };
    assert_eq!(built(&[one.clone(), bump(NOW)]), built(&[one.clone(), bump(NOW)]));
    assert_ne!(built(&[one.clone(), bump(NOW)]), built(&[one.clone(), bump(NOW.plus(1))]));
    assert_ne!(built(std::slice::from_ref(&one)), built(&[row(1, 11, Some(0), 1, NOW)]));

    let held = |kind| {
        let mut ledger = Ledger::new();
        ledger.hold(&holds::hold(1, kind, 5, NOW)).unwrap();
        ledger
    };
    let [deposit, other] = [HoldKind::SessionDeposit, HoldKind::PreAuthorization].map(held);
    assert_eq!(deposit, held(HoldKind::SessionDeposit));
    assert_ne!(deposit, other);

    let paid = |at: UnixSeconds| {
        let mut ledger = Ledger::new();
        let gone = SpendRow { at, ..one.clone() };
        ledger.record(&gone).unwrap();
        ledger.apply(&settled(&gone, 10)).unwrap();
        ledger.record(&row(2, 1, Some(0), 1, LATER.plus(5))).unwrap();
        assert_eq!(ledger.len(), 1);
        ledger
    };
    assert_eq!(paid(NOW), paid(NOW));
    assert_ne!(paid(NOW), paid(NOW.plus(1)));
}
