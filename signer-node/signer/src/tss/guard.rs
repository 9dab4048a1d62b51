//! What the library fails to check of a peer's first messages in a signature.
//!
//! A signer opens with encryptions `K` of its nonce share and `G` of its mask, and with a proof
//! for each (psi0, psi1) that the plaintext is short. The peer then multiplies its own share of
//! the key into `K` and sends the result back, hidden by a short number only: whoever could
//! encrypt 2^1400 in place of a nonce would read that share from one answer. So both proofs must
//! hold before anything is answered (CGGMP24, figure 8, round 2).
//!
//! cggmp24 0.7.0-alpha.3 (`signing.rs`, "Verify psi0, psi1 proofs") writes
//! `verify(psi0).err()?; verify(psi1).err()` in a closure that returns a culprit: if psi0 holds,
//! psi1 is never looked at, and if psi0 is false, its failure is forgotten and psi1 alone decides.
//! One false proof passes. Later releases known at the time of writing have the same lines.
//!
//! Promises: both proofs hold before the library is given either. psi1 is verified here. In the
//! message that the library gets, psi1 is then replaced by one that cannot hold, so that the
//! library's "refuse if both are false" becomes "refuse if psi0 is false". Each proof is verified
//! once. A release that checks both will refuse every run: the tests of honest runs notice, and
//! this module can go.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cggmp24::backend::Integer;
use cggmp24::key_share::KeyShare;
use cggmp24::security_level::{SecurityLevel as _, SecurityLevel128};
use cggmp24::signing::msg::{MsgRound1a, MsgRound1b};
use cggmp24::supported_curves::Secp256k1;
use paillier_zk::fast_paillier::EncryptionKey;
use paillier_zk::paillier_encryption_in_range_with_el_gamal as pi_enc_elg;
use sha2::Sha256;

use super::error::PeerFault;
use super::wire::SignMsg;

/// A look at a message before the library gets it.
pub(super) trait Guard<M> {
    /// The message to give to the library, which came from the party at `sender` in the run.
    fn admit(&mut self, sender: u16, message: M) -> Result<M, PeerFault>;
}

/// For protocols whose messages the library checks in full.
pub(super) struct NoGuard;

impl<M> Guard<M> for NoGuard {
    fn admit(&mut self, _sender: u16, message: M) -> Result<M, PeerFault> {
        Ok(message)
    }
}

/// For signatures by two.
pub(super) struct SignGuard<'a> {
    eid: cggmp24::ExecutionId<'a>,
    ours: pi_enc_elg::Aux,
    peers_key: EncryptionKey,
    opening: Option<MsgRound1a<Secp256k1>>,
}

/// What the proof is bound to, as the library encodes it (`signing.rs`, `unambiguous::ProofEnc`).
#[derive(udigest::Digestable)]
#[udigest(tag = "dfns.cggmp24.signing.proof_enc")]
struct ProofEnc<'a> {
    sid: cggmp24::ExecutionId<'a>,
    prover: u16,
    /// 0 for the proof about `K`, 1 for the one about `G`.
    num: u8,
}

impl<'a> SignGuard<'a> {
    /// `me` and `peer` are indices of the key. None if the share has no such parties.
    pub(super) fn new(
        eid: cggmp24::ExecutionId<'a>,
        share: &KeyShare<Secp256k1>,
        me: u16,
        peer: u16,
    ) -> Option<Self> {
        let ours = share.aux.pedersen_params.get(usize::from(me))?.into();
        let peers_key = EncryptionKey::from_n(share.aux.N.get(usize::from(peer))?.clone());
        Some(Self { eid, ours, peers_key, opening: None })
    }

    fn check(&self, prover: u16, proofs: &MsgRound1b<Secp256k1>) -> Result<(), PeerFault> {
        let opening = self.opening.as_ref().ok_or(PeerFault::OutOfOrder)?;
        let statement = pi_enc_elg::Data {
            key: &self.peers_key,
            ciphertext: &opening.G,
            a: &opening.Y,
            b: &opening.B1,
            x: &opening.B2,
        };
        let bound_to = ProofEnc { sid: self.eid, prover, num: 1 };
        let security = pi_enc_elg::SecurityParams {
            l: SecurityLevel128::ELL,
            epsilon: SecurityLevel128::EPSILON,
        };
        let verify = AssertUnwindSafe(|| {
            pi_enc_elg::non_interactive::verify::<Secp256k1, Sha256>(
                &bound_to,
                &self.ours,
                statement,
                &proofs.psi1,
                &security,
            )
        });
        match catch_unwind(verify) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(PeerFault::ProofFailed),
            Err(_panic) => Err(PeerFault::BrokeTheLibrary),
        }
    }
}

impl Guard<SignMsg> for SignGuard<'_> {
    fn admit(&mut self, sender: u16, message: SignMsg) -> Result<SignMsg, PeerFault> {
        match message {
            SignMsg::Round1a(opening) => {
                self.opening = Some(opening.clone());
                Ok(SignMsg::Round1a(opening))
            }
            SignMsg::Round1b(mut proofs) => {
                self.check(sender, &proofs)?;
                // Zero is not invertible: refused by the verifier's range checks, at once.
                proofs.psi1.commitment.s = Integer::zero();
                Ok(SignMsg::Round1b(proofs))
            }
            other => Ok(other),
        }
    }
}
