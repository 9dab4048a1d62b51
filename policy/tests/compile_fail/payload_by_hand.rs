//! A payload is not put together by hand.
use alloy_primitives::{Address, B256};
use tercet_policy::payload::SigningPayload;

fn main() {
    let _ = SigningPayload { preimage: Vec::new(), digest: B256::ZERO, wallet: Address::ZERO };
}
