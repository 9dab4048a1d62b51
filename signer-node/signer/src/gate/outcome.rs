//! What became of payments, by proof alone.

use tercet_policy::evidence::{DepositedProof, FeeProof, SettledProof, VoidProof};
use tercet_policy::intent::IntentId;
use tercet_policy::rows::{OutcomeRow, SpendRow};
use tercet_policy::time::UnixSeconds;

use super::Signer;
use crate::journal::JournalError;

impl Signer {
    /// The latest row of every payment of which the end is not known, and of every step of leaving a
    /// channel of which the fee is not.
    ///
    /// # Errors
    /// [`JournalError`] if the journal is sealed or closed.
    pub async fn unsettled(&self) -> Result<Vec<SpendRow>, JournalError> {
        self.journal.unsettled().await
    }

    /// Ends the pre-authorizations whose time is over, and says how many there were.
    ///
    /// # Errors
    /// [`JournalError`] if one could not be recorded.
    pub async fn expire_holds(&self, now: UnixSeconds) -> Result<usize, JournalError> {
        self.journal.expire_holds(now).await
    }

    /// Whether this node's part of a payment's signature may have left. Then the signature may
    /// exist, whatever a peer or the courier says. A journal that cannot tell means that it may.
    pub async fn may_have_signed(&self, intent: IntentId) -> bool {
        self.journal.may_have_signed(intent).await.unwrap_or(true)
    }

    /// Records that the chain has a payment.
    ///
    /// # Errors
    /// [`JournalError::Ledger`] for an outcome that cannot follow.
    pub async fn settle(&self, proof: SettledProof, now: UnixSeconds) -> Result<(), JournalError> {
        let intent = proof.intent();
        self.journal.record_outcome(OutcomeRow::settled(proof, now)).await?;
        self.note_deposit(&intent);
        Ok(())
    }

    /// Records that the chain has a deposit in its channel, after which it is never void.
    ///
    /// # Errors
    /// [`JournalError::Ledger`] for a payment that is void already, or is not here.
    pub async fn deposited(&self, proof: DepositedProof) -> Result<(), JournalError> {
        self.journal.note_deposited(proof).await
    }

    /// Records that the chain never will, which gives the reservation back.
    ///
    /// # Errors
    /// [`JournalError::Ledger`] for an outcome that cannot follow: that of a deposit which was seen
    /// in its channel, among others.
    pub async fn void(&self, proof: VoidProof, now: UnixSeconds) -> Result<(), JournalError> {
        let intent = proof.intent();
        self.journal.record_outcome(OutcomeRow::void(proof, now)).await?;
        self.note_deposit(&intent);
        Ok(())
    }

    /// Records what the chain took for a step that moves nothing.
    ///
    /// # Errors
    /// [`JournalError`] if it could not be recorded.
    pub async fn settle_fee(
        &self,
        row: &SpendRow,
        proof: FeeProof,
        now: UnixSeconds,
    ) -> Result<(), JournalError> {
        self.journal.record_outcome(OutcomeRow::charged(row, proof, now)).await
    }

    /// Lets a wallet be signed for again: an operator has looked.
    ///
    /// # Errors
    /// [`JournalError`] if it could not be recorded.
    pub async fn resume(&self, wallet: alloy_primitives::Address) -> Result<(), JournalError> {
        self.journal.resume(wallet).await?;
        self.budget.clear(wallet);
        Ok(())
    }
}
