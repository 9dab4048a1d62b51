//! Signatures, interactively, by two.
//!
//! Promises: the bytes come from an admitted payment (or are a fixed text that is never one), are
//! hashed here, and the two parties' runs fail at the first proof unless they hold the same wallet,
//! epoch, group and pair.

use std::sync::Arc;

use cggmp24::DataToSign;
use rand::rngs::OsRng;
use sha3::Keccak256;

use super::driver::Line;
use super::eid::{ExecutionId, Protocol};
use super::error::{BadCall, PeerFault, TssError};
use super::share::SigningShare;
use super::signature::Signature;
use super::threads::{Session, Threads, Work};

/// Signs a fixed text with the peer, and forgets the signature: proof that this pair's shares and
/// parameters work together, before a wallet counts as made.
///
/// The text is `"\x19Ethereum Signed Message:\n" ‖ length ‖ "Tercet rehearsal of wallet <address>"`
/// (EIP-191, version 0x45): neither a transaction nor typed data can begin so.
///
/// # Errors
/// [`TssError`], by whose fault it is.
pub async fn rehearse(
    threads: &Threads,
    session: Session,
    share: &Arc<SigningShare>,
) -> Result<(), TssError> {
    let text = format!("Tercet rehearsal of wallet {}", share.card().address);
    let preimage = format!("\u{19}Ethereum Signed Message:\n{}{text}", text.len());
    let share = Arc::clone(share);
    run(threads, session, share, Protocol::Rehearsal, preimage.into_bytes()).await.map(drop)
}

pub(crate) async fn sign_preimage(
    threads: &Threads,
    session: Session,
    share: Arc<SigningShare>,
    preimage: Vec<u8>,
) -> Result<Signature, TssError> {
    run(threads, session, share, Protocol::Sign, preimage).await
}

async fn run(
    threads: &Threads,
    session: Session,
    share: Arc<SigningShare>,
    protocol: Protocol,
    preimage: Vec<u8>,
) -> Result<Signature, TssError> {
    let (eid, card) = (&session.eid, share.card());
    let fits = eid.protocol == protocol
        && eid.me == card.party
        && eid.wallet == Some(card.address)
        && eid.key_epoch == card.key_epoch
        && eid.aux_hash == Some(card.aux_hash);
    if !fits {
        return Err(BadCall::OtherRun.into());
    }
    let job = move |line: &mut Line, eid: ExecutionId| sign_on(line, &eid, &share, &preimage);
    threads.run(Work::Payment, session, job).await
}

fn sign_on(
    line: &mut Line,
    eid: &ExecutionId,
    share: &SigningShare,
    preimage: &[u8],
) -> Result<Signature, TssError> {
    let signers: Vec<u16> = eid.seats.parties().iter().map(|party| party.index()).collect();
    let id = cggmp24::ExecutionId::new(eid.bytes());
    let data = DataToSign::digest::<Keccak256>(preimage);
    let mut rng = OsRng;
    let machine = cggmp24::signing(id, eid.seats.my_index(), &signers, share.key())
        .sign_sync(&mut rng, &data);
    let found = line.drive(&eid.seats, machine)?;
    let checked = Signature::checked(&found, share.verifying_key(), share.card().address, preimage);
    checked.ok_or_else(|| TssError::BadPeer {
        suspects: eid.seats.peers().collect(),
        fault: PeerFault::WrongResult,
        cause: None,
    })
}
