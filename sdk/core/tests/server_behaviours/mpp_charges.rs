//! MPP charges: what is answered, and what a hostile challenge does not get.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};
use tercet::choose::Unacceptable;
use tercet::error::{BadRequest, Declined, Error};
use tercet::journal::State;
use tercet::rules::{FetchRules, MppRules};
use tercet_policy::chain::Chain;
use tercet_policy::intent::Payment;
use tercet_policy::mpp::attribution_memo;

use crate::support::merchant::{PAYEE, WORDS, challenge, offer, resource, response};
use crate::support::{Answer, FakeChain, Hit, World, rules, wallet};

const PATH_USD: &str = "0x20c0000000000000000000000000000000000000";
const ID: &str = "kM9xPqWvT2nJrHsY4aDfEb";

/// Rules that pay on Tempo.
pub(crate) fn tempo_rules() -> FetchRules {
    let mpp = MppRules {
        max_prices: vec!["1 pathUSD".parse().unwrap()],
        max_deposits: vec!["0.1 pathUSD".parse().unwrap()],
        ..MppRules::default()
    };
    FetchRules { chains: vec![Chain::Base, Chain::Tempo], mpp, ..rules() }
}

pub(crate) fn charge() -> Value {
    json!({
        "amount": "10000", "currency": PATH_USD, "recipient": PAYEE,
        "methodDetails": { "chainId": 4217 },
    })
}

/// A challenge as mppx writes it.
pub(crate) fn header_of(intent: &str, request: &Value, more: &str) -> String {
    let request = URL_SAFE_NO_PAD.encode(request.to_string());
    format!(
        "Payment id=\"{ID}\", realm=\"127.0.0.1\", method=\"tempo\", intent=\"{intent}\", \
         request=\"{request}\"{more}"
    )
}

/// Five minutes from the tests' clock.
pub(crate) const EXPIRES: &str = ", expires=\"2027-01-15T08:05:00Z\"";

pub(crate) fn asks(header: String) -> Answer {
    Answer::Respond(response(402, &[("www-authenticate", header)], "{}"))
}

fn paid(transaction: &str) -> Answer {
    let receipt = json!({
        "status": "success", "method": "tempo", "timestamp": "2027-01-15T08:00:01Z",
        "reference": transaction,
    });
    let receipt = URL_SAFE_NO_PAD.encode(receipt.to_string());
    Answer::Respond(response(200, &[("payment-receipt", receipt)], WORDS))
}

fn memo() -> alloy_primitives::B256 {
    attribution_memo("127.0.0.1", None, ID)
}

async fn world(script: impl Fn(Hit) -> Answer + Send + Sync + 'static) -> World {
    World::with(tempo_rules(), Arc::default(), script).await
}

#[tokio::test]
async fn a_charge_is_answered_once_and_proved_by_its_memo() {
    let chain = Arc::new(FakeChain::default());
    let settling = Arc::clone(&chain);
    let world = World::with(tempo_rules(), chain, move |hit| match hit.credential {
        None => asks(header_of("charge", &charge(), EXPIRES)),
        Some(_) => paid(&settling.settle_nonce(memo()).to_string()),
    })
    .await;
    let fetched = world.get("/paid").await.unwrap();
    let receipt = fetched.receipt.unwrap();
    assert!(receipt.verified);
    assert_eq!((receipt.price.as_str(), receipt.memo), ("0.01 pathUSD", Some(memo())));
    assert_eq!(world.state().await, State::Delivered);
    let credential = world.merchant.hits()[1].credential.clone().unwrap();
    assert_eq!(credential["challenge"]["id"], ID);
    assert_eq!(credential["payload"]["type"], "transaction");
    assert_eq!(credential["source"], format!("did:pkh:eip155:4217:{}", wallet()));
    let Payment::MppCharge(made) = world.payer.intents()[0].payment.clone() else { panic!() };
    assert_eq!(made.terms.valid_before.0, crate::support::NOW + 25);
    assert_eq!(made.terms.fee_token, Some(PATH_USD.parse().unwrap()));
}

#[tokio::test]
async fn a_charge_of_nothing_is_answered_with_a_proof() {
    let mut nothing = charge();
    nothing["amount"] = "0".into();
    let world = world(move |hit| match hit.credential {
        None => asks(header_of("charge", &nothing, EXPIRES)),
        Some(_) => resource(),
    })
    .await;
    world.get("/paid").await.unwrap();
    assert_eq!(world.merchant.hits()[1].credential.clone().unwrap()["payload"]["type"], "proof");
    assert_eq!(world.state().await, State::Delivered);
}

/// mpp-rs#337: 36 calls, 73 credentials, 54 debits.
#[tokio::test]
async fn a_second_challenge_after_a_payment_is_not_paid() {
    let world = world(|_| asks(header_of("charge", &charge(), EXPIRES))).await;
    let error = world.get("/paid").await.unwrap_err();
    assert!(matches!(error, Error::Unknown(_)), "{error}");
    world.get("/paid").await.unwrap_err();
    assert_eq!(world.payer.nonces().len(), 1, "one transaction, whatever is answered");
}

#[tokio::test]
async fn a_server_error_after_a_payment_is_an_unknown_outcome() {
    let world = world(|hit| match hit.credential {
        None => asks(header_of("charge", &charge(), EXPIRES)),
        Some(_) => Answer::Respond(response(500, &[], "")),
    })
    .await;
    let error = world.get("/paid").await.unwrap_err();
    assert!(matches!(error, Error::Unknown(_)), "{error}");
    assert_eq!(world.state().await, State::Unknown);
}

#[tokio::test]
async fn a_sponsored_charge_names_no_fee_token() {
    let mut sponsored = charge();
    sponsored["methodDetails"]["feePayer"] = true.into();
    let world = world(move |_| asks(header_of("charge", &sponsored, EXPIRES))).await;
    let _ = world.get("/paid").await;
    let Payment::MppCharge(made) = world.payer.intents()[0].payment.clone() else { panic!() };
    assert_eq!(made.terms.fee_token, None);
}

/// Why the only challenge of a service is not answered.
async fn refused(header: String) -> Unacceptable {
    let world = world(move |_| asks(header.clone())).await;
    match world.declined("/paid").await {
        Declined::NothingAcceptable { mut skipped } => skipped.remove(0).why,
        other => panic!("{other}"),
    }
}

async fn refused_with(path: &str, value: impl Into<Value>) -> Unacceptable {
    let mut request = charge();
    *request.pointer_mut(path).unwrap() = value.into();
    refused(header_of("charge", &request, EXPIRES)).await
}

#[tokio::test]
async fn amounts_are_plain_digits_within_the_limit() {
    for amount in ["+1", "0x10", "1e3", "1.0", "", "01", "-1", "99999999999999999999999999999999"] {
        let why = refused_with("/amount", amount).await;
        assert!(matches!(why, Unacceptable::Amount { .. }), "{amount}: {why}");
    }
    let why = refused_with("/amount", "1000001").await;
    assert!(matches!(why, Unacceptable::TooDear { .. }), "{why}");
}

#[tokio::test]
async fn chain_and_token_are_pinned() {
    for chain in [json!(1), json!(42431), json!(8453), Value::Null] {
        let why = refused_with("/methodDetails/chainId", chain).await;
        assert!(matches!(why, Unacceptable::Chain { .. }), "{why}");
    }
    let other = "0x20c0000000000000000000000000000000000009";
    assert!(matches!(refused_with("/currency", other).await, Unacceptable::Token { .. }));
    let zero = "0x0000000000000000000000000000000000000000";
    assert!(matches!(refused_with("/recipient", zero).await, Unacceptable::Payee { .. }));
}

#[tokio::test]
async fn a_challenge_is_neither_over_nor_without_end() {
    let late = ["2027-01-15T08:00:05Z", "2027-01-15T07:00:00Z", "2037-01-15T08:00:00Z"];
    for expires in late.map(|at| format!(", expires=\"{at}\"")).into_iter().chain([String::new()]) {
        let why = refused(header_of("charge", &charge(), &expires)).await;
        assert!(matches!(why, Unacceptable::Expires { .. }), "{expires}: {why}");
    }
}

#[tokio::test]
async fn the_realm_is_the_host() {
    let header = header_of("charge", &charge(), EXPIRES).replace("127.0.0.1", "bank.example");
    assert!(matches!(refused(header).await, Unacceptable::Realm { .. }));
}

#[tokio::test]
async fn splits_to_strangers_are_not_paid() {
    let mut split = charge();
    let to = "0x3333333333333333333333333333333333333333";
    split["methodDetails"]["splits"] = json!([{ "amount": "1", "recipient": to }]);
    let why = refused(header_of("charge", &split, EXPIRES)).await;
    assert!(matches!(why, Unacceptable::Splits { .. }), "{why}");
}

#[tokio::test]
async fn other_methods_and_credential_headers_are_not_answered() {
    let other = header_of("charge", &charge(), EXPIRES).replace("\"tempo\"", "\"stripe\"");
    assert!(matches!(refused(other).await, Unacceptable::MppMethod { .. }));
    let subscription = header_of("subscription", &charge(), EXPIRES);
    assert!(matches!(refused(subscription).await, Unacceptable::MppMethod { .. }));
    let cookie = format!("{EXPIRES}, header=\"Cookie\"");
    let why = refused(header_of("charge", &charge(), &cookie)).await;
    assert!(matches!(why, Unacceptable::Challenge { .. }), "{why}");
}

#[tokio::test]
async fn two_readings_of_one_challenge_are_none() {
    let twice = format!("{EXPIRES}, ID=\"other\"");
    let why = refused(header_of("charge", &charge(), &twice)).await;
    assert!(matches!(why, Unacceptable::Challenge { .. }), "{why}");
    let request = charge().to_string().replacen('{', "{\"amount\":\"1\",", 1);
    let header = header_of("charge", &charge(), EXPIRES);
    let header = header
        .replace(&URL_SAFE_NO_PAD.encode(charge().to_string()), &URL_SAFE_NO_PAD.encode(request));
    assert!(matches!(refused(header).await, Unacceptable::Challenge { .. }));
    let quoted = format!(", description=\"a, Payment id=\\\"x\\\"\"{EXPIRES}");
    let world = world(move |_| asks(header_of("charge", &charge(), &quoted))).await;
    let _ = world.get("/paid").await;
    assert_eq!(world.payer.intents().len(), 1, "words in a description are no challenge");
}

#[tokio::test]
async fn a_challenge_of_another_body_is_not_answered() {
    let digest = format!("{EXPIRES}, digest=\"sha-256=:{}:\"", "A".repeat(43) + "=");
    assert_eq!(refused(header_of("charge", &charge(), &digest)).await, Unacceptable::OtherBody);
}

#[tokio::test]
async fn the_caller_s_own_authorization_is_kept() {
    let world = world(|_| asks(header_of("charge", &charge(), EXPIRES))).await;
    let mut request = world.merchant.request(Method::GET, "/paid");
    request.headers_mut().insert("authorization", HeaderValue::from_static("Bearer x"));
    let error = world.fetch(request).await.unwrap_err();
    assert!(matches!(error, Error::Declined(_)), "{error}");
    let mut request = world.merchant.request(Method::GET, "/paid");
    request.headers_mut().insert("authorization", HeaderValue::from_static("payment x"));
    let error = world.fetch(request).await.unwrap_err();
    assert!(matches!(error, Error::BadRequest(BadRequest::Header { .. })), "{error}");
}

#[tokio::test]
async fn nothing_is_paid_on_tempo_unless_the_rules_say_so() {
    let world =
        World::with(rules(), Arc::default(), |_| asks(header_of("charge", &charge(), EXPIRES)))
            .await;
    assert!(matches!(world.declined("/paid").await, Declined::NoChallenge { .. }));
}

#[tokio::test]
async fn the_cheaper_protocol_is_paid() {
    for (price, expected) in [("9999", true), ("10001", false)] {
        let mut request = charge();
        request["amount"] = price.into();
        let world = world(move |_| {
            let Answer::Respond(mut both) = challenge(&[offer()]) else { unreachable!() };
            let header = header_of("charge", &request, EXPIRES).parse().unwrap();
            both.headers_mut().insert("www-authenticate", header);
            Answer::Respond(both)
        })
        .await;
        let _ = world.get("/paid").await;
        let made = &world.payer.intents()[0].payment;
        assert_eq!(matches!(made, Payment::MppCharge(_)), expected, "{price}");
    }
}

#[tokio::test]
async fn a_redirect_after_a_payment_is_not_followed() {
    let world = world(|hit| match hit.credential {
        None => asks(header_of("charge", &charge(), EXPIRES)),
        Some(_) => {
            let to = ("location", "http://127.0.0.1:1/".to_owned());
            Answer::Respond(response(307, &[to], ""))
        }
    })
    .await;
    assert!(matches!(world.get("/paid").await, Err(Error::Unknown(_))));
}
