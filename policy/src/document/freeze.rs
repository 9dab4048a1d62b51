//! What stops an agent, and what resumes it.
//!
//! A thaw says when it was signed: one that a courier kept back until a rule had stopped the agent
//! is older than that stop, and resumes nobody.
//!
//! Does not protect against: a quorum whose clock runs ahead, which thaws what has not happened yet.

use serde::{Deserialize, Serialize};

use crate::document::{Authentic, Authority, Document, DocumentError, Signed};
use crate::party::AgentId;
use crate::time::UnixSeconds;

/// Highest epoch of a freeze that one authority key may sign alone; the quorum can always thaw
/// above it.
pub const FREEZE_EPOCH_BY_ONE_MAX: u64 = 1 << 52;

/// Stops or resumes an agent. Any one authority key stops; resuming takes the quorum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// The agent.
    pub agent: AgentId,
    /// Rises with every change; a node refuses an older one.
    pub epoch: u64,
    /// Whether the agent is stopped.
    pub frozen: bool,
    /// Why, for people.
    pub reason: String,
    /// When it was signed. What stopped the agent later is not thawed by it.
    pub at: UnixSeconds,
}

impl Freeze {
    /// Whether this takes the place of the document that is held: at a higher epoch it does, and
    /// at the same one a freeze does so over a thaw. Which of the two a courier brings first
    /// decides nothing, for anyone in the authority may stop an agent.
    #[must_use]
    pub const fn supersedes(&self, held: &Self) -> bool {
        self.epoch > held.epoch || (self.epoch == held.epoch && self.frozen && !held.frozen)
    }
}

impl Document for Freeze {
    const KIND: &'static str = "freeze";
}

impl Signed<Freeze> {
    /// Opens a freeze or an unfreeze: any one authority key may freeze, and thawing needs
    /// the quorum. So does a freeze above [`FREEZE_EPOCH_BY_ONE_MAX`]: were it open to one key,
    /// that key could take the last epoch and freeze for ever.
    ///
    /// # Errors
    /// [`DocumentError`] for too few good signatures.
    pub fn open_freeze(self, authority: &Authority) -> Result<Authentic<Freeze>, DocumentError> {
        let by_one = self.document.frozen && self.document.epoch <= FREEZE_EPOCH_BY_ONE_MAX;
        let needed = if by_one { 1 } else { authority.threshold() };
        self.open_with(authority, needed)
    }
}
