//! Where a session of the gate begins and ends.

use std::time::Duration;

use alloy_primitives::Address;
use tercet_policy::document::{ContentHash, NodeKeys};
use tercet_policy::party::Party;
use tokio_util::sync::CancellationToken;

use super::{Failure, GateError, Signer};
use crate::channel::SESSION_ID_BYTES;
use crate::journal::JournalError;
use crate::session::{AbortReason, GREETING_MS_MAX, Mesh, MeshTerms, SessionError, SessionWire};
use crate::tss::TssError;

impl Signer {
    /// Makes channels with the peers of a session.
    pub(super) async fn meet(
        &self,
        peers: &[(Party, NodeKeys)],
        (session, context): ([u8; SESSION_ID_BYTES], ContentHash),
        cancel: CancellationToken,
        wire: SessionWire,
    ) -> Result<Mesh, GateError> {
        let peers: Vec<_> = peers.iter().map(|(party, keys)| (*party, keys.channel)).collect();
        let (identity, me) = (&*self.identity, self.role);
        let patience = Duration::from_millis(GREETING_MS_MAX);
        let terms = MeshTerms { identity, me, peers: &peers, session, context, patience, cancel };
        Ok(Mesh::open(&terms, wire).await?)
    }

    /// Ends a session: a failure of ours is told to the peers, and a peer's failed proof counts
    /// against the wallet's budget.
    pub(super) async fn end<T>(
        &self,
        mesh: &mut Mesh,
        wallet: Option<Address>,
        result: Result<T, GateError>,
    ) -> Result<T, GateError> {
        match (&result, wallet) {
            (Ok(_), Some(wallet)) => self.budget.clear(wallet),
            (Ok(_), None) => {}
            (Err(error), wallet) => {
                if let Some(reason) = reason_to_tell(error, mesh.peers().len()) {
                    mesh.abort(reason).await;
                }
                if let (Some(wallet), GateError::Failed(Failure::Session(error))) = (wallet, error)
                {
                    self.count_against(wallet, error).await?;
                }
            }
        }
        result
    }

    pub(super) async fn count_against(
        &self,
        wallet: Address,
        error: &SessionError,
    ) -> Result<(), JournalError> {
        if matches!(error, SessionError::Tss(TssError::BadPeer { .. })) {
            self.doubt_stock(wallet);
        }
        if !self.budget.is_used_up_by(wallet, error) {
            return Ok(());
        }
        tracing::error!(%wallet, %error, "signing is stopped until an operator has looked");
        self.journal.stop(wallet, &error.to_string()).await
    }
}

/// What peers are told of a failure, if they do not know it from a peer of theirs.
fn reason_to_tell(error: &GateError, peers_count: usize) -> Option<AbortReason> {
    match error {
        GateError::Refused(_) => Some(AbortReason::Refused),
        GateError::Failed(Failure::Journal(
            JournalError::PeerWentBack { .. } | JournalError::WentBack { .. },
        )) => Some(AbortReason::RolledBack),
        GateError::Failed(Failure::Session(error)) => {
            let theirs = matches!(
                error,
                SessionError::PeerAborted { .. } | SessionError::CalledOff { by: Some(_) }
            );
            // Where there are two peers, the other one may not have been told.
            (!theirs || peers_count > 1).then(|| error.abort_reason())
        }
        GateError::Failed(_) => Some(AbortReason::Failed),
    }
}
