//! Amounts that are set aside before they are paid: recorded, bounded, and ended once.
//!
//! Promises: a hold counts against every limit from the moment its row is durable until an outcome
//! of it is, over restarts too. The same hold, or the same outcome, twice is one row.
//!
//! Refuses: a name that was used for another hold, another agent's wallet, more than
//! [`HOLDS_OPEN_PER_AGENT_MAX`] open holds of one agent, an outcome that cannot follow.
//!
//! Does not protect against: a caller that sets aside what no policy approved. That makes an
//! agent's budgets smaller, never larger.

use tercet_policy::admission::RecordSpend as _;
use tercet_policy::ledger::Hold;
use tercet_policy::rows::{HoldId, HoldKind, HoldOutcome, HoldOutcomeRow, HoldRow};
use tercet_policy::time::UnixSeconds;

use super::Journal;
use super::error::JournalError;
use super::event::Event;
use super::state::{Opened, State};

/// Most holds of one agent that are open at a time.
pub const HOLDS_OPEN_PER_AGENT_MAX: usize = 1_000;

impl Journal {
    /// Records that an amount is set aside; returns once the row is durable. The same again is
    /// one row.
    ///
    /// # Errors
    /// [`JournalError::TooManyHolds`], [`JournalError::NoSuchWallet`],
    /// [`JournalError::WalletOfAnother`], [`JournalError::Ledger`].
    pub async fn hold(&self, row: HoldRow) -> Result<(), JournalError> {
        self.append(Event::Hold(Box::new(row)), Opened::Nothing).await
    }

    /// Records what became of a hold. The same outcome twice is one row.
    ///
    /// # Errors
    /// [`JournalError::HoldOfAnother`]; [`JournalError::Ledger`] for an outcome that cannot follow.
    pub async fn record_hold_outcome(&self, row: HoldOutcomeRow) -> Result<(), JournalError> {
        self.append(Event::HoldOutcome(Box::new(row)), Opened::Nothing).await
    }

    /// Every hold that has not ended.
    ///
    /// # Errors
    /// [`JournalError`] if the journal is sealed or closed.
    pub async fn open_holds(&self) -> Result<Vec<HoldRow>, JournalError> {
        self.look(|state| state.holds.values().cloned().collect()).await
    }

    /// Ends the pre-authorizations whose time is over, and says how many there were.
    ///
    /// # Errors
    /// [`JournalError`] if one could not be recorded; those before it were.
    pub async fn expire_holds(&self, now: UnixSeconds) -> Result<usize, JournalError> {
        let overdue = self.look(move |state| state.overdue_holds(now)).await??;
        let count = overdue.len();
        for row in overdue {
            self.record_hold_outcome(row).await?;
        }
        Ok(count)
    }
}

impl State {
    /// Whether there is room for one more hold of this agent. Asked for new rows alone: a journal
    /// that holds more, for whatever reason, can still be read.
    pub(super) fn check_room(&self, row: &HoldRow) -> Result<(), JournalError> {
        let others = self.holds.values().filter(|held| held.hold != row.hold);
        let open = others.filter(|held| held.agent == row.agent).count();
        if open < HOLDS_OPEN_PER_AGENT_MAX {
            return Ok(());
        }
        Err(JournalError::TooManyHolds { agent: row.agent.clone(), open })
    }

    pub(super) fn apply_hold(&mut self, row: &HoldRow) -> Result<bool, JournalError> {
        if self.holds.get(&row.hold) == Some(row) {
            return Ok(false);
        }
        self.check_holder(row)?;
        self.book.hold(row)?;
        self.holds.insert(row.hold, row.clone());
        Ok(true)
    }

    /// A deposit is of a wallet whose share is here; an agent that pays by itself does so from any
    /// wallet but another agent's.
    fn check_holder(&self, row: &HoldRow) -> Result<(), JournalError> {
        let wallet = row.wallet;
        match (self.roll.wallet(&wallet), row.kind) {
            (Some(of), _) if of.agent != row.agent => {
                Err(JournalError::WalletOfAnother { wallet, agent: of.agent.clone() })
            }
            (None, HoldKind::SessionDeposit) => Err(JournalError::NoSuchWallet { wallet }),
            _ => Ok(()),
        }
    }

    pub(super) fn apply_hold_outcome(
        &mut self,
        row: &HoldOutcomeRow,
    ) -> Result<bool, JournalError> {
        let id = row.hold;
        if let Some(held) = self.holds.get(&id).filter(|held| held.agent != row.agent) {
            return Err(JournalError::HoldOfAnother { hold: id, agent: held.agent.clone() });
        }
        let before = self.held(&id)?;
        self.book.apply_hold(row)?;
        let after = self.held(&id)?;
        if after.as_ref().is_some_and(|hold| hold.ended.is_some()) {
            self.holds.remove(&id);
        }
        Ok(before != after)
    }

    fn held(&self, id: &HoldId) -> Result<Option<Hold>, JournalError> {
        Ok(self.book.ledger()?.held(id).cloned())
    }

    /// The ends that are due by the clock, as of a moment that the ledger has passed or is at.
    fn overdue_holds(&self, now: UnixSeconds) -> Result<Vec<HoldOutcomeRow>, JournalError> {
        let ledger = self.book.ledger()?;
        let at = ledger.clamp(now);
        let due = ledger.overdue_holds(now).into_iter().filter_map(|id| self.holds.get(&id));
        let expired = due.map(|held| HoldOutcomeRow {
            hold: held.hold,
            agent: held.agent.clone(),
            outcome: HoldOutcome::Expired,
            at,
        });
        Ok(expired.collect())
    }
}
