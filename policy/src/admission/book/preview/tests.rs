use crate::admission::{Book, RecordSpend as _};
use crate::evidence::VoidProof;
use crate::fixture::{
    NOW, PAYEE, VENDOR, agent, cancel, fees, id, proposal, row as row_of, safe, settled, transfer,
    units, x402,
};
use crate::ledger::{Measure, Scope, SpendState};
use crate::registry::Payee;
use crate::rows::{OutcomeRow, SpendRow};
use crate::subject::Subject::Organisation;
use crate::time::UnixSeconds;

fn paid(n: u64) -> SpendRow {
    row_of(&proposal(n, x402(10, VENDOR, PAYEE), NOW), NOW)
}

fn sums(book: &Book) -> [u128; 3] {
    let ledger = book.ledger().unwrap();
    [Measure::Amount("USDC"), Measure::FeeWei, Measure::Count]
        .map(|measure| ledger.sum(&Organisation, measure, &Scope::Total, UnixSeconds(0)))
}

#[test]
fn what_is_forgone_frees_its_slot_and_counts_no_more() {
    let first = row_of(&proposal(1, transfer(10, PAYEE), NOW), NOW);
    let mut book = Book::new();
    book.record(&first).unwrap();
    assert_eq!(sums(&book), [10, first.fee_wei().base_units(), 1]);
    book.forgo(&first);
    assert_eq!((sums(&book), book.state(&id(1))), ([0, 0, 0], Some(SpendState::Void)));
    assert_eq!(book.slot(&first.slot), Ok(None));

    let other = SpendRow { intent: id(2), terms: fees(1, 7, 1), ..first.clone() };
    book.record(&other).unwrap();
    book.forgo(&first);
    assert_eq!(book.slot(&first.slot).unwrap().unwrap().intent, id(2), "it is another's by now");
    assert_eq!(sums(&book)[0], 10);
}

#[test]
fn a_cancellation_that_is_forgone_leaves_the_slot_taken() {
    let (mut book, first) = (Book::new(), paid(1));
    book.record(&first).unwrap();
    let cancel = row_of(&proposal(2, cancel(id(1)), NOW), NOW);
    let cancel = SpendRow { replaces: Some(first.digest), ..cancel };
    book.record(&cancel).unwrap();
    book.forgo(&cancel);
    assert_eq!(book.slot(&first.slot).unwrap().unwrap().intent, id(2));
    assert_eq!(sums(&book)[0], 10);
}

#[test]
fn failures_and_settlements_are_taken_on_the_reader_s_word() {
    let (mut book, row) = (Book::new(), paid(1));
    book.record(&row).unwrap();
    book.note_failure(&agent(), NOW);
    assert_eq!(book.health(&agent()).unwrap().failed_since(NOW), 1);
    book.note_settled(&id(1));
    assert_eq!(book.state(&id(1)), Some(SpendState::Settled));
    let payee = Payee::of(row.service.as_ref(), row.recipient).unwrap();
    assert_eq!(book.experience().unwrap().of(&payee).settled, 1);
}

#[test]
fn what_is_proven_counts_once_however_often_it_is_told() {
    let (mut book, one, two) = (Book::new(), paid(1), paid(2));
    for row in [&one, &two] {
        book.record(row).unwrap();
        book.apply(&OutcomeRow::released(row, NOW)).unwrap();
    }
    let payee = Payee::of(one.service.as_ref(), one.recipient).unwrap();
    let counts = |book: &Book| {
        let failed = book.health(&agent()).unwrap().failed_since(NOW);
        (failed, book.experience().unwrap().of(&payee).settled)
    };
    assert_eq!(counts(&book), (0, 0), "a signature that left is neither");
    let void = VoidProof::eip3009(&two, false, safe(1, NOW.plus(60))).unwrap();
    for _ in 0..2 {
        book.apply(&settled(&one, 10)).unwrap();
        book.apply(&OutcomeRow::void(void.clone(), NOW)).unwrap();
        assert_eq!(counts(&book), (1, 1));
    }
}

#[test]
fn a_deposit_counts_what_was_used_of_it_once_its_channel_has_ended() {
    for (used, counts) in [(0, 0), (4, 4), (10, 10), (11, 10)] {
        let (mut book, row) = (Book::new(), paid(1));
        book.record(&row).unwrap();
        book.note_used(&id(1), units(used));
        assert_eq!((sums(&book)[0], book.state(&id(1))), (counts, Some(SpendState::Settled)));
    }
    let (mut book, row) = (Book::new(), paid(1));
    book.record(&row).unwrap();
    book.forgo(&row);
    book.note_used(&id(1), units(4));
    assert_eq!(sums(&book), [0, 0, 0], "what is void stays void");
}
