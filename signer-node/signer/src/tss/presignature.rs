//! Presignatures: all of a signature that does not depend on what is signed.
//!
//! The most dangerous values in the house: two messages signed with one presignature give away the
//! share. Hence:
//!
//! Promises: a presignature exists once. It is moved, never copied, stored or shown; using it takes
//! it by value before anything is computed, and what remains of it can only finish the one payment
//! it was used for. It is bound to its wallet, generation of shares, group, pair and run, and is
//! made anew from the message at the moment of use (Groth and Shoup, eprint 2021/1330, section 5;
//! the hash variant), so that what a peer learned of it before it knew the message is worth nothing.
//!
//! Refuses: payloads of another wallet, partial signatures that are not the peer's part of this very
//! payment.
//!
//! Does not protect against: a peer that has our partial signature, finishes alone and reports
//! failure (hence: admit and record before it leaves); someone who reads this process's memory.

#[cfg(feature = "insecure-dealer")]
#[allow(non_snake_case, reason = "the names of the paper")]
#[allow(clippy::arithmetic_side_effects, reason = "scalars and points do not overflow")]
mod insecure_dealer;

use std::fmt;

use alloy_primitives::{Address, B256};
use cggmp24::DataToSign;
use cggmp24::signing::{PartialSignature as LibraryPartial, PresignaturePublicData};
use cggmp24::supported_curves::Secp256k1;
use generic_ec::{NonZero, Scalar, SecretScalar};
use k256::ecdsa::VerifyingKey;
use sha2::{Digest, Sha256, Sha512};
use sha3::Keccak256;
use tercet_policy::party::Party;
use tercet_policy::payload::{FinishedPayment, SigningPayload};

use super::eid::ExecutionId;
use super::error::{BadCall, OurBug, PeerFault, TssError};
use super::group_aux::AuxHash;
use super::share::{SigningShare, WalletCard};
use super::signature;

#[cfg(feature = "insecure-dealer")]
pub use self::insecure_dealer::InsecureDeal;

/// First field of the hash that names a presignature.
const ID_DOMAIN: &[u8] = b"tercet/presignature-id/v1";
/// First field of the hash that a presignature is made anew by.
const BIND_DOMAIN: &[u8] = b"tercet/presignature-bind/v1";
/// A partial signature in bytes.
pub const PARTIAL_BYTES: usize = 32;

type LibraryPresignature = cggmp24::signing::Presignature<Secp256k1>;

/// Names a presignature, to both of the pair alike. Says nothing about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PresignatureId(pub B256);

impl fmt::Display for PresignatureId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a presignature is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PresignatureCard {
    /// Its name.
    pub id: PresignatureId,
    /// The wallet.
    pub wallet: Address,
    /// Generation of the wallet's shares.
    pub key_epoch: u64,
    /// The group parameters.
    pub aux_hash: AuxHash,
    /// Whose half this is.
    pub me: Party,
    /// Who has the other half.
    pub peer: Party,
}

impl PresignatureCard {
    /// Whether it was made with this share, of this generation and group.
    #[must_use]
    pub fn is_of(&self, share: WalletCard) -> bool {
        let WalletCard { party, address, key_epoch, aux_hash } = share;
        (self.me, self.wallet, self.key_epoch, self.aux_hash)
            == (party, address, key_epoch, aux_hash)
    }
}

/// One party's half of a presignature.
pub struct Presignature {
    card: PresignatureCard,
    my_seat: usize,
    secret: Box<LibraryPresignature>,
    public: PresignaturePublicData<Secp256k1>,
    verifying_key: VerifyingKey,
}

impl Presignature {
    pub(super) fn new(
        eid: &ExecutionId,
        share: &SigningShare,
        (secret, public): (LibraryPresignature, PresignaturePublicData<Secp256k1>),
    ) -> Result<Self, TssError> {
        let card = share.card();
        let peer = eid.seats.peers().next().ok_or(OurBug::Library)?;
        let mut hash = Sha256::new();
        hash.update((ID_DOMAIN.len() as u64).to_be_bytes());
        hash.update(ID_DOMAIN);
        hash.update(eid.bytes());
        let id = PresignatureId(B256::from_slice(&hash.finalize()));
        Ok(Self {
            card: PresignatureCard {
                id,
                wallet: card.address,
                key_epoch: card.key_epoch,
                aux_hash: card.aux_hash,
                me: card.party,
                peer,
            },
            my_seat: usize::from(eid.seats.my_index()),
            secret: Box::new(secret),
            public,
            verifying_key: *share.verifying_key(),
        })
    }

    /// What it is good for.
    #[must_use]
    pub const fn card(&self) -> PresignatureCard {
        self.card
    }

    /// Uses it up for one payment: our partial signature, and what finishes the payment with the
    /// peer's. Microseconds.
    ///
    /// # Errors
    /// [`BadCall::OtherRun`] for a payload of another wallet. The presignature is gone all the same.
    pub fn issue(self, payload: SigningPayload) -> Result<Half, TssError> {
        let Self { card, my_seat, secret, public, verifying_key } = self;
        if payload.wallet() != card.wallet {
            return Err(BadCall::OtherRun.into());
        }
        let bound = bind(&card, &public, &verifying_key, payload.preimage())?;
        let secret = bound.apply(*secret);
        let public = PresignaturePublicData { Gamma: secret.Gamma, ..public };
        let data = DataToSign::digest::<Keccak256>(payload.preimage());
        let mine = secret.issue_partial_signature(data);
        Ok(Half { card, my_seat, mine, public, payload, verifying_key })
    }
}

/// Every byte turned over, so that a search for a secret does not find what it searches with.
#[cfg(test)]
pub(crate) const MASK: u8 = 0xa5;

#[cfg(test)]
impl Presignature {
    /// The secret numbers, big-endian, under [`MASK`].
    pub(crate) fn masked(&self) -> [[u8; 32]; 2] {
        [&self.secret.tilde_k, &self.secret.tilde_chi].map(|secret| {
            let mut masked = [MASK; 32];
            let bytes = zeroize::Zeroizing::new(secret.as_ref().to_be_bytes().as_bytes().to_vec());
            masked.iter_mut().zip(bytes.iter()).for_each(|(to, byte)| *to ^= byte);
            masked
        })
    }
}

/// The factor by which a presignature is made anew, and its inverse.
struct Bound {
    factor: NonZero<Scalar<Secp256k1>>,
}

impl Bound {
    /// `Γ' = ρΓ`, `k̃' = k̃/ρ`, `χ̃' = χ̃/ρ`; the commitments stay, for both sides of their
    /// equation are multiplied by one.
    #[allow(
        clippy::arithmetic_side_effects,
        reason = "scalars and points of a curve do not overflow"
    )]
    fn apply(&self, secret: LibraryPresignature) -> LibraryPresignature {
        let inverse = self.factor.invert();
        let divided =
            |scalar: &SecretScalar<Secp256k1>| SecretScalar::new(&mut (scalar.as_ref() * inverse));
        LibraryPresignature {
            Gamma: secret.Gamma * self.factor,
            tilde_k: divided(&secret.tilde_k),
            tilde_chi: divided(&secret.tilde_chi),
        }
    }
}

/// `ρ`: 512 bits of `SHA-512` over length-prefixed domain, presignature id, wallet, key epoch, group,
/// both parties in order, `Γ`, public key and preimage, reduced.
fn bind(
    card: &PresignatureCard,
    public: &PresignaturePublicData<Secp256k1>,
    key: &VerifyingKey,
    preimage: &[u8],
) -> Result<Bound, OurBug> {
    let mut parties = [card.me as u8, card.peer as u8];
    parties.sort_unstable();
    let mut hash = Sha512::new();
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    field(BIND_DOMAIN);
    field(card.id.0.as_slice());
    field(card.wallet.as_slice());
    field(&card.key_epoch.to_be_bytes());
    field(&card.aux_hash.0);
    field(&parties);
    field(public.Gamma.to_bytes(true).as_bytes());
    field(key.to_encoded_point(true).as_bytes());
    field(preimage);
    let wide = hash.finalize();
    // Zero once in 2^256.
    let factor = NonZero::from_scalar(Scalar::from_be_bytes_mod_order(wide));
    Ok(Bound { factor: factor.ok_or(OurBug::Library)? })
}

/// Names it.
impl fmt::Debug for Presignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Presignature({} of {})", self.card.id.0, self.card.wallet)
    }
}

/// A payment that this side has signed its part of.
#[must_use = "a presignature was used up for it"]
pub struct Half {
    card: PresignatureCard,
    my_seat: usize,
    mine: LibraryPartial<Secp256k1>,
    public: PresignaturePublicData<Secp256k1>,
    payload: SigningPayload,
    verifying_key: VerifyingKey,
}

impl Half {
    /// The presignature that was used up.
    #[must_use]
    pub const fn presignature(&self) -> PresignatureId {
        self.card.id
    }

    /// Our part, for the peer alone: with its own part it is the signature.
    #[must_use]
    pub fn partial(&self) -> PartialSignature {
        let mut bytes = [0; PARTIAL_BYTES];
        bytes.iter_mut().zip(self.mine.sigma.to_be_bytes().as_bytes()).for_each(|(to, &b)| *to = b);
        PartialSignature(bytes)
    }

    /// The payment, with the peer's part: low-s, verified and recovered to the wallet, which says
    /// that the part was good. Of one that is not, the parts are checked against what the parties
    /// committed to.
    ///
    /// # Errors
    /// [`TssError::BadPeer`] for a part that is not the peer's of this payment.
    pub fn finish(self, theirs: &PartialSignature) -> Result<FinishedPayment, TssError> {
        let Self { card, my_seat, mine, public, payload, verifying_key } = self;
        let bad = |fault| TssError::BadPeer { suspects: vec![card.peer], fault, cause: None };
        let sigma = Scalar::from_be_bytes(theirs.0).map_err(|_| bad(PeerFault::Undecodable))?;
        let sum = [&mine.sigma, &sigma].into_iter().sum();
        if let Some(signature) = signature::of_parts(&public.Gamma, sum, &payload) {
            return Ok(payload.attach(signature));
        }
        // It is not the wallet's: which part is wrong is worth the work only now.
        let theirs = LibraryPartial { sigma };
        let both = if my_seat == 0 { [mine, theirs] } else { [theirs, mine] };
        let data = DataToSign::digest::<Keccak256>(payload.preimage());
        let found = LibraryPartial::combine(&both, &public, data)
            .ok_or_else(|| bad(PeerFault::ProofFailed))?;
        let signature = signature::checked(&found, &verifying_key, &payload)
            .ok_or_else(|| bad(PeerFault::WrongResult))?;
        Ok(payload.attach(signature))
    }
}

/// Names the presignature it came from.
impl fmt::Debug for Half {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Half({} of {})", self.card.id.0, self.card.wallet)
    }
}

/// One party's part of one signature. With the other party's part it is a bearer instrument, so it
/// travels sealed and is not shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PartialSignature([u8; PARTIAL_BYTES]);

impl PartialSignature {
    /// From the bytes that a peer sent; whether they are its part of anything, [`Half::finish`]
    /// finds.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; PARTIAL_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes that the peer is sent, sealed.
    #[must_use]
    pub const fn expose(&self) -> &[u8; PARTIAL_BYTES] {
        &self.0
    }
}

/// Says nothing.
impl fmt::Debug for PartialSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PartialSignature(..)")
    }
}
