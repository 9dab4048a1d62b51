//! The memo of an MPP charge. Servers of the official SDKs take a transfer only with the memo of
//! their own challenge, so a transfer cannot be shown for another.

use alloy_primitives::{B256, keccak256};

/// `keccak256("mpp")[..4]`.
const TAG: [u8; 4] = [0xef, 0x1e, 0xd7, 0x12];
const VERSION: u8 = 1;
const NAME_BYTES: usize = 10;
const CHALLENGE_BYTES: usize = 7;

/// `keccak256("mpp")[..4] ‖ 1 ‖ keccak256(realm)[..10] ‖ keccak256(client)[..10] ‖
/// keccak256(challenge)[..7]`, with zeros for a client without a name.
///
/// Seven bytes tie a payment to a challenge for an honest server; they are no commitment against
/// one that makes up its challenge ids.
#[must_use]
pub fn attribution_memo(realm: &str, client_id: Option<&str>, challenge_id: &str) -> B256 {
    let realm = keccak256(realm);
    let client = client_id.map_or(B256::ZERO, keccak256);
    let challenge = keccak256(challenge_id);
    let parts = TAG
        .iter()
        .chain([&VERSION])
        .chain(realm.iter().take(NAME_BYTES))
        .chain(client.iter().take(NAME_BYTES))
        .chain(challenge.iter().take(CHALLENGE_BYTES));
    let mut memo = B256::ZERO;
    for (byte, part) in memo.iter_mut().zip(parts) {
        *byte = *part;
    }
    memo
}
