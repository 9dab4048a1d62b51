//! One round trip: what it signs, and what it does with whatever is wrong.

use alloy_primitives::B256;
use tercet_policy::intent::SignedIntent;
use tercet_policy::proposal::Proposal;
use tercet_policy::rows::PolicyEpochs;

use super::*;
use crate::channel::Letter;
use crate::session::{Hex32, PROTOCOL_VERSION, context};
use crate::stock::{End, Shelf, UNMATCHED_GRACE};
use crate::tss::{PeerFault, PresignatureId, TssError};

pub(super) fn ours(envelope: &SignedIntent) -> PartRequest {
    PartRequest { envelope: envelope.clone(), claim: None, approvals: vec![], now: NOW }
}

fn theirs(house: &House, envelope: &SignedIntent) -> PartRequest {
    PartRequest { claim: Some(house.claim(envelope)), ..ours(envelope) }
}

fn stocks(house: &House, wallet: Address) -> [usize; 2] {
    Party::EVERYDAY.map(|party| house.signer(party).presignatures(wallet))
}

fn peer_fault<T: fmt::Debug>(result: Result<T, GateError>) -> PeerFault {
    match session_error(result) {
        SessionError::Tss(TssError::BadPeer { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

/// A letter of the agent's node that says what an honest one does not.
fn forged(
    house: &House,
    envelope: &SignedIntent,
    presignature: PresignatureId,
    change: impl FnOnce(&mut serde_json::Value),
) -> SealedPart {
    let (agent, operator) = (house.signer(Party::Agent), house.signer(Party::Operator));
    let roll = agent.journal.roll();
    let enrolment = roll.enrolment(&house.agent).unwrap();
    let claim = house.claim(envelope);
    let proposal = Proposal::assemble(house.open(envelope), &claim).unwrap();
    let enrolled = serde_json::to_vec(enrolment).unwrap();
    let context = context("part", &[&enrolled, &proposal.context_hash().0]);
    let start = Hex32(agent.peers.own_start());
    let mut body = serde_json::json!({
        "version": PROTOCOL_VERSION,
        "word": { "start": start, "head": agent.head(), "seen": null },
        "policies": epochs(1),
        "part": Hex32([5; 32]),
    });
    change(&mut body);
    let (from, to) = (Party::Agent, Party::Operator);
    let letter = Letter { presignature: presignature.0, from, to, context };
    let payload = serde_json::to_vec(&body).unwrap();
    let key = operator.identity().public().channel;
    let (_, sealed) = letter.write(agent.identity(), &key, &payload).unwrap();
    SealedPart { presignature, sealed }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_round_trip_pays_and_both_hold_the_payment() {
    let house = House::new().await;
    let wallet = house.stocked(2).await;
    assert_eq!(stocks(&house, wallet), [2, 2]);
    let (agent, operator) = (house.signer(Party::Agent), house.signer(Party::Operator));
    let envelope = house.sign_intent(x402(wallet, 10_000));
    let (part, pending) = agent.begin_payment(ours(&envelope)).await.unwrap();
    assert!(agent.may_have_signed(envelope.document.id).await, "our part may leave");
    let joined = operator.join_payment(theirs(&house, &envelope), part).await.unwrap();
    let finished = agent.finish_payment(pending, &joined.answer).await.unwrap();
    assert_eq!(finished.payment, joined.signed.payment);
    assert_eq!(finished.digest, joined.signed.digest);
    assert!(
        matches!(&finished.payment, FinishedPayment::X402(x) if x.authorization.from == wallet)
    );
    assert_eq!(stocks(&house, wallet), [1, 1]);

    // The same intent again: the same digest, nothing more is counted, another presignature.
    let rows = operator.head().rows;
    let (part, pending) = agent.begin_payment(ours(&envelope)).await.unwrap();
    let again = operator.join_payment(theirs(&house, &envelope), part).await.unwrap();
    let again = agent.finish_payment(pending, &again.answer).await.unwrap();
    assert_eq!(again.digest, finished.digest);
    assert_ne!(again.payment, finished.payment, "the nonce of the signature is another");
    assert_eq!(operator.head().rows, rows);

    let empty = agent.begin_payment(ours(&envelope)).await.map(|_| ());
    assert!(matches!(empty, Err(GateError::Failed(Failure::NoPresignature { .. }))), "{empty:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_is_begun_by_the_operator_and_finished_by_the_agent() {
    let house = House::new().await;
    let wallet = house.stocked(1).await;
    let envelope = house.sign_intent(transfer(wallet, 10_000));
    let terms = ChainTerms::Eip1559 {
        nonce: 0,
        gas_limit: 100_000,
        max_fee_per_gas: Amount::from_base_units(1_000_000_000),
        max_priority_fee_per_gas: Amount::from_base_units(1_000_000),
    };
    let claim = ProposalClaim::honest(&house.open(&envelope), terms, epochs(1));
    let asked = || PartRequest { claim: Some(claim.clone()), ..ours(&envelope) };
    let alone = house.signer(Party::Agent).begin_payment(ours(&envelope)).await.map(|_| ());
    assert!(matches!(alone, Err(GateError::Failed(Failure::NoPresignature { .. }))), "no terms");
    let (part, _pending) = house.signer(Party::Operator).begin_payment(asked()).await.unwrap();
    let joined = house.signer(Party::Agent).join_payment(asked(), part).await.unwrap();
    assert!(matches!(joined.signed.payment, FinishedPayment::Transaction(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_requests_that_race_for_one_presignature_give_one_part() {
    let house = House::new().await;
    let wallet = house.stocked(1).await;
    let (agent, operator) = (house.signer(Party::Agent), house.signer(Party::Operator));
    let envelopes = [1, 2, 3, 4].map(|n| house.sign_intent(x402(wallet, 10_000 + n)));
    let begun = envelopes.iter().map(|envelope| agent.begin_payment(ours(envelope)));
    let mut begun: Vec<_> = futures_util::future::join_all(begun).await;
    let place = begun.iter().position(Result::is_ok).unwrap();
    let (part, _pending) = begun.swap_remove(place).unwrap();
    for other in begun {
        let none = matches!(&other, Err(GateError::Failed(Failure::NoPresignature { .. })));
        assert!(none, "{:?}", other.map(|(part, _)| part));
    }
    let asked = || operator.join_payment(theirs(&house, &envelopes[place]), part.clone());
    let joined = futures_util::future::join_all([asked(), asked(), asked(), asked()]).await;
    assert_eq!(joined.iter().filter(|joined| joined.is_ok()).count(), 1, "{joined:?}");
    for refused in joined.into_iter().filter(Result::is_err) {
        let gone = matches!(&refused, Err(GateError::Failed(Failure::PresignatureGone { .. })));
        assert!(gone, "the courier repeats a letter: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_peer_makes_up_uses_the_presignature_and_then_the_budget_up() {
    let house = House::new().await;
    let wallet = house.stocked(2).await;
    let operator = house.signer(Party::Operator);
    let envelope = house.sign_intent(x402(wallet, 10_000));
    let names = operator.stock().told(shelf(wallet), tokio::time::Instant::now()).0;

    // A part of another digest.
    let part = forged(&house, &envelope, names[0], |_| {});
    let failed = peer_fault(operator.join_payment(theirs(&house, &envelope), part).await);
    assert_eq!(failed, PeerFault::ProofFailed);
    assert_eq!(operator.presignatures(wallet), 0, "there is doubt, so all of them are gone");
    // One that was dropped, and one that never was: that proves nothing.
    for id in [names[1], PresignatureId(B256::repeat_byte(3))] {
        let part = forged(&house, &envelope, id, |_| {});
        let gone = operator.join_payment(theirs(&house, &envelope), part).await;
        assert!(matches!(gone, Err(GateError::Failed(Failure::PresignatureGone { .. }))));
    }
    // One that another letter used.
    for _ in 1..PROOF_FAILURES_MAX {
        assert_eq!(operator.journal.roll().stopped(&wallet), None);
        let part = forged(&house, &envelope, names[0], |_| {});
        let failed = peer_fault(operator.join_payment(theirs(&house, &envelope), part).await);
        assert_eq!(failed, PeerFault::ReusedPresignature);
    }
    let part = forged(&house, &envelope, names[1], |_| {});
    let another = house.sign_intent(x402(wallet, 20_000));
    let stopped = house.signer(Party::Operator).journal.roll().stopped(&wallet).is_some();
    assert!(stopped, "the budget is used up");
    drop(operator.join_payment(theirs(&house, &another), part).await.unwrap_err());
    for result in house.pay(&another, &house.claim(&another), honest()).await.into_iter().skip(1) {
        assert!(matches!(refusal(result), Refusal::PairFrozen { .. }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_courier_can_do_to_a_letter_is_charged_to_nobody() {
    let house = House::new().await;
    let wallet = house.stocked(6).await;
    let (agent, operator) = (house.signer(Party::Agent), house.signer(Party::Operator));
    for n in 0..6 {
        let envelope = house.sign_intent(x402(wallet, 10_000 + n));
        let (mut part, pending) = agent.begin_payment(ours(&envelope)).await.unwrap();
        match n {
            0 => part.sealed[40] ^= 1,
            1 => part.sealed.truncate(20),
            2 => part.sealed = vec![0; 5_000],
            3 => part.presignature = PresignatureId(B256::repeat_byte(1)),
            _ => {}
        }
        let joined = operator.join_payment(theirs(&house, &envelope), part).await;
        let answer = match (n, joined) {
            (0..4, Err(GateError::Failed(Failure::Session(SessionError::Channel { .. })))) => {
                vec![0; 100]
            }
            (4, Ok(mut joined)) => {
                joined.answer[50] ^= 1;
                joined.answer
            }
            (5, Ok(joined)) => {
                agent.finish_payment(pending, &joined.answer).await.unwrap();
                continue;
            }
            (_, other) => panic!("{n}: {other:?}"),
        };
        let failed = session_error(agent.finish_payment(pending, &answer).await);
        assert!(matches!(failed, SessionError::Channel { .. }), "{failed:?}");
        assert!(agent.may_have_signed(envelope.document.id).await, "it stays spent");
    }
    assert_eq!(operator.journal.roll().stopped(&wallet), None);
    assert_eq!(stocks(&house, wallet), [0, 1], "the one whose name was changed is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_courier_that_repeats_delays_and_spoils_letters_stops_no_wallet() {
    let mut house = House::new().await;
    let wallet = house.stocked(4).await;
    let operator = house.signer(Party::Operator);
    let agent = house.signer(Party::Agent);
    let envelope = house.sign_intent(x402(wallet, 10_000));
    let mut old = Vec::new();
    for _ in 0..4 {
        let (part, pending) = agent.begin_payment(ours(&envelope)).await.unwrap();
        drop(pending);
        old.push(part);
    }
    let gone = |joined: &Result<Joined, GateError>| {
        matches!(joined, Err(GateError::Failed(Failure::PresignatureGone { .. })))
    };
    // Garbage under the name first, and then the letter itself, three times.
    for part in &old[..3] {
        let garbage = SealedPart { sealed: vec![1; 200], ..part.clone() };
        drop(operator.join_payment(theirs(&house, &envelope), garbage).await.unwrap_err());
        let late = operator.join_payment(theirs(&house, &envelope), part.clone()).await;
        assert!(gone(&late), "{late:?}");
    }
    drop((agent, operator));
    // Letters of a start that is over, kept back: they say nothing about the peer's start.
    house.restart(Party::Agent, |_| {}).await;
    assert!(house.presign(wallet, 1, honest()).await.into_iter().all(|made| made.is_ok()));
    let operator = house.signer(Party::Operator);
    for part in &old {
        let late = operator.join_payment(theirs(&house, &envelope), part.clone()).await;
        assert!(gone(&late), "{late:?}");
    }
    assert_eq!(stocks(&house, wallet), [1, 1], "nothing that is good was dropped");
    assert_eq!(operator.journal.roll().stopped(&wallet), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_judges_by_other_policies_is_told_so() {
    let house = House::new().await;
    let wallet = house.stocked(1).await;
    let envelope = house.sign_intent(x402(wallet, 10_000));
    let operator = house.signer(Party::Operator);
    let name = operator.stock().told(shelf(wallet), tokio::time::Instant::now()).0[0];
    let other = PolicyEpochs { agent: Some(9), ..epochs(1) };
    let part = forged(&house, &envelope, name, |body| body["policies"] = serde_json::json!(other));
    let rows = operator.head().rows;
    let differs = session_error(operator.join_payment(theirs(&house, &envelope), part).await);
    assert!(matches!(differs, SessionError::Differs { .. }), "{differs:?}");
    assert_eq!((operator.presignatures(wallet), operator.head().rows), (0, rows));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_snapshot_brings_no_presignature_back_and_its_loss_is_nobodys_fault() {
    let mut house = House::new().await;
    let wallet = house.stocked(2).await;
    let before = house.copy_of(Party::Operator).await;
    assert_eq!(stocks(&house, wallet), [2, 0], "the operator's went with its process");
    drop(before);
    let agent = house.signer(Party::Agent);
    for n in 0..2 {
        let envelope = house.sign_intent(x402(wallet, 10_000 + n));
        let (part, pending) = agent.begin_payment(ours(&envelope)).await.unwrap();
        drop(pending);
        let operator = house.signer(Party::Operator);
        let gone = operator.join_payment(theirs(&house, &envelope), part).await;
        let gone = matches!(gone, Err(GateError::Failed(Failure::PresignatureGone { .. })));
        assert!(gone);
    }
    drop(agent);
    // The next session tells the agent that the operator began anew.
    let more = house.presign(wallet, 1, honest()).await;
    assert!(more.into_iter().all(|made| made.unwrap() == 1));
    assert_eq!(stocks(&house, wallet), [1, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_peer_lost_is_dropped_when_they_agree() {
    let house = House::new().await;
    let wallet = house.stocked(2).await;
    house.signer(Party::Operator).doubt_stock(wallet);
    let now = tokio::time::Instant::now();
    let agent = house.signer(Party::Agent);
    let shelf = Shelf { wallet, peer: Party::Operator };
    agent.stock().keep_only(shelf, &[], (now, UNMATCHED_GRACE));
    assert_eq!(agent.presignatures(wallet), 2, "the operator's session may not have ended");
    agent.stock().keep_only(shelf, &[], (now + UNMATCHED_GRACE, UNMATCHED_GRACE));
    assert_eq!(agent.presignatures(wallet), 0);
    let none = house.presign(wallet, 0, honest()).await;
    assert!(none.into_iter().all(|made| made.unwrap() == 0), "they only agree");
}

/// Whether a file below a folder holds one of these numbers, as bytes or hexadecimal digits.
fn holds(folder: &std::path::Path, numbers: &[[u8; 32]]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, numbers);
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        numbers.iter().any(|number| {
            let mut little = *number;
            little.reverse();
            let forms = [number.to_vec(), little.to_vec(), hex::encode(number).into_bytes()];
            forms.iter().any(|form| memchr::memmem::find(&bytes, form).is_some())
        })
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_file_of_a_home_holds_a_number_of_a_presignature() {
    let house = House::new().await;
    let wallet = house.stocked(2).await;
    let envelope = house.sign_intent(x402(wallet, 10_000));
    let (part, _pending) = house.signer(Party::Agent).begin_payment(ours(&envelope)).await.unwrap();
    house.signer(Party::Operator).join_payment(theirs(&house, &envelope), part).await.unwrap();
    for (party, peer) in [(Party::Agent, Party::Operator), (Party::Operator, Party::Agent)] {
        let (signer, now) = (house.signer(party), tokio::time::Instant::now());
        let left = signer.stock().lend(Shelf { wallet, peer }, End::Oldest, now).unwrap();
        let numbers = left.masked().map(|masked| masked.map(|byte| byte ^ crate::tss::MASK));
        let home = signer.vault.home().path();
        assert!(!holds(home, &numbers), "{party}");
        std::fs::write(home.join("found"), hex::encode(numbers[1])).unwrap();
        assert!(holds(home, &numbers), "the search must find what is there");
    }
}

/// The operator's.
fn shelf(wallet: Address) -> Shelf {
    Shelf { wallet, peer: Party::Agent }
}
