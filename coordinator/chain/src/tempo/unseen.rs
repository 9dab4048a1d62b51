//! What it means that an endpoint shows no log of a payment: the same for whatever moves money.

use alloy_primitives::{Address, B256};
use tercet_policy::evidence::NotSeen;

use super::lane::Lane;
use super::window::Window;
use super::{Marks, TempoOutcome};
use crate::endpoint::Endpoint;
use crate::error::FailureCause;
use crate::evidence::Measure;
use crate::quorum::most_common;

/// No log of a payment, as one endpoint shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unseen {
    /// In no block that it can be in.
    Nothing,
    /// Its transaction was mined and failed.
    Failed(B256),
    /// The chain's state says that there is one: it is not shown.
    Hidden,
    /// Its time is not over.
    Live,
}

impl Unseen {
    /// What the lane of a transaction says once its time is over; where it has none, whether the
    /// endpoint still has what it would have to show.
    pub(super) async fn look(
        endpoint: &Endpoint,
        wallet: Address,
        marks: &Marks,
        window: &Window,
    ) -> Result<Self, FailureCause> {
        Ok(match Lane::of(endpoint, wallet, marks, window).await? {
            Lane::Free => Self::Nothing,
            Lane::Failed(transaction) => Self::Failed(transaction),
            Lane::Used => Self::Hidden,
            Lane::None => {
                window.check_served(endpoint).await?;
                Self::Nothing
            }
        })
    }
}

/// What follows where no endpoint shows the payment. That it never was needs a quorum that says the
/// same, and nobody whose state says otherwise.
pub(super) fn conclude(
    window: Window,
    measure: Measure,
    unseen: impl Iterator<Item = Unseen>,
) -> TempoOutcome {
    let all: Vec<_> = unseen.collect();
    let is_none = |seen: &&Unseen| matches!(seen, Unseen::Nothing | Unseen::Failed(_));
    let none: Vec<_> = all.iter().filter(is_none).collect();
    let votes = most_common(&none).map_or(0, |(_, votes)| votes);
    match window.end {
        Some(to) if votes >= measure.quorum && !all.contains(&Unseen::Hidden) => {
            TempoOutcome::NeverMined { unseen: NotSeen { from: window.from, to } }
        }
        _ => TempoOutcome::Pending { safe_block: Some(window.safe) },
    }
}
