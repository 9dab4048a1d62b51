//! The one door to a signature: decide and record, or refuse.
//!
//! Promises: [`Reserved`] exists only for a proposal that the policy approves (or had approved),
//! whose agent is not frozen, and whose row was given to the journal first. It is a proof: it
//! cannot be made elsewhere, copied or stored.
//!
//! Refuses: another epoch than the courier previewed with, a frozen agent, an intent whose time
//! is over or whose payment was proved void, an intent id used for something else, a second slot
//! for one intent, and a slot that holds another digest. The listed replacements of a digest are:
//!
//! | slot | replacement | why it is safe |
//! |---|---|---|
//! | EIP-3009 nonce | the cancellation of the intent that holds it | moves nothing; the chain takes only one of the two |
//! | account nonce | the same transfer of the same intent at a higher fee | the chain takes only one of the two, and both do the same |
//!
//! What is signed again and what is replaced by a higher fee was approved before and counts once,
//! so the rules are not asked again; epoch, freeze and time are.
//!
//! Once a cancellation was admitted its digest is the slot's, and the authorization is not
//! signed again: whoever asks to take something back must not be handed it. The reservation
//! stays until the chain shows which of the two it took.
//!
//! Does not protect against: a journal whose [`RecordSpend::record`] returns before the row is
//! durable and whose caller lets the [`Reserved`] out all the same.

mod book;

use alloy_primitives::B256;

use crate::decision::{Ask, Decision, Verdict, decide};
use crate::document::{ContentHash, Freeze};
use crate::intent::IntentId;
use crate::ledger::{Ledger, SpendState};
use crate::party::AgentId;
use crate::payload::SigningPayload;
use crate::proposal::{ChainTerms, Proposal, Slot};
use crate::refusal::{ClaimField, Refusal};
use crate::rows::SpendRow;
use crate::rules::AuthenticPolicy;
use crate::time::UnixSeconds;

pub use book::Book;

/// What a journal knows of an intent that has a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntentRecord {
    /// Hash of what the agent signed.
    pub content_hash: ContentHash,
    /// The slot the intent is bound to.
    pub slot: Slot,
    /// Where its payment stands; [`SpendState::Reserved`] for a cancellation.
    pub state: SpendState,
}

/// What a journal knows of a slot that has a row: what its latest row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotRecord {
    /// The digest it holds.
    pub digest: B256,
    /// The intent of that digest.
    pub intent: IntentId,
    /// The intent taken back, if that digest is a cancellation.
    pub cancels: Option<IntentId>,
    /// The terms of that digest.
    pub terms: ChainTerms,
}

impl SlotRecord {
    /// What this row makes of its slot.
    #[must_use]
    pub fn of(row: &SpendRow) -> Self {
        let SpendRow { digest, intent, cancels, .. } = *row;
        Self { digest, intent, cancels, terms: row.terms.clone() }
    }
}

/// A journal, as [`admit`] needs it.
///
/// One admission at a time: between the look-ups and the row nothing else may be recorded. A
/// journal that commits rows in groups keeps every [`Reserved`] back until its row is durable.
pub trait RecordSpend {
    /// Why the journal cannot answer or write. All of them mean no.
    type Failure;

    /// What is known of an intent.
    ///
    /// # Errors
    /// The journal cannot be read.
    fn intent(&self, id: &IntentId) -> Result<Option<IntentRecord>, Self::Failure>;

    /// What is known of a slot.
    ///
    /// # Errors
    /// The journal cannot be read.
    fn slot(&self, slot: &Slot) -> Result<Option<SlotRecord>, Self::Failure>;

    /// The spending of an agent, over all its wallets; empty for one that never paid.
    ///
    /// # Errors
    /// The journal cannot be read.
    fn ledger(&self, agent: &AgentId) -> Result<&Ledger, Self::Failure>;

    /// Writes the row, and lets every later look-up see it.
    ///
    /// # Errors
    /// The row was not written.
    fn record(&mut self, row: &SpendRow) -> Result<(), Self::Failure>;
}

/// Why nothing was reserved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmitError<Failure> {
    /// A normal outcome: it may not be signed.
    #[error("{0}")]
    Refused(Refusal),
    /// The journal failed, so nothing may be signed.
    #[error("the journal failed")]
    Journal(#[source] Failure),
}

impl<Failure> From<Refusal> for AdmitError<Failure> {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Proof that a proposal was admitted and recorded. Becomes the bytes to sign.
#[derive(Debug)]
#[must_use = "a reservation that is dropped still counts as spent"]
pub struct Reserved {
    row: SpendRow,
    standing: Standing,
    decision: Option<Decision>,
    payload: SigningPayload,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    New,
    SameAgain,
    TakesBack(B256),
    HigherFee(B256),
}

impl Reserved {
    /// The row that was recorded; for a digest that is signed again, the row it would make now.
    #[must_use]
    pub const fn row(&self) -> &SpendRow {
        &self.row
    }

    /// Whether this very digest had been admitted before, so that nothing was recorded.
    #[must_use]
    pub fn same_again(&self) -> bool {
        self.standing == Standing::SameAgain
    }

    /// The policy's decision; none where nothing new is spent.
    #[must_use]
    pub const fn decision(&self) -> Option<&Decision> {
        self.decision.as_ref()
    }

    /// Gives up the reservation for the bytes to sign.
    #[must_use]
    pub fn into_payload(self) -> SigningPayload {
        self.payload
    }
}

/// Decides and records; see the module's text for what is refused.
///
/// `frozen` is the latest freeze document of the agent, if there is any.
///
/// # Errors
/// [`AdmitError::Refused`] with the reason, or [`AdmitError::Journal`].
pub fn admit<J: RecordSpend>(
    policy: &AuthenticPolicy,
    frozen: Option<&Freeze>,
    proposal: Proposal,
    now: UnixSeconds,
    journal: &mut J,
) -> Result<Reserved, AdmitError<J::Failure>> {
    check_policy(policy, &proposal)?;
    check_freeze(frozen, &proposal)?;
    check_time(&proposal, now)?;
    let payload = SigningPayload::of(&proposal).ok_or_else(|| kinds_differ(&proposal))?;
    let standing = standing(&proposal, payload.digest(), journal)?;
    let agent = &proposal.intent().intent().agent;
    let ledger = journal.ledger(agent).map_err(AdmitError::Journal)?;
    let (decision, replaces) = match standing {
        Standing::New => (Some(approve(policy, &proposal, ledger, now)?), None),
        Standing::TakesBack(held) => (Some(approve(policy, &proposal, ledger, now)?), Some(held)),
        Standing::HigherFee(held) => (None, Some(held)),
        Standing::SameAgain => (None, None),
    };
    let at = ledger.clamp(now);
    let row = SpendRow::new(&proposal, policy, payload.digest(), replaces, at);
    if standing != Standing::SameAgain {
        journal.record(&row).map_err(AdmitError::Journal)?;
    }
    Ok(Reserved { row, standing, decision, payload })
}

fn check_policy(policy: &AuthenticPolicy, proposal: &Proposal) -> Result<(), Refusal> {
    let agent = &proposal.intent().intent().agent;
    if policy.agent() != agent {
        return Err(Refusal::NoPolicy { agent: agent.clone() });
    }
    if policy.epoch() != proposal.policy_epoch() {
        return Err(Refusal::ClaimMismatch {
            field: ClaimField::PolicyEpoch,
            actual: policy.epoch().to_string(),
            claimed: proposal.policy_epoch().to_string(),
        });
    }
    Ok(())
}

/// A freeze that names another agent is a mistake of the caller; stopping is the safe side.
fn check_freeze(frozen: Option<&Freeze>, proposal: &Proposal) -> Result<(), Refusal> {
    match frozen {
        Some(freeze) if freeze.frozen => Err(Refusal::AgentFrozen {
            agent: proposal.intent().intent().agent.clone(),
            reason: freeze.reason.clone(),
        }),
        _ => Ok(()),
    }
}

/// The intent was in time when it was opened; it may have waited since.
fn check_time(proposal: &Proposal, now: UnixSeconds) -> Result<(), Refusal> {
    let expires_at = proposal.intent().intent().expires_at;
    if now >= expires_at {
        return Err(Refusal::IntentExpired { expires_at, now });
    }
    Ok(())
}

fn kinds_differ(proposal: &Proposal) -> Refusal {
    Refusal::ClaimMismatch {
        field: ClaimField::TermsKind,
        actual: proposal.slot().to_string(),
        claimed: "terms of another kind".to_owned(),
    }
}

fn approve(
    policy: &AuthenticPolicy,
    proposal: &Proposal,
    ledger: &Ledger,
    now: UnixSeconds,
) -> Result<Decision, Refusal> {
    let decision = decide(policy, &Ask::from(proposal.intent()), ledger, now);
    match (decision.verdict, cancels(proposal)) {
        (Verdict::Approve, _) => Ok(decision),
        (Verdict::Refuse, Some(id)) => Err(Refusal::NothingToCancel { id }),
        (Verdict::Refuse, None) => Err(Refusal::Policy(decision)),
    }
}

fn cancels(proposal: &Proposal) -> Option<IntentId> {
    Ask::from(proposal.intent()).cancels
}

/// How the proposal stands to what the journal holds.
fn standing<J: RecordSpend>(
    proposal: &Proposal,
    digest: B256,
    journal: &J,
) -> Result<Standing, AdmitError<J::Failure>> {
    let slot = proposal.slot();
    let id = proposal.intent().intent().id;
    let known = journal.intent(&id).map_err(AdmitError::Journal)?;
    let held = journal.slot(&slot).map_err(AdmitError::Journal)?;
    if let Some(known) = &known {
        check_known(known, proposal, &slot)?;
    }
    let cancels = cancels(proposal);
    match (known, held) {
        // A slot nobody holds, and an intent nobody has seen.
        (None, None) => match cancels {
            Some(id) => Err(Refusal::NothingToCancel { id }.into()),
            None => Ok(Standing::New),
        },
        // The journal says of an intent that it holds a slot, and of the slot that it is free.
        (Some(_), None) => Err(Refusal::IntentHasSlot { id, slot: slot.to_string() }.into()),
        // The very same once more.
        (Some(_), Some(held)) if (held.intent, held.digest) == (id, digest) => {
            Ok(Standing::SameAgain)
        }
        (_, Some(held)) if takes_back(cancels, &held) => Ok(Standing::TakesBack(held.digest)),
        (Some(_), Some(held)) if is_higher_fee(proposal, &held) => {
            Ok(Standing::HigherFee(held.digest))
        }
        (_, Some(held)) => {
            Err(Refusal::SlotTaken { slot: slot.to_string(), held: held.digest }.into())
        }
    }
}

fn check_known(known: &IntentRecord, proposal: &Proposal, slot: &Slot) -> Result<(), Refusal> {
    let id = proposal.intent().intent().id;
    if known.content_hash != proposal.intent().content_hash() {
        return Err(Refusal::IntentReused { id });
    }
    if known.state == SpendState::Void {
        return Err(Refusal::IntentIsOver { id });
    }
    if known.slot != *slot {
        return Err(Refusal::IntentHasSlot { id, slot: known.slot.to_string() });
    }
    Ok(())
}

/// A cancellation of the intent that holds the slot, or of the one whose cancellation holds it.
fn takes_back(cancels: Option<IntentId>, held: &SlotRecord) -> bool {
    cancels.is_some_and(|id| held.cancels.unwrap_or(held.intent) == id)
}

/// The same intent and slot, so the same payee, amount and account nonce; only the fee rises.
fn is_higher_fee(proposal: &Proposal, held: &SlotRecord) -> bool {
    let (
        ChainTerms::Eip1559 {
            gas_limit: gas,
            max_fee_per_gas: fee,
            max_priority_fee_per_gas: tip,
            ..
        },
        ChainTerms::Eip1559 {
            gas_limit: gas_held,
            max_fee_per_gas: fee_held,
            max_priority_fee_per_gas: tip_held,
            ..
        },
    ) = (proposal.terms(), &held.terms)
    else {
        return false;
    };
    held.intent == proposal.intent().intent().id
        && fee > fee_held
        && tip >= tip_held
        && gas >= gas_held
}

#[cfg(test)]
mod tests;
