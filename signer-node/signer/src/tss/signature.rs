//! The last look at a signature before it leaves.
//!
//! Promises: what passes was verified with another implementation (k256) against the digest that
//! the policy crate computed, has a low `s` (EIP-2) and recovers to the wallet's address.

use alloy_primitives::{Address, keccak256};
use cggmp24::supported_curves::Secp256k1;
use k256::ecdsa::signature::hazmat::PrehashVerifier;
use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use tercet_policy::payload::{SigningPayload, WalletSignature};

/// The signature, if it is one of the payload's wallet on the payload's digest.
pub(super) fn checked(
    found: &cggmp24::Signature<Secp256k1>,
    key: &VerifyingKey,
    payload: &SigningPayload,
) -> Option<WalletSignature> {
    let digest = payload.digest();
    let r: [u8; 32] = found.r.to_be_bytes().as_bytes().try_into().ok()?;
    let s: [u8; 32] = found.s.to_be_bytes().as_bytes().try_into().ok()?;
    let signature = Signature::from_scalars(r, s).ok()?;
    key.verify_prehash(digest.as_slice(), &signature).ok()?;
    let recovers_to_wallet = |&y_is_odd: &bool| {
        let id = RecoveryId::new(y_is_odd, false);
        VerifyingKey::recover_from_prehash(digest.as_slice(), &signature, id)
            .is_ok_and(|key| address_of(&key) == Some(payload.wallet()))
    };
    let y_is_odd = [false, true].into_iter().find(recovers_to_wallet)?;
    // Refuses a high `s`.
    WalletSignature::new(r, s, y_is_odd).ok()
}

fn address_of(key: &VerifyingKey) -> Option<Address> {
    let point = key.to_encoded_point(false);
    point.as_bytes().get(1..).map(|xy| Address::from_word(keccak256(xy)))
}
