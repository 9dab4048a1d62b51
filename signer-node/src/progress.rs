//! How far ceremonies are, for whoever waits for them in this process.

use tercet_api::relay::SessionId;
use tercet_policy::party::AgentId;

/// Reports that are held for a slow reader; older ones are dropped.
pub(crate) const PROGRESS_REPORTS_MAX: usize = 64;

/// One report of a ceremony.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CeremonyProgress {
    /// The run.
    pub session: SessionId,
    /// Whose group or wallet.
    pub agent: AgentId,
    /// What is being done, for people.
    pub stage: String,
    /// Steps done.
    pub done: u32,
    /// Steps in all.
    pub total: u32,
}
