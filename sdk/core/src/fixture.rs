//! What several tests of this crate start from.

use alloy_primitives::Address;
use ed25519_dalek::SigningKey;
use tercet_policy::chain::ASSETS;
use tercet_policy::document::Signed;
use tercet_policy::intent::{
    INTENT_VERSION, IntentId, Payment, PaymentIntent, Service, SignedIntent, X402Exact,
};
use tercet_policy::money::Amount;
use tercet_policy::party::AgentId;
use tercet_policy::time::UnixSeconds;

/// 10,000 base units of USDC on Base.
pub(crate) fn intent(id: u8) -> PaymentIntent {
    let resource = "https://merchant.example/paid".to_owned();
    PaymentIntent {
        version: INTENT_VERSION,
        id: IntentId([id; 32]),
        agent: AgentId::new("research-01").unwrap(),
        wallet: Address::repeat_byte(0x11),
        payment: Payment::X402Exact(X402Exact {
            chain: ASSETS[0].chain,
            token: ASSETS[0].token,
            to: Address::repeat_byte(0x22),
            amount: Amount::from_base_units(10_000),
            valid_before: UnixSeconds(1_800_000_060),
            service: Service::of(&resource).unwrap(),
            resource,
        }),
        declared: tercet_policy::declared::Declared::default(),
        created_at: UnixSeconds(1_800_000_000),
        expires_at: UnixSeconds(1_800_000_060),
    }
}

pub(crate) fn signed_intent(key: &SigningKey) -> SignedIntent {
    Signed::by(intent(1), key).unwrap()
}
