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

use crate::approval::AuthenticApproval;
use crate::ask::{Ask, Facts};
use crate::decision::{Decision, Verdict, decide};
use crate::document::{ContentHash, Freeze};
use crate::intent::IntentId;
use crate::ledger::{Health, Ledger, SpendState};
use crate::money::Amount;
use crate::party::AgentId;
use crate::payload::SigningPayload;
use crate::proposal::{ChainTerms, Proposal, Slot};
use crate::refusal::{ClaimField, Refusal};
use crate::registry::{AuthenticRegistry, Experience};
use crate::rows::{Judged, SpendRow, TripRow};
use crate::rules::{Policy, PolicySet};
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

    /// What was spent, by everybody this journal knows.
    ///
    /// # Errors
    /// The journal cannot be read.
    fn ledger(&self) -> Result<&Ledger, Self::Failure>;

    /// What went wrong for an agent lately.
    ///
    /// # Errors
    /// The journal cannot be read.
    fn health(&self, agent: &AgentId) -> Result<&Health, Self::Failure>;

    /// The rule that stopped an agent last, if one did.
    ///
    /// # Errors
    /// The journal cannot be read.
    fn tripped(&self, agent: &AgentId) -> Result<Option<&TripRow>, Self::Failure>;

    /// What came of paying whom.
    ///
    /// # Errors
    /// The journal cannot be read.
    fn experience(&self) -> Result<&Experience, Self::Failure>;

    /// Notes that the policy refused this agent something.
    fn refused(&mut self, agent: &AgentId, at: UnixSeconds);

    /// Writes that a rule stopped an agent.
    ///
    /// # Errors
    /// The row was not written.
    fn trip(&mut self, row: &TripRow) -> Result<(), Self::Failure>;

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

/// What a proposal is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Rulebook<'a> {
    /// The policies of its agent.
    pub policies: &'a PolicySet,
    /// Who is who.
    pub registry: Option<&'a AuthenticRegistry>,
    /// The latest freeze document of the agent, if there is any.
    pub frozen: Option<&'a Freeze>,
}

/// What is put before the journal.
#[derive(Debug)]
pub struct Submission {
    /// The payment.
    pub proposal: Proposal,
    /// What people said to it, with signatures that hold; whose, the policies say.
    pub approvals: Vec<AuthenticApproval>,
    /// What the wallet holds of the asset, in base units, by this node's own endpoints.
    pub balance: Option<Amount>,
}

impl From<Proposal> for Submission {
    fn from(proposal: Proposal) -> Self {
        Self { proposal, approvals: Vec::new(), balance: None }
    }
}

/// Decides and records; see the module's text for what is refused.
///
/// # Errors
/// [`AdmitError::Refused`] with the reason, or [`AdmitError::Journal`].
pub fn admit<J: RecordSpend>(
    rulebook: &Rulebook<'_>,
    submission: Submission,
    now: UnixSeconds,
    journal: &mut J,
) -> Result<Reserved, AdmitError<J::Failure>> {
    let proposal = &submission.proposal;
    check_policies(rulebook, proposal)?;
    check_freeze(rulebook.frozen, proposal)?;
    check_trip(rulebook.frozen, proposal, journal)?;
    check_time(proposal, journal.ledger().map_err(AdmitError::Journal)?.clamp(now))?;
    let payload = SigningPayload::of(proposal).ok_or_else(|| kinds_differ(proposal))?;
    let standing = standing(proposal, payload.digest(), journal)?;
    let (decision, replaces) = match standing {
        Standing::New => (Some(approve(rulebook, &submission, now, journal)?), None),
        Standing::TakesBack(held) => {
            (Some(approve(rulebook, &submission, now, journal)?), Some(held))
        }
        Standing::HigherFee(held) => (None, Some(held)),
        Standing::SameAgain => (None, None),
    };
    let at = journal.ledger().map_err(AdmitError::Journal)?.clamp(now);
    let ask = Ask::from(proposal.intent());
    let payee = rulebook.registry.and_then(|registry| registry.counterparty(&ask));
    let category = payee.and_then(|payee| payee.category.clone());
    let judged = Judged { digest: payload.digest(), replaces, at };
    let row = SpendRow::new(proposal, category, judged);
    if standing != Standing::SameAgain {
        journal.record(&row).map_err(AdmitError::Journal)?;
    }
    Ok(Reserved { row, standing, decision, payload })
}

fn check_policies(rulebook: &Rulebook<'_>, proposal: &Proposal) -> Result<(), Refusal> {
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

/// A rule that stopped the agent holds until the authority thaws it above the freeze known then.
/// A thaw that names another agent resumes nobody here.
fn check_trip<J: RecordSpend>(
    frozen: Option<&Freeze>,
    proposal: &Proposal,
    journal: &J,
) -> Result<(), AdmitError<J::Failure>> {
    let agent = &proposal.intent().intent().agent;
    let own = frozen.filter(|freeze| freeze.agent == *agent);
    let thawed = own.map_or(0, |freeze| freeze.epoch);
    match journal.tripped(agent).map_err(AdmitError::Journal)? {
        Some(trip) if thawed <= trip.freeze_epoch => {
            let (agent, reason) = (agent.clone(), trip.reason.clone());
            Err(Refusal::AgentFrozen { agent, reason }.into())
        }
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

fn approve<J: RecordSpend>(
    rulebook: &Rulebook<'_>,
    submission: &Submission,
    now: UnixSeconds,
    journal: &mut J,
) -> Result<Decision, AdmitError<J::Failure>> {
    let proposal = &submission.proposal;
    let intent = proposal.intent().intent();
    let facts = Facts {
        registry: rulebook.registry.map(AuthenticRegistry::registry),
        balance: submission.balance,
        approvals: &submission.approvals,
        epochs: proposal.policies(),
        ..Facts::known_to(journal, &intent.agent, now).map_err(AdmitError::Journal)?
    };
    let ask = Ask::from(proposal.intent()).with_terms(proposal.terms());
    let decision = decide(&rulebook.policies.applying(&intent.wallet), &ask, &facts);
    let refusal = match (decision.verdict, ask.cancels) {
        (Verdict::Approve, _) => return Ok(decision),
        (_, Some(id)) => return Err(Refusal::NothingToCancel { id }.into()),
        (Verdict::AskHuman, None) => return Err(Refusal::ApprovalMissing(decision).into()),
        (Verdict::Refuse, None) => decision,
    };
    let at = facts.ledger.clamp(now);
    journal.refused(&intent.agent, at);
    if let Some(found) = refusal.violations().find(|found| found.freezes) {
        let freeze_epoch = rulebook.frozen.map_or(0, |freeze| freeze.epoch);
        let (agent, reason) = (intent.agent.clone(), found.to_string());
        journal
            .trip(&TripRow { agent, reason, freeze_epoch, at })
            .map_err(AdmitError::Journal)?;
    }
    Err(Refusal::Policy(refusal).into())
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
