//! The last look at a signature before it leaves.
//!
//! Promises: what passes was verified with another implementation (k256) against the digest that
//! the policy crate computed, has a low `s` (EIP-2) and recovers to the wallet's address.

use alloy_primitives::{Address, keccak256};
use cggmp24::supported_curves::Secp256k1;
use generic_ec::{NonZero, Point, Scalar};
use k256::ecdsa::signature::hazmat::PrehashVerifier;
use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use tercet_policy::payload::{SigningPayload, WalletSignature};

/// First byte of a compressed point whose y is odd (SEC 1, section 2.3.3).
const ODD_Y: u8 = 3;

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

/// The signature that two parts with this sum give at the nonce point `gamma`, if it is one of the
/// payload's wallet on the payload's digest. With the point at hand its parity is known, and one
/// recovery tells it all.
pub(super) fn of_parts(
    gamma: &NonZero<Point<Secp256k1>>,
    sum: Scalar<Secp256k1>,
    payload: &SigningPayload,
) -> Option<WalletSignature> {
    let encoded = gamma.to_bytes(true);
    let (parity, x) = encoded.as_bytes().split_first()?;
    let r = NonZero::from_scalar(Scalar::from_be_bytes_mod_order(x))?;
    let s = NonZero::from_scalar(sum)?;
    let found = cggmp24::Signature::from_raw_parts(r, s).normalize_s();
    // The other s belongs to the point's mirror image.
    let y_is_odd = (*parity == ODD_Y) != (found.s != s);
    let digest = payload.digest();
    let r: [u8; 32] = found.r.to_be_bytes().as_bytes().try_into().ok()?;
    let s: [u8; 32] = found.s.to_be_bytes().as_bytes().try_into().ok()?;
    let signature = Signature::from_scalars(r, s).ok()?;
    let id = RecoveryId::new(y_is_odd, false);
    // Verifies under the key that it recovers.
    let key = VerifyingKey::recover_from_prehash(digest.as_slice(), &signature, id).ok()?;
    if address_of(&key) != Some(payload.wallet()) {
        return None;
    }
    WalletSignature::new(r, s, y_is_odd).ok()
}

fn address_of(key: &VerifyingKey) -> Option<Address> {
    let point = key.to_encoded_point(false);
    point.as_bytes().get(1..).map(|xy| Address::from_word(keccak256(xy)))
}
