//! A finished signature.
//!
//! Promises: whoever holds one holds a signature that was verified with another implementation
//! (k256), has a low `s` (EIP-2) and recovers to its wallet's address. It shows nothing of itself
//! in logs: for an authorization, the signature is the money.

use std::fmt;

use alloy_primitives::{Address, keccak256};
use cggmp24::supported_curves::Secp256k1;
use k256::ecdsa::signature::hazmat::PrehashVerifier;
use k256::ecdsa::{RecoveryId, Signature as K256Signature, VerifyingKey};

/// `v` of the recovery ids 0 and 1.
const V_OF_RECOVERY_ID: [(u8, u8); 2] = [(0, 27), (1, 28)];

/// An ECDSA signature over secp256k1 with its recovery id.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    r: [u8; 32],
    s: [u8; 32],
    v: u8,
}

impl Signature {
    /// `r`, big-endian.
    #[must_use]
    pub fn r(&self) -> [u8; 32] {
        self.r
    }

    /// `s`, big-endian, at most half the order.
    #[must_use]
    pub fn s(&self) -> [u8; 32] {
        self.s
    }

    /// 27 for an even `y` of the nonce point, 28 for an odd one.
    #[must_use]
    pub fn v(&self) -> u8 {
        self.v
    }

    /// `r ‖ s ‖ v`.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 65] {
        let mut bytes = [0; 65];
        let parts = self.r.iter().chain(&self.s).chain([&self.v]);
        bytes.iter_mut().zip(parts).for_each(|(to, &from)| *to = from);
        bytes
    }

    /// The signature, if it is one of `wallet` on `keccak256(preimage)`.
    pub(super) fn checked(
        found: &cggmp24::Signature<Secp256k1>,
        key: &VerifyingKey,
        wallet: Address,
        preimage: &[u8],
    ) -> Option<Self> {
        let digest = keccak256(preimage);
        let r: [u8; 32] = found.r.to_be_bytes().as_bytes().try_into().ok()?;
        let s: [u8; 32] = found.s.to_be_bytes().as_bytes().try_into().ok()?;
        let signature = K256Signature::from_scalars(r, s).ok()?;
        if signature.normalize_s().is_some() {
            return None;
        }
        key.verify_prehash(digest.as_slice(), &signature).ok()?;
        let recovers = |id: u8| {
            let id = RecoveryId::from_byte(id)?;
            let key = VerifyingKey::recover_from_prehash(digest.as_slice(), &signature, id).ok()?;
            let point = key.to_encoded_point(false);
            let address = Address::from_word(keccak256(point.as_bytes().get(1..)?));
            (address == wallet).then_some(())
        };
        let (_, v) = V_OF_RECOVERY_ID.into_iter().find(|&(id, _)| recovers(id).is_some())?;
        Some(Self { r, s, v })
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}
