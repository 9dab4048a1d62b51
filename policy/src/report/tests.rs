use super::*;
use crate::admission::{Book, RecordSpend as _};
use crate::document::Ed25519PublicKey;
use crate::fixture::{Anybody, NOW, PAYEE, VENDOR, cancel, id, key, proposal, row, transfer, x402};
use crate::registry::{Outcomes, Payee};

fn report(row: &SpendRow) -> Report {
    Report {
        agent: row.agent.clone(),
        intent: row.intent,
        content_hash: row.content_hash,
        outcome: ReportKind::Undelivered,
        at: NOW,
    }
}

fn paid(n: u64) -> SpendRow {
    row(&proposal(n, x402(10, VENDOR, PAYEE), NOW), NOW)
}

fn open(report: Report, by: u8, row: &SpendRow) -> Result<ReportRow, ReportError> {
    Signed::by(report, &key(by)).unwrap().open_report(&Anybody, row, NOW.plus(5))
}

#[test]
fn a_report_counts_once_for_who_was_paid() {
    let paid = paid(1);
    let mut book = Book::new();
    let opened = open(report(&paid), 7, &paid).unwrap();
    let payee = Payee::of(paid.service.as_ref(), paid.recipient).unwrap();
    let of = |book: &Book| book.experience().unwrap().of(&payee);
    for _ in 0..9 {
        book.report(&opened);
        assert_eq!(of(&book), Outcomes { undelivered: 1, ..Outcomes::default() });
    }
    // Said anew at another time, it is still said of the same payment.
    let later = open(Report { at: NOW.plus(9), ..report(&paid) }, 7, &paid).unwrap();
    book.report(&later);
    assert_eq!(of(&book).undelivered, 1);
    for outcome in ReportKind::ALL {
        let other = open(Report { outcome, ..report(&paid) }, 7, &paid).unwrap();
        book.report(&other);
    }
    assert_eq!(of(&book), Outcomes { settled: 0, refused: 1, undelivered: 1, disputed: 1 });
    assert_eq!(of(&book).score(80), 32, "80 * 10 / 25: all that one payment can do");
}

#[test]
fn a_report_says_what_was_signed_and_when_it_was_learned() {
    let paid = paid(1);
    let opened = open(report(&paid), 7, &paid).unwrap();
    assert_eq!((opened.agent(), opened.intent()), (&paid.agent, paid.intent));
    assert_eq!((opened.kind(), opened.at()), (ReportKind::Undelivered, NOW.plus(5)));
    assert_eq!(Some(opened.payee()), Payee::of(paid.service.as_ref(), None).as_ref());
    let transferred = row(&proposal(2, transfer(10, PAYEE), NOW), NOW);
    let opened = open(report(&transferred), 7, &transferred).unwrap();
    assert_eq!(opened.payee(), &Payee::Recipient(PAYEE));
}

#[test]
fn a_report_is_of_the_agent_s_own_payment() {
    let (paid, other) = (paid(1), paid(2));
    let stranger = AgentId::new("other").unwrap();
    assert!(open(report(&paid), 7, &paid).is_ok());
    assert!(matches!(open(report(&paid), 8, &paid), Err(ReportError::Document(_))));
    for wrong in [
        report(&other),
        Report { intent: other.intent, ..report(&paid) },
        Report { content_hash: other.content_hash, ..report(&paid) },
        Report { agent: stranger, ..report(&paid) },
    ] {
        let (intent, agent) = (wrong.intent, wrong.agent.clone());
        let refused = open(wrong, 7, &paid);
        assert_eq!(refused, Err(ReportError::OtherPayment { intent, agent }));
    }
}

#[test]
fn a_payment_can_be_reported_for_ninety_days() {
    let paid = paid(1);
    let until = paid.at.plus(REPORT_SECONDS_MAX);
    let open = |now| Signed::by(report(&paid), &key(7)).unwrap().open_report(&Anybody, &paid, now);
    assert!(open(until).is_ok());
    let late = open(until.plus(1));
    assert_eq!(late, Err(ReportError::TooLate { intent: paid.intent, until }));
}

#[test]
fn a_cancellation_paid_nobody() {
    let taken = row(&proposal(2, cancel(id(1)), NOW), NOW);
    let refused = open(report(&taken), 7, &taken);
    assert_eq!(refused, Err(ReportError::PaidNobody { intent: id(2) }));
}

#[test]
fn a_report_that_was_changed_or_comes_from_nobody_is_not_believed() {
    struct Nobody;
    impl AgentKeys for Nobody {
        fn agent_key(&self, _: &AgentId) -> Option<Ed25519PublicKey> {
            None
        }
    }
    let paid = paid(1);
    let good = Signed::by(report(&paid), &key(7)).unwrap();
    assert!(matches!(
        good.clone().open_report(&Nobody, &paid, NOW),
        Err(ReportError::Document(DocumentError::BadSignature { .. }))
    ));
    let mut worse = good.clone();
    worse.document.outcome = ReportKind::Disputed;
    assert!(matches!(worse.open_report(&Anybody, &paid, NOW), Err(ReportError::Document(_))));
    let mut beyond = good;
    beyond.document.at = UnixSeconds(JSON_INTEGER_MAX + 1);
    assert!(matches!(
        beyond.open_report(&Anybody, &paid, NOW),
        Err(ReportError::Document(DocumentError::NotCanonical { .. }))
    ));
}
