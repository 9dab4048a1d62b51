//! Three signers in one process: what they sign together, and what ends a session.

#![allow(clippy::arithmetic_side_effects, reason = "tests may overflow, loudly")]

mod approvals;
mod ceremonies;
mod doubt;
mod house;
mod parts;
mod primes;
mod sessions;
mod tables;

use std::time::{Duration, Instant};

use tercet_policy::document::{Freeze, Signed};
use tercet_policy::intent::Payment;
use tercet_policy::money::Amount;
use tercet_policy::payload::FinishedPayment;
use tercet_policy::proposal::{ChainTerms, ProposalClaim};
use tercet_policy::refusal::{ClaimField, Refusal};
use tokio_util::sync::CancellationToken;

use self::house::{House, NOW, epochs, fresh, honest, policy_text, request, transfer, wires, x402};
use super::*;
use crate::channel::ChannelError;
use crate::session::{SessionError, SessionWire};

fn session_error<T: fmt::Debug>(result: Result<T, GateError>) -> SessionError {
    match result {
        Err(GateError::Failed(Failure::Session(error))) => error,
        other => panic!("{other:?}"),
    }
}

fn refusal<T: fmt::Debug>(result: Result<T, GateError>) -> Refusal {
    match result {
        Err(GateError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_make_a_wallet_and_two_pay_with_it() {
    let house = House::new().await;
    let wallet = house.wallet().await;
    assert_eq!(house.signer(Party::Recovery).wallets().unwrap()[0].address, wallet);
    let envelope = house.sign_intent(x402(wallet, 10_000));
    let claim = house.claim(&envelope);
    let paid = house.pay(&envelope, &claim, honest()).await;
    let paid: Vec<_> = paid.into_iter().map(Result::unwrap).collect();
    assert_eq!(paid[0].payment, paid[1].payment);
    assert_eq!(paid[0].slot, paid[1].slot);
    assert!(matches!(&paid[0].payment, FinishedPayment::X402(x) if x.authorization.from == wallet));
    let rows = house.signer(Party::Operator).head().rows;

    // The same intent again: the same authorization, and nothing more is counted.
    let again = house.pay(&envelope, &claim, honest()).await;
    let again = again.into_iter().map(Result::unwrap).next().unwrap();
    assert_eq!(again.digest, paid[0].digest);
    assert_eq!(house.signer(Party::Operator).head().rows, rows);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_comes_out_as_a_transaction_of_the_wallet() {
    let house = House::new().await;
    let wallet = house.wallet().await;
    let envelope = house.sign_intent(transfer(wallet, 10_000));
    let terms = ChainTerms::Eip1559 {
        nonce: 0,
        gas_limit: 100_000,
        max_fee_per_gas: Amount::from_base_units(1_000_000_000),
        max_priority_fee_per_gas: Amount::from_base_units(1_000_000),
    };
    let claim = ProposalClaim::honest(&house.open(&envelope), terms, epochs(1));
    let paid = house.pay(&envelope, &claim, honest()).await;
    let paid: Vec<_> = paid.into_iter().map(Result::unwrap).collect();
    let FinishedPayment::Transaction(first) = &paid[0].payment else { panic!("{paid:?}") };
    assert_eq!(paid[0].payment, paid[1].payment);
    assert_eq!(first.raw[0], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_courier_that_lies_about_the_amount_is_refused_by_both() {
    let house = House::new().await;
    let wallet = house.wallet().await;
    let envelope = house.sign_intent(x402(wallet, 10_000));
    let mut claim = house.claim(&envelope);
    claim.amount = Amount::from_base_units(1);
    let rows = house.signer(Party::Operator).head().rows;
    for result in house.pay(&envelope, &claim, honest()).await {
        let refused = refusal(result);
        let field = matches!(refused, Refusal::ClaimMismatch { field: ClaimField::Amount, .. });
        assert!(field, "{refused}");
    }
    assert_eq!(house.signer(Party::Operator).head().rows, rows, "nothing was recorded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_refuses_the_other_learns_at_once() {
    let stricter = policy_text(1, "0.001 USDC");
    let house = House::with_operator_rules(Some(&stricter)).await;
    let wallet = house.wallet().await;
    let envelope = house.sign_intent(x402(wallet, 10_000));
    let begun = Instant::now();
    let mut ended = house.pay(&envelope, &house.claim(&envelope), honest()).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(matches!(refusal(ended.remove(1)), Refusal::Policy(_)));
    let told = session_error(ended.remove(0));
    assert!(matches!(told, SessionError::CalledOff { by: Some(Party::Operator) }), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wallets_agents_and_roles_that_are_not_ours_are_refused() {
    let house = House::new().await;
    let wallet = house.wallet().await;
    let other = Address::repeat_byte(7);
    let envelope = house.sign_intent(x402(other, 10_000));
    for result in house.pay(&envelope, &house.claim(&envelope), honest()).await {
        assert!(matches!(refusal(result), Refusal::UnknownWallet { .. }));
    }
    let mut stranger = x402(wallet, 10_000);
    let claim = house.claim(&house.sign_intent(stranger.clone()));
    stranger.agent = AgentId::new("somebody-else").unwrap();
    for result in house.pay(&house.sign_intent(stranger), &claim, honest()).await {
        assert!(matches!(refusal(result), Refusal::UnknownAgent { .. }));
    }
    let envelope = house.sign_intent(x402(wallet, 10_000));
    let asked = request(fresh(), &envelope, &claim);
    let [wire, ..] = &mut wires(&[Party::Recovery], honest())[..] else { panic!() };
    let recovery = house.signer(Party::Recovery);
    let declined = recovery.sign_payment(asked, take(wire), || panic!("admitted")).await;
    assert!(matches!(declined, Err(GateError::Failed(Failure::NotAnEverydayRole))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_agent_pays_nothing_and_makes_no_wallet() {
    let house = House::new().await;
    let wallet = house.wallet().await;
    let (agent, reason) = (house.agent.clone(), "test".to_owned());
    let freeze = Freeze { agent, epoch: 1, frozen: true, reason, at: NOW };
    let freeze = Signed::by(freeze, &house.authority).unwrap();
    for signer in &house.signers {
        signer.install_freeze(freeze.clone()).await.unwrap();
    }
    let envelope = house.sign_intent(x402(wallet, 10_000));
    for result in house.pay(&envelope, &house.claim(&envelope), honest()).await {
        assert!(matches!(refusal(result), Refusal::AgentFrozen { .. }));
    }
    for result in house.make_wallet(9, honest()).await {
        assert!(matches!(refusal(result), Refusal::AgentFrozen { .. }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_a_rule_stopped_pays_nothing_and_makes_no_wallet_until_it_is_thawed() {
    let mut house = House::new().await;
    let wallet = house.wallet().await;
    let rule = "  - freeze: { refusals: 2, per: hour }\n";
    house.put_policy_text(policy_text(2, "0.50 USDC") + rule).await;
    let ask = async |house: &House, units| {
        let envelope = house.sign_intent(x402(wallet, units));
        let claim = ProposalClaim { policies: epochs(2), ..house.claim(&envelope) };
        house.ask(Party::Operator, request(fresh(), &envelope, &claim)).await
    };
    for _ in 0..3 {
        assert!(matches!(refusal(ask(&house, 600_000).await), Refusal::Policy(_)));
    }
    let tripped = house.signer(Party::Operator).tripped();
    assert_eq!(tripped.len(), 1);
    house.restart(Party::Operator, |_| {}).await;
    assert_eq!(house.signer(Party::Operator).tripped(), tripped);
    assert!(matches!(refusal(ask(&house, 1).await), Refusal::AgentFrozen { .. }));
    let made = house.make_wallet(9, honest()).await.remove(usize::from(Party::Operator.index()));
    assert!(matches!(refusal(made), Refusal::AgentFrozen { .. }));
    let (agent, reason) = (house.agent.clone(), "an operator has looked".to_owned());
    let thaw = Freeze { agent, epoch: 1, frozen: false, reason, at: NOW };
    let thaw = Signed::by(thaw, &house.authority).unwrap();
    house.signer(Party::Operator).install_freeze(thaw).await.unwrap();
    assert!(ask(&house, 1).await.is_ok());
    assert!(house.make_wallet(9, honest()).await.iter().all(Result::is_ok));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn altered_repeated_and_swapped_frames_end_the_session_at_both() {
    let house = House::new().await;
    let wallet = house.wallet().await;
    let flip: house::Tamper = Arc::new(|from, _, count, mut bytes| {
        if from == Party::Agent && count == 2 {
            bytes[7] ^= 1;
        }
        vec![(from, bytes)]
    });
    let twice: house::Tamper = Arc::new(|from, _, count, bytes| {
        let copies = if from == Party::Agent && count == 2 { 2 } else { 1 };
        vec![(from, bytes); copies]
    });
    let oversized: house::Tamper = Arc::new(|from, _, count, mut bytes| {
        if from == Party::Agent && count == 2 {
            bytes.resize(crate::channel::FRAME_BYTES_MAX + 1, 0);
        }
        vec![(from, bytes)]
    });
    for (tamper, oversize) in [(flip, false), (twice, false), (oversized, true)] {
        let envelope = house.sign_intent(x402(wallet, 10_000));
        let mut ended = house.pay(&envelope, &house.claim(&envelope), tamper).await;
        let noticed = session_error(ended.remove(1));
        let SessionError::Channel { peer: Party::Agent, error } = noticed else {
            panic!("{noticed:?}")
        };
        let too_large = matches!(error, ChannelError::FrameTooLarge { .. });
        assert_eq!(too_large, oversize, "{error}");
        let told = session_error(ended.remove(0));
        let by_operator = matches!(
            told,
            SessionError::PeerAborted { by: Party::Operator, .. }
                | SessionError::CalledOff { by: Some(Party::Operator) }
        );
        assert!(by_operator, "{told:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_a_party_that_has_no_place_change_nothing() {
    let house = House::new().await;
    let wallet = house.wallet().await;
    let noise: house::Tamper =
        Arc::new(|from, _, _, bytes| vec![(Party::Recovery, vec![1; 48]), (from, bytes)]);
    let envelope = house.sign_intent(x402(wallet, 10_000));
    for result in house.pay(&envelope, &house.claim(&envelope), noise).await {
        result.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calling_a_session_off_ends_it_at_once() {
    let house = House::new().await;
    let wallet = house.wallet().await;
    let envelope = house.sign_intent(x402(wallet, 10_000));
    let mut asked = request(fresh(), &envelope, &house.claim(&envelope));
    let cancel = CancellationToken::new();
    asked.cancel = cancel.clone();
    let mut wires = wires(&Party::EVERYDAY, honest());
    let agent = house.signer(Party::Agent);
    let begun = Instant::now();
    let signing = agent.sign_payment(asked, wires.remove(0), || cancel.cancel());
    let ended = session_error(Box::pin(signing).await);
    assert!(matches!(ended, SessionError::CalledOff { by: None }), "{ended:?}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_policy_epoch_is_asked_for_by_its_number() {
    let house = House::new().await;
    let wallet = house.wallet().await;
    house.put_policy(2, "0.001 USDC").await;
    let envelope = house.sign_intent(x402(wallet, 10_000));
    let mut claim = house.claim(&envelope);
    for result in house.pay(&envelope, &claim, honest()).await {
        let refused = refusal(result);
        let field =
            matches!(refused, Refusal::ClaimMismatch { field: ClaimField::PolicyEpoch, .. });
        assert!(field, "{refused}");
    }
    claim.policies = epochs(2);
    for result in house.pay(&envelope, &claim, honest()).await {
        assert!(matches!(refusal(result), Refusal::Policy(_)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_that_are_not_for_this_node_are_not_taken() {
    let house = House::new().await;
    let signer = house.signer(Party::Operator);
    let roll = signer.journal.roll();
    let mut enrolment = roll.enrolment(&house.agent).unwrap().clone();
    enrolment.epoch = 2;
    enrolment.operator_node.channel = enrolment.recovery_node.channel;
    let signed = Signed::by(enrolment, &house.authority).unwrap();
    let refused = signer.install_enrolment(signed).await;
    assert!(matches!(refused, Err(InstallError::NotThisNode { .. })), "{refused:?}");
    let yaml = "policy: p\nepoch: 3\napplies_to: { agent: research-01 }\nrules: []\n".to_owned();
    let document = tercet_policy::rules::PolicyDocument { yaml };
    let signed = Signed::by(document, &house.authority).unwrap();
    let refused = signer.install_policy(signed).await;
    assert!(matches!(refused, Err(InstallError::GrantsNothing(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_whose_disk_went_back_gets_no_signature() {
    let mut house = House::new().await;
    let wallet = house.wallet().await;
    house.restart(Party::Operator, |_| {}).await;
    let before = house.copy_of(Party::Operator).await;
    let envelope = house.sign_intent(x402(wallet, 10_000));
    for result in house.pay(&envelope, &house.claim(&envelope), honest()).await {
        result.unwrap();
    }
    house.restart(Party::Operator, |home| before.put_over(home)).await;
    let envelope = house.sign_intent(x402(wallet, 20_000));
    let ended = house.pay(&envelope, &house.claim(&envelope), honest()).await;
    let [agent, operator] = &ended[..] else { panic!() };
    let agent_noticed = matches!(
        agent,
        Err(GateError::Failed(Failure::Journal(JournalError::PeerWentBack { .. })))
    );
    let operator_noticed =
        matches!(operator, Err(GateError::Failed(Failure::Journal(JournalError::WentBack { .. }))));
    assert!(agent_noticed || operator_noticed, "{ended:?}");
    assert!(agent.is_err() && operator.is_err(), "{ended:?}");
    // Neither can be talked out of it.
    let again = house.pay(&envelope, &house.claim(&envelope), honest()).await;
    assert!(again.iter().all(Result::is_err), "{again:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wallet_that_was_stopped_signs_again_after_an_operator_has_looked() {
    let house = House::new().await;
    let wallet = house.wallet().await;
    let operator = house.signer(Party::Operator);
    operator.journal.stop(wallet, "a proof failed").await.unwrap();
    assert_eq!(operator.wallets().unwrap()[0].stopped.as_deref(), Some("a proof failed"));
    let envelope = house.sign_intent(x402(wallet, 10_000));
    let claim = house.claim(&envelope);
    let mut ended = house.pay(&envelope, &claim, honest()).await;
    assert!(matches!(refusal(ended.remove(1)), Refusal::PairFrozen { .. }));
    operator.resume(wallet).await.unwrap();
    for result in house.pay(&envelope, &claim, honest()).await {
        result.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_journal_makes_a_node_unfit() {
    let house = House::new().await;
    let wallet = house.wallet().await;
    let operator = house.signer(Party::Operator);
    operator.close().await.unwrap();
    assert_eq!(operator.journal_fault(), None);
    let envelope = house.sign_intent(x402(wallet, 10_000));
    let ended = house.pay(&envelope, &house.claim(&envelope), honest()).await;
    assert!(ended.iter().all(Result::is_err));
    assert!(operator.journal_fault().is_some());
    assert_eq!(operator.bug(), None);
}

fn take(wire: &mut SessionWire) -> SessionWire {
    let (outgoing, incoming) = (wire.outgoing.clone(), tokio::sync::mpsc::channel(1).1);
    SessionWire { outgoing, incoming: std::mem::replace(&mut wire.incoming, incoming) }
}

#[test]
fn a_payment_names_its_kind() {
    // The fixtures above rest on these two being told apart.
    let (one, other) = (x402(Address::ZERO, 1), transfer(Address::ZERO, 1));
    assert!(matches!(one.payment, Payment::X402Exact(_)));
    assert!(matches!(other.payment, Payment::Transfer(_)));
    assert_eq!(one.created_at, NOW);
}
