use alloy_primitives::Address;

use super::*;
use crate::evidence::VoidProof;
use crate::fixture::{
    EPOCHS, NOW, PAYEE, VENDOR, admit_at, admit_while, agent, authentic, cancel, code, fees, id,
    intent, policy, proposal, safe, transfer, with_terms, x402,
};
use crate::ledger::LedgerError;
use crate::rows::OutcomeRow;
use crate::rules::AuthenticPolicy;

mod access_key;
mod approvals;
mod composition;
mod interleaving;
mod journal;
mod stops;
mod tempo;
mod trusted;

const OTHER: Address = Address::repeat_byte(0xee);
const ALLOW: &str = "  - allow: { services: vendors }\n  - allow: { recipients: payees }\n";

type Admitted = Result<Reserved, AdmitError<LedgerError>>;

fn allowing() -> AuthenticPolicy {
    policy(ALLOW)
}

fn pay(book: &mut Book, proposal: Proposal) -> Admitted {
    admit_at(&allowing(), proposal, NOW, book)
}

fn transfer_with(n: u64, terms: ChainTerms) -> Proposal {
    with_terms(authentic(intent(n, transfer(10, PAYEE), NOW)), terms)
}

fn void(book: &mut Book, row: &SpendRow) {
    let proof = VoidProof::eip3009(row, false, safe(1, NOW.plus(60))).unwrap();
    book.apply(&OutcomeRow::void(proof, NOW)).unwrap();
}

fn has_no_row(book: &Book) -> bool {
    book.ledger().unwrap().is_empty() && book.intent(&id(1)).unwrap().is_none()
}

#[test]
fn a_first_payment_is_recorded_and_decided() {
    let mut book = Book::new();
    let reserved = pay(&mut book, proposal(1, x402(10, VENDOR, OTHER), NOW)).unwrap();
    assert!(!reserved.same_again());
    assert_eq!(reserved.decision().unwrap().verdict, Verdict::Approve);
    let row = reserved.row().clone();
    assert_eq!((row.intent, row.at, row.policies), (id(1), NOW, EPOCHS));
    assert_eq!(book.slot(&row.slot).unwrap(), Some(SlotRecord::of(&row)));
    assert_eq!(book.state(&id(1)), Some(SpendState::Reserved));
    let payload = reserved.into_payload();
    assert_eq!((payload.digest(), payload.wallet()), (row.digest, row.wallet));
}

#[test]
fn what_is_refused_leaves_no_row() {
    let other_agent = crate::fixture::yaml(7, ALLOW).replace("agent: research-01", "agent: other");
    let other_agent =
        crate::fixture::signed(other_agent).open_policy(&crate::fixture::authority(1, 1)).unwrap();
    let newer = crate::fixture::signed(crate::fixture::yaml(8, ALLOW))
        .open_policy(&crate::fixture::authority(1, 1))
        .unwrap();
    let frozen = Freeze {
        agent: agent(),
        epoch: 1,
        frozen: true,
        reason: "spending spike".to_owned(),
        at: NOW,
    };
    let thawed = Freeze { frozen: false, epoch: 2, ..frozen.clone() };
    let good = || proposal(1, x402(10, VENDOR, OTHER), NOW);
    let late = NOW.plus(60);
    let allowing = allowing();
    let none = policy("  []");
    for (expected, policy, freeze, proposal, now) in [
        ("no_policy", &other_agent, None, good(), NOW),
        ("claim_mismatch", &newer, None, good(), NOW),
        ("agent_frozen", &allowing, Some(&frozen), good(), NOW),
        ("intent_expired", &allowing, None, good(), late),
        ("policy", &none, None, good(), NOW),
        ("policy", &allowing, None, proposal(1, x402(10, "evil.example", OTHER), NOW), NOW),
        ("nothing_to_cancel", &allowing, None, proposal(2, cancel(id(1)), NOW), NOW),
        ("reserved", &allowing, Some(&thawed), good(), late.minus(1)),
    ] {
        let mut book = Book::new();
        let admitted = admit_while(policy, freeze, proposal, now, &mut book);
        assert_eq!(code(&admitted), expected);
        assert_eq!(has_no_row(&book), admitted.is_err(), "{expected}");
    }
}

#[test]
fn the_very_same_may_be_signed_again_and_counts_once() {
    let mut book = Book::new();
    let policy = policy(&format!("{ALLOW}  - rate: {{ count: 1, per: day }}"));
    let same = || proposal(1, x402(10, VENDOR, OTHER), NOW);
    let mut admit_same = |freeze: Option<&Freeze>, now| {
        let admitted = admit_while(&policy, freeze, same(), now, &mut book);
        (code(&admitted), admitted.ok().map(|reserved| reserved.into_payload().digest()))
    };
    let (first, digest) = admit_same(None, NOW);
    assert_eq!(first, "reserved");
    assert_eq!(admit_same(None, NOW.plus(59)), ("same_again".to_owned(), digest));
    assert_eq!(admit_same(None, NOW.plus(60)).0, "intent_expired");
    let frozen = Freeze { agent: agent(), epoch: 1, frozen: true, reason: String::new(), at: NOW };
    assert_eq!(admit_same(Some(&frozen), NOW).0, "agent_frozen");
    assert_eq!(book.ledger().unwrap().len(), 1);
}

#[test]
fn a_void_payment_is_never_signed_again() {
    let mut book = Book::new();
    let same = || proposal(1, x402(10, VENDOR, OTHER), NOW);
    let row = pay(&mut book, same()).unwrap().row().clone();
    void(&mut book, &row);
    assert_eq!(code(&pay(&mut book, same())), "intent_is_over");
}

#[test]
fn an_intent_id_stands_for_one_content() {
    let mut book = Book::new();
    let _ = pay(&mut book, proposal(1, x402(10, VENDOR, OTHER), NOW)).unwrap();
    for other in
        [x402(11, VENDOR, OTHER), x402(10, VENDOR, PAYEE), transfer(10, PAYEE), cancel(id(1))]
    {
        assert_eq!(code(&pay(&mut book, proposal(1, other, NOW))), "intent_reused");
    }
}

#[test]
fn one_intent_has_one_slot_and_one_slot_one_digest() {
    let mut book = Book::new();
    assert_eq!(code(&pay(&mut book, transfer_with(1, fees(3, 100, 1)))), "reserved");
    assert_eq!(code(&pay(&mut book, transfer_with(1, fees(4, 100, 1)))), "intent_has_slot");
    assert_eq!(code(&pay(&mut book, transfer_with(2, fees(3, 100, 1)))), "slot_taken");
    assert_eq!(code(&pay(&mut book, transfer_with(2, fees(3, 200, 1)))), "slot_taken");
    assert_eq!(code(&pay(&mut book, transfer_with(2, fees(4, 100, 1)))), "reserved");
}

#[test]
fn only_a_higher_fee_replaces_a_transfer() {
    let gas = |gas_limit, terms| match terms {
        ChainTerms::Eip1559 { nonce, max_fee_per_gas, max_priority_fee_per_gas, .. } => {
            ChainTerms::Eip1559 { nonce, gas_limit, max_fee_per_gas, max_priority_fee_per_gas }
        }
        other => other,
    };
    let mut book = Book::new();
    let policy = policy(&format!("{ALLOW}  - rate: {{ count: 1, per: day }}"));
    for (terms, expected) in [
        (fees(3, 100, 10), "reserved"),
        (fees(3, 100, 10), "same_again"),
        (fees(3, 100, 11), "slot_taken"),
        (fees(3, 99, 10), "slot_taken"),
        (fees(3, 101, 9), "slot_taken"),
        (gas(59_999, fees(3, 101, 10)), "slot_taken"),
        (fees(3, 101, 10), "reserved"),
        (fees(3, 101, 10), "same_again"),
        // The older one is not signed again: the slot holds the newer one.
        (fees(3, 100, 10), "slot_taken"),
        (gas(70_000, fees(3, 200, 20)), "reserved"),
    ] {
        let admitted = admit_at(&policy, transfer_with(1, terms.clone()), NOW, &mut book);
        assert_eq!(code(&admitted), expected, "{terms:?}");
        if let Ok(reserved) = admitted {
            assert_eq!(reserved.row().slot, transfer_with(1, fees(3, 1, 1)).slot());
        }
    }
    assert_eq!(book.ledger().unwrap().len(), 1, "one payment, however often");
}

#[test]
fn a_cancellation_takes_the_slot_and_keeps_the_reservation() {
    let mut book = Book::new();
    let original = || proposal(1, x402(10, VENDOR, OTHER), NOW);
    let row = pay(&mut book, original()).unwrap().row().clone();
    let taken = pay(&mut book, proposal(2, cancel(id(1)), NOW)).unwrap();
    assert_eq!(
        (taken.row().slot.clone(), taken.row().replaces),
        (row.slot.clone(), Some(row.digest))
    );
    assert_ne!(taken.row().digest, row.digest);
    for (proposal, expected) in [
        (proposal(2, cancel(id(1)), NOW), "same_again"),
        // Whoever asked to take it back must not be handed it.
        (original(), "slot_taken"),
        // Another cancellation of the same authorization is the same bytes.
        (proposal(3, cancel(id(1)), NOW), "reserved"),
        (proposal(4, cancel(id(9)), NOW), "nothing_to_cancel"),
        (proposal(5, cancel(id(2)), NOW), "nothing_to_cancel"),
    ] {
        assert_eq!(code(&pay(&mut book, proposal)), expected);
    }
    assert_eq!(book.state(&id(1)), Some(SpendState::Reserved), "until the chain has shown which");
    assert_eq!(book.ledger().unwrap().len(), 1);
}

#[test]
fn a_cancellation_is_for_the_wallet_that_paid() {
    let mut book = Book::new();
    let _ = pay(&mut book, proposal(1, x402(10, VENDOR, OTHER), NOW)).unwrap();
    let mut other_wallet = intent(2, cancel(id(1)), NOW);
    other_wallet.wallet = OTHER;
    let other_wallet = authentic(other_wallet);
    let terms = crate::proposal::terms_without_chain(&other_wallet).unwrap();
    let admitted = pay(&mut book, with_terms(other_wallet, terms));
    assert_eq!(code(&admitted), "nothing_to_cancel");
    // Transfers have no authorization that could be taken back.
    let _ = pay(&mut book, transfer_with(3, fees(3, 100, 1))).unwrap();
    assert_eq!(code(&pay(&mut book, proposal(4, cancel(id(3)), NOW))), "nothing_to_cancel");
}

#[test]
fn equal_rows_make_equal_books() {
    let mut book = Book::new();
    let mut rows = Vec::new();
    for proposal in [
        proposal(1, x402(10, VENDOR, OTHER), NOW),
        transfer_with(2, fees(2, 100, 1)),
        proposal(3, cancel(id(1)), NOW),
        transfer_with(2, fees(2, 200, 1)),
    ] {
        rows.push(pay(&mut book, proposal).unwrap().row().clone());
    }
    let mut rebuilt = Book::new();
    for row in &rows {
        let stored = serde_json::to_string(row).unwrap();
        rebuilt.record(&serde_json::from_str(&stored).unwrap()).unwrap();
    }
    assert_eq!(rebuilt, book);
}
