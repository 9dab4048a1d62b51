//! The one door to a signature: decide and record, or refuse.
//!
//! Promises: [`Reserved`] exists only for a proposal that the policy approves (or had approved),
//! whose agent is not frozen, and whose row was given to the journal first. It is a proof: it
//! cannot be made elsewhere, copied or stored.
//!
//! Refuses: another epoch than the courier previewed with, a frozen agent (but for leaving a
//! channel by force, which only brings money back to its wallet, and for revoking an access key,
//! which only lessens what can be taken), an intent whose time is over or further off than an intent lives, one whose payment was proved void, an intent id
//! used for something else, a second slot for one intent, a slot that holds another digest, a
//! Tempo transaction that the chain takes no more, what may not follow in the life of a
//! channel ([`crate::channel`]), and the revocation of an access key that is not known
//! ([`crate::access_key`]).
//! The listed replacements of a digest are:
//!
//! | slot | replacement | why it is safe |
//! |---|---|---|
//! | EIP-3009 nonce | the cancellation of the intent that holds it | moves nothing; the chain takes only one of the two |
//! | account nonce | the same transfer of the same intent at a higher fee | the chain takes only one of the two, and both do the same |
//!
//! What is signed again was approved before and counts once, so the rules are not asked again;
//! epoch, freeze and time are. Of a higher fee the rules about fees are asked, of every policy that
//! applies, and what it rises by is counted ([`decide_higher_fee`]).
//!
//! Once a cancellation was admitted its digest is the slot's, and the authorization is not
//! signed again: whoever asks to take something back must not be handed it. The reservation
//! stays until the chain shows which of the two it took.
//!
//! Does not protect against: a journal whose [`RecordSpend::record`] returns before the row is
//! durable and whose caller lets the [`Reserved`] out all the same.

mod book;
mod checks;
mod standing;

use alloy_primitives::B256;

use crate::access_key::AccessKeys;
use crate::approval::AuthenticApproval;
use crate::ask::{Ask, Facts};
use crate::channel::{self, ChannelAct, Channels};
use crate::decision::{Decision, Verdict, decide, decide_higher_fee};
use crate::document::{ContentHash, Freeze};
use crate::intent::IntentId;
use crate::ledger::{Health, Ledger, SpendState};
use crate::money::Amount;
use crate::party::AgentId;
use crate::payload::SigningPayload;
use crate::proposal::{ChainTerms, Proposal, Slot};
use crate::refusal::Refusal;
use crate::registry::{AuthenticRegistry, Experience};
use crate::rows::{Judged, SpendRow, TripRow};
use crate::rules::PolicySet;
use crate::time::UnixSeconds;

use standing::Standing;

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

    /// The MPP channels that were opened here.
    ///
    /// # Errors
    /// The journal cannot be read.
    fn channels(&self) -> Result<&Channels, Self::Failure>;

    /// The access keys that were authorized here.
    ///
    /// # Errors
    /// The journal cannot be read.
    fn access_keys(&self) -> Result<&AccessKeys, Self::Failure>;

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

    /// What the policies said; nothing where nothing new was asked. Of a higher fee it holds the
    /// rules about fees alone.
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
    checks::policies(rulebook, proposal)?;
    if !checks::is_for_the_stopped(proposal) {
        checks::freeze(rulebook.frozen, proposal)?;
        checks::trip(rulebook.frozen, proposal, journal)?;
    }
    let at = journal.ledger().map_err(AdmitError::Journal)?.clamp(now);
    checks::time(proposal, at)?;
    let payload = SigningPayload::of(proposal).ok_or_else(|| checks::kinds_differ(proposal))?;
    let act = ChannelAct::of(proposal.intent().intent(), payload.opens());
    let channels = journal.channels().map_err(AdmitError::Journal)?;
    channel::check(channels, proposal.intent().intent(), act.as_ref(), at)?;
    let keys = journal.access_keys().map_err(AdmitError::Journal)?;
    keys.check(proposal.intent().intent(), at)?;
    let standing = standing::standing(proposal, payload.digest(), journal)?;
    let decision = match standing {
        Standing::SameAgain => None,
        _ => Some(approve(rulebook, &submission, now, standing, journal)?),
    };
    let ask = Ask::from(proposal.intent());
    let payee = rulebook.registry.and_then(|registry| registry.counterparty(&ask));
    let category = payee.and_then(|payee| payee.category.clone());
    let (digest, replaces) = (payload.digest(), standing.replaces());
    let judged = Judged { digest, channel: act, replaces, at };
    let row = SpendRow::new(proposal, category, judged);
    if standing != Standing::SameAgain {
        journal.record(&row).map_err(AdmitError::Journal)?;
    }
    Ok(Reserved { row, standing, decision, payload })
}

/// What the policies say, where that is yes. A no is noted, and may stop the agent.
fn approve<J: RecordSpend>(
    rulebook: &Rulebook<'_>,
    submission: &Submission,
    now: UnixSeconds,
    standing: Standing,
    journal: &mut J,
) -> Result<Decision, AdmitError<J::Failure>> {
    let intent = submission.proposal.intent().intent();
    let decision =
        judge(rulebook, submission, now, standing, journal).map_err(AdmitError::Journal)?;
    let refusal = match (decision.verdict, standing::cancels(&submission.proposal)) {
        (Verdict::Approve, _) => return Ok(decision),
        (_, Some(id)) => return Err(Refusal::NothingToCancel { id }.into()),
        (Verdict::AskHuman, None) => return Err(Refusal::ApprovalMissing(decision).into()),
        (Verdict::Refuse, None) => decision,
    };
    let at = journal.ledger().map_err(AdmitError::Journal)?.clamp(now);
    journal.refused(&intent.agent, at);
    if let Some(found) = refusal.violations().find(|found| found.freezes) {
        let freeze_epoch = rulebook.frozen.map_or(0, |freeze| freeze.epoch);
        let (agent, reason) = (intent.agent.clone(), found.to_string());
        journal.trip(&TripRow { agent, reason, freeze_epoch, at }).map_err(AdmitError::Journal)?;
    }
    Err(refusal.refusal(&Ask::from(submission.proposal.intent())).into())
}

/// What the policies say: all of their rules to what is new, those about fees to a higher one.
fn judge<J: RecordSpend>(
    rulebook: &Rulebook<'_>,
    submission: &Submission,
    now: UnixSeconds,
    standing: Standing,
    journal: &J,
) -> Result<Decision, J::Failure> {
    let proposal = &submission.proposal;
    let intent = proposal.intent().intent();
    let facts = Facts {
        registry: rulebook.registry.map(AuthenticRegistry::registry),
        balance: submission.balance,
        approvals: &submission.approvals,
        epochs: proposal.policies(),
        ..Facts::known_to(journal, &intent.agent, now)?
    };
    let step = channel::step(journal.channels()?, intent);
    let ask = Ask::from(proposal.intent()).with_terms(proposal.terms()).with_step(step);
    let policies = rulebook.policies.applying(&intent.wallet);
    if !matches!(standing, Standing::HigherFee(_)) {
        return Ok(decide(&policies, &ask, &facts));
    }
    // Where the ledger knew nothing of the payment, all of its fee would be new.
    let fee_counted_wei = facts.ledger.fee_wei(&intent.id).unwrap_or_default();
    Ok(decide_higher_fee(&policies, &ask, &Facts { fee_counted_wei, ..facts }))
}

#[cfg(test)]
mod tests;
