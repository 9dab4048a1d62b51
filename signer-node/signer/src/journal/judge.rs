//! How a payment is judged: by everything this node knows, and by nobody's word for it.

use std::sync::Arc;

use tercet_policy::access_key::AccessKeys;
use tercet_policy::admission::{
    AdmitError, IntentRecord, RecordSpend, Reserved, Rulebook, SlotRecord, Submission, admit,
};
use tercet_policy::ask::{Ask, Facts};
use tercet_policy::channel::{self, Channels};
use tercet_policy::decision::{Decision, Verdict, decide, decide_higher_fee};
use tercet_policy::intent::IntentId;
use tercet_policy::ledger::{Health, Ledger};
use tercet_policy::party::AgentId;
use tercet_policy::proposal::Slot;
use tercet_policy::refusal::Refusal;
use tercet_policy::registry::{AuthenticRegistry, Experience};
use tercet_policy::rows::{OutcomeRow, SpendRow, TripRow};
use tercet_policy::rules::Policy;
use tercet_policy::time::UnixSeconds;

use super::error::JournalError;
use super::event::Event;
use super::state::{Opened, State};
use super::store::Batch;
use super::writer::Leaving;

type Judged<T> = Result<T, AdmitError<JournalError>>;

impl State {
    /// Judges a proposal with everything this node knows, and drafts its row; on a refusal that
    /// stops the agent, the row that says so.
    pub(super) fn admit(
        &mut self,
        submission: Submission,
        now: UnixSeconds,
        batch: &mut Batch,
    ) -> Judged<Reserved> {
        let roll = Arc::clone(&self.roll);
        let intent = submission.proposal.intent().intent();
        let (agent, wallet) = (intent.agent.clone(), intent.wallet);
        if roll.wallet(&wallet).is_none_or(|of| of.agent != agent) {
            return Err(Refusal::UnknownWallet { wallet, agent }.into());
        }
        if roll.stopped(&wallet).is_some() {
            return Err(Refusal::PairFrozen { wallet }.into());
        }
        let Some(policies) = roll.policies_for(&agent, &wallet) else {
            return Err(Refusal::NoPolicy { agent }.into());
        };
        let (registry, frozen) = (roll.registry(), roll.freeze(&agent));
        let rulebook = Rulebook { policies: &policies, registry, frozen };
        let intent = intent.id;
        let mut draft = Draft { state: self, batch, intent };
        draft.ask_own_policies(&rulebook, &submission, now)?;
        admit(&rulebook, submission, now, &mut draft)
    }
}

impl State {
    /// [`Self::admit`] for a part that leaves at once: the rows of both are one transaction.
    pub(super) fn admit_part(
        &mut self,
        submission: Submission,
        leaving: Leaving,
        now: UnixSeconds,
        batch: &mut Batch,
    ) -> Judged<Reserved> {
        if let Some(heard) = leaving.heard {
            self.note_peer_head(heard, batch).map_err(AdmitError::Journal)?;
        }
        let reserved = self.admit(submission, now, batch)?;
        let row = reserved.row();
        // What moves nothing has no state in the ledger to change.
        if row.kind.pays() {
            let released = Event::Outcome(Box::new(OutcomeRow::released(row, now)));
            self.append(&released, Opened::Nothing, batch).map_err(AdmitError::Journal)?;
        }
        Ok(reserved)
    }
}

/// The journal as `admit` sees it: look-ups in the book, and rows for the batch.
struct Draft<'a> {
    state: &'a mut State,
    batch: &'a mut Batch,
    /// What is judged.
    intent: IntentId,
}

impl Draft<'_> {
    /// This node's own rules are asked for new payments only: a payment that is signed again
    /// would otherwise count against itself. Of one at a higher fee those about fees are asked.
    /// An agent that is stopped is left to [`admit`].
    fn ask_own_policies(
        &mut self,
        rulebook: &Rulebook<'_>,
        submission: &Submission,
        now: UnixSeconds,
    ) -> Judged<()> {
        let intent = submission.proposal.intent();
        let agent = &intent.intent().agent;
        if self.state.roll.stop_of(agent).is_some() {
            return Ok(());
        }
        let Some(decision) = self.own_decision(rulebook, submission, now)? else { return Ok(()) };
        match decision.verdict {
            Verdict::Approve => Ok(()),
            Verdict::AskHuman => Err(Refusal::ApprovalMissing(decision).into()),
            Verdict::Refuse => {
                let freeze_epoch = rulebook.frozen.map_or(0, |freeze| freeze.epoch);
                self.note_refusal(agent, &decision, freeze_epoch, now)?;
                Err(Refusal::Policy(decision).into())
            }
        }
    }

    /// What this node's own policies that apply say together; nothing where none applies.
    fn own_decision(
        &self,
        rulebook: &Rulebook<'_>,
        submission: &Submission,
        now: UnixSeconds,
    ) -> Judged<Option<Decision>> {
        let proposal = &submission.proposal;
        let step = channel::step(
            self.channels().map_err(AdmitError::Journal)?,
            proposal.intent().intent(),
        );
        let ask = Ask::from(proposal.intent()).with_terms(proposal.terms()).with_step(step);
        let own = self.state.own_policies.iter();
        let own: Vec<&Policy> = own.filter(|own| own.applies_to(&ask)).collect();
        if own.is_empty() {
            return Ok(None);
        }
        let facts = Facts {
            registry: rulebook.registry.map(AuthenticRegistry::registry),
            balance: submission.balance,
            approvals: &submission.approvals,
            epochs: proposal.policies(),
            ..Facts::known_to(self, ask.agent, now).map_err(AdmitError::Journal)?
        };
        let id = &proposal.intent().intent().id;
        if self.state.book.state(id).is_none() {
            return Ok(Some(decide(&own, &ask, &facts)));
        }
        let counted = facts.ledger.fee_wei(id).unwrap_or_default();
        let is_higher = ask.fee_wei.is_some_and(|fee| fee > counted);
        let facts = Facts { fee_counted_wei: counted, ..facts };
        Ok(is_higher.then(|| decide_higher_fee(&own, &ask, &facts)))
    }

    /// Counts a refusal of this node's own rules as one of the others is counted.
    fn note_refusal(
        &mut self,
        agent: &AgentId,
        decision: &Decision,
        freeze_epoch: u64,
        now: UnixSeconds,
    ) -> Judged<()> {
        let at = self.ledger().map_err(AdmitError::Journal)?.clamp(now);
        self.refused(agent, at);
        let Some(found) = decision.violations().find(|found| found.freezes) else { return Ok(()) };
        let row = TripRow { agent: agent.clone(), reason: found.to_string(), freeze_epoch, at };
        self.trip(&row).map_err(AdmitError::Journal)
    }
}

impl RecordSpend for Draft<'_> {
    type Failure = JournalError;

    fn intent(&self, id: &IntentId) -> Result<Option<IntentRecord>, JournalError> {
        Ok(self.state.book.intent(id)?)
    }

    fn slot(&self, slot: &Slot) -> Result<Option<SlotRecord>, JournalError> {
        Ok(self.state.book.slot(slot)?)
    }

    fn ledger(&self) -> Result<&Ledger, JournalError> {
        Ok(self.state.book.ledger()?)
    }

    fn health(&self, agent: &AgentId) -> Result<&Health, JournalError> {
        Ok(self.state.book.health(agent)?)
    }

    fn tripped(&self, agent: &AgentId) -> Result<Option<&TripRow>, JournalError> {
        Ok(self.state.roll.last_trip(agent))
    }

    fn experience(&self) -> Result<&Experience, JournalError> {
        Ok(self.state.book.experience()?)
    }

    fn channels(&self) -> Result<&Channels, JournalError> {
        Ok(self.state.book.channels()?)
    }

    fn access_keys(&self) -> Result<&AccessKeys, JournalError> {
        Ok(self.state.book.access_keys()?)
    }

    fn refused(&mut self, agent: &AgentId, at: UnixSeconds) {
        if self.state.refused.note(self.intent) {
            self.state.book.refused(agent, at);
        }
    }

    fn trip(&mut self, row: &TripRow) -> Result<(), JournalError> {
        self.state.append(&Event::Trip(row.clone()), Opened::Nothing, self.batch)
    }

    fn record(&mut self, row: &SpendRow) -> Result<(), JournalError> {
        let event = Event::Spend(Box::new(row.clone()));
        self.state.append(&event, Opened::Nothing, self.batch)
    }
}
