//! What is checked before anything is looked up: policies, freezes, time.

use crate::admission::{AdmitError, RecordSpend, Rulebook};
use crate::ask::Ask;
use crate::document::Freeze;
use crate::intent::{CLOCK_SKEW_SECONDS_MAX, INTENT_LIFETIME_SECONDS_MAX};
use crate::proposal::{ChainTerms, Proposal};
use crate::refusal::{ClaimField, Refusal};
use crate::rules::Policy;
use crate::time::UnixSeconds;

/// How long after its first row an intent can be admitted at most: a journal that has forgotten
/// it by then refuses it for its time alone.
pub(super) const INTENT_SECONDS_KEPT: u64 = INTENT_LIFETIME_SECONDS_MAX + CLOCK_SKEW_SECONDS_MAX;

pub(super) fn policies(rulebook: &Rulebook<'_>, proposal: &Proposal) -> Result<(), Refusal> {
    let intent = proposal.intent().intent();
    let ask = Ask::from(proposal.intent());
    let applying = rulebook.policies.applying(&intent.wallet);
    let is_own = |policy: &&Policy| policy.is_own() && policy.applies_to(&ask);
    if !applying.iter().any(is_own) {
        return Err(Refusal::NoPolicy { agent: intent.agent.clone() });
    }
    let registry = rulebook.registry.map(|registry| registry.epoch());
    let epochs = rulebook.policies.epochs(&intent.wallet, registry);
    if epochs != proposal.policies() {
        return Err(Refusal::ClaimMismatch {
            field: ClaimField::PolicyEpoch,
            actual: epochs.to_string(),
            claimed: proposal.policies().to_string(),
        });
    }
    Ok(())
}

/// Whether a payment leaves a channel by force, which brings money back to its own wallet
/// and nowhere else, or revokes an access key: an agent that is stopped may do that as well.
pub(super) fn is_for_the_stopped(proposal: &Proposal) -> bool {
    let payment = &proposal.intent().intent().payment;
    payment.leaves_channel() || payment.revokes_key()
}

/// A freeze that names another agent is a mistake of the caller; stopping is the safe side.
pub(super) fn freeze(frozen: Option<&Freeze>, proposal: &Proposal) -> Result<(), Refusal> {
    match frozen {
        Some(freeze) if freeze.frozen => Err(Refusal::AgentFrozen {
            agent: proposal.intent().intent().agent.clone(),
            reason: freeze.reason.clone(),
        }),
        _ => Ok(()),
    }
}

/// A rule that stopped the agent holds until the authority thaws it ([`TripRow::holds`]).
pub(super) fn trip<J: RecordSpend>(
    frozen: Option<&Freeze>,
    proposal: &Proposal,
    journal: &J,
) -> Result<(), AdmitError<J::Failure>> {
    let agent = &proposal.intent().intent().agent;
    match journal.tripped(agent).map_err(AdmitError::Journal)? {
        Some(trip) if trip.holds(frozen) => {
            let (agent, reason) = (agent.clone(), trip.reason.clone());
            Err(Refusal::AgentFrozen { agent, reason }.into())
        }
        _ => Ok(()),
    }
}

/// The intent was in time when it was opened; it may have waited since. `at` is the journal's own
/// moment, which never goes back. An intent that lives on for longer than any does by that moment
/// was opened by another clock, and is not taken: it would outlive what is remembered of it.
pub(super) fn time(proposal: &Proposal, at: UnixSeconds) -> Result<(), Refusal> {
    let expires_at = proposal.intent().intent().expires_at;
    if at >= expires_at {
        return Err(Refusal::IntentExpired { expires_at, now: at });
    }
    let limit = at.plus(INTENT_SECONDS_KEPT);
    if expires_at > limit {
        return Err(Refusal::IntentLivesTooLong { expires_at, limit });
    }
    match *proposal.terms() {
        // Whoever looks for it on the chain may have ended the search by then.
        ChainTerms::Tempo { valid_before, .. } if at >= valid_before => {
            Err(Refusal::TransactionIsOver { valid_before, now: at })
        }
        _ => Ok(()),
    }
}

pub(super) fn kinds_differ(proposal: &Proposal) -> Refusal {
    Refusal::ClaimMismatch {
        field: ClaimField::TermsKind,
        actual: proposal.slot().to_string(),
        claimed: "terms of another kind".to_owned(),
    }
}
