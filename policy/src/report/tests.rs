use super::*;
use crate::admission::{Book, RecordSpend as _};
use crate::fixture::{Anybody, NOW, PAYEE, VENDOR, key, proposal, row, x402};
use crate::registry::Payee;

fn report(row: &SpendRow) -> Report {
    Report {
        agent: row.agent.clone(),
        intent: row.intent,
        content_hash: row.content_hash,
        outcome: ReportKind::Undelivered,
        at: NOW,
    }
}

#[test]
fn a_report_counts_once_for_who_was_paid() {
    let paid = row(&proposal(1, x402(10, VENDOR, PAYEE), NOW), NOW);
    let mut book = Book::new();
    let opened = Signed::by(report(&paid), &key(7)).unwrap();
    let opened = opened.open_report(&Anybody, &paid, NOW).unwrap();
    assert!(book.report(&opened).is_err(), "of a payment that nobody knows");
    book.record(&paid).unwrap();
    book.report(&opened).unwrap();
    book.report(&opened).unwrap();
    let payee = Payee::of(paid.service.as_ref(), paid.recipient).unwrap();
    assert_eq!(book.experience().unwrap().of(&payee).undelivered, 1);
}

#[test]
fn a_report_is_of_the_agent_s_own_payment() {
    let paid = row(&proposal(1, x402(10, VENDOR, PAYEE), NOW), NOW);
    let other = row(&proposal(2, x402(10, VENDOR, PAYEE), NOW), NOW);
    let open = |report: Report, by| {
        Signed::by(report, &key(by)).unwrap().open_report(&Anybody, &paid, NOW)
    };
    assert!(open(report(&paid), 7).is_ok());
    assert!(matches!(open(report(&paid), 8), Err(ReportError::Document(_))));
    assert!(matches!(open(report(&other), 7), Err(ReportError::OtherPayment { .. })));
}
