//! Documents of the authority, from whatever courier.

use tercet_policy::document::{DocumentError, Enrolment, Freeze, Signed};
use tercet_policy::party::AgentId;
use tercet_policy::registry::SignedRegistry;
use tercet_policy::report::SignedReport;
use tercet_policy::rules::{GrantsNothing, Policy, PolicyError, SignedPolicy};
use tercet_policy::time::UnixSeconds;

use super::Signer;
use crate::journal::JournalError;

/// Why a document was not put into force.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// Not signed as it must be, not newer, or not recorded.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Not signed by the authority pinned here.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Not a policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The enrolment names other keys than this node's for its role.
    #[error("the enrolment of agent {agent} does not name this node's keys for its role")]
    NotThisNode {
        /// The agent.
        agent: AgentId,
    },
    /// A policy under which nothing could be paid.
    #[error("{0}")]
    GrantsNothing(GrantsNothing),
}

impl Signer {
    /// Puts an enrolment into force in which this node has its place.
    ///
    /// # Errors
    /// [`InstallError`].
    pub async fn install_enrolment(&self, signed: Signed<Enrolment>) -> Result<(), InstallError> {
        let enrolment = signed.clone().open(&self.authority)?;
        if enrolment.keys(self.role) != self.identity.public() {
            return Err(InstallError::NotThisNode { agent: enrolment.agent.clone() });
        }
        Ok(self.journal.install_enrolment(signed).await?)
    }

    /// Stops or resumes an agent.
    ///
    /// # Errors
    /// [`InstallError`].
    pub async fn install_freeze(&self, signed: Signed<Freeze>) -> Result<(), InstallError> {
        Ok(self.journal.install_freeze(signed).await?)
    }

    /// Puts a counterparty registry into force; the one before stays if it is refused.
    ///
    /// # Errors
    /// [`InstallError`].
    pub async fn install_registry(&self, signed: SignedRegistry) -> Result<(), InstallError> {
        Ok(self.journal.install_registry(signed).await?)
    }

    /// Takes in what an agent says became of one of its payments.
    ///
    /// # Errors
    /// [`InstallError`].
    pub async fn install_report(
        &self,
        signed: SignedReport,
        now: UnixSeconds,
    ) -> Result<(), InstallError> {
        Ok(self.journal.install_report(signed, now).await?)
    }

    /// Puts a policy into force for the subject it names; the one before stays if it is refused.
    ///
    /// # Errors
    /// [`InstallError`]; in particular a policy under which nothing is paid, which is a slip: what
    /// stops an agent is a freeze.
    pub async fn install_policy(&self, signed: SignedPolicy) -> Result<(), InstallError> {
        if let Some(nothing) = slip_of(&Policy::parse(&signed.document.yaml)?) {
            return Err(InstallError::GrantsNothing(nothing));
        }
        Ok(self.journal.install_policy(signed).await?)
    }
}

/// Why nothing could be paid under a policy, whatever else applies. One without an `allow` rule
/// can rest on those of another subject.
#[must_use]
pub fn slip_of(policy: &Policy) -> Option<GrantsNothing> {
    policy.grants_nothing().filter(|why| *why != GrantsNothing::NoAllowRule)
}
