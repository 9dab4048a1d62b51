use alloy_primitives::address;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

use super::*;
use crate::chain::ASSETS;
use crate::declared::Declared;

const NOW: UnixSeconds = UnixSeconds(1_740_672_089);

struct OneAgent;

impl AgentKeys for OneAgent {
    fn agent_key(&self, agent: &AgentId) -> Option<Ed25519PublicKey> {
        (agent.as_str() == "research-01").then(|| Ed25519PublicKey::of(&key()))
    }
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn x402() -> PaymentIntent {
    PaymentIntent {
        version: 1,
        id: IntentId([1; 32]),
        agent: AgentId::new("research-01").unwrap(),
        wallet: address!("0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"),
        payment: Payment::X402Exact(X402Exact {
            chain: Chain::Base,
            token: ASSETS[0].token,
            to: address!("0x209693Bc6afc0C5328bA36FaF03C514EF312287C"),
            amount: Amount::from_base_units(10_000),
            valid_before: NOW.plus(60),
            resource: "https://api.search.example/q?a=1".into(),
            service: Service::of("https://api.search.example").unwrap(),
        }),
        declared: Declared::default(),
        created_at: NOW,
        expires_at: NOW.plus(60),
    }
}

fn open(intent: PaymentIntent) -> Result<AuthenticIntent, Refusal> {
    Signed::by(intent, &key()).unwrap().open_intent(&OneAgent, NOW)
}

fn code(result: Result<AuthenticIntent, Refusal>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(refusal) => serde_json::to_value(refusal).unwrap()["code"].as_str().unwrap().to_owned(),
    }
}

#[test]
fn a_good_intent_opens_and_survives_json() {
    let signed = Signed::by(x402(), &key()).unwrap();
    let text = serde_json::to_string(&signed).unwrap();
    let again: SignedIntent = serde_json::from_str(&text).unwrap();
    assert_eq!(again, signed);
    assert_eq!(code(again.open_intent(&OneAgent, NOW)), "ok");
}

#[test]
fn every_changed_field_breaks_the_signature() {
    let signed = serde_json::to_value(Signed::by(x402(), &key()).unwrap()).unwrap();
    let other = "0x00000000000000000000000000000000000000aa";
    for (pointer, value) in [
        ("/document/id", json!("22".repeat(32))),
        ("/document/wallet", json!(other)),
        ("/document/payment/to", json!(other)),
        ("/document/payment/token", json!(other)),
        ("/document/payment/amount", json!("10001")),
        ("/document/payment/chain", json!("eip155:84532")),
        ("/document/payment/valid_before", json!(NOW.0 + 61)),
        ("/document/payment/resource", json!("https://api.search.example/other")),
        ("/document/expires_at", json!(NOW.0 + 61)),
    ] {
        let mut changed = signed.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        let changed: SignedIntent = serde_json::from_value(changed).unwrap();
        assert_eq!(code(changed.open_intent(&OneAgent, NOW)), "bad_signature", "{pointer}");
    }
}

#[test]
fn bad_intents_are_refused_by_name() {
    type Change = fn(&mut PaymentIntent);
    fn pay(intent: &mut PaymentIntent) -> &mut X402Exact {
        match &mut intent.payment {
            Payment::X402Exact(x) => x,
            other => panic!("{other:?}"),
        }
    }
    let table: [(&str, Change); 14] = [
        ("unknown_agent", |i| i.agent = AgentId::new("nobody").unwrap()),
        ("intent_expired", |i| i.expires_at = NOW),
        ("intent_from_future", |i| {
            i.created_at = NOW.plus(61);
            i.expires_at = NOW.plus(90);
        }),
        ("intent_lives_too_long", |i| i.expires_at = NOW.plus(3_601)),
        ("validity_too_long", |i| pay(i).valid_before = NOW.plus(901)),
        ("never_valid", |i| pay(i).valid_before = NOW),
        ("unknown_asset", |i| pay(i).token = Address::repeat_byte(9)),
        ("unknown_asset", |i| pay(i).chain = Chain::BaseSepolia),
        ("bad_payee", |i| pay(i).to = Address::ZERO),
        ("bad_payee", |i| pay(i).to = i.wallet),
        ("nothing_to_pay", |i| pay(i).amount = Amount::ZERO),
        ("bad_resource", |i| pay(i).resource = "ftp://api.search.example".into()),
        ("service_is_not_the_host", |i| pay(i).resource = "https://api.search.example.evil".into()),
        ("unknown_version", |i| i.version = 2),
    ];
    for (expected, change) in table {
        let mut intent = x402();
        change(&mut intent);
        assert_eq!(code(open(intent)), expected);
    }
    let mut huge = Signed::by(x402(), &key()).unwrap();
    huge.document.expires_at = UnixSeconds(u64::MAX);
    assert_eq!(code(huge.open_intent(&OneAgent, NOW)), "number_too_large");
}

#[test]
fn what_is_not_understood_is_not_parsed() {
    let good = serde_json::to_value(x402()).unwrap();
    let parse = |value: &Value| serde_json::from_value::<PaymentIntent>(value.clone()).is_ok();
    assert!(parse(&good));
    for (pointer, value) in [
        ("/payment/kind", json!("withdraw_everything")),
        ("/payment/amount", json!(10_000)),
        ("/payment/amount", json!("1e6")),
        ("/payment/amount", json!("-1")),
        ("/payment/amount", json!("0x10")),
        ("/payment/amount", json!("１")),
        ("/payment/chain", json!("base")),
        ("/id", json!("11".repeat(16))),
        ("/agent", json!("Research")),
        ("/wallet", json!("0x19E7")),
    ] {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).unwrap() = value.clone();
        assert!(!parse(&changed), "{pointer} {value}");
    }
    let mut extra = good.clone();
    extra["payment"]["tip"] = json!("1");
    assert!(!parse(&extra), "an unknown field of the payment");
    let mut extra = good;
    extra["memo"] = json!("x");
    assert!(!parse(&extra), "an unknown field of the intent");
}

#[test]
fn services_are_hosts() {
    for (url, service) in [
        ("https://API.Search.Example/x", "api.search.example"),
        ("https://a.example:443/", "a.example"),
        ("https://a.example:8443/", "a.example:8443"),
        ("http://127.0.0.1:4021/paid", "127.0.0.1:4021"),
    ] {
        assert_eq!(Service::of(url).unwrap().as_str(), service);
    }
    for bad in ["", "api", "file:///x", "https://u:p@a.example/", "data:,x", "https://"] {
        assert!(Service::of(bad).is_err(), "{bad}");
    }
}
