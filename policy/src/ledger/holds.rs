//! Amounts that are set aside.
//!
//! | | counts as reserved | counts as spent |
//! |---|---|---|
//! | open | what is neither drawn nor used | what was used |
//! | drawn on by a payment | less by the payment's amount, which counts by itself from then on | |
//! | ended | nothing | what was used |
//!
//! A hold counts from the moment at which it was set aside, and a payment that draws on it from
//! its own: the amount moves into the payment's window, so it is never in two. A hold counts as
//! one payment until one draws on it; one that ends unused counts as none.
//!
//! What is learned to be used after a pre-authorization expired counts all the same: money that
//! moved is spent, though the budget may be passed by it.

use std::collections::BTreeSet;

use alloy_primitives::Address;

use crate::chain::{Asset, Chain};
use crate::declared::SessionName;
use crate::ledger::entries::{Entry, EntryKind};
use crate::ledger::names::{NOBODY, Named, asset_number};
use crate::ledger::series::Seq;
use crate::ledger::{Axis, Ledger, LedgerError, Scope, SpendState, check_amount};
use crate::money::Amount;
use crate::rows::{HoldId, HoldKind, HoldOutcome, HoldOutcomeRow, HoldRow, SpendRow};
use crate::subject::Subject;
use crate::time::UnixSeconds;

/// An amount that is set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Why.
    pub kind: HoldKind,
    /// Base units that no payment has drawn, the used ones among them.
    pub own: Amount,
    /// Base units that were used, beside the payments that drew on it.
    pub used: Amount,
    /// From this moment on nothing new is drawn from it.
    pub expires_at: UnixSeconds,
    /// How it ended; nothing while it is open.
    pub ended: Option<HoldOutcome>,
    pub(super) seq: Seq,
    chain: Chain,
    token: Address,
}

impl Hold {
    /// Base units that can still be drawn or used.
    #[must_use]
    pub fn rest(&self) -> Amount {
        let open = self.ended.is_none();
        self.own.checked_sub(self.used).filter(|_| open).unwrap_or_default()
    }
}

impl Ledger {
    /// Sets an amount aside. It counts in full until [`apply_hold`](Self::apply_hold) ends it.
    ///
    /// # Errors
    /// [`LedgerError`] for a row that cannot follow; the ledger is unchanged then.
    pub fn hold(&mut self, row: &HoldRow) -> Result<(), LedgerError> {
        let id = row.hold.into();
        if self.holds.contains_key(&row.hold) {
            return Err(LedgerError::AlreadyRecorded(id));
        }
        let asset = Asset::find(row.chain, row.token).map_err(|_| LedgerError::UnknownAsset(id))?;
        let asset = asset_number(asset.symbol).ok_or(LedgerError::UnknownAsset(id))?;
        check_amount(id, row.amount)?;
        let at = self.clamp(row.at);
        let entry = |traits| Entry {
            at,
            intent: id,
            counted: row.amount,
            state: SpendState::Reserved,
            traits,
            fee_wei: 0,
            counts: true,
            kind: EntryKind::Hold,
        };
        let seq = self.append(&Named::of_hold(row, asset), entry)?;
        let hold = Hold {
            kind: row.kind,
            own: row.amount,
            used: Amount::ZERO,
            expires_at: row.expires_at,
            ended: None,
            seq,
            chain: row.chain,
            token: row.token,
        };
        self.holds.insert(row.hold, hold);
        self.pass(at);
        Ok(())
    }

    /// Takes in what became of a hold. The same outcome twice is one outcome.
    ///
    /// # Errors
    /// [`LedgerError`] for an outcome that cannot follow; the ledger is unchanged then.
    pub fn apply_hold(&mut self, row: &HoldOutcomeRow) -> Result<(), LedgerError> {
        let id = row.hold;
        let hold = self.holds.get_mut(&id).ok_or(LedgerError::UnknownHold(id))?;
        match row.outcome {
            HoldOutcome::Used { total } => {
                hold.check_used(id, total)?;
                hold.used = hold.used.max(total);
            }
            outcome => {
                if hold.check_end(id, outcome, row.at)? {
                    return Ok(());
                }
                hold.ended = Some(outcome);
            }
        }
        self.recount_hold(id);
        Ok(())
    }

    /// Lets the hold's entry say what the hold counts now.
    fn recount_hold(&mut self, id: HoldId) {
        let Some(hold) = self.holds.get(&id) else { return };
        let (ended, used) = (hold.ended.is_some(), hold.used);
        let counted = if ended { used } else { hold.own };
        let state = match (ended, used == Amount::ZERO) {
            (false, _) => SpendState::Reserved,
            (true, true) => SpendState::Void,
            (true, false) => SpendState::Settled,
        };
        self.change(hold.seq, |entry| {
            entry.counted = counted;
            entry.state = state;
            entry.counts &= state != SpendState::Void;
            entry.counts |= state == SpendState::Settled;
        });
    }

    /// Checks that a payment may draw on the hold it names.
    pub(super) fn check_draw(&self, id: HoldId, row: &SpendRow) -> Result<(), LedgerError> {
        let hold = self.holds.get(&id).ok_or(LedgerError::UnknownHold(id))?;
        if hold.ended.is_some() || self.clamp(row.at) >= hold.expires_at {
            return Err(LedgerError::HoldIsOver(id));
        }
        let entry = self.entries.at(hold.seq).ok_or(LedgerError::UnknownHold(id))?;
        if !self.fits(hold, entry, row) {
            return Err(LedgerError::OtherHold(id));
        }
        if row.amount > hold.rest() {
            return Err(LedgerError::DrawnTooMuch(id));
        }
        Ok(())
    }

    /// Whether the payment is of the hold's agent, wallet and token, and keeps to what it binds.
    fn fits(&self, hold: &Hold, entry: &Entry, row: &SpendRow) -> bool {
        let (names, traits) = (&self.names, &entry.traits);
        let recipient = names.addresses.name(traits.recipient);
        let service = names.services.name(traits.service);
        let session = names.sessions.name(traits.session);
        (hold.chain, hold.token) == (row.chain, row.token)
            && names.agents.name(traits.agent) == Some(&row.agent)
            && names.addresses.name(traits.wallet) == Some(&row.wallet)
            && (recipient.is_none() || recipient == row.recipient.as_ref())
            && (service.is_none() || service == row.service.as_ref())
            && (session.is_none() || session == row.session.as_ref())
    }

    /// Moves the amount of a payment out of its hold; [`check_draw`](Self::check_draw) was asked.
    pub(super) fn draw(&mut self, id: HoldId, amount: Amount) {
        let Some(hold) = self.holds.get_mut(&id) else { return };
        hold.own = hold.own.checked_sub(amount).unwrap_or_default();
        let (seq, own) = (hold.seq, hold.own);
        self.change(seq, |entry| {
            entry.counted = own;
            entry.counts = false;
        });
    }

    /// What is set aside under this name.
    #[must_use]
    pub fn held(&self, id: &HoldId) -> Option<&Hold> {
        self.holds.get(id)
    }

    /// Number of open holds of a subject.
    #[must_use]
    pub fn open_holds(&self, subject: &Subject, kind: HoldKind) -> usize {
        self.open_of(subject, kind).count()
    }

    /// Number of a subject's open sessions: each opened channel is one, whatever it is called. Of what
    /// is set aside for sessions, like names are one and nameless ones each one.
    #[must_use]
    pub fn open_sessions(&self, subject: &Subject) -> usize {
        let (mut named, mut others) = (BTreeSet::new(), self.open_channels(subject).count());
        for entry in self.open_of(subject, HoldKind::SessionDeposit) {
            match entry.traits.value(Some(Axis::Session)) {
                NOBODY => others = others.saturating_add(1),
                session => {
                    named.insert(session);
                }
            }
        }
        named.len().saturating_add(others)
    }

    /// Whether something is set aside for this session of a subject.
    #[must_use]
    pub fn is_open_session(&self, subject: &Subject, session: &SessionName) -> bool {
        let number = self.names.find(&Scope::Session(Some(session.clone())));
        let mut open = self.open_of(subject, HoldKind::SessionDeposit);
        number.is_some_and(|number| {
            open.any(|entry| entry.traits.value(Some(Axis::Session)) == number)
        })
    }

    /// The openings of a subject's channels that the chain has not settled.
    fn open_channels(&self, subject: &Subject) -> impl Iterator<Item = &Entry> {
        let owner = self.names.owner(subject);
        let opened = self.channels.iter().filter_map(|seq| self.entries.at(*seq));
        opened.filter(move |entry| owner.is_some_and(|owner| entry.traits.is_of(owner)))
    }

    fn open_of(&self, subject: &Subject, kind: HoldKind) -> impl Iterator<Item = &Entry> {
        let owner = self.names.owner(subject);
        let of_kind = move |entry: &&Entry| {
            self.holds.get(&HoldId(entry.intent.0)).is_some_and(|hold| hold.kind == kind)
        };
        self.open_entries(0)
            .filter(move |entry| owner.is_some_and(|owner| entry.traits.is_of(owner)))
            .filter(|entry| entry.kind == EntryKind::Hold)
            .filter(of_kind)
    }

    /// The pre-authorizations whose time is over at `now` and that nobody has ended: each is due
    /// for a row that says [`HoldOutcome::Expired`].
    #[must_use]
    pub fn overdue_holds(&self, now: UnixSeconds) -> Vec<HoldId> {
        let now = self.clamp(now);
        let open = self.open_entries(0).filter(|entry| entry.kind == EntryKind::Hold);
        let named = open.map(|entry| HoldId(entry.intent.0));
        let due = |hold: &Hold| hold.kind == HoldKind::PreAuthorization && now >= hold.expires_at;
        named.filter(|id| self.holds.get(id).is_some_and(due)).collect()
    }
}

impl Hold {
    fn check_used(&self, id: HoldId, total: Amount) -> Result<(), LedgerError> {
        let late = matches!(self.ended, None | Some(HoldOutcome::Expired));
        match () {
            () if total <= self.used => Ok(()),
            () if !late => Err(LedgerError::HoldIsOver(id)),
            () if total > self.own => Err(LedgerError::DrawnTooMuch(id)),
            () => Ok(()),
        }
    }

    /// Whether it ended so already.
    fn check_end(
        &self,
        id: HoldId,
        outcome: HoldOutcome,
        at: UnixSeconds,
    ) -> Result<bool, LedgerError> {
        match self.ended {
            Some(ended) if ended == outcome => return Ok(true),
            Some(_) => return Err(LedgerError::HoldIsOver(id)),
            None => {}
        }
        let expires = self.kind == HoldKind::PreAuthorization && at >= self.expires_at;
        match outcome {
            HoldOutcome::Void if self.used != Amount::ZERO => Err(LedgerError::HoldIsUsed(id)),
            HoldOutcome::Expired if !expires => Err(LedgerError::HoldNotDue(id)),
            _ => Ok(false),
        }
    }
}
