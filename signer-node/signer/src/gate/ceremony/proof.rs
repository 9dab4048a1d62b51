//! The proof that a group's parameters serve every pair.

use std::sync::Arc;

use tercet_policy::party::Party;
use tercet_policy::payload::SigningPayload;

use super::{CeremonyStep, Report, fields};
use crate::channel::SESSION_ID_BYTES;
use crate::gate::{GateError, Signer};
use crate::session::{CLOSING_MS_MAX, Mesh, RunTerms, SessionError, context};
use crate::tss::{self, ExecutionFields, GroupAux, Patience, Protocol, SigningShare, TssError};

const TEST_KEY_RUN: u8 = 1;
/// Number of the first pair's run; the other two follow.
const PROOF_RUN: u8 = 2;
/// The pairs, in this order at every party.
const PAIRS: [[Party; 2]; 3] = [
    [Party::Agent, Party::Operator],
    [Party::Agent, Party::Recovery],
    [Party::Operator, Party::Recovery],
];

impl Signer {
    /// Signs with every pair this party is in, under a key that is then forgotten.
    pub(super) async fn prove(
        &self,
        mesh: &mut Mesh,
        session: [u8; SESSION_ID_BYTES],
        aux: &GroupAux,
        report: Report<'_>,
    ) -> Result<(), GateError> {
        let peers = mesh.peers();
        let nonces = mesh.nonces(TEST_KEY_RUN, &peers, CLOSING_MS_MAX).await?;
        let share = self.keygen(mesh, (session, TEST_KEY_RUN), aux, nonces).await?;
        let share = share.assemble(aux).map_err(TssError::from).map_err(SessionError::from)?;
        let mine = || PAIRS.iter().zip(PROOF_RUN..).filter(|(pair, _)| pair.contains(&self.role));
        let total = u32::try_from(mine().count()).unwrap_or(u32::MAX);
        let step = |done| CeremonyStep { stage: "signing with each party", done, total };
        for ((pair, run), done) in mine().zip(0..) {
            report(step(done));
            self.prove_pair(mesh, (session, run), *pair, Arc::clone(&share)).await?;
        }
        report(step(total));
        Ok(())
    }

    async fn prove_pair(
        &self,
        mesh: &mut Mesh,
        (session, run): ([u8; SESSION_ID_BYTES], u8),
        pair: [Party; 2],
        share: Arc<SigningShare>,
    ) -> Result<(), GateError> {
        let peer: Vec<_> = pair.into_iter().filter(|party| *party != self.role).collect();
        let nonces = mesh.nonces(run, &peer, CLOSING_MS_MAX).await?;
        let card = share.card();
        let fields = ExecutionFields {
            wallet: Some(card.address),
            aux_hash: Some(card.aux_hash),
            key_epoch: card.key_epoch,
            ..fields(Protocol::Sign, &session, &pair)
        };
        let terms = RunTerms { fields, patience: Patience::SIGN, run };
        let execution = self.execution(mesh, &terms, nonces).await?;
        let text = context("wallet-proof", &[&session]);
        let payload = SigningPayload::wallet_proof(card.address, &text.0, pair);
        let start = |run| tss::sign(&self.threads, run, share, payload);
        mesh.run(execution, &terms, start).await?;
        Ok(())
    }
}
