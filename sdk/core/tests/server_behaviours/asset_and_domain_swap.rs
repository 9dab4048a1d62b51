//! Behaviour 9: A look-alike token, a foreign domain, another chain than the rules allow.

use serde_json::Value;
use tercet::choose::Unacceptable;
use tercet::error::Declined;

use crate::support::World;
use crate::support::merchant::{challenge, offer_with, offer_with_extra};

async fn why(offer: Value) -> Unacceptable {
    let world = World::new(move |_| challenge(std::slice::from_ref(&offer))).await;
    match world.declined("/paid").await {
        Declined::NothingAcceptable { mut skipped } => skipped.remove(0).why,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn only_the_registered_token_is_paid_with() {
    let look_alike = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02914".to_lowercase();
    let account = "0x1111111111111111111111111111111111111112";
    for token in [look_alike.as_str(), account, "0x", "USDC"] {
        let why = why(offer_with("asset", token)).await;
        assert!(matches!(why, Unacceptable::Token { .. }), "{token}: {why}");
    }
}

#[tokio::test]
async fn a_foreign_domain_is_refused_and_not_signed_over() {
    for (field, value) in [("name", "USDC"), ("name", "USD  Coin"), ("version", "1")] {
        let why = why(offer_with_extra(field, value)).await;
        assert!(matches!(why, Unacceptable::ForeignDomain { .. }), "{field} {value}: {why}");
    }
}

#[tokio::test]
async fn another_rail_than_the_rules_name_is_not_taken() {
    for network in ["eip155:84532", "base", "eip155:1", "eip155:08453", "solana:mainnet"] {
        let why = why(offer_with("network", network)).await;
        assert!(matches!(why, Unacceptable::Chain { .. }), "{network}: {why}");
    }
}
