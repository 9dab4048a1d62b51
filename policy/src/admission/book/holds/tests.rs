use crate::admission::{Book, RecordSpend as _};
use crate::fixture::{NOW, PAYEE, VENDOR, proposal, row as row_of, units, x402};
use crate::ledger::{LedgerError, Measure, Scope};
use crate::rows::{HoldId, HoldKind, HoldOutcome, HoldOutcomeRow, HoldRow};
use crate::subject::Subject::Organisation;
use crate::window::TZDB_VERSION;

#[test]
fn what_is_held_counts_in_a_book_until_it_ends() {
    let like = row_of(&proposal(1, x402(10, VENDOR, PAYEE), NOW), NOW);
    let row = HoldRow {
        hold: HoldId([1; 32]),
        kind: HoldKind::SessionDeposit,
        agent: like.agent,
        wallet: like.wallet,
        chain: like.chain,
        token: like.token,
        amount: units(10),
        protocol: like.kind.protocol(),
        recipient: like.recipient,
        service: like.service,
        category: None,
        session: None,
        policies: like.policies,
        tzdb: TZDB_VERSION.to_owned(),
        at: NOW,
        expires_at: NOW.plus(60),
    };
    let mut book = Book::new();
    let counted = |book: &Book| {
        let ledger = book.ledger().unwrap();
        ledger.sum(&Organisation, Measure::Amount("USDC"), &Scope::Total, NOW)
    };
    book.hold(&row).unwrap();
    assert_eq!(counted(&book), 10);
    assert_eq!(book.hold(&row), Err(LedgerError::AlreadyRecorded(row.hold.into())));
    let (hold, agent) = (row.hold, row.agent);
    let ended = HoldOutcomeRow { hold, agent, outcome: HoldOutcome::Closed, at: NOW };
    book.apply_hold(&ended).unwrap();
    assert_eq!(counted(&book), 0);
}
