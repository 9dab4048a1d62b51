//! MPP sessions: what a session's key signs, and what it does not.

use alloy_primitives::{B256, keccak256};
use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use tercet_policy::chain::{Chain, PATH_USD};
use tercet_policy::evidence::{
    ChannelDeposit, DepositedProof, FeeProof, NotSeen, SafeBlock, VoidProof,
};
use tercet_policy::intent::{
    MppChallenge, MppOpen, MppTopUp, PaymentIntent, Service, TempoNonce, TempoTerms,
};
use tercet_policy::ledger::LedgerError;
use tercet_policy::mpp::{ChannelAmount, ChannelDescriptor, voucher_preimage};
use tercet_policy::payload::MppSignature;
use tercet_policy::tempo::gas;

use super::house::{PAYEE, intent};
use super::parts::ours;
use super::*;

const SALT: B256 = B256::repeat_byte(0x5a);
fn terms() -> TempoTerms {
    TempoTerms {
        nonce: TempoNonce::Expiring,
        valid_before: NOW.plus(25),
        gas_limit: gas::OPEN_GAS,
        max_fee_per_gas: Amount::from_base_units(gas::MAX_FEE_PER_GAS),
        max_priority_fee_per_gas: Amount::from_base_units(gas::MAX_PRIORITY_FEE_PER_GAS),
        fee_token: Some(PATH_USD),
    }
}

fn challenge() -> MppChallenge {
    let resource = "https://api.example/stream".to_owned();
    MppChallenge {
        id: "kM9xPqWvT2nJrHsY4aDfEb".to_owned(),
        realm: "api.example".to_owned(),
        service: Service::of(&resource).unwrap(),
        resource,
    }
}

fn open(wallet: Address, authorized_signer: Address, deposit: u128) -> PaymentIntent {
    intent(
        wallet,
        Payment::MppOpen(MppOpen {
            chain: Chain::Tempo,
            token: PATH_USD,
            payee: PAYEE,
            operator: Address::ZERO,
            deposit: Amount::from_base_units(deposit),
            salt: SALT,
            authorized_signer,
            unit_price: Amount::from_base_units(10),
            ends_at: NOW.plus(3_600),
            challenge: challenge(),
            terms: terms(),
        }),
    )
}

/// A house with an open channel of 1,000 units, whose vouchers a session's key signs.
async fn with_channel(count: u8) -> (House, Address, ChannelDescriptor) {
    with_channel_under(policy_text(2, "0.50 pathUSD"), count).await
}

async fn with_channel_under(policy: String, count: u8) -> (House, Address, ChannelDescriptor) {
    let house = House::new().await;
    house.put_policy_text(policy).await;
    let wallet = house.stocked(count).await;
    let agent = house.signer(Party::Agent);
    let signer = agent.session_signer(wallet, SALT).unwrap();
    let envelope = house.sign_intent(open(wallet, signer, 1_000));
    let (part, pending) = agent.begin_payment(ours(&envelope)).await.unwrap();
    let operator = house.signer(Party::Operator);
    let claim = ProposalClaim { policies: epochs(2), ..house.claim(&envelope) };
    let asked = PartRequest { claim: Some(claim), ..ours(&envelope) };
    let joined = operator.join_payment(asked, part).await.unwrap();
    let signed = agent.finish_payment(pending, &joined.answer).await.unwrap();
    let FinishedPayment::Tempo(transaction) = signed.payment else { panic!("{signed:?}") };
    (house, wallet, transaction.opens.unwrap())
}

fn ask(channel: ChannelDescriptor, units: u128) -> SessionAsk {
    SessionAsk { chain: Chain::Tempo, channel, cumulative: Amount::from_base_units(units) }
}

fn signer_of(signed: &MppSignature, preimage: &[u8]) -> Address {
    let rsv = signed.signature.to_rsv();
    let signature = Signature::from_slice(&rsv[..64]).unwrap();
    let recovery = RecoveryId::new(rsv[64] == 28, false);
    let digest = keccak256(preimage);
    let key = VerifyingKey::recover_from_prehash(digest.as_slice(), &signature, recovery).unwrap();
    Address::from_public_key(&key)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sessions_key_signs_up_to_the_deposit_and_never_goes_back() {
    let (house, wallet, channel) = with_channel(1).await;
    let agent = house.signer(Party::Agent);
    let signed = agent.sign_voucher(ask(channel, 10), NOW).await.unwrap();
    let amount = ChannelAmount::try_from(Amount::from_base_units(10)).unwrap();
    let chain = Chain::Tempo.id();
    let preimage = voucher_preimage(chain, channel.channel_id(chain), amount);
    assert_eq!(signer_of(&signed, &preimage), channel.authorized_signer);
    assert_eq!(agent.session_signer(wallet, SALT).unwrap(), channel.authorized_signer);

    agent.sign_voucher(ask(channel, 1_000), NOW).await.unwrap();
    assert_eq!(agent.sign_voucher(ask(channel, 1_000), NOW).await.unwrap().chain, Chain::Tempo);
    let back = refusal(agent.sign_voucher(ask(channel, 999), NOW).await);
    assert!(matches!(back, Refusal::VoucherGoesBack { .. }), "{back}");
    let above = refusal(agent.sign_voucher(ask(channel, 1_001), NOW).await);
    assert!(matches!(above, Refusal::AboveDeposit { .. }), "{above}");

    let operator = house.signer(Party::Operator).sign_voucher(ask(channel, 5), NOW).await;
    assert!(operator.is_err(), "{operator:?}");
    let strange = ChannelDescriptor { salt: B256::ZERO, ..channel };
    let unknown = refusal(agent.sign_voucher(ask(strange, 5), NOW).await);
    assert!(matches!(unknown, Refusal::UnknownChannel { .. }), "{unknown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_top_up_raises_what_may_be_signed_and_a_close_ends_it() {
    let (house, wallet, channel) = with_channel(2).await;
    let agent = house.signer(Party::Agent);
    agent.sign_voucher(ask(channel, 900), NOW).await.unwrap();
    let top_up = MppTopUp {
        chain: Chain::Tempo,
        channel,
        additional: Amount::from_base_units(500),
        challenge: challenge(),
        terms: terms(),
    };
    let envelope = house.sign_intent(intent(wallet, Payment::MppTopUp(top_up)));
    let (_part, _pending) = agent.begin_payment(ours(&envelope)).await.unwrap();
    agent.sign_voucher(ask(channel, 1_500), NOW).await.unwrap();

    agent.sign_close(ask(channel, 1_200)).await.unwrap();
    let closed = refusal(agent.sign_voucher(ask(channel, 1_500), NOW).await);
    assert!(matches!(closed, Refusal::ChannelCloses { .. }), "{closed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_node_has_the_same_session_key_and_a_frozen_agent_gets_no_voucher() {
    let (mut house, wallet, channel) = with_channel(1).await;
    house.restart(Party::Agent, |_| ()).await;
    let agent = house.signer(Party::Agent);
    assert_eq!(agent.session_signer(wallet, SALT).unwrap(), channel.authorized_signer);
    agent.sign_voucher(ask(channel, 20), NOW).await.unwrap();

    let freeze = Freeze {
        agent: house.agent.clone(),
        epoch: 1,
        frozen: true,
        reason: "under review".to_owned(),
        at: NOW,
    };
    let signed = Signed::by(freeze, &house.authority).unwrap();
    agent.install_freeze(signed).await.unwrap();
    let frozen = refusal(agent.sign_voucher(ask(channel, 30), NOW).await);
    assert!(matches!(frozen, Refusal::AgentFrozen { .. }), "{frozen}");
    agent.sign_close(ask(channel, 20)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_over_gets_no_voucher_and_its_close() {
    let (house, _, channel) = with_channel(1).await;
    let agent = house.signer(Party::Agent);
    agent.sign_voucher(ask(channel, 10), NOW.plus(3_599)).await.unwrap();
    let over = refusal(agent.sign_voucher(ask(channel, 20), NOW.plus(3_600)).await);
    assert!(matches!(over, Refusal::SessionIsOver { .. }), "{over}");
    agent.sign_close(ask(channel, 10)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_wallet_gets_no_voucher() {
    let (house, wallet, channel) = with_channel(1).await;
    let agent = house.signer(Party::Agent);
    agent.sign_voucher(ask(channel, 10), NOW).await.unwrap();
    agent.journal().stop(wallet, "a proof failed").await.unwrap();
    let stopped = refusal(agent.sign_voucher(ask(channel, 20), NOW).await);
    assert!(matches!(stopped, Refusal::PairFrozen { .. }), "{stopped}");
    agent.sign_close(ask(channel, 10)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_voucher_of_a_sessions_key_adds_no_more_than_the_policy_lets_it() {
    let rule = "  - mpp: { max_voucher_step: 0.000015 pathUSD }\n";
    let policy = format!("{}\n{rule}", policy_text(2, "0.50 pathUSD").trim_end());
    let (house, _, channel) = with_channel_under(policy, 1).await;
    let agent = house.signer(Party::Agent);
    agent.sign_voucher(ask(channel, 10), NOW).await.unwrap();
    agent.sign_voucher(ask(channel, 25), NOW).await.unwrap();
    let step = refusal(agent.sign_voucher(ask(channel, 41), NOW).await);
    assert!(matches!(step, Refusal::VoucherStepTooHigh { .. }), "{step}");
    agent.sign_voucher(ask(channel, 40), NOW).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_has_the_wallet_sign_ends_what_a_sessions_key_signs() {
    let (house, _, channel) = with_channel(1).await;
    let agent = house.signer(Party::Agent);
    agent.sign_voucher(ask(channel, 10), NOW).await.unwrap();
    let rule = "  - mpp: { voucher_signer: wallet }\n";
    let policy = format!("{}\n{rule}", policy_text(3, "0.50 pathUSD").trim_end());
    house.put_policy_text(policy).await;
    let other = refusal(agent.sign_voucher(ask(channel, 20), NOW).await);
    assert!(matches!(other, Refusal::NotTheVoucherSigner), "{other}");
    agent.sign_close(ask(channel, 10)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_goes_back_does_not_prolong_a_session() {
    let (house, _, _) = with_channel(1).await;
    let journal = house.signer(Party::Agent).journal();
    assert_eq!(journal.clamp(NOW.minus(600)), NOW, "the opening was admitted then");
    assert_eq!(journal.clamp(NOW.plus(1)), NOW.plus(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_that_ended_on_the_chain_gets_no_voucher() {
    let (house, _, channel) = with_channel(1).await;
    let agent = house.signer(Party::Agent);
    agent.sign_voucher(ask(channel, 10), NOW).await.unwrap();
    let row = agent.unsettled().await.unwrap().remove(0);
    agent.void(VoidProof::tempo(&row, unseen()).unwrap(), NOW).await.unwrap();
    let gone = refusal(agent.sign_voucher(ask(channel, 20), NOW).await);
    assert!(matches!(gone, Refusal::UnknownChannel { .. }), "{gone}");
}

/// Endpoints that have lost what they showed prove nothing against the journal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_node_calls_no_deposit_void_that_was_seen_in_its_channel() {
    let (mut house, _, channel) = with_channel(1).await;
    let block = |number, timestamp| SafeBlock { number, hash: B256::ZERO, timestamp };
    let row = house.signer(Party::Agent).unsettled().await.unwrap().remove(0);
    let put = ChannelDeposit {
        channel: channel.channel_id(Chain::Tempo.id()),
        amount: row.amount,
        transaction: B256::repeat_byte(1),
        block: 3,
    };
    let seen = DepositedProof::tempo(&row, &put, block(4, NOW)).unwrap();
    let rows = house.signer(Party::Agent).journal().head().rows;
    for _ in 0..2 {
        house.signer(Party::Agent).deposited(seen.clone()).await.unwrap();
    }
    assert_eq!(house.signer(Party::Agent).journal().head().rows, rows + 1, "written once");
    house.restart(Party::Agent, |_| ()).await;
    let agent = house.signer(Party::Agent);
    let unseen = NotSeen { from: block(0, NOW), to: block(9, NOW.plus(25)) };
    let void = agent.void(VoidProof::tempo(&row, unseen).unwrap(), NOW).await;
    let in_channel = LedgerError::DepositInChannel(row.intent);
    assert!(matches!(void, Err(JournalError::Ledger(why)) if why == in_channel), "{void:?}");
    assert_eq!(agent.unsettled().await.unwrap(), [row], "it counts, and is followed");
    agent.sign_voucher(ask(channel, 20), NOW).await.unwrap();
}

/// Every block in which the opening could have been mined.
fn unseen() -> NotSeen {
    let block = |number, timestamp| SafeBlock { number, hash: B256::ZERO, timestamp };
    NotSeen { from: block(0, NOW), to: block(9, NOW.plus(25)) }
}

/// A row that says what is known already would be taken for a forgery when the journal is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_fee_came_to_is_written_once_and_read_back() {
    let (mut house, _, _) = with_channel(1).await;
    let agent = house.signer(Party::Agent);
    let row = agent.unsettled().await.unwrap().remove(0);
    let proof = FeeProof::never_mined(&row, unseen()).unwrap();
    for _ in 0..2 {
        agent.settle_fee(&row, proof.clone(), NOW).await.unwrap();
    }
    drop(agent);
    house.restart(Party::Agent, |_| ()).await;
    let agent = house.signer(Party::Agent);
    let open = agent.unsettled().await.unwrap();
    assert_eq!(open.as_slice(), std::slice::from_ref(&row), "the payment is open");
    let void = VoidProof::tempo(&row, unseen()).unwrap().with_fee(Some(proof));
    agent.void(void, NOW).await.unwrap();
    assert!(agent.unsettled().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_whose_vouchers_a_stranger_signs_is_not_opened() {
    let house = House::new().await;
    house.put_policy(2, "0.50 pathUSD").await;
    let wallet = house.stocked(1).await;
    let agent = house.signer(Party::Agent);
    let envelope = house.sign_intent(open(wallet, Address::repeat_byte(0x66), 1_000));
    let stranger = refusal(agent.begin_payment(ours(&envelope)).await);
    assert!(matches!(stranger, Refusal::NotTheVoucherSigner), "{stranger}");
    let own = house.sign_intent(open(wallet, wallet, 1_000));
    assert!(agent.begin_payment(ours(&own)).await.is_ok(), "the wallet signs its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_node_remembers_that_it_agreed_to_the_end() {
    let (mut house, _, channel) = with_channel(1).await;
    house.signer(Party::Agent).sign_close(ask(channel, 10)).await.unwrap();
    house.restart(Party::Agent, |_| ()).await;
    let agent = house.signer(Party::Agent);
    let closed = refusal(agent.sign_voucher(ask(channel, 20), NOW).await);
    assert!(matches!(closed, Refusal::ChannelCloses { .. }), "{closed}");
    agent.sign_close(ask(channel, 10)).await.unwrap();
}
