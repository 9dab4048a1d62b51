//! An honest service that sells by session, its pieces for dishonest ones, and what a test asks of
//! the wallet afterwards.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tercet::mpp::Session;
use tercet_policy::intent::{ExitStep, Payment};

use crate::mpp_charges::{EXPIRES, asks, charge, header_of, tempo_rules};
use crate::support::merchant::{PAYEE, WORDS, response};
use crate::support::{Answer, Hit, World};

/// Of one unit.
pub(crate) const PRICE: u128 = 10_000;

pub(crate) fn session() -> Value {
    json!({
        "amount": PRICE.to_string(), "currency": charge()["currency"], "recipient": PAYEE,
        "suggestedDeposit": "30000", "unitType": "request",
        "methodDetails": {
            "chainId": 4217, "sessionProtocol": "v2",
            "escrowContract": "0x4d50500000000000000000000000000000000000",
        },
    })
}

pub(crate) fn asks_for(request: &Value) -> Answer {
    asks(header_of("session", request, EXPIRES))
}

pub(crate) fn problem(status: u16, kind: &str) -> Answer {
    let kind = format!("https://paymentauth.org/problems/session/{kind}");
    let header = header_of("session", &session(), EXPIRES);
    let body = json!({ "type": kind }).to_string();
    Answer::Respond(response(status, &[("www-authenticate", header)], body))
}

/// What a service knows of its session.
#[derive(Default)]
pub(crate) struct Till {
    pub(crate) accepted: u128,
    pub(crate) spent: u128,
    pub(crate) deposit: u128,
    pub(crate) actions: Vec<String>,
}

pub(crate) fn number(payload: &Value, field: &str) -> u128 {
    payload[field].as_str().unwrap_or("0").parse().unwrap()
}

/// An honest service: takes what it is given, and serves what is paid for.
pub(crate) fn honest(till: &Mutex<Till>, hit: &Hit) -> Answer {
    let Some(credential) = &hit.credential else { return asks_for(&session()) };
    let payload = &credential["payload"];
    let mut till = till.lock().unwrap();
    let action = payload["action"].as_str().unwrap().to_owned();
    till.actions.push(action.clone());
    if action == "open" {
        // Another channel, which begins at nothing.
        (till.accepted, till.spent) = (0, 0);
    }
    match action.as_str() {
        "topUp" => {
            till.deposit += number(payload, "additionalDeposit");
            return Answer::Respond(response(204, &[], ""));
        }
        "close" => {
            assert_eq!(number(payload, "cumulativeAmount"), till.spent, "closed at what was used");
            assert!(payload["closeSignature"].as_str().unwrap().len() == 132);
            return Answer::Respond(response(204, &[], ""));
        }
        _ => till.accepted = till.accepted.max(number(payload, "cumulativeAmount")),
    }
    if till.accepted < till.spent + PRICE {
        return problem(402, "insufficient-balance");
    }
    till.spent += PRICE;
    let receipt = receipt(&payload["channelId"], till.accepted, till.spent);
    Answer::Respond(response(200, &[("payment-receipt", receipt)], WORDS))
}

pub(crate) fn receipt(channel: &Value, accepted: u128, spent: u128) -> String {
    let receipt = json!({
        "status": "success", "method": "tempo", "timestamp": "2027-01-15T08:00:01Z",
        "intent": "session", "challengeId": "x", "reference": channel, "channelId": channel,
        "acceptedCumulative": accepted.to_string(), "spent": spent.to_string(),
    });
    URL_SAFE_NO_PAD.encode(receipt.to_string())
}

pub(crate) async fn world(script: impl Fn(Hit) -> Answer + Send + Sync + 'static) -> World {
    World::with(tempo_rules(), Arc::default(), script).await
}

pub(crate) async fn served() -> (World, Arc<Mutex<Till>>) {
    let till = Arc::new(Mutex::new(Till { deposit: 30_000, ..Till::default() }));
    let kept = Arc::clone(&till);
    (world(move |hit| honest(&kept, &hit)).await, till)
}

pub(crate) async fn only(world: &World) -> Session {
    let mut all = world.buyer.journal().sessions(10).await.unwrap();
    assert_eq!(all.len(), 1, "one session was expected");
    all.remove(0)
}

/// The kinds of what the wallet itself signed.
pub(crate) fn signed(world: &World) -> Vec<&'static str> {
    let kind = |payment: &Payment| match payment {
        Payment::MppOpen(_) => "open",
        Payment::MppTopUp(_) => "top up",
        Payment::MppExit(exit) if exit.step == ExitStep::RequestClose => "request close",
        Payment::MppExit(_) => "withdraw",
        _ => "other",
    };
    world.payer.intents().iter().map(|intent| kind(&intent.payment)).collect()
}
