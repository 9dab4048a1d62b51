#![allow(clippy::arithmetic_side_effects, reason = "tests may overflow, loudly")]

use std::collections::BTreeMap;

use tercet_policy::chain::PATH_USD;

use super::*;

const WALLET: Address = Address::repeat_byte(1);

fn channel() -> (ChannelId, (SigningKey, Channel)) {
    let key = SigningKey::from_slice(&[7; 32]).unwrap();
    let descriptor = ChannelDescriptor {
        payer: WALLET,
        payee: Address::repeat_byte(2),
        operator: Address::ZERO,
        token: PATH_USD,
        salt: B256::ZERO,
        authorized_signer: Address::from_private_key(&key),
        expiring_nonce_hash: B256::ZERO,
    };
    let known = Channel {
        chain: Chain::Tempo,
        descriptor,
        agent: "ada".parse().unwrap(),
        opened_by: IntentId([1; 32]),
        deposits: vec![(IntentId([1; 32]), Amount::from_base_units(10))],
        signed: Amount::ZERO,
        close: None,
        exits: false,
        exit_steps: BTreeMap::new(),
        ends_at: UnixSeconds(1),
        service: None,
        session: None,
    };
    (descriptor.channel_id(Chain::Tempo.id()), (key, known))
}

/// While a channel was looked up, the journal took in that it is being left.
#[test]
fn what_the_journal_took_in_during_a_look_up_is_not_lost() {
    let mut keys = SessionKeys::default();
    let (id, found) = channel();
    let news = keys.news;
    keys.news += 1;
    keys.put(id, found.clone(), news).unwrap();
    assert!(keys.hands[&id].stale, "it is looked up again before anything is signed");
    keys.put(id, found, keys.news).unwrap();
    assert!(!keys.hands[&id].stale);
}
