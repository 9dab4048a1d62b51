use super::*;
use crate::payment::state::State;
use crate::store::Facts;
use crate::tests::{records, tempo};

const T: u64 = 1_700_000_000;

fn record(transfer: bool) -> PaymentRecord {
    young(records::payment(transfer))
}

fn young(mut record: PaymentRecord) -> PaymentRecord {
    record.created_at = UnixSeconds(T);
    record.state = State::Signed;
    record.facts = Facts { deadline: Some(UnixSeconds(T + 600)), ..Facts::default() };
    record
}

/// Looks that are taken from `from` to `to` seconds after it was taken in.
fn looks(record: &PaymentRecord, from: u64, to: u64, crowd: u64) -> Vec<u64> {
    let (mut at, mut looks) = (from, Vec::new());
    while at < to {
        let now = UnixSeconds(T).plus(at);
        at = at.saturating_add(pause_seconds(record, now, 2, crowd));
        looks.push(at);
    }
    looks
}

#[test]
fn the_young_are_looked_at_at_pace_the_old_seldom_and_all_right_after_their_deadline() {
    let record = record(false);
    assert_eq!(looks(&record, 0, 16, 0), [2, 4, 6, 8, 10, 12, 14, 16]);
    let all = looks(&record, 0, 600, 0);
    assert!(all.len() < 50, "{}", all.len());
    assert_eq!(all.last(), Some(&600), "right at its deadline");
    assert_eq!(looks(&record, 600, 610, 0), [602, 604, 606, 608, 610]);
    let late = looks(&record, 600, 90_000, 0);
    assert!(late.len() < 400, "{}", late.len());
}

#[test]
fn the_more_are_watched_the_less_often_each_is_looked_at() {
    let record = record(false);
    assert_eq!(looks(&record, 0, 600, 200), [200, 400, 600]);
    assert_eq!(pause_seconds(&record, UnixSeconds(T + 599), 2, 200), 1, "but for its deadline");
}

#[test]
fn a_transfer_that_others_wait_for_is_not_left_long() {
    for record in [record(true), young(records::of(tempo::tempo_transfer(10)))] {
        let pauses = [1, 100, 100_000].map(|at| pause_seconds(&record, UnixSeconds(T + at), 2, 0));
        assert_eq!(pauses, [2, 10, 10]);
    }
}

#[test]
fn a_deposit_in_its_channel_is_looked_at_seldom_but_for_good() {
    let mut record = young(records::of(tempo::open(10, 25)));
    (record.state, record.updated_at) = (State::Submitted, UnixSeconds(T));
    let pauses =
        [1, 80, 1_000, 2_678_400].map(|at| pause_seconds(&record, UnixSeconds(T + at), 1, 0));
    assert_eq!(pauses, [1, 10, 120, 120]);
}

#[test]
fn what_is_watched_is_counted_while_it_is() {
    let lookout = Lookout::default();
    let record = record(false);
    let watched: Vec<_> = (0..3 * LOOKS_PER_SECOND_MAX).map(|_| lookout.watch(&record)).collect();
    assert_eq!(lookout.crowd_seconds(), 3);
    let mut rests = records::of(tempo::open(10, 25));
    rests.state = State::Submitted;
    let resting: Vec<_> = (0..1_000).map(|_| lookout.watch(&rests)).collect();
    assert_eq!(lookout.crowd_seconds(), 3, "a thousand sessions slow nobody down");
    drop((watched, resting));
    assert_eq!(lookout.crowd_seconds(), 0);
}
