//! Deposits that were seen in their channel.

use super::*;
use crate::evidence::{ChannelDeposit, DepositedProof};

fn put(row: &SpendRow, channel: ChannelDescriptor) -> ChannelDeposit {
    let channel = channel.channel_id(4217);
    ChannelDeposit { channel, amount: row.amount, transaction: B256::repeat_byte(3), block: 4 }
}

fn seen(row: &SpendRow, channel: ChannelDescriptor) -> DepositedProof {
    DepositedProof::tempo(row, &put(row, channel), safe(4, NOW)).unwrap()
}

/// What endpoints prove together that have lost the logs and the receipts of the deposit.
fn never_mined(row: &SpendRow) -> OutcomeRow {
    let end = NOW.plus(25);
    let unseen = NotSeen { from: safe(0, NOW), to: safe(9, end) };
    OutcomeRow::void(VoidProof::tempo(row, unseen).unwrap(), end)
}

fn opening(book: &mut Book) -> (SpendRow, ChannelDescriptor) {
    let row = admitted(book, 1, open(1_000, WALLET));
    let Some(ChannelAct::Open { descriptor, .. }) = &row.channel else { panic!("{row:?}") };
    let descriptor = *descriptor;
    (row, descriptor)
}

#[test]
fn a_deposit_that_was_seen_in_its_channel_is_never_void() {
    let mut book = Book::new();
    let (row, channel) = opening(&mut book);
    assert_eq!(book.note_deposited(&seen(&row, channel)), Ok(true));
    assert_eq!(book.note_deposited(&seen(&row, channel)), Ok(false), "it is known");
    let refused = book.apply(&never_mined(&row));
    assert_eq!(refused, Err(LedgerError::DepositInChannel(id(1))));
    assert_eq!(book.ledger().unwrap().entry(&id(1)).unwrap().counted, units(1_000));
    assert!(book.channels().unwrap().find(&channel.channel_id(4217)).is_some());
    book.apply(&settled(&row, 350)).unwrap();
    assert_eq!(book.ledger().unwrap().entry(&id(1)).unwrap().counted, units(350));
    assert_eq!(book.note_deposited(&seen(&row, channel)), Ok(false), "its channel has ended");
}

#[test]
fn an_opening_is_not_void_below_a_top_up_that_was_seen() {
    let mut book = Book::new();
    let (row, channel) = opening(&mut book);
    let more = admitted(&mut book, 2, top_up(channel, 500));
    book.note_deposited(&seen(&more, channel)).unwrap();
    for row in [&row, &more] {
        let refused = book.apply(&never_mined(row));
        assert_eq!(refused, Err(LedgerError::DepositInChannel(row.intent)));
    }
}

#[test]
fn a_top_up_of_an_opening_that_was_seen_can_be_void() {
    let mut book = Book::new();
    let (row, channel) = opening(&mut book);
    let more = admitted(&mut book, 2, top_up(channel, 500));
    book.note_deposited(&seen(&row, channel)).unwrap();
    book.apply(&never_mined(&more)).unwrap();
    assert_eq!(book.ledger().unwrap().entry(&id(2)).unwrap().counted, Amount::ZERO);
    let late = book.note_deposited(&seen(&more, channel));
    assert_eq!(late, Err(LedgerError::OutcomeIsFinal(id(2))));
    assert!(book.apply(&never_mined(&row)).is_err());
}

#[test]
fn a_deposit_is_proved_by_its_own_log_in_a_safe_block() {
    let mut book = Book::new();
    let (row, channel) = opening(&mut book);
    let log = put(&row, channel);
    let strange = ChannelDeposit { channel: strange().channel_id(4217), ..log };
    let less = ChannelDeposit { amount: units(999), ..log };
    let young = ChannelDeposit { block: 5, ..log };
    for (log, why) in [
        (strange, NoProof::OtherPayment),
        (less, NoProof::OtherPayment),
        (young, NoProof::NotSafeYet),
    ] {
        assert_eq!(DepositedProof::tempo(&row, &log, safe(4, NOW)), Err(why));
    }
    let moved = admitted(&mut book, 2, tempo_transfer(1_000, PAYEE));
    let other = DepositedProof::tempo(&moved, &log, safe(4, NOW));
    assert_eq!(other, Err(NoProof::OtherKind));
}
