use alloy_primitives::{Address, B256, keccak256};
use reqwest::Method;
use serde_json::{Value, json};
use tercet_policy::chain::{Chain, PATH_USD};
use tercet_policy::intent::{
    IntentId, MppChallenge, MppOpen, MppProof, Payment, Service, TempoNonce, TempoTerms,
    TempoTransfer,
};
use tercet_policy::money::Amount;

use super::fixture::*;
use super::node::{FakeNode, Manner};
use super::payments::pair;
use crate::clerk::Sighting;
use crate::config::Limits;

const TX: B256 = B256::repeat_byte(4);

fn units(units: u128) -> Amount {
    Amount::from_base_units(units)
}

fn terms(seconds: u64) -> TempoTerms {
    TempoTerms {
        nonce: TempoNonce::Expiring,
        valid_before: now().plus(seconds),
        gas_limit: 1_000_000,
        max_fee_per_gas: units(20_000_000_000),
        max_priority_fee_per_gas: units(1),
        fee_token: Some(PATH_USD),
    }
}

fn challenge() -> MppChallenge {
    MppChallenge {
        id: "kM9xPqWvT2nJrHsY4aDfEb".into(),
        realm: "a.example".into(),
        resource: "https://a.example/q".into(),
        service: Service::of("https://a.example").unwrap(),
    }
}

/// Puts so much into a channel, by a transaction that ends so many seconds from now.
pub(crate) fn open(deposit: u128, seconds: u64) -> Payment {
    Payment::MppOpen(MppOpen {
        chain: Chain::Tempo,
        token: PATH_USD,
        payee: PAYEE,
        operator: Address::ZERO,
        deposit: units(deposit),
        salt: B256::repeat_byte(0x5a),
        authorized_signer: Address::repeat_byte(0x5e),
        unit_price: units(1),
        ends_at: now().plus(3_600),
        challenge: challenge(),
        terms: terms(seconds),
    })
}

fn proof() -> Payment {
    let (chain, token) = (Chain::Tempo, PATH_USD);
    Payment::MppProof(MppProof { chain, token, challenge: challenge() })
}

pub(crate) fn tempo_transfer(amount: u128) -> Payment {
    let (chain, token, terms) = (Chain::Tempo, PATH_USD, terms(25));
    let amount = units(amount);
    Payment::TempoTransfer(TempoTransfer { chain, token, to: PAYEE, amount, memo: None, terms })
}

async fn house() -> House {
    house_with(limits()).await
}

async fn house_with(limits: Limits) -> House {
    let house = House::with(limits).await;
    let yaml = format!(
        "policy: test\nepoch: 2\napplies_to: {{ agent: research-01 }}\nrules:\n  \
         - limit: {{ amount: 5 pathUSD, per: day }}\n  - allow: {{ services: [a.example] }}\n  \
         - allow: {{ recipients: [\"{PAYEE}\"] }}\n"
    );
    assert_eq!(house.put("/v1/policies", &signed_policy(&yaml)).await.0, 201);
    house
}

fn see(house: &House, id: u8, sighting: Sighting) {
    house.chain.show(IntentId([id; 32]), sighting);
}

/// The chain took so much as the fee of a payment that is over.
fn took(house: &House, id: u8, fee: u128) {
    house.chain.fees.lock().unwrap().insert(IntentId([id; 32]).to_string(), units(fee));
}

/// What is reserved and spent of the day's limit. Every transaction counts the most that its fee
/// can be, two cents, until it is known what was taken.
async fn counted(house: &House) -> [String; 2] {
    let [_, _, reserved, spent] = house.budgets("").await[0].clone();
    [reserved, spent]
}

#[tokio::test]
async fn a_deposit_counts_in_full_until_its_channel_ends_and_then_what_was_used() {
    let house = house().await;
    let _operator = FakeNode::join(&house, "op-1", Manner::Signs).await;
    let signed = intent("research-01", 1, open(1_000_000, 25));
    let (status, view) = house.pay_with_part("research-01", &signed).await;
    assert_eq!((status.as_u16(), &view["status"]), (201, &json!("signed")), "{view}");
    assert_eq!(view["signed_by"], "presignature");
    assert!(house.chain.sent.lock().unwrap().is_empty(), "the service brings it to the chain");
    see(&house, 1, Sighting::Deposited { transaction: TX, block: 7 });
    let view = house.until(1, "submitted").await;
    assert_eq!((&view["transaction"], &view["block"]), (&json!(TX), &json!(7)));
    assert_eq!(view["settled_amount"], Value::Null);
    assert_eq!((&view["fee"], &view["fee_taken"]), (&json!("20000"), &Value::Null));
    assert_eq!(counted(&house).await, ["0", "1.02"]);

    let end = B256::repeat_byte(5);
    took(&house, 1, 400);
    see(&house, 1, Sighting::Ended { transaction: end, block: 90, settled: units(350_000) });
    let view = house.until(1, "settled").await;
    assert_eq!((&view["settled_amount"], &view["block"]), (&json!("350000"), &json!(90)));
    assert_eq!((&view["fee"], &view["fee_taken"]), (&json!("400"), &json!(true)));
    assert_eq!(counted(&house).await, ["0", "0.3504"]);
    let house = house.restarted().await;
    assert_eq!(counted(&house).await, ["0", "0.3504"], "and after a restart");
}

/// A payment with a detail that says so.
async fn told(house: &House, id: u8, status: &str, words: &str) -> Value {
    for _ in 0..150 {
        let view = house.until(id, status).await;
        if view["detail"].as_str().is_some_and(|detail| detail.contains(words)) {
            return view;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("payment {id} never told {words:?}: {}", house.until(id, status).await);
}

#[tokio::test]
async fn a_deposit_that_is_in_its_channel_is_followed_by_the_channel_and_never_void() {
    let house = house().await;
    let _operator = FakeNode::join(&house, "op-1", Manner::Signs).await;
    house.pay_with_part("research-01", &intent("research-01", 1, open(1_000_000, 25))).await;
    see(&house, 1, Sighting::Deposited { transaction: TX, block: 7 });
    house.until(1, "submitted").await;
    let searches = *house.chain.searches.lock().unwrap();
    soon(|| *house.chain.states.lock().unwrap() >= 2).await;
    assert_eq!(*house.chain.searches.lock().unwrap(), searches, "its state says enough");

    // The channel has ended, and the logs are pruned.
    see(&house, 1, Sighting::Void { reason: "in no block".into(), transaction: None });
    told(&house, 1, "submitted", "an operator must look").await;
    assert_eq!(counted(&house).await, ["0", "1.02"]);
    see(&house, 1, Sighting::Ended { transaction: TX, block: 90, settled: units(350_000) });
    house.until(1, "settled").await;
    assert_eq!(counted(&house).await, ["0", "0.37"], "nobody knows what was taken as the fee");
}

#[tokio::test]
async fn open_sessions_leave_room_for_payments_and_have_a_limit_of_their_own() {
    let most =
        Limits { payments_open_per_agent_max: 1, deposits_open_per_agent_max: 1, ..limits() };
    let house = house_with(most).await;
    let _operator = FakeNode::join(&house, "op-1", Manner::Signs).await;
    for (id, payment, status) in [
        (1, open(1_000_000, 25), 201),
        (2, open(1_000_000, 25), 429),
        (3, tempo_transfer(10), 201),
        (4, tempo_transfer(10), 429),
    ] {
        let signed = intent("research-01", id, payment);
        let (answered, view) = house.pay_with_part("research-01", &signed).await;
        assert_eq!(answered.as_u16(), status, "{id}: {view}");
    }
    let house = house.restarted().await;
    for (id, payment) in [(5, open(1_000_000, 25)), (6, tempo_transfer(10))] {
        let signed = intent("research-01", id, payment);
        assert_eq!(house.pay_with_part("research-01", &signed).await.0, 429, "{id}");
    }
}

#[tokio::test]
async fn a_deposit_that_was_never_mined_is_given_back_and_a_fee_only_where_none_was_taken() {
    for (fee, counts) in [(Some(0), "0"), (Some(700), "0.0007"), (None, "0.02")] {
        let house = house().await;
        let _operator = FakeNode::join(&house, "op-1", Manner::Signs).await;
        house.pay_with_part("research-01", &intent("research-01", 1, open(1_000_000, 25))).await;
        assert_eq!(counted(&house).await, ["0", "1.02"]);
        fee.into_iter().for_each(|fee| took(&house, 1, fee));
        see(&house, 1, Sighting::Void { reason: "in no block".into(), transaction: None });
        let view = house.until(1, "void").await;
        assert_eq!(view["detail"], "in no block");
        assert_eq!(counted(&house).await, ["0", counts]);
        let house = house.restarted().await;
        assert_eq!(counted(&house).await, ["0", counts], "and after a restart");
    }
}

#[tokio::test]
async fn a_deposit_that_shows_up_after_its_time_is_no_longer_in_doubt() {
    let house = house().await;
    let _operator = FakeNode::join(&house, "op-1", Manner::Signs).await;
    house.pay_with_part("research-01", &intent("research-01", 1, open(1_000_000, 2))).await;
    house.until(1, "unknown").await;
    assert_eq!(counted(&house).await, ["0", "1.02"], "in doubt it counts");
    see(&house, 1, Sighting::Deposited { transaction: TX, block: 7 });
    house.until(1, "submitted").await;
}

#[tokio::test]
async fn a_statement_is_over_with_its_signature_and_can_be_signed_again() {
    let house = house().await;
    let operator = FakeNode::join(&house, "op-1", Manner::Signs).await;
    let signed = intent("research-01", 1, proof());
    for (status, joins) in [(201, 1), (200, 2)] {
        let (answered, view) = house.pay_with_part("research-01", &signed).await;
        assert_eq!((answered.as_u16(), &view["status"]), (status, &json!("settled")), "{view}");
        assert!(view["answer"].is_string() && view["digest"].is_string());
        assert_eq!(operator.joins_seen(), joins);
    }
    assert_eq!(counted(&house).await, ["0", "0"]);
}

#[tokio::test]
async fn a_transfer_of_one_round_trip_is_broadcast_by_us() {
    let house = house().await;
    let operator = FakeNode::join(&house, "op-1", Manner::Signs).await;
    let signed = intent("research-01", 1, tempo_transfer(10));
    let (status, view) = house.pay_with_part("research-01", &signed).await;
    assert_eq!((status.as_u16(), &view["signed_by"]), (201, &json!("presignature")), "{view}");
    assert_eq!((operator.joins_seen(), operator.rounds_seen()), (1, 0));
    let transaction = json!(keccak256([1; 32]));
    assert_eq!((&view["answer"], &view["transaction"]), (&Value::Null, &transaction));
    house.until(1, "submitted").await;
    let (status, view) = house.pay_with_part("research-01", &signed).await;
    assert_eq!((status.as_u16(), &view["status"]), (200, &json!("submitted")), "{view}");
    assert_eq!((&view["transaction"], operator.joins_seen()), (&transaction, 1));
    assert_eq!(house.chain.sent.lock().unwrap().len(), 1);
    see(&house, 1, Sighting::Settled { transaction: TX, block: 9 });
    assert_eq!(house.until(1, "settled").await["block"], 9);
    let path = format!("/v1/payments/{}/sign", IntentId([1; 32]));
    let again = house.call(Some("research-01"), Method::POST, &path, &Value::Null).await;
    assert_eq!(again.0, 403, "there is nothing to sign again: {}", again.1);
}

#[tokio::test]
async fn transfers_of_one_wallet_do_not_wait_for_each_other() {
    let house = house().await;
    let _nodes = pair(&house, Manner::Signs, Manner::Signs).await;
    for id in [1, 2] {
        house.pay("research-01", &intent("research-01", id, tempo_transfer(10))).await;
    }
    house.until(1, "submitted").await;
    let view = house.until(2, "submitted").await;
    assert!(view["slot"].as_str().unwrap().starts_with("tempo-"), "{view}");
}

#[tokio::test]
async fn a_wallets_tokens_are_told_by_name() {
    let house = house().await;
    let (status, page) = house.look(&format!("/v1/wallets/{WALLET}/balance")).await;
    assert_eq!(status, 200, "{page}");
    let lines = page["balances"].as_array().unwrap();
    let tempo = lines.iter().find(|line| line["chain"] == "eip155:4217").unwrap();
    let symbols: Vec<_> =
        tempo["tokens"].as_array().unwrap().iter().map(|t| &t["symbol"]).collect();
    assert_eq!(symbols, ["pathUSD", "USDC.e", "OUSD"]);
    assert_eq!((&tempo["usdc"], &tempo["native"]), (&json!("0"), &json!("0")));
    let base = lines.iter().find(|line| line["chain"] == "eip155:8453").unwrap();
    assert_eq!((&base["usdc"], &base["tokens"][0]["amount"]), (&json!("5"), &json!("5")));
}
