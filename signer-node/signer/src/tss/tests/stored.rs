//! What loads, and what does not.

use serde_json::{Value, json};
use tercet_policy::party::Party;
use tercet_policy::party::Party::{Agent, Operator};

use super::super::*;
use super::support::{self, aux_from, aux_payload, fields_of, sign_all, wallet};
use super::table;

/// The agent's fixture with something changed.
fn altered(change: impl FnOnce(&mut Value)) -> Result<GroupAux, BadShare> {
    let mut payload = aux_payload(Agent);
    change(&mut payload);
    aux_from(&payload, Agent)
}

/// Another modulus for the operator: of the right length, and made of the fixture's primes.
fn other_modulus(payload: &mut Value) {
    let recovery = support::fixture("TEST-ONLY-primes.json")["recovery"]["primes"].take();
    let prime = |i: usize| rug::Integer::from_str_radix(recovery[i].as_str().unwrap(), 16).unwrap();
    payload["aux"]["N"][1]["value"] = json!((prime(0) * prime(2)).to_string_radix(16));
}

#[test]
fn group_aux_loads_for_its_party_and_shows_nothing() {
    let aux = support::group();
    assert!(aux.iter().all(|a| a.aux_hash() == aux[0].aux_hash()));
    assert_eq!(format!("{:?}", aux[0]), format!("GroupAux(agent, {})", aux[0].aux_hash()));
    let bytes = aux[0].to_sealed_bytes().unwrap();
    assert!(GroupAux::from_sealed_bytes(&bytes, Agent).is_ok());
    assert_eq!(GroupAux::from_sealed_bytes(&bytes, Operator).unwrap_err(), BadShare::OtherParty);
}

#[test]
fn group_aux_that_does_not_hold_together_is_refused() {
    type Change = fn(&mut Value);
    let table: [(&str, Change, BadShare); 10] = [
        ("format", |p| p["format"] = json!("tercet/group-aux/v0"), BadShare::Form),
        ("extra field", |p| p["notice"] = json!("x"), BadShare::Form),
        ("whose", |p| p["party"] = json!("operator"), BadShare::OtherParty),
        (
            "missing modulus",
            |p| drop(p["aux"]["N"].as_array_mut().unwrap().pop()),
            BadShare::Moduli,
        ),
        ("repeated modulus", |p| p["aux"]["N"][1] = p["aux"]["N"][2].clone(), BadShare::Moduli),
        ("short modulus", |p| p["aux"]["N"][1]["value"] = json!("abc1"), BadShare::Form),
        ("negative modulus", negate_modulus, BadShare::Moduli),
        ("other factors", |p| p["aux"]["p"] = p["aux"]["q"].clone(), BadShare::Moduli),
        ("no fast path", |p| p["aux"]["pedersen_params"][0]["crt"] = Value::Null, BadShare::Moduli),
        ("a peer's fast path", give_peer_crt, BadShare::Moduli),
    ];
    for (what, change, refusal) in table {
        assert_eq!(altered(change).map(drop), Err(refusal), "{what}");
    }
}

fn negate_modulus(payload: &mut Value) {
    let value = payload["aux"]["N"][1]["value"].as_str().unwrap().to_owned();
    payload["aux"]["N"][1]["value"] = json!(format!("-{value}"));
}

fn give_peer_crt(payload: &mut Value) {
    let crt = payload["aux"]["pedersen_params"][0]["crt"].clone();
    payload["aux"]["pedersen_params"][1]["crt"] = crt;
}

/// The library takes auxiliary data with another modulus for a peer. The hash does not.
#[tokio::test]
async fn a_share_refuses_parameters_with_another_modulus_for_a_peer() {
    let other = altered(other_modulus).unwrap();
    assert_ne!(other.aux_hash(), support::group()[0].aux_hash());
    let share = wallet().await.swap_remove(0);
    assert_eq!(share.assemble(&other).unwrap_err(), BadShare::OtherAux);
    let share = wallet().await.swap_remove(0);
    assert_eq!(share.assemble(&support::group()[1]).unwrap_err(), BadShare::OtherParty);
}

/// Even where a tampered share claims the tampered parameters, the two sides' ids differ: the run
/// ends, on both sides, and not by a deadline.
#[tokio::test]
async fn unequal_parameters_end_a_run_at_once() {
    let pair = [Agent, Operator];
    let shares = wallet().await;
    let other = altered(other_modulus).unwrap();
    let mut payload: Value = serde_json::from_slice(&shares[0].to_sealed_bytes().unwrap()).unwrap();
    payload["aux_hash"] = json!(other.aux_hash().to_string());
    let bytes = serde_json::to_vec(&payload).unwrap();
    let tampered = WalletShare::from_sealed_bytes(&bytes, Agent).unwrap().assemble(&other).unwrap();

    let mut ready = support::ready(shares);
    let honest_fields = fields_of(&ready, &pair);
    ready[0] = tampered;
    let tampered_fields = fields_of(&ready, &pair);
    let mut sessions = table::sessions(&honest_fields, Patience::SIGN, &table::honest());
    let mut others = table::sessions(&tampered_fields, Patience::SIGN, &table::honest());
    sessions[0].eid = others.swap_remove(0).eid;
    let results = sign_all(sessions, &ready, &pair).await;
    for result in &results {
        let ended = matches!(result, Err(TssError::BadPeer { .. } | TssError::Aborted { .. }));
        assert!(ended, "{result:?}");
    }
    assert!(results.iter().any(|r| matches!(r, Err(TssError::BadPeer { .. }))));
}

#[tokio::test]
async fn wallet_shares_that_do_not_hold_together_are_refused() {
    let shares = wallet().await;
    let bytes = shares[1].to_sealed_bytes().unwrap();
    let stored: Value = serde_json::from_slice(&bytes).unwrap();
    let peer: Value = serde_json::from_slice(&shares[0].to_sealed_bytes().unwrap()).unwrap();
    let load = |change: &dyn Fn(&mut Value), party: Party| {
        let mut altered = stored.clone();
        change(&mut altered);
        WalletShare::from_sealed_bytes(&serde_json::to_vec(&altered).unwrap(), party).map(drop)
    };
    assert_eq!(load(&|_| {}, Operator), Ok(()));
    assert_eq!(load(&|_| {}, Agent), Err(BadShare::OtherParty));
    type Change<'a> = &'a dyn Fn(&mut Value);
    let table: [(&str, Change<'_>, BadShare); 7] = [
        ("format", &|s| s["format"] = json!("x"), BadShare::Form),
        ("another's secret", &|s| s["core"]["x"] = peer["core"]["x"].clone(), BadShare::Form),
        ("another's index", &|s| s["core"]["i"] = json!(0), BadShare::Form),
        ("another's share", &|s| s["core"] = peer["core"].clone(), BadShare::OtherParty),
        ("address", &|s| s["address"] = json!(format!("0x{}", "11".repeat(20))), BadShare::Address),
        ("aux hash", &|s| s["aux_hash"] = json!("00"), BadShare::Form),
        ("threshold", &|s| s["core"]["vss_setup"]["min_signers"] = json!(3), BadShare::OtherScheme),
    ];
    for (what, change, refusal) in table {
        assert_eq!(load(change, Operator), Err(refusal), "{what}");
    }
}
