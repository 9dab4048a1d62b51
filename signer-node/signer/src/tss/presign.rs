//! Presignatures, made by two in the background.
//!
//! Promises: what [`super::sign`] promises of its rounds; both proofs that open them are checked
//! (see `guard`). A run gives one presignature to each side or none to this one.

use std::sync::Arc;

use rand::rngs::OsRng;

use super::driver::Line;
use super::eid::{ExecutionId, Protocol};
use super::error::{BadCall, OurBug, TssError};
use super::guard::SignGuard;
use super::presignature::Presignature;
use super::share::SigningShare;
use super::threads::{Session, Threads, Work};

/// Makes a presignature with the peer: about half a second of CPU on each side, which gives way to
/// payments.
///
/// # Errors
/// [`TssError`], by whose fault it is.
pub async fn presign(
    threads: &Threads,
    session: Session,
    share: Arc<SigningShare>,
) -> Result<Presignature, TssError> {
    let (eid, card) = (&session.eid, share.card());
    let fits = eid.protocol == Protocol::Presign
        && eid.me == card.party
        && eid.wallet == Some(card.address)
        && eid.key_epoch == card.key_epoch
        && eid.aux_hash == Some(card.aux_hash);
    if !fits {
        return Err(BadCall::OtherRun.into());
    }
    threads.run(Work::Background, session, move |line, eid| on(line, &eid, &share)).await
}

fn on(line: &mut Line, eid: &ExecutionId, share: &SigningShare) -> Result<Presignature, TssError> {
    let signers: Vec<u16> = eid.seats.parties().iter().map(|party| party.index()).collect();
    let id = cggmp24::ExecutionId::new(eid.bytes());
    let mut rng = OsRng;
    let machine = cggmp24::signing(id, eid.seats.my_index(), &signers, share.key())
        .generate_presignature_sync(&mut rng);
    let mut guard = eid
        .seats
        .peers()
        .next()
        .and_then(|peer| SignGuard::new(id, share.key(), eid.me.index(), peer.index()))
        .ok_or(OurBug::Library)?;
    let made = line.drive(&eid.seats, &mut guard, machine)?;
    Presignature::new(eid, share, made)
}
