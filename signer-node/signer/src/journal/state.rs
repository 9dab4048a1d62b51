//! What the rows amount to, in memory, and what may follow them.
//!
//! Replay at open and new rows take the same way ([`State::apply`]), so what was rebuilt is what
//! there was.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::Address;
use tercet_policy::admission::{
    AdmitError, Book, IntentRecord, RecordSpend, Reserved, SlotRecord, admit,
};
use tercet_policy::decision::{Ask, Verdict, decide};
use tercet_policy::document::{Authority, ContentHash, Enrolment, Freeze};
use tercet_policy::intent::IntentId;
use tercet_policy::ledger::{Ledger, SpendState};
use tercet_policy::party::{AgentId, NodeId};
use tercet_policy::proposal::{Proposal, Slot};
use tercet_policy::refusal::Refusal;
use tercet_policy::rows::{Outcome, OutcomeRow, PaymentKind, SpendRow};
use tercet_policy::rules::{AuthenticPolicy, Policy};
use tercet_policy::time::UnixSeconds;

use super::error::JournalError;
use super::event::Event;
use super::head::{Head, Tagger, Tip};
use super::roll::{self, Pinned, Roll, WalletOf};
use super::store::{Batch, NewRow};

/// Documents of an event, opened. Other events speak for themselves.
#[derive(Debug)]
pub(super) enum Opened {
    Nothing,
    Enrolment(Pinned<Enrolment>),
    Freeze(Pinned<Freeze>),
    Policy(Pinned<AuthenticPolicy>),
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) tip: Tip,
    tagger: Tagger,
    pub(super) roll: Arc<Roll>,
    book: Book,
    /// The latest row of each payment of which the end is not known.
    unsettled: BTreeMap<IntentId, SpendRow>,
    peer_heads: BTreeMap<NodeId, Head>,
    own_policies: Vec<Policy>,
}

impl State {
    pub(super) fn new(own_policies: Vec<Policy>) -> Self {
        Self {
            tip: Tip::EMPTY,
            tagger: Tagger::new(&ContentHash([0; 32])),
            roll: Arc::default(),
            book: Book::new(),
            unsettled: BTreeMap::new(),
            peer_heads: BTreeMap::new(),
            own_policies,
        }
    }

    /// How far the journal goes, as peers are told.
    pub(super) fn head(&self) -> Head {
        self.tagger.head(self.tip)
    }

    /// The place in our own chain that a head names, if we made that head.
    pub(super) fn own_tip(&self, seen: &Head) -> Option<Tip> {
        self.tagger.open(seen)
    }

    /// Takes in a row of the file.
    pub(super) fn replay(
        &mut self,
        event: Event,
        tip: Tip,
        authority: &Authority,
    ) -> Result<(), JournalError> {
        let opened = reopen(&event, authority);
        if !self.apply(&event, opened)? {
            return Err(JournalError::Tampered { row: tip.rows, what: "it repeats what is known" });
        }
        self.tip = tip;
        Ok(())
    }

    pub(super) fn set_peer_heads(&mut self, heads: Vec<(NodeId, Head)>) {
        self.peer_heads.extend(heads);
    }

    /// Takes in something new and drafts its row; neither if it says nothing new.
    pub(super) fn append(
        &mut self,
        event: &Event,
        opened: Opened,
        batch: &mut Batch,
    ) -> Result<(), JournalError> {
        let body = event.body()?;
        if self.apply(event, opened)? {
            let after = self.tip.follow(&body);
            batch.rows.push(NewRow { claim: event.claim(), body, before: self.tip, after });
            self.tip = after;
        }
        Ok(())
    }

    /// Judges a proposal with everything this node knows, and drafts its row.
    pub(super) fn admit(
        &mut self,
        proposal: Proposal,
        now: UnixSeconds,
        batch: &mut Batch,
    ) -> Result<Reserved, AdmitError<JournalError>> {
        let roll = Arc::clone(&self.roll);
        let intent = proposal.intent().intent();
        let (agent, wallet) = (intent.agent.clone(), intent.wallet);
        if roll.wallet(&wallet).is_none_or(|of| of.agent != agent) {
            return Err(Refusal::UnknownWallet { wallet, agent }.into());
        }
        if roll.stopped(&wallet).is_some() {
            return Err(Refusal::PairFrozen { wallet }.into());
        }
        let Some(policy) = roll.policy(&agent) else {
            return Err(Refusal::NoPolicy { agent }.into());
        };
        self.ask_own_policies(&proposal, now)?;
        let frozen = roll.freeze(&agent);
        admit(policy, frozen, proposal, now, &mut Draft { state: self, batch })
    }

    /// Notes a peer's head. `false` if it is the one known.
    pub(super) fn note_peer_head(
        &mut self,
        node: &NodeId,
        said: Head,
    ) -> Result<bool, JournalError> {
        match self.peer_heads.get(node).copied() {
            Some(known) if known == said => Ok(false),
            Some(known) if said.rows <= known.rows => {
                let (known, said) = (Box::new(known), Box::new(said));
                Err(JournalError::PeerWentBack { node: node.clone(), known, said })
            }
            _ => {
                self.peer_heads.insert(node.clone(), said);
                Ok(true)
            }
        }
    }

    pub(super) fn peer_head(&self, node: &NodeId) -> Option<Head> {
        self.peer_heads.get(node).copied()
    }

    pub(super) fn unsettled(&self) -> Vec<SpendRow> {
        self.unsettled.values().cloned().collect()
    }

    pub(super) fn spend_state(&self, intent: &IntentId) -> Option<SpendState> {
        self.book.state(intent)
    }

    #[cfg(test)]
    pub(super) fn book(&self) -> &Book {
        &self.book
    }

    /// This node's own rules are asked for new payments only: a payment that is signed again
    /// would otherwise count against itself.
    fn ask_own_policies(
        &self,
        proposal: &Proposal,
        now: UnixSeconds,
    ) -> Result<(), AdmitError<JournalError>> {
        let intent = proposal.intent();
        let (id, agent) = (&intent.intent().id, &intent.intent().agent);
        let failed = |e| AdmitError::Journal(JournalError::Ledger(e));
        if self.book.intent(id).map_err(failed)?.is_some() {
            return Ok(());
        }
        let ledger = self.book.ledger(agent).map_err(failed)?;
        for own in self.own_policies.iter().filter(|own| own.agent() == agent) {
            let decision = decide(own, &Ask::from(intent), ledger, now);
            if decision.verdict != Verdict::Approve {
                return Err(Refusal::Policy(decision).into());
            }
        }
        Ok(())
    }

    /// The one way a row changes anything. `false`, and nothing changed, for what is known.
    fn apply(&mut self, event: &Event, opened: Opened) -> Result<bool, JournalError> {
        match event {
            Event::Begun { seed, .. } => {
                self.tagger = Tagger::new(seed);
                Ok(self.tip == Tip::EMPTY)
            }
            Event::Enrolment { .. } | Event::Freeze { .. } | Event::Policy { .. } => {
                self.apply_document(event, opened)
            }
            Event::Wallet { agent, wallet, request } => {
                self.apply_wallet(*wallet, WalletOf { agent: agent.clone(), request: *request })
            }
            Event::Spend(row) => self.apply_spend(row).map(|()| true),
            Event::Outcome(row) => self.apply_outcome(row),
            Event::Stopped { wallet, reason } => {
                let is_news = self.roll.stopped(wallet).is_none();
                if is_news {
                    self.roll_mut().stopped.insert(*wallet, reason.clone());
                }
                Ok(is_news)
            }
            Event::Resumed { wallet } => {
                let is_news = self.roll.stopped(wallet).is_some();
                if is_news {
                    self.roll_mut().stopped.remove(wallet);
                }
                Ok(is_news)
            }
        }
    }

    fn apply_wallet(&mut self, wallet: Address, of: WalletOf) -> Result<bool, JournalError> {
        match self.roll.wallet(&wallet) {
            Some(known) if *known == of => Ok(false),
            Some(known) => {
                Err(JournalError::WalletOfAnother { wallet, agent: known.agent.clone() })
            }
            None => {
                self.roll_mut().wallets.insert(wallet, of);
                Ok(true)
            }
        }
    }

    fn apply_outcome(&mut self, row: &OutcomeRow) -> Result<bool, JournalError> {
        let before = self.book.state(&row.intent());
        self.book.apply(row)?;
        if !matches!(row.outcome(), Outcome::Released) {
            self.unsettled.remove(&row.intent());
        }
        Ok(before != self.book.state(&row.intent()))
    }

    fn apply_spend(&mut self, row: &SpendRow) -> Result<(), JournalError> {
        self.book.record(row)?;
        if row.kind != PaymentKind::X402Cancel {
            self.unsettled.insert(row.intent, row.clone());
        }
        Ok(())
    }

    fn apply_document(&mut self, event: &Event, opened: Opened) -> Result<bool, JournalError> {
        let roll = Arc::make_mut(&mut self.roll);
        let is_news = match (event, opened) {
            (Event::Enrolment { signed, .. }, Opened::Enrolment(new)) => {
                let agent = &signed.document.agent;
                put("enrolment", agent, &mut roll.known(agent).enrolment, new)?
            }
            (Event::Freeze { signed, .. }, Opened::Freeze(new)) => {
                let agent = &signed.document.agent;
                put("freeze", agent, &mut roll.known(agent).freeze, new)?
            }
            (Event::Policy { agent, .. }, Opened::Policy(new)) => {
                put("policy", agent, &mut roll.known(agent).policy, new)?
            }
            // An event whose document was not opened changes nothing.
            _ => false,
        };
        Ok(is_news)
    }

    fn roll_mut(&mut self) -> &mut Roll {
        Arc::make_mut(&mut self.roll)
    }
}

/// Pins a document, if it is newer.
fn put<T>(
    kind: &'static str,
    agent: &AgentId,
    held: &mut Option<Pinned<T>>,
    new: Pinned<T>,
) -> Result<bool, JournalError> {
    let is_news = roll::is_news(kind, agent, held.as_ref(), new.pin)?;
    if is_news {
        *held = Some(new);
    }
    Ok(is_news)
}

/// Opens the document of a stored row again, with the authority that is pinned today.
fn reopen(event: &Event, authority: &Authority) -> Opened {
    match event {
        Event::Enrolment { pin, signed } => Opened::Enrolment(
            roll::open_enrolment((**signed).clone(), authority)
                .unwrap_or(Pinned { pin: *pin, in_force: None }),
        ),
        Event::Freeze { pin, signed } => {
            Opened::Freeze(roll::open_freeze(signed.clone(), authority).unwrap_or_else(|_| {
                Pinned { pin: *pin, in_force: Some(Arc::new(roll::still_frozen(&signed.document))) }
            }))
        }
        Event::Policy { pin, signed, .. } => Opened::Policy(
            roll::open_policy(signed.clone(), authority)
                .unwrap_or(Pinned { pin: *pin, in_force: None }),
        ),
        _ => Opened::Nothing,
    }
}

/// The journal as `admit` sees it: look-ups in the book, and a row for the batch.
struct Draft<'a> {
    state: &'a mut State,
    batch: &'a mut Batch,
}

impl RecordSpend for Draft<'_> {
    type Failure = JournalError;

    fn intent(&self, id: &IntentId) -> Result<Option<IntentRecord>, JournalError> {
        Ok(self.state.book.intent(id)?)
    }

    fn slot(&self, slot: &Slot) -> Result<Option<SlotRecord>, JournalError> {
        Ok(self.state.book.slot(slot)?)
    }

    fn ledger(&self, agent: &AgentId) -> Result<&Ledger, JournalError> {
        Ok(self.state.book.ledger(agent)?)
    }

    fn record(&mut self, row: &SpendRow) -> Result<(), JournalError> {
        let event = Event::Spend(Box::new(row.clone()));
        self.state.append(&event, Opened::Nothing, self.batch)
    }
}
