//! What was spent, in memory: the ledger that the preview judges by.
//!
//! Promises: it is built from the store at start and follows every stored move of a payment, so
//! that judging reads no past; looking and reserving are one step under one lock, so payments
//! side by side are let through exactly as far as they fit.
//!
//! Does not protect against: anything. The nodes judge by journals of their own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use alloy_primitives::B256;
use tercet_policy::access_key::KeyAct;
use tercet_policy::admission::{AdmitError, Book, RecordSpend as _, Rulebook, Submission, admit};
use tercet_policy::ask::{Ask, Facts};
use tercet_policy::channel::{self, ChannelAct};
use tercet_policy::decision::{Decision, decide};
use tercet_policy::document::Freeze;
use tercet_policy::intent::PaymentIntent;
use tercet_policy::ledger::{LEDGER_SECONDS_KEPT, LedgerError};
use tercet_policy::money::Amount;
use tercet_policy::party::AgentId;
use tercet_policy::proposal::Slot;
use tercet_policy::refusal::Refusal;
use tercet_policy::rows::{OutcomeRow, PaymentKind, SpendRow, TransferMark, TripRow};
use tercet_policy::rules::Policy;
use tercet_policy::time::UnixSeconds;
use tercet_policy::window::TZDB_VERSION;

use super::hold;
use super::state::{Kind, State};
use crate::shelf::{Judges, Shelf};
use crate::store::{PaymentRecord, Store, StoreError};

/// The preview's book.
#[derive(Debug, Default)]
pub struct SharedBook(Mutex<Book>);

/// What a payment is judged by, beside the book.
#[derive(Clone, Copy, Debug)]
pub struct Bench<'a> {
    /// Policies and registry.
    pub judges: &'a Judges,
    /// The latest freeze document of the agent.
    pub frozen: Option<&'a Freeze>,
    /// Now.
    pub now: UnixSeconds,
}

/// What reserving came to.
#[derive(Debug)]
pub struct Tried {
    /// The row, or why not.
    pub row: Result<SpendRow, Refusal>,
    /// The agent was stopped by a rule just now.
    pub tripped: Option<TripRow>,
}

impl SharedBook {
    /// Builds the book from the store.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn load(store: &Store, shelf: &Shelf, now: UnixSeconds) -> Result<Self, StoreError> {
        let mut book = Book::new();
        shelf.each_policy(|policy| book.watch(policy.subject(), policy.lines()));
        let kept = now.minus(LEDGER_SECONDS_KEPT);
        let held = store.pre_authorizations_since(kept).await?;
        let mut held = held.into_iter().peekable();
        // A ledger's time never runs backwards, so both kinds come in the order they were let in.
        let each = |record: PaymentRecord| {
            while let Some(hold) = held.next_if(|hold| hold.facts.hold.at <= let_in_at(&record)) {
                hold::replay(&mut book, &hold);
            }
            replay(&mut book, &record);
        };
        store.replay_counting(each).await?;
        held.for_each(|hold| hold::replay(&mut book, &hold));
        for report in store.reports(None).await? {
            book.report(&report.row);
        }
        for trip in store.trips().await? {
            let _ = book.trip(&trip);
        }
        Ok(Self(Mutex::new(book)))
    }

    /// Keeps ready what a policy that came in force counts over.
    pub fn watch(&self, policy: &Policy) {
        self.lock().watch(policy.subject(), policy.lines());
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What all policies say to a payment. Reserves and counts nothing.
    ///
    /// # Errors
    /// A [`Refusal`] where no policy is asked: there is none, or the agent is stopped.
    pub fn judge(
        &self,
        bench: &Bench<'_>,
        ask: &Ask<'_>,
        known: &Known<'_>,
    ) -> Result<Decision, Refusal> {
        judged(&self.lock(), bench, ask, known)
    }

    /// What a voucher adds to those before it; nothing for other payments.
    #[must_use]
    pub fn step(&self, intent: &PaymentIntent) -> Option<Amount> {
        let book = self.lock();
        book.channels().ok().and_then(|channels| channel::step(channels, intent))
    }

    /// Notes that the policies refused this agent something; the rule that stops it for that.
    pub fn note_refusal(
        &self,
        bench: &Bench<'_>,
        agent: &AgentId,
        decision: &Decision,
    ) -> Option<TripRow> {
        let mut book = self.lock();
        book.refused(agent, bench.now);
        let found = decision.violations().find(|found| found.freezes)?;
        let freeze_epoch = bench.frozen.map_or(0, |freeze| freeze.epoch);
        let (agent, reason) = (agent.clone(), found.to_string());
        let trip = TripRow { agent, reason, freeze_epoch, at: bench.now };
        book.trip(&trip).ok()?;
        Some(trip)
    }

    /// Judges a proposal by the rules of [`admit`], and reserves it if they allow it.
    ///
    /// # Errors
    /// [`LedgerError`] if the book cannot take it.
    pub fn reserve(&self, bench: &Bench<'_>, submission: Submission) -> Result<Tried, LedgerError> {
        let mut book = self.lock();
        let agent = submission.proposal.intent().intent().agent.clone();
        let before = book.tripped(&agent)?.cloned();
        let rulebook = Rulebook {
            policies: &bench.judges.policies,
            registry: bench.judges.registry.as_deref(),
            frozen: bench.frozen,
        };
        let row = match admit(&rulebook, submission, bench.now, &mut *book) {
            Ok(reserved) => Ok(reserved.row().clone()),
            Err(AdmitError::Refused(refusal)) => Err(refusal),
            Err(AdmitError::Journal(error)) => return Err(error),
        };
        let tripped = book.tripped(&agent)?.filter(|now| Some(*now) != before.as_ref()).cloned();
        Ok(Tried { row, tripped })
    }

    /// Takes back what was let through and then not stored.
    pub fn give_back(&self, record: &PaymentRecord) {
        if let Some(row) = row(record) {
            self.lock().forgo(&row);
        }
    }

    /// Takes in what became of a payment, once for each stored move.
    pub fn follow(&self, from: State, record: &PaymentRecord) {
        if from == record.state {
            return;
        }
        let Some(row) = row(record) else { return };
        let mut book = self.lock();
        match record.state {
            State::Signed | State::Submitted => release(&mut book, &row, record),
            State::Refused | State::Failed => book.forgo(&row),
            State::Void => {
                book.note_void(&row, record.facts.fee);
                book.note_failure(&row.agent, record.updated_at);
            }
            State::Settled => {
                release(&mut book, &row, record);
                settle(&mut book, &row, record);
            }
            _ => {}
        }
    }
}

pub(super) fn judged(
    book: &Book,
    bench: &Bench<'_>,
    ask: &Ask<'_>,
    known: &Known<'_>,
) -> Result<Decision, Refusal> {
    let none = || Refusal::NoPolicy { agent: ask.agent.clone() };
    if !bench.judges.policies.has_own(&ask.wallet) {
        return Err(none());
    }
    // A book in memory can always be read.
    let facts = Facts::known_to(book, ask.agent, bench.now).map_err(|_| none())?;
    let for_the_stopped = matches!(ask.kind, PaymentKind::MppExit | PaymentKind::RevokeKey);
    if !for_the_stopped || !ask.moves_nothing {
        stopped(book, bench, ask.agent)?;
    }
    let facts = Facts {
        registry: bench.judges.registry.as_deref().map(|registry| registry.registry()),
        balance: known.balance,
        approvals: known.approvals,
        epochs: bench.judges.epochs(ask.wallet),
        ..facts
    };
    Ok(decide(&bench.judges.policies.applying(&ask.wallet), ask, &facts))
}

/// What is known of a payment beside the book.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// What the wallet holds of the asset, in base units.
    pub balance: Option<Amount>,
    /// What people said to it.
    pub approvals: &'a [tercet_policy::approval::AuthenticApproval],
}

/// A rule that stopped the agent holds until the authority thaws it, as at the nodes; leaving a
/// channel by force and revoking an access key are for it, too.
fn stopped(book: &Book, bench: &Bench<'_>, agent: &AgentId) -> Result<(), Refusal> {
    let frozen =
        |reason: &str| Refusal::AgentFrozen { agent: agent.clone(), reason: reason.to_owned() };
    if let Some(freeze) = bench.frozen.filter(|freeze| freeze.frozen) {
        return Err(frozen(&freeze.reason));
    }
    match book.tripped(agent) {
        Ok(Some(trip)) if trip.holds(bench.frozen) => Err(frozen(&trip.reason)),
        _ => Ok(()),
    }
}

/// A payment that was released before, or that counts nothing, changes nothing.
fn release(book: &mut Book, row: &SpendRow, record: &PaymentRecord) {
    if row.counts()
        && let Err(error) = book.apply(&OutcomeRow::released(row, record.updated_at))
    {
        tracing::warn!(payment = %row.intent, %error, "the preview's book does not follow");
    }
}

/// A deposit counts what was used of it. What moves nothing is no payment to its payee. A fee counts
/// what the chain took of it.
fn settle(book: &mut Book, row: &SpendRow, record: &PaymentRecord) {
    match record.facts.settled_amount {
        Some(used) if row.kind.is_deposit() => book.note_used(&row.intent, used),
        _ if Kind::of(&record.envelope.document.payment) == Kind::Statement => {}
        _ => book.note_settled(&row.intent),
    }
    book.note_fee(&row.intent, record.facts.fee);
}

fn replay(book: &mut Book, record: &PaymentRecord) {
    let Some(row) = row(record) else { return };
    let void = record.state == State::Void;
    if void {
        book.note_failure(&row.agent, record.updated_at);
    }
    // Of what is void only a fee in the token can count.
    if void && row.fee.is_none() {
        return;
    }
    if let Err(error) = book.record(&row) {
        tracing::warn!(payment = %row.intent, %error, "left out of the preview");
        return;
    }
    match record.state {
        State::Void => book.note_void(&row, record.facts.fee),
        State::Signed | State::Submitted => release(book, &row, record),
        State::Settled => {
            release(book, &row, record);
            settle(book, &row, record);
        }
        _ => {}
    }
}

/// The row that a payment was or would have been recorded with; none before it was let through.
pub(crate) fn row(record: &PaymentRecord) -> Option<SpendRow> {
    let intent = &record.envelope.document;
    let claim = record.facts.claim.as_ref()?;
    let ask = Ask::of(intent).ok()?;
    Some(SpendRow {
        intent: intent.id,
        content_hash: record.content_hash,
        agent: intent.agent.clone(),
        wallet: intent.wallet,
        kind: PaymentKind::of(&intent.payment),
        chain: intent.payment.chain(),
        token: intent.payment.token(),
        amount: ask.amount,
        recipient: ask.recipient,
        service: ask.service.cloned(),
        endpoint: ask.endpoint,
        category: record.facts.category.clone(),
        session: ask.session.cloned(),
        cancels: ask.cancels,
        hold: None,
        channel: ChannelAct::with_terms(intent, &claim.terms),
        key: KeyAct::of(&intent.payment),
        mark: TransferMark::of(intent),
        fee: intent.payment.token_fee(),
        slot: Slot::of(intent, &claim.terms),
        digest: record.facts.digest.unwrap_or(B256::ZERO),
        replaces: None,
        terms: claim.terms.clone(),
        policies: claim.policies,
        tzdb: TZDB_VERSION.to_owned(),
        at: let_in_at(record),
    })
}

fn let_in_at(record: &PaymentRecord) -> UnixSeconds {
    record.facts.reserved_at.unwrap_or(record.created_at)
}
