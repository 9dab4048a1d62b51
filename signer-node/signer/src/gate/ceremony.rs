//! Ceremonies of all three parties: a group's parameters, and wallets that rest on them.
//!
//! # What is proved when
//!
//! CGGMP24's library accepts parameters in which a peer's modulus is wrong; what comes of it shows
//! only when a signature is made. A signature costs more than half a second of each of its two
//! parties, and a wallet is to be made in a tenth of one. So the proof is split:
//!
//! - **With the group's parameters, once**: all three compare the hash over every public value,
//!   make a throw-away key, and each of the three pairs signs the text of a wallet proof with it.
//!   Only then are the parameters kept.
//! - **With each wallet**: all three compare the hash over the public key, every public share and
//!   the hash of those parameters. That each share belongs to its public share, and that the
//!   public shares interpolate to the key, was checked by each party when the share was made.
//!   Equal hashes thus say that any two shares are shares of this key, under parameters with which
//!   every pair has signed. No signature is made.
//!
//! A wallet is announced when all three have said that its share rests on their disk.

mod prepare;
mod proof;
mod wallet;

use std::sync::Arc;

use alloy_primitives::Address;
use tercet_policy::document::{ContentHash, Enrolment};
use tercet_policy::party::Party;
use tercet_policy::time::UnixSeconds;
use tokio_util::sync::CancellationToken;

use super::{Failure, GateError, Signer};
use crate::channel::SESSION_ID_BYTES;
use crate::session::{Mesh, Nonces, RunTerms};
use crate::tss::{
    self, AuxHash, ExecutionFields, ExecutionId, GroupAux, Patience, Protocol, WalletShare,
};
use crate::vault::{Vault, VaultError};

/// Number of the exchange in which the parties say that the result is kept, after all runs.
const KEPT_RUN: u8 = 9;

/// How far a ceremony is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CeremonyStep {
    /// What is being done, for people.
    pub stage: &'static str,
    /// Steps done.
    pub done: u32,
    /// Steps in all.
    pub total: u32,
}

/// Where a ceremony reports its steps.
pub type Report<'a> = &'a (dyn Fn(CeremonyStep) + Send + Sync);

/// A wallet that all three parties hold shares of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MadeWallet {
    /// Its address.
    pub address: Address,
    /// Hash over all public values of its ceremony.
    pub transcript: ContentHash,
}

/// The session of a ceremony.
#[derive(Debug)]
pub struct Ceremony {
    /// Names the session; random, used once.
    pub session: [u8; SESSION_ID_BYTES],
    /// Our time.
    pub now: UnixSeconds,
    /// Calls the session off.
    pub cancel: CancellationToken,
}

impl Signer {
    /// Makes a key and compares what came out.
    async fn keygen(
        &self,
        mesh: &mut Mesh,
        (session, run): ([u8; SESSION_ID_BYTES], u8),
        aux: &GroupAux,
        nonces: Nonces,
    ) -> Result<WalletShare, GateError> {
        let aux_hash: AuxHash = aux.aux_hash();
        let fields = ExecutionFields {
            aux_hash: Some(aux_hash),
            ..fields(Protocol::Wallet, &session, &Party::ALL)
        };
        let terms = RunTerms { fields, patience: Patience::WALLET, run };
        let execution = self.execution(mesh, &terms, nonces).await?;
        let start = |run| tss::make_wallet(&self.threads, run, aux);
        let share = mesh.run(execution, &terms, start).await?;
        let transcript = ContentHash(share.transcript_hash());
        mesh.compare(run, transcript, "the wallet's transcript").await?;
        Ok(share)
    }

    /// The id of a run, noted for good.
    pub(super) async fn execution(
        &self,
        mesh: &Mesh,
        terms: &RunTerms<'_>,
        nonces: Nonces,
    ) -> Result<ExecutionId, GateError> {
        let execution = mesh.execution(terms, nonces)?;
        self.journal.note_execution(*execution.bytes()).await?;
        Ok(execution)
    }

    /// Does what blocks on the disk where it holds nobody up.
    pub(super) async fn off_runtime<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Vault) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, GateError> {
        let vault = Arc::clone(&self.vault);
        let done = tokio::task::spawn_blocking(move || act(&vault)).await;
        Ok(done.map_err(|_| Failure::Bug("work on the vault ended without a result"))??)
    }
}

fn fields<'a>(protocol: Protocol, session: &'a [u8], parties: &'a [Party]) -> ExecutionFields<'a> {
    let (wallet, key_epoch, attempt, aux_hash) = (None, 0, 0, None);
    ExecutionFields { protocol, wallet, key_epoch, session, parties, attempt, aux_hash }
}

/// What binds a session to the keys that speak in it.
pub(super) fn enrolment_bytes(enrolment: &Enrolment) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(enrolment).map_err(|_| Failure::Bug("an enrolment cannot be written"))
}
