//! Signed intents that Node made, in `tests/vectors/intents.json`: another implementation's canonical
//! JSON, Ed25519 and Keccak must be ours, or an SDK in another language signs something else.

#![allow(clippy::unwrap_used, reason = "a test that is wrong may stop")]

use alloy_primitives::B256;
use serde::Deserialize;
use tercet_policy::document::{ContentHash, Ed25519PublicKey};
use tercet_policy::intent::{AgentKeys, SignedIntent};
use tercet_policy::party::AgentId;
use tercet_policy::proposal::{ChainTerms, eip3009_nonce, terms_without_chain};
use tercet_policy::refusal::Refusal;
use tercet_policy::time::UnixSeconds;

#[derive(Deserialize)]
struct Table {
    agent: AgentId,
    key: Ed25519PublicKey,
    now: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    signed: String,
    canonical: String,
    content_hash: ContentHash,
    eip3009_nonce: B256,
}

impl AgentKeys for Table {
    fn agent_key(&self, agent: &AgentId) -> Option<Ed25519PublicKey> {
        (*agent == self.agent).then_some(self.key)
    }
}

fn table() -> (Table, UnixSeconds) {
    let table: Table =
        serde_json::from_str(include_str!("../../tests/vectors/intents.json")).unwrap();
    assert!(table.cases.len() >= 12, "the table is there and not empty");
    let now = UnixSeconds(table.now.parse().unwrap());
    (table, now)
}

#[test]
fn intents_of_another_implementation_open_here() {
    let (table, now) = table();
    for case in &table.cases {
        let signed: SignedIntent = serde_json::from_str(&case.signed).unwrap();
        let canonical = serde_json_canonicalizer::to_string(&signed.document).unwrap();
        assert_eq!(canonical, case.canonical);
        let opened = signed.open_intent(&table, now).expect(&case.canonical);
        assert_eq!(opened.content_hash(), case.content_hash, "{}", case.canonical);

        let intent = opened.intent();
        let (chain, token) = (intent.payment.chain(), intent.payment.token());
        let nonce = eip3009_nonce(chain, token, intent.wallet, &intent.id);
        assert_eq!(nonce, case.eip3009_nonce, "{}", case.canonical);
        if let Some(ChainTerms::Eip3009 { nonce, .. }) = terms_without_chain(&opened) {
            assert_eq!(nonce, case.eip3009_nonce, "{}", case.canonical);
        }
    }
}

#[test]
fn a_digit_changed_in_any_of_them_is_refused() {
    let (table, now) = table();
    for case in &table.cases {
        let changed = case.signed.replacen("\"amount\":\"", "\"amount\":\"1", 1);
        assert_ne!(changed, case.signed);
        let signed: SignedIntent = serde_json::from_str(&changed).unwrap();
        assert_eq!(signed.open_intent(&table, now), Err(Refusal::BadSignature));
    }
}
