//! INSECURE: presignatures computed from a seed that both sides know. For load tests alone.
//!
//! Ten thousand presignatures by the real protocol are hours of processor time; a load test wants
//! them at once. Here each side computes its own half from the seed and its own share, without a
//! word to the other. What is dealt passes every check that a real one passes, and costs the same
//! to use.
//!
//! Promises: nothing. **Whoever knows the seed computes a share from one partial signature made
//! with it, and the wallet's key from two.** So this exists only behind the feature
//! `insecure-dealer`, which no program that ships enables (`tests/tests/system/links.rs` holds that),
//! and is reached by Rust code alone: no configuration, argument, variable or frame leads here.

use alloy_primitives::B256;
use cggmp24::signing::{PresignatureCommitment, PresignaturePublicData};
use generic_ec::{NonZero, Point, Scalar, SecretScalar};
use sha2::{Digest, Sha256, Sha512};

use super::{
    LibraryPresignature, OurBug, Party, Presignature, PresignatureCard, PresignatureId, Secp256k1,
    SigningShare, TssError,
};

/// First field of every hash of the seed.
const DOMAIN: &[u8] = b"tercet/INSECURE-dealt-presignature/v1";

/// Names one presignature of a load test; both sides must use the same. INSECURE, see the module.
#[derive(Clone, Copy)]
pub struct InsecureDeal<'a> {
    /// Known to both sides, and to everybody who wants the key.
    pub seed: &'a [u8; 32],
    /// Which one of the seed's presignatures. Each may be dealt once to a side.
    pub number: u64,
}

impl InsecureDeal<'_> {
    /// Our half of it, for the pair of this share's party and `peer`.
    ///
    /// # Errors
    /// [`OurBug::Library`] for a peer that is this party itself, and once in 2^256 seeds.
    pub fn half(self, share: &SigningShare, peer: Party) -> Result<Presignature, TssError> {
        let (card, me) = (share.card(), share.card().party);
        if peer == me {
            return Err(OurBug::Library.into());
        }
        let pair = if me < peer { [me, peer] } else { [peer, me] };
        let my_seat = usize::from(me > peer);
        let dealt = Dealt::of(self, card.address.as_slice(), pair)?;
        let hash = self.hash(b"id", card.address.as_slice(), pair).finalize();
        let id = PresignatureId(B256::from_slice(&Sha256::digest(hash)));
        Ok(Presignature {
            card: PresignatureCard {
                id,
                wallet: card.address,
                key_epoch: card.key_epoch,
                aux_hash: card.aux_hash,
                me,
                peer,
            },
            my_seat,
            secret: Box::new(dealt.secret_of(share, peer, my_seat)),
            public: dealt.public(share, pair)?,
            verifying_key: *share.verifying_key(),
        })
    }

    fn hash(self, what: &[u8], wallet: &[u8], pair: [Party; 2]) -> Sha512 {
        let mut hash = Sha512::new();
        for field in [DOMAIN, what, self.seed, &self.number.to_be_bytes(), wallet] {
            hash.update((field.len() as u64).to_be_bytes());
            hash.update(field);
        }
        hash.update(pair.map(|party| party as u8));
        hash
    }
}

/// What both sides know: `Γ = gG` and the two halves of `1/g`.
struct Dealt {
    g: NonZero<Scalar<Secp256k1>>,
    halves: [Scalar<Secp256k1>; 2],
}

impl Dealt {
    fn of(deal: InsecureDeal<'_>, wallet: &[u8], pair: [Party; 2]) -> Result<Self, OurBug> {
        let scalar = |what: &[u8]| {
            let wide = deal.hash(what, wallet, pair).finalize();
            Scalar::<Secp256k1>::from_be_bytes_mod_order(wide)
        };
        let g = NonZero::from_scalar(scalar(b"g")).ok_or(OurBug::Library)?;
        let first = scalar(b"a");
        let inverse: Scalar<Secp256k1> = *g.invert().as_ref();
        Ok(Self { g, halves: [first, inverse - first] })
    }

    /// `k̃ᵢ` and `χ̃ᵢ = λᵢxᵢ/g`.
    fn secret_of(&self, share: &SigningShare, peer: Party, seat: usize) -> LibraryPresignature {
        let x: &Scalar<Secp256k1> = share.key().core.x.as_ref();
        let [first, second] = self.halves;
        let mut mine = if seat == 0 { first } else { second };
        let weight: Scalar<Secp256k1> = lagrange(share.card().party, peer) * self.g.invert();
        let mut chi: Scalar<Secp256k1> = weight * x;
        LibraryPresignature {
            Gamma: Point::generator() * self.g,
            tilde_k: SecretScalar::new(&mut mine),
            tilde_chi: SecretScalar::new(&mut chi),
        }
    }

    /// `Δ̃ⱼ = k̃ⱼΓ` and `S̃ⱼ = χ̃ⱼΓ = λⱼXⱼ`, of both.
    fn public(
        &self,
        share: &SigningShare,
        pair: [Party; 2],
    ) -> Result<PresignaturePublicData<Secp256k1>, OurBug> {
        let Gamma = Point::generator() * self.g;
        let [first, second] = pair;
        let seats = [(first, second), (second, first)];
        let of = |((party, peer), half): ((Party, Party), Scalar<Secp256k1>)| {
            let share = share.key().core.public_shares.get(usize::from(party.index()));
            let tilde_S = *share.ok_or(OurBug::Library)? * lagrange(party, peer);
            Ok(PresignatureCommitment { tilde_Delta: Gamma * half, tilde_S })
        };
        let commitments = seats.into_iter().zip(self.halves).map(of).collect::<Result<_, _>>()?;
        Ok(PresignaturePublicData { Gamma, commitments })
    }
}

/// The weight of `party`'s share in the key, when it signs with `peer`.
fn lagrange(party: Party, peer: Party) -> Scalar<Secp256k1> {
    let point = |party: Party| Scalar::<Secp256k1>::from(party.index().saturating_add(1));
    let (mine, other) = (point(party), point(peer));
    // Two points are never one, so there is an inverse.
    let inverse = (other - mine).invert().unwrap_or_else(Scalar::zero);
    other * inverse
}
