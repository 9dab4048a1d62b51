//! Conformance vectors of MPP's headers, replayed through what this crate reads and writes them with.
//!
//! Those of `tests/vectors/mpp-headers.json`, which the official SDK made, are replayed always. They
//! have the form of the suite of tempoxyz/mpp-tools, which is not part of this tree: with
//! `MPP_TOOLS_VECTORS` naming its folder `conformance/vectors`, a test that is ignored otherwise
//! replays it. What is not for a client is skipped, by name.

use std::path::Path;

use alloy_primitives::{Address, B256};
use mpp::PaymentChallenge;
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use serde_json::{Map, Value, json};
use tercet_policy::chain::Chain;
use tercet_policy::mpp::attribution_memo;

use super::credential::{accepted, header};
use super::offer::{Offers, request, text};
use super::receipt::ReceiptClaim;

/// Where the suite is, if it is at hand.
const SUITE: &str = "MPP_TOOLS_VECTORS";
/// The files of the suite of which something is replayed.
const FILES: [&str; 5] =
    ["www-authenticate", "authorization", "receipt", "base64url", "tempo-transaction-verification"];
/// What of a file is not replayed, and why.
const SKIPPED: [(&str, &str, &str); 9] = [
    ("www-authenticate", "format", "only a service writes challenges"),
    ("www-authenticate", "roundtrip", "only a service writes challenges"),
    ("authorization", "parse", "only a service reads credentials"),
    ("authorization", "roundtrip", "only a service reads credentials"),
    ("receipt", "format", "only a service writes receipts"),
    ("receipt", "roundtrip", "only a service writes receipts"),
    ("base64url", "format", "the protocol's SDK alone encodes, inside a credential"),
    ("base64url", "roundtrip", "the protocol's SDK alone encodes, inside a credential"),
    ("receipt", "other-method", "a receipt of a method that is not paid with says nothing"),
];
/// Files of the suite of which nothing is replayed, and why.
const SKIPPED_FILES: [(&str, &str); 5] = [
    ("challenge-id", "only a service makes and checks the ids of challenges"),
    ("tempo-proof", "stale: it has version 2 of the domain, and services check version 3"),
    ("tempo-fee-payer-cosign", "only a service pays fees for others"),
    ("tempo-receipt-verification", "only a service takes transactions for payments"),
    ("stripe-external-id-binding", "not a method that is paid with"),
];

/// What became of the vectors of one file.
#[derive(Debug, Default)]
struct Replayed {
    kept: usize,
    skipped: Vec<String>,
}

impl Replayed {
    fn replay(&mut self, file: &str, scenario: &Value) {
        let name = scenario["name"].as_str().unwrap();
        if file == "tempo-transaction-verification" {
            check_memo(name, scenario);
            self.kept = self.kept.saturating_add(1);
            return;
        }
        if let Some(sdks) = scenario["adapters"].as_array()
            && !sdks.contains(&json!("rust"))
        {
            return self.skip(file, name, "it is about another SDK");
        }
        for (test, expected) in scenario["tests"].as_object().unwrap() {
            let good = expected == &json!(true);
            let other_method = file == "receipt"
                && scenario["object"]["method"].as_str().is_some_and(|method| method != "tempo");
            let part = if other_method { "other-method" } else { test };
            let why = SKIPPED.iter().find(|(of, what, _)| (*of, *what) == (file, part));
            if let Some((.., why)) = why {
                self.skip(file, &format!("{name} ({test})"), why);
                continue;
            }
            let wire = wire(scenario);
            match (file, test.as_str()) {
                ("www-authenticate", "parse") => {
                    let read = challenge(&wire);
                    let object = scenario.get("object").filter(|_| good).cloned();
                    assert_eq!(read, object, "{file}/{name}");
                }
                ("authorization", "format") => check_credential(name, &scenario["object"], good),
                ("receipt", "parse") => check_receipt(name, &wire, &scenario["object"], good),
                ("base64url", "parse") => {
                    let read = text(scenario["encoded"].as_str().unwrap()).ok();
                    let decoded = scenario["decoded"].as_str().filter(|_| good);
                    assert_eq!(read.as_deref(), decoded, "{file}/{name}");
                }
                _ => panic!("{file}/{name}: nobody knows how to {test} it"),
            }
            self.kept = self.kept.saturating_add(1);
        }
    }

    fn skip(&mut self, file: &str, name: &str, why: &str) {
        self.skipped.push(format!("{file}/{name}: {why}"));
    }
}

/// The text of a header; the suite writes long ones as a count.
fn wire(scenario: &Value) -> String {
    let wire = &scenario["wire"];
    match wire.as_str() {
        Some(text) => text.to_owned(),
        None => {
            let repeated = wire["repeat"].as_str().unwrap_or_default();
            let times = wire["count"].as_u64().unwrap_or_default();
            let prefix = wire["prefix"].as_str().unwrap_or_default();
            format!("{prefix}{}", repeated.repeat(times.try_into().unwrap()))
        }
    }
}

/// The only challenge of a header, as the suite writes it; nothing where it does not read.
fn challenge(wire: &str) -> Option<Value> {
    let mut headers = HeaderMap::new();
    headers.insert(WWW_AUTHENTICATE, HeaderValue::from_bytes(wire.as_bytes()).ok()?);
    let offers = Offers::read(&headers);
    let mut all = offers.iter();
    let (Some(Ok(read)), None) = (all.next(), all.next()) else { return None };
    let asked: Value = request(read).ok()?;
    let mut object = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        object.extend(value.map(|value| (name.to_owned(), value)));
    };
    put("id", Some(json!(read.id)));
    put("realm", Some(json!(read.realm)));
    put("method", Some(json!(read.method.as_str())));
    put("intent", Some(json!(read.intent.as_str())));
    put("request", Some(asked));
    put("description", read.description.as_ref().map(|text| json!(text)));
    put("digest", read.digest.as_ref().map(|text| json!(text)));
    put("expires", read.expires.as_ref().map(|text| json!(text)));
    put("opaque", read.opaque.as_ref().map(|opaque| json!(opaque.raw())));
    Some(Value::Object(object))
}

/// Of a credential: the challenge comes back as it was, and so does the payload. A client of ours
/// always says who it is, in the spelling of EIP-55.
fn check_credential(name: &str, object: &Value, good: bool) {
    assert!(good, "{name}: a credential that cannot be written is not in the suite");
    let mut asked = object["challenge"].clone();
    asked["request"] = json!(mpp::base64url_encode(asked["request"].to_string().as_bytes()));
    let challenge: PaymentChallenge = serde_json::from_value(asked.clone()).unwrap();
    let source = object["source"].as_str();
    let named = source.and_then(|source| source.rsplit_once(':'));
    let (chain, wallet) = match named {
        Some((did, wallet)) => {
            let chain = Chain::from_caip2(did.strip_prefix("did:pkh:").unwrap()).unwrap();
            (chain, wallet.parse().unwrap())
        }
        None => (Chain::Tempo, Address::ZERO),
    };
    let echo = accepted(&challenge).unwrap();
    let made = header(&echo, chain, wallet, object["payload"].clone()).unwrap();
    let made = made.expose().unwrap();
    let encoded = made.to_str().unwrap().strip_prefix("Payment ").unwrap();
    let made: Value = serde_json::from_str(&text(encoded).unwrap()).unwrap();
    assert_eq!((&made["challenge"], &made["payload"]), (&asked, &object["payload"]), "{name}");
    if let Some(source) = source {
        assert!(made["source"].as_str().unwrap().eq_ignore_ascii_case(source), "{name}");
    }
}

/// Of a receipt a client takes the transaction that it names, as a hint.
fn check_receipt(name: &str, wire: &str, object: &Value, good: bool) {
    let read = ReceiptClaim::parse(wire);
    assert_eq!(read.is_some(), good, "{name}: {read:?}");
    let reference = object["reference"].as_str().and_then(|text| text.parse::<B256>().ok());
    if let Some(claim) = read.filter(|claim| claim.session.is_none()) {
        assert_eq!(claim.transaction, reference, "{name}");
    }
}

/// A service takes a transfer for the payment of a challenge by its memo: ours is the one it takes.
fn check_memo(name: &str, scenario: &Value) {
    let challenge = &scenario["input"]["credential"]["challenge"];
    let (realm, id) = (challenge["realm"].as_str().unwrap(), challenge["id"].as_str().unwrap());
    let memo = json!(attribution_memo(realm, None, id));
    let logs = scenario["input"]["receipt"]["logs"].as_array().unwrap();
    let ours = logs.iter().any(|log| log["topics"][3] == memo);
    assert_eq!(json!(ours), scenario["expected"]["ok"], "{name}");
}

#[test]
fn the_vectors_of_the_official_sdk_are_read_and_written_as_it_does() {
    let all: Value =
        serde_json::from_str(include_str!("../../../../tests/vectors/mpp-headers.json")).unwrap();
    for (file, vectors) in all.as_object().unwrap() {
        let mut replayed = Replayed::default();
        for scenario in vectors["scenarios"].as_array().unwrap() {
            replayed.replay(file, scenario);
        }
        assert!(replayed.kept > 2 && replayed.skipped.is_empty(), "{file}: {replayed:?}");
    }
}

#[test]
#[ignore = "the suite is not part of this tree: MPP_TOOLS_VECTORS has to name its conformance/vectors"]
fn the_suite_of_mpp_tools_is_kept_where_it_is_for_a_client() {
    let folder = std::env::var_os(SUITE).expect("MPP_TOOLS_VECTORS names no folder");
    let mut replayed = Replayed::default();
    for file in FILES {
        let path = Path::new(&folder).join(format!("{file}.json"));
        let text = std::fs::read_to_string(&path).unwrap();
        let vectors: Value = serde_json::from_str(&text).unwrap();
        for scenario in vectors["scenarios"].as_array().unwrap() {
            replayed.replay(file, scenario);
        }
    }
    for (file, why) in SKIPPED_FILES {
        replayed.skip(file, "*", why);
    }
    for skipped in &replayed.skipped {
        println!("skipped {skipped}");
    }
    assert!(replayed.kept > 40, "{} are few", replayed.kept);
}
