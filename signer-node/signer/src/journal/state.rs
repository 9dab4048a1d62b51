//! What the rows amount to, in memory, and what may follow them.
//!
//! Replay at open and new rows take the same way ([`State::apply`]), so what was rebuilt is what
//! there was.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::Address;
use tercet_policy::admission::{Book, RecordSpend as _};
use tercet_policy::channel::Channel;
use tercet_policy::document::{Authority, ContentHash, Enrolment, Freeze};
use tercet_policy::intent::IntentId;
use tercet_policy::ledger::{LedgerError, SpendState};
use tercet_policy::mpp::ChannelId;
use tercet_policy::party::NodeId;
use tercet_policy::registry::AuthenticRegistry;
use tercet_policy::report::ReportRow;
use tercet_policy::rows::{HoldId, HoldRow, Outcome, OutcomeRow, SpendRow, TripRow};
use tercet_policy::rules::{AuthenticPolicy, Policy, PolicyPin as Pin, SignedPolicy};
use tercet_policy::subject::Subject;
use tercet_policy::time::UnixSeconds;

use super::error::JournalError;
use super::event::Event;
use super::head::{Head, Heard, Start, Tagger, Tip};
use super::refused::Refused;
use super::roll::{self, Known, Pinned, Roll, WalletOf, put};
use super::store::{Batch, NewRow};

/// Documents of an event, opened. Other events speak for themselves.
#[derive(Debug)]
pub(super) enum Opened {
    Nothing,
    Enrolment(Pinned<Enrolment>),
    Freeze(Pinned<Freeze>),
    Policy(OpenedPolicy),
    Registry(Pinned<AuthenticRegistry>),
}

/// A policy, opened as what follows the one of its subject that was held then.
#[derive(Debug)]
pub(super) struct OpenedPolicy {
    pub(super) policy: Pinned<AuthenticPolicy>,
    pub(super) after: Option<Pin>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) tip: Tip,
    tagger: Tagger,
    pub(super) roll: Arc<Roll>,
    pub(super) book: Book,
    pub(super) refused: Refused,
    /// The latest row of each payment of which the end is not known, and each step that moves nothing
    /// and costs a fee.
    unsettled: BTreeMap<IntentId, SpendRow>,
    /// The holds that have not ended.
    pub(super) holds: BTreeMap<HoldId, HoldRow>,
    peer_heads: BTreeMap<NodeId, Head>,
    /// The start of each peer's process that its head was last heard from.
    peer_starts: BTreeMap<NodeId, Start>,
    authority: Arc<Authority>,
    pub(super) own_policies: Vec<Policy>,
}

impl State {
    pub(super) fn new(authority: Arc<Authority>, own_policies: Vec<Policy>) -> Self {
        let subjects: Vec<_> = own_policies.iter().map(|own| own.subject().clone()).collect();
        let mut state = Self {
            authority,
            tip: Tip::EMPTY,
            tagger: Tagger::new(&ContentHash([0; 32])),
            roll: Arc::default(),
            book: Book::new(),
            refused: Refused::default(),
            unsettled: BTreeMap::new(),
            holds: BTreeMap::new(),
            peer_heads: BTreeMap::new(),
            peer_starts: BTreeMap::new(),
            own_policies,
        };
        subjects.iter().for_each(|subject| state.watch(subject));
        state
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
    pub(super) fn replay(&mut self, event: Event, tip: Tip) -> Result<(), JournalError> {
        let opened = self.reopen(&event);
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
        if let Event::Hold(row) = event {
            self.check_room(row)?;
        }
        if self.apply(event, opened)? {
            let after = self.tip.follow(&body);
            batch.rows.push(NewRow { claim: event.claim(), body, before: self.tip, after });
            self.tip = after;
        }
        Ok(())
    }

    /// Notes a peer's head, but for the one known and one that another overtook: a journal cannot
    /// go back within one start of its process.
    pub(super) fn note_peer_head(
        &mut self,
        heard: Heard,
        batch: &mut Batch,
    ) -> Result<(), JournalError> {
        if self.is_news(&heard)? {
            batch.peer_heads.push((heard.node.clone(), heard.head));
            self.peer_heads.insert(heard.node.clone(), heard.head);
        }
        self.peer_starts.insert(heard.node, heard.start);
        Ok(())
    }

    fn is_news(&self, heard: &Heard) -> Result<bool, JournalError> {
        let Heard { node, start, head: said } = heard;
        let said = *said;
        let is_same_start = self.peer_starts.get(node) == Some(start);
        match self.peer_heads.get(node).copied() {
            Some(known) if is_same_start && said.rows < known.rows => Ok(false),
            Some(known) if known == said => Ok(false),
            Some(known) if said.rows <= known.rows => {
                let (known, said) = (Box::new(known), Box::new(said));
                Err(JournalError::PeerWentBack { node: node.clone(), known, said })
            }
            _ => Ok(true),
        }
    }

    pub(super) fn peer_head(&self, node: &NodeId) -> Option<Head> {
        self.peer_heads.get(node).copied()
    }

    pub(super) fn unsettled(&self) -> Vec<SpendRow> {
        // The fee of a step may have left the ledger with its time.
        let open = |row: &&SpendRow| row.kind.pays() || self.book.has_open_fee(&row.intent);
        self.unsettled.values().filter(open).cloned().collect()
    }

    pub(super) fn spend_state(&self, intent: &IntentId) -> Option<SpendState> {
        self.book.state(intent)
    }

    pub(super) fn may_have_signed(&self, intent: &IntentId) -> bool {
        self.book.may_have_signed(intent)
    }

    /// The latest moment of any payment: our time never runs behind it.
    pub(super) fn latest(&self) -> UnixSeconds {
        self.book.ledger().map_or(UnixSeconds(0), |ledger| ledger.clamp(UnixSeconds(0)))
    }

    pub(super) fn channel(&self, id: &ChannelId) -> Result<Option<Channel>, LedgerError> {
        Ok(self.book.channels()?.find(id).cloned())
    }

    pub(super) fn channels(&self) -> Result<Vec<Channel>, LedgerError> {
        Ok(self.book.channels()?.iter().map(|(_, channel)| channel.clone()).collect())
    }

    #[cfg(test)]
    pub(super) fn book(&self) -> &Book {
        &self.book
    }

    /// The one way a row changes anything. `false`, and nothing changed, for what is known.
    fn apply(&mut self, event: &Event, opened: Opened) -> Result<bool, JournalError> {
        match event {
            Event::Begun { seed, .. } => {
                self.tagger = Tagger::new(seed);
                Ok(self.tip == Tip::EMPTY)
            }
            Event::Enrolment { .. }
            | Event::Freeze { .. }
            | Event::Policy { .. }
            | Event::Registry { .. } => self.apply_document(event, opened),
            Event::Wallet { agent, wallet, request } => {
                self.apply_wallet(*wallet, WalletOf { agent: agent.clone(), request: *request })
            }
            Event::Trip(row) => Ok(self.apply_trip(row)),
            Event::Spend(row) => self.apply_spend(row).map(|()| true),
            Event::Outcome(row) => self.apply_outcome(row),
            Event::Hold(row) => self.apply_hold(row),
            Event::HoldOutcome(row) => self.apply_hold_outcome(row),
            Event::Report(row) => self.apply_report(row),
            Event::SessionClose { channel, cumulative } => {
                Ok(self.book.agree_end(channel, *cumulative))
            }
            Event::Deposited(proof) => Ok(self.book.note_deposited(proof)?),
            Event::Stopped { wallet, reason } => {
                let is_news = self.roll.stopped(wallet).is_none();
                if is_news {
                    self.roll_mut().stopped.insert_mut(*wallet, reason.clone());
                }
                Ok(is_news)
            }
            Event::Resumed { wallet } => {
                let is_news = self.roll.stopped(wallet).is_some();
                if is_news {
                    self.roll_mut().stopped.remove_mut(wallet);
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
                self.roll_mut().add_wallet(wallet, of);
                Ok(true)
            }
        }
    }

    fn apply_outcome(&mut self, row: &OutcomeRow) -> Result<bool, JournalError> {
        let known = |book: &Book| (book.state(&row.intent()), book.has_open_fee(&row.intent()));
        let before = known(&self.book);
        self.book.apply(row)?;
        let pays = |row: &SpendRow| row.kind.pays();
        let goes_on = match row.outcome() {
            Outcome::Released => true,
            // That a fee is known is the end of a step alone.
            Outcome::Fee { .. } => self.unsettled.get(&row.intent()).is_some_and(pays),
            Outcome::Settled { .. } | Outcome::Void { .. } => false,
        };
        if !goes_on {
            self.unsettled.remove(&row.intent());
        }
        Ok(before != known(&self.book))
    }

    fn apply_spend(&mut self, row: &SpendRow) -> Result<(), JournalError> {
        self.book.record(row)?;
        if row.kind.pays() || row.fee.is_some() {
            self.unsettled.insert(row.intent, row.clone());
        }
        Ok(())
    }

    fn apply_report(&mut self, row: &ReportRow) -> Result<bool, JournalError> {
        let is_news = !self.book.experience()?.has(&row.intent(), row.kind());
        self.book.report(row);
        Ok(is_news)
    }

    /// An agent that is stopped already is not stopped again.
    fn apply_trip(&mut self, row: &TripRow) -> bool {
        let last = self.roll.last_trip(&row.agent);
        let is_news = last.is_none_or(|last| last.freeze_epoch < row.freeze_epoch);
        if is_news {
            self.roll_mut().change(&row.agent, |known| known.trip = Some(row.clone()));
        }
        is_news
    }

    fn apply_document(&mut self, event: &Event, opened: Opened) -> Result<bool, JournalError> {
        match (event, opened) {
            (Event::Enrolment { signed, .. }, Opened::Enrolment(new)) => {
                let agent = &signed.document.agent;
                let subject = Subject::Agent(agent.clone());
                let put = |known: &mut Known| put("enrolment", &subject, &mut known.enrolment, new);
                self.roll_mut().change(agent, put)
            }
            (Event::Freeze { signed, .. }, Opened::Freeze(new)) => {
                let document = &signed.document;
                let put = |known: &mut Known| roll::put_freeze(known, document, new);
                self.roll_mut().change(&document.agent, put)
            }
            (Event::Policy { subject, signed, .. }, Opened::Policy(new)) => {
                self.apply_policy(subject, signed, new)
            }
            (Event::Registry { .. }, Opened::Registry(new)) => {
                put("registry", &Subject::Organisation, &mut self.roll_mut().registry, new)
            }
            // An event whose document was not opened changes nothing.
            _ => Ok(false),
        }
    }

    /// What one key may sign hangs on the policy held, so a policy that was opened after another
    /// one than is held now is opened again.
    fn apply_policy(
        &mut self,
        subject: &Subject,
        signed: &SignedPolicy,
        new: OpenedPolicy,
    ) -> Result<bool, JournalError> {
        let held = self.roll.policies.get(subject);
        let new = match held.map(|held| held.pin) == new.after {
            true => new.policy,
            false => self.roll.open_policy(signed.clone(), &self.authority)?.policy,
        };
        if let Some(policy) = &new.in_force {
            self.roll.check_wallet(policy)?;
        }
        let mut held = held.cloned();
        let is_news = put("policy", subject, &mut held, new)?;
        if let (true, Some(new)) = (is_news, held) {
            self.roll_mut().policies.insert_mut(subject.clone(), new);
            self.watch(subject);
        }
        Ok(is_news)
    }

    /// Has the sums ready that the policies of a subject look at, this node's own among them.
    fn watch(&mut self, subject: &Subject) {
        let held = self.roll.policy(subject).map(|held| held.policy());
        let own = self.own_policies.iter().filter(|own| own.subject() == subject);
        let lines: Vec<_> = own.chain(held).flat_map(Policy::lines).collect();
        self.book.watch(subject, lines);
    }

    fn roll_mut(&mut self) -> &mut Roll {
        Arc::make_mut(&mut self.roll)
    }

    /// Opens the document of a stored row again, with the authority that is pinned today.
    fn reopen(&self, event: &Event) -> Opened {
        let authority = &self.authority;
        match event {
            Event::Enrolment { pin, signed } => Opened::Enrolment(
                roll::open_enrolment((**signed).clone(), authority)
                    .unwrap_or(Pinned { pin: *pin, in_force: None }),
            ),
            Event::Freeze { pin, signed } => {
                let frozen = || Arc::new(roll::still_frozen(&signed.document));
                Opened::Freeze(
                    roll::open_freeze(signed.clone(), authority)
                        .unwrap_or_else(|_| Pinned { pin: *pin, in_force: Some(frozen()) }),
                )
            }
            Event::Policy { subject, pin, signed } => {
                let after = self.roll.policies.get(subject).map(|held| held.pin);
                let lost = Pinned { pin: *pin, in_force: None };
                Opened::Policy(
                    self.roll
                        .open_policy(signed.clone(), authority)
                        .unwrap_or(OpenedPolicy { policy: lost, after }),
                )
            }
            Event::Registry { pin, signed } => Opened::Registry(
                roll::open_registry(signed.clone(), authority)
                    .unwrap_or(Pinned { pin: *pin, in_force: None }),
            ),
            _ => Opened::Nothing,
        }
    }
}
