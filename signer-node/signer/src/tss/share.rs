//! Shares of wallets.
//!
//! Promises: a share that loads is this party's share of a 2-of-3 key, belongs to the group
//! parameters it is used with, and shows its address alone. Neither form can be copied.

use std::fmt;
use std::sync::Arc;

use alloy_primitives::{Address, keccak256};
use cggmp24::key_share::{DirtyIncompleteKeyShare, IncompleteKeyShare, KeyShare};
use cggmp24::supported_curves::Secp256k1;
use generic_ec::{NonZero, Point, Scalar};
use k256::ecdsa::VerifyingKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tercet_policy::party::Party;
use zeroize::Zeroizing;

use super::error::{BadShare, OurBug, TssError};
use super::group_aux::{AuxHash, GroupAux};

/// Shares that make a signature.
pub(super) const THRESHOLD: u16 = 2;
/// Room for the stored form, in bytes; reserved at once so that no copy is left by growing.
const STORED_BYTES_MAX: usize = 4096;
/// First field of the stored form.
const STORED_FORMAT: &str = "tercet/wallet-share/v1";
/// First field of the transcript hash.
const TRANSCRIPT_DOMAIN: &[u8] = b"tercet/wallet-transcript/v1";

/// One party's share of one wallet, without its group's auxiliary data. What is stored.
pub struct WalletShare {
    core: IncompleteKeyShare<Secp256k1>,
    card: WalletCard,
}

/// A share ready to sign. Held by [`Arc`]; made at load, never stored.
pub struct SigningShare {
    key: KeyShare<Secp256k1>,
    card: WalletCard,
    verifying_key: VerifyingKey,
}

/// What is public about a share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalletCard {
    /// Whose share it is.
    pub party: Party,
    /// The wallet.
    pub address: Address,
    /// Generation of the shares, from 0.
    pub key_epoch: u64,
    /// The group parameters it was made under.
    pub aux_hash: AuxHash,
}

#[derive(Serialize)]
struct StoredRef<'a> {
    format: &'a str,
    party: Party,
    address: Address,
    key_epoch: u64,
    aux_hash: String,
    core: &'a DirtyIncompleteKeyShare<Secp256k1>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: String,
    party: Party,
    address: Address,
    key_epoch: u64,
    aux_hash: String,
    core: IncompleteKeyShare<Secp256k1>,
}

impl WalletShare {
    /// What is public about it.
    #[must_use]
    pub fn card(&self) -> WalletCard {
        self.card
    }

    /// The wallet's public key, 33 bytes (SEC 1, compressed).
    #[must_use]
    pub fn public_key(&self) -> [u8; 33] {
        compressed(&self.core.shared_public_key)
    }

    /// What all parties compare before the wallet counts as made: `SHA-256` over length-prefixed
    /// domain, key epoch, public key, every party's public share and the aux hash.
    #[must_use]
    pub fn transcript_hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut field = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        field(TRANSCRIPT_DOMAIN);
        field(&self.card.key_epoch.to_be_bytes());
        field(&self.public_key());
        self.core.public_shares.iter().for_each(|share| field(&compressed(share)));
        field(&self.card.aux_hash.0);
        hash.finalize().into()
    }

    /// The form that goes into the sealed store, and nowhere else.
    ///
    /// # Errors
    /// [`OurBug::Encoding`] if the form cannot be written.
    pub fn to_sealed_bytes(&self) -> Result<Zeroizing<Vec<u8>>, TssError> {
        let WalletCard { party, address, key_epoch, aux_hash } = self.card;
        let (format, aux_hash, core) = (STORED_FORMAT, aux_hash.to_string(), &*self.core);
        let stored = StoredRef { format, party, address, key_epoch, aux_hash, core };
        let mut bytes = Zeroizing::new(Vec::with_capacity(STORED_BYTES_MAX));
        serde_json::to_writer(&mut *bytes, &stored).map_err(|_| OurBug::Encoding)?;
        Ok(bytes)
    }

    /// Reads the form of [`Self::to_sealed_bytes`] for `party` and checks it anew.
    ///
    /// # Errors
    /// [`BadShare`] for anything that is not this party's consistent share.
    pub fn from_sealed_bytes(bytes: &[u8], party: Party) -> Result<Self, BadShare> {
        let stored: Stored = serde_json::from_slice(bytes).map_err(|_| BadShare::Form)?;
        if stored.format != STORED_FORMAT {
            return Err(BadShare::Form);
        }
        if stored.party != party {
            return Err(BadShare::OtherParty);
        }
        let aux_hash: Option<[u8; 32]> =
            hex::decode(&stored.aux_hash).ok().and_then(|h| h.try_into().ok());
        let aux_hash = AuxHash(aux_hash.ok_or(BadShare::Form)?);
        let share = Self::checked(stored.core, party, stored.key_epoch, aux_hash)?;
        if share.card.address == stored.address { Ok(share) } else { Err(BadShare::Address) }
    }

    /// Makes it ready to sign under its group's parameters.
    ///
    /// # Errors
    /// [`BadShare::OtherAux`] for parameters other than the ones it was made under,
    /// [`BadShare::OtherParty`] for another party's.
    pub fn assemble(self, aux: &GroupAux) -> Result<Arc<SigningShare>, BadShare> {
        if aux.aux_hash() != self.card.aux_hash {
            return Err(BadShare::OtherAux);
        }
        if aux.party() != self.card.party {
            return Err(BadShare::OtherParty);
        }
        let verifying_key =
            VerifyingKey::from_sec1_bytes(&self.public_key()).map_err(|_| BadShare::Form)?;
        let key = KeyShare::from_parts((self.core, aux.library_form()));
        let key = key.map_err(|_| BadShare::Moduli)?;
        Ok(Arc::new(SigningShare { key, card: self.card, verifying_key }))
    }

    pub(super) fn checked(
        core: IncompleteKeyShare<Secp256k1>,
        party: Party,
        key_epoch: u64,
        aux_hash: AuxHash,
    ) -> Result<Self, BadShare> {
        if core.i != party.index() {
            return Err(BadShare::OtherParty);
        }
        if !is_usual_scheme(&core) {
            return Err(BadShare::OtherScheme);
        }
        let address = address_of(&core.shared_public_key);
        Ok(Self { core, card: WalletCard { party, address, key_epoch, aux_hash } })
    }
}

impl SigningShare {
    /// What is public about it.
    #[must_use]
    pub fn card(&self) -> WalletCard {
        self.card
    }

    pub(super) fn key(&self) -> &KeyShare<Secp256k1> {
        &self.key
    }

    pub(super) fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying_key
    }
}

impl fmt::Debug for WalletShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WalletShare({})", self.card.address)
    }
}

impl fmt::Debug for SigningShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningShare({})", self.card.address)
    }
}

/// Three shares, any two sign, at the points 1, 2 and 3.
fn is_usual_scheme(core: &DirtyIncompleteKeyShare<Secp256k1>) -> bool {
    let points: Vec<Scalar<Secp256k1>> = (1..=3u16).map(Scalar::from).collect();
    core.public_shares.len() == Party::ALL.len()
        && core.vss_setup.as_ref().is_some_and(|setup| {
            setup.min_signers == THRESHOLD && setup.I.iter().map(|i| **i).eq(points)
        })
}

fn compressed(point: &NonZero<Point<Secp256k1>>) -> [u8; 33] {
    let mut bytes = [0; 33];
    // A compressed point of this curve has 33 bytes.
    bytes.iter_mut().zip(point.to_bytes(true).as_bytes()).for_each(|(to, &from)| *to = from);
    bytes
}

fn address_of(public_key: &NonZero<Point<Secp256k1>>) -> Address {
    let uncompressed = public_key.to_bytes(false);
    Address::from_word(keccak256(uncompressed.as_bytes().get(1..).unwrap_or_default()))
}
