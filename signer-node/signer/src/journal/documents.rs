//! Documents that people sign, and reports that agents do: checked, and put into force.
//!
//! Refuses: what the pinned authority did not sign, an epoch that was passed, a policy for a wallet
//! that is not the agent's, and a report about a payment that is not in this journal.

use tercet_policy::document::{Enrolment, Freeze, Signed};
use tercet_policy::registry::SignedRegistry;
use tercet_policy::report::{ReportError, SignedReport};
use tercet_policy::rules::SignedPolicy;
use tercet_policy::time::UnixSeconds;

use super::error::JournalError;
use super::event::Event;
use super::state::Opened;
use super::writer::Command;
use super::{Journal, roll};

impl Journal {
    /// Checks an enrolment with the pinned authority and puts it into force.
    ///
    /// # Errors
    /// [`JournalError::Document`], [`JournalError::OldEpoch`],
    /// [`JournalError::PartiesNotDistinct`].
    pub async fn install_enrolment(&self, signed: Signed<Enrolment>) -> Result<(), JournalError> {
        let opened = roll::open_enrolment(signed.clone(), &self.authority)?;
        let event = Event::Enrolment { pin: opened.pin, signed: Box::new(signed) };
        self.append(event, Opened::Enrolment(opened)).await
    }

    /// Checks a freeze or unfreeze with the pinned authority and puts it into force.
    ///
    /// # Errors
    /// [`JournalError::Document`], [`JournalError::OldEpoch`].
    pub async fn install_freeze(&self, signed: Signed<Freeze>) -> Result<(), JournalError> {
        let opened = roll::open_freeze(signed.clone(), &self.authority)?;
        let event = Event::Freeze { pin: opened.pin, signed };
        self.append(event, Opened::Freeze(opened)).await
    }

    /// Checks a policy with the pinned authority and puts it into force for the subject it names.
    ///
    /// # Errors
    /// [`JournalError::Policy`], [`JournalError::OldEpoch`]; for a wallet's,
    /// [`JournalError::NoSuchWallet`] and [`JournalError::WalletOfAnother`]. The policy held
    /// before stays.
    pub async fn install_policy(&self, signed: SignedPolicy) -> Result<(), JournalError> {
        let opened = self.roll().open_policy(signed.clone(), &self.authority)?;
        let Some(policy) = &opened.policy.in_force else { return Ok(()) };
        let (subject, pin) = (policy.subject().clone(), policy.pin());
        let event = Event::Policy { subject, pin, signed };
        self.append(event, Opened::Policy(opened)).await
    }

    /// Checks a counterparty registry with the pinned authority and puts it into force.
    ///
    /// # Errors
    /// [`JournalError::Registry`], [`JournalError::OldEpoch`]. The registry held before stays.
    pub async fn install_registry(&self, signed: SignedRegistry) -> Result<(), JournalError> {
        let opened = roll::open_registry(signed.clone(), &self.authority)?;
        let event = Event::Registry { pin: opened.pin, signed };
        self.append(event, Opened::Registry(opened)).await
    }

    /// Checks an agent's report against its key and the payment it is about, and records it. The
    /// same report twice is one row.
    ///
    /// # Errors
    /// [`JournalError::Report`], for a payment that is not in this journal too.
    pub async fn install_report(
        &self,
        signed: SignedReport,
        now: UnixSeconds,
    ) -> Result<(), JournalError> {
        let (agent, intent) = (signed.document.agent.clone(), signed.document.intent);
        let found = self.ask(|reply| Command::FindSpend { intent, reply }).await??;
        let row = found.ok_or(ReportError::OtherPayment { intent, agent })?;
        let report = signed.open_report(&*self.roll(), &row, now)?;
        self.append(Event::Report(Box::new(report)), Opened::Nothing).await
    }
}
