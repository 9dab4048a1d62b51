//! What bounds a payment on Tempo: its time, its payees, its session and its fees.

use super::*;
use crate::channel::{self, Channels, EXIT_PAUSE_SECONDS};
use crate::declared::Declared;
use crate::fixture::people;
use crate::intent::{LANE_SECONDS_MAX, MppExit, MppTopUp, MppVoucher, Service, TempoTransfer};
use crate::ledger::{Measure, Scope};
use crate::proposal::terms_without_chain;

/// The payment with these terms instead of its own.
fn with(payment: Payment, change: impl FnOnce(TempoTerms) -> TempoTerms) -> Payment {
    match payment {
        Payment::TempoTransfer(t) => {
            Payment::TempoTransfer(TempoTransfer { terms: change(t.terms), ..t })
        }
        Payment::MppCharge(c) => Payment::MppCharge(MppCharge { terms: change(c.terms), ..c }),
        Payment::MppTopUp(t) => Payment::MppTopUp(MppTopUp { terms: change(t.terms), ..t }),
        Payment::MppExit(e) => Payment::MppExit(MppExit { terms: change(e.terms), ..e }),
        other => other,
    }
}

/// The payment, made at a moment and of a session.
fn made(n: u64, payment: Payment, at: UnixSeconds, session: Option<&str>) -> Proposal {
    let payment = with(payment, |terms| TempoTerms { valid_before: at.plus(25), ..terms });
    let session = session.map(|name| name.parse().unwrap());
    let declared = Declared { session, ..Declared::default() };
    let intent = authentic(PaymentIntent { declared, ..intent(n, payment, at) });
    let terms = terms_without_chain(&intent).unwrap();
    with_terms(intent, terms)
}

fn refused_at(book: &mut Book, proposal: Proposal, at: UnixSeconds) -> Refusal {
    match admit_at(&allowing(), proposal, at, book) {
        Err(AdmitError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// The node's clock is 90 seconds ahead: it admits what the chain took before "a minute ago".
#[test]
fn a_clock_that_is_ahead_does_not_hide_a_mined_payment() {
    let lane = |terms| TempoTerms { nonce: TempoNonce::Lane, ..terms };
    let payment = with(tempo_transfer(5, PAYEE), lane);
    let row = crate::fixture::row(&proposal(1, payment, NOW), NOW.plus(90));
    let first = NOW.plus(25).minus(LANE_SECONDS_MAX + 60);
    assert_eq!(row.terms.first_minable(), Some(first));
    let ChainTerms::Tempo { valid_after, .. } = row.terms else { panic!("{row:?}") };
    assert_eq!(valid_after, first, "the chain itself takes it no earlier");
    let to = safe(9, NOW.plus(25));
    let from = |timestamp| VoidProof::tempo(&row, NotSeen { from: safe(2, timestamp), to });
    let little = Err(NoProof::SearchedTooLittle { from: NOW.plus(30) });
    assert_eq!(from(NOW.plus(30)), little, "a minute before it was admitted, by our clock");
    assert!(from(first).is_err(), "another block of that second may be before it");
    assert!(from(first.minus(1)).is_ok());
}

#[test]
fn a_transaction_that_is_over_is_not_admitted() {
    let mut book = Book::new();
    let over = |at| proposal(1, tempo_transfer(5, PAYEE), at);
    let late = refused_at(&mut book, over(NOW), NOW.plus(25));
    assert!(matches!(late, Refusal::TransactionIsOver { .. }), "{late}");
    assert!(admit_at(&allowing(), over(NOW), NOW.plus(24), &mut book).is_ok());
}

#[test]
fn a_payee_beside_the_primary_one_does_not_evade_the_rules_about_payees() {
    let split_charge = || proposal(1, charge(10, vec![split(OTHER, 4)]), NOW);
    let both = format!("  - allow: {{ services: vendors, recipients: ['{PAYEE}', '{OTHER}'] }}\n");
    let cases = [
        ("  - allow: { services: vendors }\n".to_owned(), false),
        (both.clone(), true),
        (format!("{both}  - payee_pinning: {{ new: refuse, changed: refuse }}\n"), false),
        (format!("{both}  - payee_pinning: {{ new: allow, changed: refuse }}\n"), false),
        (format!("{both}  - freeze: {{ new_payees: 1, per: hour }}\n"), false),
    ];
    for (rules, granted) in cases {
        let mut book = Book::new();
        // The primary payee is one that the service was paid at before.
        let _reserved = pay(&mut book, proposal(9, charge(1, vec![]), NOW)).unwrap();
        let answer = admit_at(&policy(&rules), split_charge(), NOW, &mut book);
        assert_eq!(answer.is_ok(), granted, "{rules}: {answer:?}");
    }
}

/// What a split paid is recorded under nobody's name but the primary payee's.
#[test]
fn sums_of_each_payee_are_not_evaded_by_splits() {
    let both = format!("  - allow: {{ services: vendors, recipients: ['{PAYEE}', '{OTHER}'] }}\n");
    let cases = [
        ("limit: { amount: 1 pathUSD, per: day, by: recipient }", false),
        (
            "limit: { amount: 1 pathUSD, per: day, by: recipient }
    then: ask",
            false,
        ),
        ("limit: { amount: 1 pathUSD, per: day, by: category }", false),
        ("limit: { amount: 1 pathUSD, per: day, by: service }", true),
        ("limit: { amount: 1 pathUSD, per: day }", true),
        ("rate: { count: 5, per: day, by: recipient }", false),
        ("rate: { count: 5, per: day, by: service }", true),
        ("freeze: { new_payees: 5, per: day }", false),
    ];
    for (rule, granted) in cases {
        let rules = policy(&format!("{both}  - {rule}\n{}", people()));
        let mut book = Book::new();
        let split_charge = proposal(1, charge(10, vec![split(OTHER, 4)]), NOW);
        let answer = admit_at(&rules, split_charge, NOW, &mut book);
        let refused = matches!(answer, Err(AdmitError::Refused(Refusal::Policy(_))));
        assert_eq!((answer.is_ok(), refused), (granted, !granted), "{rule}: {answer:?}");
        let alone = proposal(2, charge(10, vec![]), NOW);
        assert!(admit_at(&rules, alone, NOW, &mut book).is_ok(), "{rule}: no split, no refusal");
    }
}

#[test]
fn a_session_does_not_outgrow_its_budget_under_another_name() {
    let mut book = Book::new();
    let open = made(1, open(100, WALLET), NOW, Some("one"));
    let row = admit_at(&allowing(), open, NOW, &mut book).unwrap().row().clone();
    let Some(ChannelAct::Open { descriptor, .. }) = row.channel else { panic!("{row:?}") };
    for name in [Some("two"), None] {
        let more = made(2, top_up(descriptor, 50), NOW, name);
        let refusal = refused_at(&mut book, more, NOW);
        assert!(matches!(refusal, Refusal::OtherSession { .. }), "{refusal}");
    }
    let Payment::MppTopUp(elsewhere) = top_up(descriptor, 50) else { unreachable!() };
    let resource = "https://b.inference.example/q".to_owned();
    let service = Service::of(&resource).unwrap();
    let realm = service.as_str().to_owned();
    let asks = MppChallenge { realm, resource: resource.clone(), service, ..challenge() };
    let elsewhere = Payment::MppTopUp(MppTopUp { challenge: asks, ..elsewhere });
    let refusal = refused_at(&mut book, made(3, elsewhere, NOW, Some("one")), NOW);
    assert!(matches!(refusal, Refusal::OtherSession { .. }), "{refusal}");
    let Payment::MppVoucher(paid) = voucher(descriptor, 5) else { unreachable!() };
    let service = Service::of(&resource).unwrap();
    let elsewhere = Payment::MppVoucher(MppVoucher { resource, service, ..paid });
    let refusal = refused_at(&mut book, made(4, elsewhere, NOW, Some("one")), NOW);
    assert!(matches!(refusal, Refusal::OtherSession { .. }), "{refusal}");
    let more = made(5, top_up(descriptor, 50), NOW, Some("one"));
    assert!(admit_at(&allowing(), more, NOW, &mut book).is_ok());
}

#[test]
fn a_session_that_is_over_takes_no_more_money_and_can_be_left() {
    let mut book = Book::new();
    let channel = opened(&mut book, 1, 100);
    let (before, end) = (NOW.plus(3_599), NOW.plus(3_600));
    let more = made(2, top_up(channel, 1), before, None);
    assert!(admit_at(&allowing(), more, before, &mut book).is_ok());
    for (n, payment) in [(3, top_up(channel, 1)), (4, voucher(channel, 1))] {
        let refusal = refused_at(&mut book, made(n, payment, end, None), end);
        assert!(matches!(refusal, Refusal::SessionIsOver { .. }), "{refusal}");
    }
    for (n, payment) in [(5, close(channel, 1)), (6, exit(channel, ExitStep::RequestClose))] {
        assert!(admit_at(&allowing(), made(n, payment, end, None), end, &mut book).is_ok());
    }
}

#[test]
fn exits_do_not_drain_a_wallet_in_fees() {
    let mut book = Book::new();
    let channel = opened(&mut book, 1, 100);
    let leave = |n, at| made(n, exit(channel, ExitStep::RequestClose), at, None);
    let _reserved = admit_at(&allowing(), leave(2, NOW), NOW, &mut book).unwrap();
    let again = admit_at(&allowing(), leave(2, NOW), NOW, &mut book).unwrap();
    assert!(again.same_again(), "the same step of the same intent costs nothing more");
    let next = NOW.plus(EXIT_PAUSE_SECONDS);
    let early = refused_at(&mut book, leave(3, next.minus(1)), next.minus(1));
    assert!(matches!(early, Refusal::ExitUnderWay { until, .. } if until == next), "{early}");
    let _reserved = admit_at(&allowing(), leave(4, next), next, &mut book).unwrap();

    let fee = terms().fee().base_units();
    let ledger = book.ledger().unwrap();
    let spent = |measure| ledger.sum(&Subject::Organisation, measure, &Scope::Total, NOW);
    assert_eq!(spent(Measure::Amount("pathUSD")), 100 + 3 * fee);
    assert_eq!(spent(Measure::Count), 1);
    assert_eq!(ledger.len(), 1);
    let rules = format!("{ALLOW}  - limit: {{ amount: 0.1 pathUSD, per: day }}\n");
    let full = admit_at(&policy(&rules), made(5, charge(1, vec![]), next, None), next, &mut book);
    assert!(matches!(full, Err(AdmitError::Refused(Refusal::Policy(_)))), "{full:?}");
}

/// On the chain a top-up takes back that the wallet asked to leave.
#[test]
fn a_top_up_is_not_signed_again_once_the_wallet_leaves() {
    let mut book = Book::new();
    let channel = opened(&mut book, 1, 100);
    let more = || made(2, top_up(channel, 50), NOW, None);
    let _reserved = admit_at(&allowing(), more(), NOW, &mut book).unwrap();
    assert!(admit_at(&allowing(), more(), NOW, &mut book).unwrap().same_again());
    let leave = made(3, exit(channel, ExitStep::RequestClose), NOW, None);
    let _reserved = admit_at(&allowing(), leave, NOW, &mut book).unwrap();
    let refusal = refused_at(&mut book, more(), NOW);
    assert!(matches!(refusal, Refusal::ChannelCloses { .. }), "{refusal}");
}

#[test]
fn an_agent_that_is_stopped_leaves_its_channels_and_does_nothing_else() {
    let mut book = Book::new();
    let channel = opened(&mut book, 1, 100);
    let trip = TripRow { agent: agent(), reason: "drill".to_owned(), freeze_epoch: 0, at: NOW };
    book.trip(&trip).unwrap();
    for (n, payment) in [(2, top_up(channel, 1)), (3, close(channel, 1)), (4, charge(1, vec![]))] {
        let refusal = refused_at(&mut book, made(n, payment, NOW, None), NOW);
        assert!(matches!(refusal, Refusal::AgentFrozen { .. }), "{refusal}");
    }
    let frozen = Freeze { agent: agent(), epoch: 1, frozen: true, reason: String::new(), at: NOW };
    for (n, step) in [(5, ExitStep::RequestClose), (6, ExitStep::Withdraw)] {
        let leave = made(n, exit(channel, step), NOW, None);
        let left = admit_while(&allowing(), Some(&frozen), leave, NOW, &mut book);
        assert!(left.is_ok(), "{left:?}");
    }
}

/// A part of an exit, a voucher or a close leaves with its row: no later state tells of it.
#[test]
fn what_moves_nothing_may_be_signed_from_its_row_on() {
    let mut book = Book::new();
    let channel = opened(&mut book, 1, 100);
    assert!(!book.may_have_signed(&id(1)), "a payment is first reserved");
    let signed = [
        (2, voucher(channel, 5)),
        (3, close(channel, 5)),
        (4, exit(channel, ExitStep::RequestClose)),
        (5, proof()),
    ];
    for (n, payment) in signed {
        assert!(!book.may_have_signed(&id(n)), "{n}");
        let _reserved = pay(&mut book, made(n, payment, NOW, None)).unwrap();
        assert!(book.may_have_signed(&id(n)), "{n}");
    }
}

#[test]
fn a_channel_with_more_in_it_than_an_amount_holds_pays_nothing() {
    let row = crate::fixture::row(&proposal(1, open(100, WALLET), NOW), NOW);
    let mut channels = Channels::default();
    channels.record(&row);
    let descriptor = channels.iter().next().unwrap().1.descriptor;
    let more = crate::fixture::row(&proposal(2, top_up(descriptor, 1), NOW), NOW);
    let most = SpendRow { amount: units(u128::MAX), ..more };
    channels.record(&most);
    assert_eq!(channels.iter().next().unwrap().1.deposit(), Amount::ZERO);
}

#[test]
fn a_fee_is_paid_in_the_token_of_the_payment_and_tips_have_a_ceiling() {
    let other = crate::chain::Asset::by_symbol(crate::chain::Chain::Tempo, "OUSD").unwrap().token;
    let foreign = |terms| TempoTerms { fee_token: Some(other), ..terms };
    let refusal = unfit(with(tempo_transfer(5, PAYEE), foreign));
    assert!(matches!(refusal, Refusal::OtherFeeToken { .. }), "{refusal}");
    let tip = |terms| TempoTerms { max_priority_fee_per_gas: units(2_000_000_001), ..terms };
    let refusal = unfit(with(tempo_transfer(5, PAYEE), tip));
    assert!(matches!(refusal, Refusal::FeeTooHigh { .. }), "{refusal}");
}

#[test]
fn nobody_on_the_payees_side_signs_the_vouchers() {
    for signer in [PAYEE, Address::ZERO] {
        let refusal = unfit(open(100, signer));
        assert!(matches!(refusal, Refusal::NotTheVoucherSigner), "{refusal}");
    }
}

#[test]
fn a_channel_is_opened_by_one_intent() {
    let row = crate::fixture::row(&proposal(1, open(100, WALLET), NOW), NOW);
    let mut channels = Channels::default();
    channels.record(&row);
    let check = |n| {
        let intent = intent(n, open(100, WALLET), NOW);
        channel::check(&channels, &intent, row.channel.as_ref(), NOW)
    };
    assert_eq!(check(1), Ok(()));
    assert!(matches!(check(2), Err(Refusal::ChannelIsOpen { .. })));
}
