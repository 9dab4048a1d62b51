//! The fixed text by which a wallet shows that it can sign (EIP-191, version `0x45`).

use alloy_primitives::Address;

use crate::party::Party;

/// First line of the text.
pub const WALLET_PROOF_TITLE: &str = "Tercet wallet proof. This moves nothing and allows nothing.";

/// The text. Every variable part has a fixed alphabet, so no text of somebody else fits in.
pub(super) fn message(wallet: Address, session: &[u8; 32], pair: [Party; 2]) -> String {
    let [first, second] = pair;
    let session = hex::encode(session);
    format!("{WALLET_PROOF_TITLE}\nwallet: {wallet}\nsession: {session}\npair: {first}, {second}")
}

pub(super) fn preimage(message: &str) -> Vec<u8> {
    format!("\x19Ethereum Signed Message:\n{}{message}", message.len()).into_bytes()
}
