//! Amounts that the preview's book sets aside for agents that pay with wallets of their own.
//!
//! Promises: judging and setting aside are one step under one lock, so approvals side by side are
//! given exactly as far as they fit; what became of one is said to the book as it was stored.

use tercet_policy::admission::{Book, RecordSpend as _};
use tercet_policy::ask::Ask;
use tercet_policy::decision::{Decision, Verdict};
use tercet_policy::ledger::LedgerError;
use tercet_policy::refusal::Refusal;
use tercet_policy::rows::{HoldId, HoldKind, HoldOutcome, HoldOutcomeRow, HoldRow};
use tercet_policy::time::UnixSeconds;
use tercet_policy::window::TZDB_VERSION;

use super::book::{Bench, Known, SharedBook, judged};
use crate::store::{PreAuthorizationRecord, PreAuthorizationState};

/// What is to be set aside beside what is asked.
#[derive(Clone, Copy, Debug)]
pub struct HoldWish {
    /// Its name.
    pub id: HoldId,
    /// When it ends.
    pub expires_at: UnixSeconds,
}

/// What setting aside came to.
#[derive(Clone, Debug)]
pub enum SetAside {
    /// It is set aside.
    Held {
        /// What every rule said.
        decision: Decision,
        /// The row to store.
        hold: Box<HoldRow>,
    },
    /// People have to say yes first.
    Asks(Decision),
    /// No.
    Refused(Decision),
    /// The book does not take it: it has one of that name, or is full.
    Not(LedgerError),
}

impl SharedBook {
    /// Judges what is asked, and sets its amount aside if all policies allow it.
    ///
    /// # Errors
    /// A [`Refusal`] where no policy is asked: there is none, or the agent is stopped.
    pub fn set_aside(
        &self,
        bench: &Bench<'_>,
        ask: &Ask<'_>,
        known: &Known<'_>,
        wish: HoldWish,
    ) -> Result<SetAside, Refusal> {
        let mut book = self.lock();
        let decision = judged(&book, bench, ask, known)?;
        match decision.verdict {
            Verdict::Approve => {}
            Verdict::AskHuman => return Ok(SetAside::Asks(decision)),
            Verdict::Refuse => return Ok(SetAside::Refused(decision)),
        }
        let hold = row(&book, bench, ask, wish);
        Ok(match book.hold(&hold) {
            Ok(()) => SetAside::Held { decision, hold: Box::new(hold) },
            Err(error) => SetAside::Not(error),
        })
    }

    /// Takes back what was set aside and never answered.
    pub fn drop_hold(&self, hold: &HoldRow) {
        said(&mut self.lock(), hold, HoldOutcome::Void, hold.at);
    }

    /// Takes in what became of one, once for each stored change.
    pub fn follow_hold(&self, from: PreAuthorizationState, record: &PreAuthorizationRecord) {
        if from != record.state {
            ended(&mut self.lock(), record);
        }
    }

    /// The holds whose time is over at `now` and that nobody has ended.
    #[must_use]
    pub fn overdue_holds(&self, now: UnixSeconds) -> Vec<HoldId> {
        self.lock().ledger().map_or_else(|_| Vec::new(), |ledger| ledger.overdue_holds(now))
    }
}

/// Takes one in as it is stored, at start.
pub(super) fn replay(book: &mut Book, record: &PreAuthorizationRecord) {
    if let Err(error) = book.hold(&record.facts.hold) {
        tracing::warn!(pre_authorization = %record.id(), %error, "left out of the preview");
        return;
    }
    if let Some(at) = record.facts.expired_at {
        said(book, &record.facts.hold, HoldOutcome::Expired, at);
    }
    if record.state != PreAuthorizationState::Expired {
        ended(book, record);
    }
}

/// What a stored state means for the book.
fn ended(book: &mut Book, record: &PreAuthorizationRecord) {
    let (hold, at) = (&record.facts.hold, record.updated_at);
    match record.state {
        PreAuthorizationState::Open | PreAuthorizationState::Claimed => {}
        PreAuthorizationState::Expired => {
            let at = record.facts.expired_at.unwrap_or(at);
            said(book, hold, HoldOutcome::Expired, at);
        }
        PreAuthorizationState::Settled | PreAuthorizationState::Unchecked => {
            let total = record.facts.recorded.map_or(hold.amount, |recorded| recorded.amount);
            said(book, hold, HoldOutcome::Used { total }, at);
            if record.facts.expired_at.is_none() {
                said(book, hold, HoldOutcome::Closed, at);
            }
        }
    }
}

fn said(book: &mut Book, hold: &HoldRow, outcome: HoldOutcome, at: UnixSeconds) {
    let row = HoldOutcomeRow { hold: hold.hold, agent: hold.agent.clone(), outcome, at };
    if let Err(error) = book.apply_hold(&row) {
        tracing::warn!(hold = %row.hold, %error, "the preview's book does not follow");
    }
}

fn row(book: &Book, bench: &Bench<'_>, ask: &Ask<'_>, wish: HoldWish) -> HoldRow {
    let registry = bench.judges.registry.as_deref();
    let payee = registry.and_then(|registry| registry.counterparty(ask));
    HoldRow {
        hold: wish.id,
        kind: HoldKind::PreAuthorization,
        agent: ask.agent.clone(),
        wallet: ask.wallet,
        chain: ask.asset.chain,
        token: ask.asset.token,
        amount: ask.amount,
        protocol: ask.protocol(),
        recipient: ask.recipient,
        service: ask.service.cloned(),
        category: payee.and_then(|payee| payee.category.clone()),
        session: ask.session.cloned(),
        policies: bench.judges.epochs(ask.wallet),
        tzdb: TZDB_VERSION.to_owned(),
        // A book in memory can always be read.
        at: book.ledger().map_or(bench.now, |ledger| ledger.clamp(bench.now)),
        expires_at: wish.expires_at,
    }
}
