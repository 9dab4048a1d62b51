//! Where payments and channels stand, by the rows alone.
//!
//! Refuses: to answer once the journal is sealed or closed, rather than from what may
//! not be on disk.

use tercet_policy::channel::Channel;
use tercet_policy::evidence::DepositedProof;
use tercet_policy::intent::IntentId;
use tercet_policy::ledger::SpendState;
use tercet_policy::money::Amount;
use tercet_policy::mpp::ChannelId;
use tercet_policy::rows::SpendRow;

use super::Journal;
use super::error::JournalError;
use super::event::Event;
use super::state::{Opened, State};

impl Journal {
    /// The latest row of every payment of which the end is not known, and of every other row of which
    /// the fee in the token is not, for the reconciler.
    ///
    /// # Errors
    /// [`JournalError`] if the journal is sealed or closed.
    pub async fn unsettled(&self) -> Result<Vec<SpendRow>, JournalError> {
        self.look(State::unsettled).await
    }

    /// Where the payment of an intent stands, if it has a row.
    ///
    /// # Errors
    /// [`JournalError`] if the journal is sealed or closed.
    pub async fn spend_state(&self, intent: IntentId) -> Result<Option<SpendState>, JournalError> {
        self.look(move |state| state.spend_state(&intent)).await
    }

    /// Whether a signature for an intent may exist, by the rows alone: what moves nothing may be
    /// signed from its row on.
    ///
    /// # Errors
    /// [`JournalError`] if the journal is sealed or closed.
    pub async fn may_have_signed(&self, intent: IntentId) -> Result<bool, JournalError> {
        self.look(move |state| state.may_have_signed(&intent)).await
    }

    /// A channel whose opening was admitted here, until its deposits are settled or void.
    ///
    /// # Errors
    /// [`JournalError`] if the journal is sealed or closed.
    pub async fn channel(&self, id: ChannelId) -> Result<Option<Channel>, JournalError> {
        Ok(self.look(move |state| state.channel(&id)).await??)
    }

    /// All of them.
    ///
    /// # Errors
    /// [`JournalError`] if the journal is sealed or closed.
    pub async fn channels(&self) -> Result<Vec<Channel>, JournalError> {
        Ok(self.look(State::channels).await??)
    }

    /// Records that a deposit is in its channel: no proof that it never was is taken from then on.
    /// The same twice is one row.
    ///
    /// # Errors
    /// [`JournalError::Ledger`] for a payment that is void already, or is not here.
    pub async fn note_deposited(&self, proof: DepositedProof) -> Result<(), JournalError> {
        self.append(Event::Deposited(Box::new(proof)), Opened::Nothing).await
    }

    /// Records that the key of a channel's session agrees to its end. Do this **before** it does.
    ///
    /// # Errors
    /// [`JournalError`]; nothing must be signed then.
    pub async fn agree_end(
        &self,
        channel: ChannelId,
        cumulative: Amount,
    ) -> Result<(), JournalError> {
        self.append(Event::SessionClose { channel, cumulative }, Opened::Nothing).await
    }
}
