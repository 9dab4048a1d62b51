//! Signatures, interactively, by two.
//!
//! Promises: the bytes come from a [`SigningPayload`], which is an admitted payment or a fixed text
//! that is never one, and are hashed here; the two runs fail at the first proof unless both hold
//! the same wallet, epoch, group and pair, and at the last unless both hold the same bytes.

use std::sync::Arc;

use cggmp24::DataToSign;
use rand::rngs::OsRng;
use sha3::Keccak256;
use tercet_policy::payload::{FinishedPayment, SigningPayload, WalletSignature};

use super::driver::Line;
use super::eid::{ExecutionId, Protocol};
use super::error::{BadCall, OurBug, PeerFault, TssError};
use super::guard::SignGuard;
use super::share::SigningShare;
use super::signature;
use super::threads::{Session, Threads, Work};

/// Signs with the peer: about half a second of CPU on each side. Whatever was admitted before the
/// call counts as spent from now on, for the peer may finish where this side fails.
///
/// For a proof that a pair's shares and parameters work together, before a wallet counts as made,
/// sign [`SigningPayload::wallet_proof`].
///
/// # Errors
/// [`TssError`], by whose fault it is.
pub async fn sign(
    threads: &Threads,
    session: Session,
    share: Arc<SigningShare>,
    payload: SigningPayload,
) -> Result<FinishedPayment, TssError> {
    let (eid, card) = (&session.eid, share.card());
    let fits = eid.protocol == Protocol::Sign
        && eid.me == card.party
        && eid.wallet == Some(card.address)
        && eid.key_epoch == card.key_epoch
        && eid.aux_hash == Some(card.aux_hash)
        && payload.wallet() == card.address;
    if !fits {
        return Err(BadCall::OtherRun.into());
    }
    let job = move |line: &mut Line, eid: ExecutionId| {
        let signature = signature_on(line, &eid, &share, &payload)?;
        Ok(payload.attach(signature))
    };
    threads.run(Work::Payment, session, job).await
}

fn signature_on(
    line: &mut Line,
    eid: &ExecutionId,
    share: &SigningShare,
    payload: &SigningPayload,
) -> Result<WalletSignature, TssError> {
    let signers: Vec<u16> = eid.seats.parties().iter().map(|party| party.index()).collect();
    let id = cggmp24::ExecutionId::new(eid.bytes());
    let data = DataToSign::digest::<Keccak256>(payload.preimage());
    let mut rng = OsRng;
    let machine = cggmp24::signing(id, eid.seats.my_index(), &signers, share.key())
        .sign_sync(&mut rng, &data);
    let mut guard = eid
        .seats
        .peers()
        .next()
        .and_then(|peer| SignGuard::new(id, share.key(), eid.me.index(), peer.index()))
        .ok_or(OurBug::Library)?;
    let found = line.drive(&eid.seats, &mut guard, machine)?;
    signature::checked(&found, share.verifying_key(), payload).ok_or_else(|| TssError::BadPeer {
        suspects: eid.seats.peers().collect(),
        fault: PeerFault::WrongResult,
        cause: None,
    })
}
