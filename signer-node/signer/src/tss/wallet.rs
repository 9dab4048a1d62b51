//! The ceremony that makes a wallet.

use cggmp24::security_level::SecurityLevel128;
use cggmp24::supported_curves::Secp256k1;
use rand::rngs::OsRng;
use tercet_policy::party::Party;

use super::driver::Line;
use super::eid::{ExecutionId, Protocol};
use super::error::{BadCall, PeerFault, TssError};
use super::group_aux::GroupAux;
use super::guard::NoGuard;
use super::share::{THRESHOLD, WalletShare};
use super::threads::{Session, Threads, Work};

/// Makes a new 2-of-3 key: milliseconds of CPU. The wallet counts as made when all three have the
/// same [`WalletShare::transcript_hash`], the shares are stored, and each pair has signed a
/// [wallet proof](tercet_policy::payload::SigningPayload::wallet_proof).
///
/// # Errors
/// [`TssError`], by whose fault it is.
pub async fn make_wallet(
    threads: &Threads,
    session: Session,
    aux: &GroupAux,
) -> Result<WalletShare, TssError> {
    let (eid, aux_hash) = (&session.eid, aux.aux_hash());
    let fits = eid.protocol == Protocol::Wallet
        && eid.wallet.is_none()
        && eid.me == aux.party()
        && eid.aux_hash == Some(aux_hash);
    if !fits {
        return Err(BadCall::OtherRun.into());
    }
    let job = move |line: &mut Line, eid: ExecutionId| {
        let (i, n) = (eid.seats.my_index(), Party::ALL.len() as u16);
        let mut rng = OsRng;
        let machine = cggmp24::keygen::<Secp256k1>(cggmp24::ExecutionId::new(eid.bytes()), i, n)
            .set_threshold(THRESHOLD)
            .set_security_level::<SecurityLevel128>()
            .into_state_machine(&mut rng);
        let core = line.drive(&eid.seats, &mut NoGuard, machine)?;
        // The library has verified every proof; what is left can only be a peer's doing.
        WalletShare::checked(core, eid.me, eid.key_epoch, aux_hash).map_err(|_| {
            let suspects = eid.seats.peers().collect();
            TssError::BadPeer { suspects, fault: PeerFault::ProofFailed, cause: None }
        })
    };
    threads.run(Work::Payment, session, job).await
}
