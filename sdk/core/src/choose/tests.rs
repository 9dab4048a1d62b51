use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::json;

use super::*;

const PAYEE: &str = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C";

fn wallet() -> Address {
    Address::repeat_byte(0x11)
}

fn good() -> Value {
    json!({
        "scheme": "exact", "network": "eip155:8453", "amount": "10000",
        "asset": "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", "payTo": PAYEE,
        "maxTimeoutSeconds": 60, "extra": { "name": "USD Coin", "version": "2" },
    })
}

fn with(path: &str, value: Value) -> Value {
    let mut entry = good();
    match entry.pointer_mut(path) {
        Some(place) => *place = value,
        None => {
            entry["extra"][path.rsplit('/').next().unwrap()] = value;
        }
    }
    entry
}

fn challenge(accepts: &[Value]) -> Challenge {
    let json = json!({ "x402Version": 2, "accepts": accepts }).to_string();
    let mut headers = HeaderMap::new();
    let value = HeaderValue::from_str(&STANDARD.encode(json)).unwrap();
    headers.insert(crate::wire::PAYMENT_REQUIRED, value);
    Challenge::read(&headers).unwrap()
}

fn refused(entry: Value) -> Unacceptable {
    let skipped = choose(&challenge(&[entry]), wallet(), &FetchRules::default()).unwrap_err();
    skipped.into_iter().next().unwrap().why
}

#[test]
fn a_plain_offer_is_taken() {
    for extra in [json!({ "name": "USD Coin", "version": "2" }), Value::Null, json!({})] {
        let offer = challenge(&[with("/extra", extra)]);
        let choice = choose(&offer, wallet(), &FetchRules::default()).unwrap();
        assert_eq!(choice.amount, Amount::from_base_units(10_000));
        assert_eq!(choice.validity_seconds, 60);
        assert_eq!(choice.pay_to.to_checksum(None), PAYEE);
    }
}

#[test]
fn amounts_are_plain_digits_in_a_string() {
    let two_to_256 =
        "115792089237316195423570985008687907853269984665640564039457584007913129639936";
    for given in ["0.01", "1e6", "0x10", "007", "+1", "-1", " 1", "１", "", "0", two_to_256] {
        assert!(
            matches!(refused(with("/amount", json!(given))), Unacceptable::Amount { .. }),
            "{given}"
        );
    }
    assert!(matches!(refused(with("/amount", json!(10_000))), Unacceptable::Field { .. }));
}

#[test]
fn chain_token_domain_and_payee_are_ours_to_know() {
    use Unacceptable::{Chain, Field, ForeignDomain, Payee, Token};
    let sepolia = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
    let bad_checksum = PAYEE.replace("Bc6afc", "bC6afc");
    for (path, value, is) in [
        ("/network", json!("eip155:84532"), (|w| matches!(w, Chain { .. })) as fn(&_) -> bool),
        ("/network", json!("base"), |w| matches!(w, Chain { .. })),
        ("/asset", json!(sepolia), |w| matches!(w, Token { .. })),
        ("/asset", json!("USDC"), |w| matches!(w, Token { .. })),
        ("/extra/name", json!("USDC"), |w| matches!(w, ForeignDomain { .. })),
        ("/extra/version", json!("1"), |w| matches!(w, ForeignDomain { .. })),
        ("/extra/version", json!(2), |w| matches!(w, Field { .. })),
        ("/extra", json!("x"), |w| matches!(w, Field { .. })),
        ("/payTo", json!("merchant"), |w| matches!(w, Payee { .. })),
        ("/payTo", json!(bad_checksum), |w| matches!(w, Payee { .. })),
        ("/payTo", json!(wallet().to_string()), |w| matches!(w, Payee { .. })),
        ("/payTo", json!(Address::ZERO.to_string()), |w| matches!(w, Payee { .. })),
    ] {
        let why = refused(with(path, value.clone()));
        assert!(is(&why), "{path} = {value}: {why}");
    }
}

#[test]
fn only_exact_over_eip3009_in_a_known_flow_is_paid() {
    use Unacceptable::{PaymentFlow, Scheme, TransferMethod};
    for scheme in ["upto", "batch-settlement", "auth-capture", "EXACT"] {
        assert!(matches!(refused(with("/scheme", json!(scheme))), Scheme { .. }));
    }
    for method in ["permit2", "erc7710", ""] {
        let why = refused(with("/extra/assetTransferMethod", json!(method)));
        assert!(matches!(why, TransferMethod { .. }), "{why}");
    }
    for flow in ["upfront", "escrow", "later"] {
        let why = refused(with("/extra/paymentFlow", json!(flow)));
        assert!(matches!(why, PaymentFlow { .. }), "{why}");
    }
}

#[test]
fn validity_is_a_whole_number_of_enough_seconds() {
    for given in [json!(0), json!(9), json!(-1), json!(60.5), json!("60"), json!(1e30)] {
        let why = refused(with("/maxTimeoutSeconds", given.clone()));
        assert!(matches!(why, Unacceptable::Validity { .. }), "{given}: {why}");
    }
    let long = challenge(&[with("/maxTimeoutSeconds", json!(315_360_000))]);
    let choice = choose(&long, wallet(), &FetchRules::default()).unwrap();
    assert_eq!(choice.validity_seconds, crate::rules::VALIDITY_SECONDS_MAX);
}

#[test]
fn the_choice_does_not_hang_on_the_merchants_order() {
    let rules = FetchRules { allow_upfront: true, ..FetchRules::default() };
    let dear = with("/amount", json!("90000"));
    let mut cheap_upfront = with("/amount", json!("1"));
    cheap_upfront["extra"]["paymentFlow"] = json!("upfront");
    let over = with("/amount", json!("1000001"));
    let unknown = with("/scheme", json!("upto"));
    let mut entries = vec![over, dear, unknown, cheap_upfront, good()];
    for _ in 0..entries.len() {
        entries.rotate_left(1);
        let choice = choose(&challenge(&entries), wallet(), &rules).unwrap();
        assert_eq!(choice.amount, Amount::from_base_units(10_000));
    }
}

#[test]
fn every_reason_is_told() {
    let rules = FetchRules::default();
    let entries = [with("/amount", json!("1000001")), with("/scheme", json!("upto"))];
    let skipped = choose(&challenge(&entries), wallet(), &rules).unwrap_err();
    assert_eq!(skipped.len(), 2);
    let limit = Amount::from_base_units(1_000_000);
    let asked = Amount::from_base_units(1_000_001);
    assert_eq!(skipped[0], Skipped { entry: 0, why: Unacceptable::TooDear { asked, limit } });
}
