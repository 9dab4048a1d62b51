//! What is admitted on Tempo, and what may follow in the life of a channel.

use super::*;
use crate::channel::ChannelAct;
use crate::document::Signed;
use crate::evidence::{ClosedChannel, NoProof, NotSeen, SettledProof, TokenMovement};
use crate::fixture::tempo::{
    SESSION_KEY, challenge, charge, close, exit, open, proof, split, strange, tempo_transfer,
    terms, top_up, voucher,
};
use crate::fixture::{Anybody, WALLET, key, settled, units};
use crate::intent::{
    ExitStep, MppChallenge, MppCharge, Payment, PaymentIntent, TempoNonce, TempoTerms,
};
use crate::mpp::ChannelDescriptor;
use crate::subject::Subject;

mod bounds;
mod deposits;
mod v1;

fn admitted(book: &mut Book, n: u64, payment: Payment) -> SpendRow {
    pay(book, proposal(n, payment, NOW)).unwrap().row().clone()
}

fn refused(book: &mut Book, n: u64, payment: Payment) -> Refusal {
    match pay(book, proposal(n, payment, NOW)) {
        Err(AdmitError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// What an intent is refused for before anything is looked up.
fn unfit(payment: Payment) -> Refusal {
    Signed::by(intent(1, payment, NOW), &key(7)).unwrap().open_intent(&Anybody, NOW).unwrap_err()
}

fn opened(book: &mut Book, n: u64, deposit: u128) -> ChannelDescriptor {
    let row = admitted(book, n, open(deposit, WALLET));
    let Some(ChannelAct::Open { descriptor, .. }) = row.channel else { panic!("{row:?}") };
    descriptor
}

#[test]
fn what_moves_money_counts_and_what_moves_none_does_not() {
    let mut book = Book::new();
    let channel = opened(&mut book, 1, 100);
    admitted(&mut book, 2, charge(7, vec![]));
    admitted(&mut book, 3, tempo_transfer(5, PAYEE));
    admitted(&mut book, 4, top_up(channel, 50));
    admitted(&mut book, 5, proof());
    admitted(&mut book, 6, voucher(channel, 10));
    admitted(&mut book, 7, close(channel, 10));
    admitted(&mut book, 8, exit(channel, ExitStep::RequestClose));
    admitted(&mut book, 9, exit(channel, ExitStep::Withdraw));
    let ledger = book.ledger().unwrap();
    let counted: Vec<_> = (1..=9).map(|n| ledger.entry(&id(n)).map(|e| e.counted)).collect();
    let some = |n| Some(units(n));
    assert_eq!(counted, [some(100), some(7), some(5), some(50), None, None, None, None, None]);
}

#[test]
fn the_same_intent_again_is_the_same_digest_and_counts_once() {
    let mut book = Book::new();
    for payment in [open(100, WALLET), charge(7, vec![]), tempo_transfer(5, PAYEE), proof()] {
        let n = 1 + book.ledger().unwrap().len() as u64;
        let first = admitted(&mut book, n, payment.clone());
        let again = pay(&mut book, proposal(n, payment, NOW)).unwrap();
        assert!(again.same_again());
        assert_eq!(again.row().digest, first.digest);
    }
}

#[test]
fn vouchers_rise_and_stay_within_the_deposit() {
    let mut book = Book::new();
    let channel = opened(&mut book, 1, 100);
    admitted(&mut book, 2, voucher(channel, 40));
    let back = refused(&mut book, 3, voucher(channel, 39));
    assert!(matches!(back, Refusal::VoucherGoesBack { signed, .. } if signed == units(40)));
    let above = refused(&mut book, 4, voucher(channel, 101));
    assert!(matches!(above, Refusal::AboveDeposit { deposit, .. } if deposit == units(100)));
    admitted(&mut book, 5, top_up(channel, 1));
    admitted(&mut book, 6, voucher(channel, 101));
    let unknown = refused(&mut book, 7, voucher(strange(), 1));
    assert!(matches!(unknown, Refusal::UnknownChannel { .. }), "{unknown}");
}

#[test]
fn nothing_is_put_into_a_channel_that_is_being_closed() {
    for end in [|c| close(c, 10), |c| exit(c, ExitStep::RequestClose)] {
        let mut book = Book::new();
        let channel = opened(&mut book, 1, 100);
        admitted(&mut book, 2, voucher(channel, 10));
        admitted(&mut book, 3, end(channel));
        let more = refused(&mut book, 4, top_up(channel, 1));
        assert!(matches!(more, Refusal::ChannelCloses { .. }), "{more}");
        let voucher = refused(&mut book, 5, voucher(channel, 11));
        assert!(matches!(voucher, Refusal::ChannelCloses { .. }), "{voucher}");
    }
    let mut book = Book::new();
    let channel = opened(&mut book, 1, 100);
    admitted(&mut book, 2, close(channel, 10));
    let other = refused(&mut book, 3, close(channel, 11));
    assert!(matches!(other, Refusal::ChannelCloses { .. }), "one end for a channel: {other}");
}

/// A service may count what was paid for and did not come, and agree to nothing less.
#[test]
fn an_end_is_agreed_to_again_at_more_that_vouchers_pay_anyway_and_at_nothing_else() {
    let mut book = Book::new();
    let channel = opened(&mut book, 1, 100);
    admitted(&mut book, 2, voucher(channel, 10));
    admitted(&mut book, 3, voucher(channel, 20));
    let first = admitted(&mut book, 4, close(channel, 10));
    for (n, units) in [(5, 9), (6, 21)] {
        let other = refused(&mut book, n, close(channel, units));
        assert!(matches!(other, Refusal::ChannelCloses { .. }), "{units}: {other}");
    }
    let twice = refused(&mut book, 7, close(channel, 10));
    assert!(matches!(twice, Refusal::SlotTaken { .. }), "one intent for one end: {twice}");
    let second = admitted(&mut book, 8, close(channel, 20));
    assert_ne!((&first.slot, first.digest), (&second.slot, second.digest));
    assert!(pay(&mut book, proposal(8, close(channel, 20), NOW)).unwrap().same_again());
    let back = refused(&mut book, 4, close(channel, 10));
    assert!(matches!(back, Refusal::ChannelCloses { .. }), "it never goes back: {back}");
    let above = refused(&mut book, 9, voucher(channel, 21));
    assert!(matches!(above, Refusal::ChannelCloses { .. }), "{above}");
    let found = book.channels().unwrap().find(&channel.channel_id(4217)).unwrap();
    assert_eq!(
        (found.close, found.signed, found.deposit()),
        (Some(units(20)), units(20), units(100))
    );
    assert_eq!(book.ledger().unwrap().len(), 1, "neither is a payment");
}

#[test]
fn a_session_that_used_350_of_1000_counts_350() {
    let mut book = Book::new();
    let channel = opened(&mut book, 1, 1_000);
    let row = admitted(&mut book, 2, top_up(channel, 500));
    let ledger = book.ledger().unwrap();
    assert_eq!(ledger.open_sessions(&Subject::Organisation), 1);
    let found = book.channels().unwrap().find(&channel.channel_id(4217)).unwrap();
    assert_eq!(found.deposit(), units(1_500));
    assert_eq!(found.shares(units(350)), [(id(1), units(350)), (id(2), Amount::ZERO)]);
    assert_eq!(found.shares(units(1_200)), [(id(1), units(1_000)), (id(2), units(200))]);

    let open_row = crate::fixture::row(&proposal(1, open(1_000, WALLET), NOW), NOW);
    book.apply(&settled(&open_row, 350)).unwrap();
    book.apply(&settled(&row, 0)).unwrap();
    let ledger = book.ledger().unwrap();
    assert_eq!(ledger.entry(&id(1)).unwrap().counted, units(350));
    assert_eq!(ledger.entry(&id(2)).unwrap().counted, Amount::ZERO);
    assert_eq!(ledger.open_sessions(&Subject::Organisation), 0);
    let gone = refused(&mut book, 3, voucher(channel, 1));
    assert!(matches!(gone, Refusal::UnknownChannel { .. }), "{gone}");
}

#[test]
fn the_end_of_a_channel_is_proved_by_its_own_log() {
    let mut book = Book::new();
    let channel = opened(&mut book, 1, 1_000);
    let row = crate::fixture::row(&proposal(1, open(1_000, WALLET), NOW), NOW);
    let id = channel.channel_id(4217);
    let closed = ClosedChannel {
        channel: id,
        settled: units(350),
        transaction: B256::repeat_byte(1),
        block: 5,
    };
    let at = safe(5, NOW);
    let proof = SettledProof::deposit(&row, &closed, units(350), at).unwrap();
    assert_eq!(proof.amount(), units(350));
    let other = ClosedChannel { channel: strange().channel_id(4217), ..closed.clone() };
    let young = ClosedChannel { block: 6, ..closed.clone() };
    for (seen, share, why) in [
        (&other, 350, NoProof::OtherPayment),
        (&closed, 351, NoProof::OtherPayment),
        (&young, 350, NoProof::NotSafeYet),
    ] {
        assert_eq!(SettledProof::deposit(&row, seen, units(share), at), Err(why));
    }
}

#[test]
fn a_transfer_is_proved_by_its_memo_and_void_only_after_its_end() {
    let row = crate::fixture::row(&proposal(1, tempo_transfer(5, PAYEE), NOW), NOW);
    let mark = row.mark.unwrap();
    let seen = TokenMovement {
        token: row.token,
        from: WALLET,
        to: PAYEE,
        amount: units(5),
        memo: mark.memo,
        transaction: B256::repeat_byte(2),
        block: 3,
    };
    assert!(SettledProof::tempo(&row, &seen, safe(3, NOW)).is_ok());
    for other in [
        TokenMovement { to: OTHER, ..seen.clone() },
        TokenMovement { memo: B256::ZERO, ..seen.clone() },
        TokenMovement { amount: units(4), ..seen.clone() },
        TokenMovement { from: OTHER, ..seen.clone() },
    ] {
        let proof = SettledProof::tempo(&row, &other, safe(3, NOW));
        assert_eq!(proof, Err(NoProof::OtherPayment));
    }
    let end = NOW.plus(25);
    let (before, after) = (safe(1, end.minus(901)), safe(9, end));
    assert!(VoidProof::tempo(&row, NotSeen { from: before, to: after }).is_ok());
    let early = VoidProof::tempo(&row, NotSeen { from: before, to: safe(8, end.minus(1)) });
    assert!(matches!(early, Err(NoProof::StillValid { .. })), "{early:?}");
    let little = VoidProof::tempo(&row, NotSeen { from: safe(2, end.minus(900)), to: after });
    assert!(matches!(little, Err(NoProof::SearchedTooLittle { .. })), "{little:?}");
    let all = NotSeen { from: safe(0, NOW), to: after };
    assert!(VoidProof::tempo(&row, all).is_ok(), "nothing comes before the first block");
}

#[test]
fn splits_are_payees_as_well() {
    let mut book = Book::new();
    let lists = format!("{ALLOW}  - block: {{ recipients: ['{OTHER}'] }}\n");
    let blocked = policy(&lists);
    let to_other = || proposal(1, charge(10, vec![split(OTHER, 1)]), NOW);
    let refusal = admit_at(&blocked, to_other(), NOW, &mut book);
    assert!(matches!(refusal, Err(AdmitError::Refused(Refusal::Policy(_)))), "{refusal:?}");
    assert!(matches!(unfit(charge(10, vec![split(OTHER, 10)])), Refusal::SplitsTakeAll));
    assert!(matches!(unfit(charge(10, vec![split(OTHER, 11)])), Refusal::SplitsTakeAll));
    let many = (0..11).map(|_| split(OTHER, 1)).collect();
    assert!(matches!(unfit(charge(100, many)), Refusal::TooManySplits { limit: 10 }));
}

#[test]
fn a_realm_is_the_host_that_was_asked() {
    let Payment::MppCharge(paid) = charge(10, vec![]) else { unreachable!() };
    let foreign = MppChallenge { realm: "other.example".to_owned(), ..challenge() };
    let payment = Payment::MppCharge(MppCharge { challenge: foreign, ..paid });
    assert!(matches!(unfit(payment), Refusal::RealmIsNotTheHost { .. }));
}

#[test]
fn fees_and_ends_have_ceilings() {
    let with = |terms: TempoTerms| match tempo_transfer(5, PAYEE) {
        Payment::TempoTransfer(t) => {
            Payment::TempoTransfer(crate::intent::TempoTransfer { terms, ..t })
        }
        other => other,
    };
    let dear = TempoTerms { max_fee_per_gas: units(100_000_000_001), ..terms() };
    assert!(matches!(unfit(with(dear)), Refusal::FeeTooHigh { .. }));
    let wide = TempoTerms { gas_limit: 30_000_000, ..terms() };
    assert!(matches!(unfit(with(wide)), Refusal::FeeTooHigh { .. }));
    let long = TempoTerms { valid_before: NOW.plus(31), ..terms() };
    assert!(matches!(unfit(with(long.clone())), Refusal::ValidityTooLong { .. }));
    let lane = TempoTerms { nonce: TempoNonce::Lane, ..long };
    let made: PaymentIntent = intent(1, with(lane), NOW);
    assert!(Signed::by(made, &key(7)).unwrap().open_intent(&Anybody, NOW).is_ok());
    let coin = TempoTerms { fee_token: Some(OTHER), ..terms() };
    assert!(matches!(unfit(with(coin)), Refusal::UnknownAsset { .. }));
}

#[test]
fn vouchers_of_a_sessions_key_are_not_the_wallets_to_sign() {
    let mut book = Book::new();
    let row = admitted(&mut book, 1, open(100, SESSION_KEY));
    let Some(ChannelAct::Open { descriptor, .. }) = row.channel else { panic!("{row:?}") };
    assert!(matches!(unfit(voucher(descriptor, 1)), Refusal::NotTheVoucherSigner));
    assert!(matches!(unfit(close(descriptor, 1)), Refusal::NotTheVoucherSigner));
}

#[test]
fn base_and_tempo_do_not_lend_each_other_their_payments() {
    let Payment::Transfer(base) = transfer(5, PAYEE) else { unreachable!() };
    let (chain, token) = (crate::chain::Chain::Tempo, crate::chain::PATH_USD);
    let moved = Payment::Transfer(crate::intent::Transfer { chain, token, ..base });
    assert!(matches!(unfit(moved), Refusal::NotOnThatChain { .. }));
}
