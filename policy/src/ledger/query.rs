//! What rules and reports ask a ledger.
//!
//! A question about a line that is watched takes logarithmic time; about another, a scan of the
//! window. The answers are equal.

use std::collections::BTreeSet;

use alloy_primitives::Address;

use crate::intent::Service;
use crate::ledger::entries::{Entry, EntryKind};
use crate::ledger::names::{NOBODY, Number};
use crate::ledger::series::Seq;
use crate::ledger::{Axis, Ledger, Line, Measure, Pinned, Scope, Standing};
use crate::rows::HoldId;
use crate::subject::Subject;
use crate::time::UnixSeconds;

impl Ledger {
    /// What counts from `since` on, `since` included. Payments older than
    /// [`LEDGER_SECONDS_KEPT`](crate::ledger::LEDGER_SECONDS_KEPT) count for no window any more,
    /// but for a session that goes on.
    #[must_use]
    pub fn sum(
        &self,
        subject: &Subject,
        measure: Measure,
        scope: &Scope,
        since: UnixSeconds,
    ) -> u128 {
        let Some(value) = self.names.find(scope) else { return 0 };
        let from = self.entries.first_since(since);
        let line = Line { measure, axis: scope.axis() };
        let recent = match self.index.series(subject, line, value) {
            Some(series) => series.map_or(0, |series| series.sum_from(from)),
            None => self.scan(subject, line, value, from).map(|(_, value)| value).sum(),
        };
        match (scope.axis(), self.names.owner(subject)) {
            (Some(Axis::Session), Some(owner)) if since < self.horizon() => {
                recent.saturating_add(self.past.sum(owner, measure, value))
            }
            _ => recent,
        }
    }

    /// The moment of the payment with which, counted from `since` on, `enough` is reached: once
    /// that one has fallen out of a rolling window, so much is free again.
    #[must_use]
    pub fn moment_of(
        &self,
        subject: &Subject,
        measure: Measure,
        scope: &Scope,
        since: UnixSeconds,
        enough: u128,
    ) -> Option<UnixSeconds> {
        let value = self.names.find(scope)?;
        let from = self.entries.first_since(since);
        let line = Line { measure, axis: scope.axis() };
        let seq = match self.index.series(subject, line, value) {
            Some(series) => series?.reaches(from, enough)?,
            None => {
                let mut sum: u128 = 0;
                let mut all = self.scan(subject, line, value, from);
                let mut reaches = |value| {
                    sum = sum.saturating_add(value);
                    sum >= enough
                };
                all.find_map(|(seq, value)| Some(seq).filter(|_| reaches(value)))?
            }
        };
        self.entries.at(seq).map(|entry| entry.at)
    }

    /// What counts from `since` on, split by whether it is certain.
    #[must_use]
    pub fn standing(
        &self,
        subject: &Subject,
        measure: Measure,
        scope: &Scope,
        since: UnixSeconds,
    ) -> Standing {
        let sum = self.sum(subject, measure, scope, since);
        let found = self.names.find(scope).zip(self.names.owner(subject));
        let reserved = found.map_or(0, |(value, owner)| {
            let open = self.open_entries(self.entries.first_since(since));
            open.filter(|entry| entry.traits.is_of(owner))
                .filter(|entry| entry.traits.value(scope.axis()) == value)
                .map(|entry| self.reserved(entry, measure))
                .sum()
        });
        Standing { reserved, spent: sum.saturating_sub(reserved) }
    }

    fn reserved(&self, entry: &Entry, measure: Measure) -> u128 {
        let value = entry.value(measure).unwrap_or(0);
        let hold = match entry.kind {
            EntryKind::Payment | EntryKind::Raise => None,
            EntryKind::Hold => self.holds.get(&HoldId(entry.intent.0)),
        };
        let used = hold.map_or(0, |hold| hold.used.base_units());
        match measure {
            Measure::Amount(_) => value.saturating_sub(used),
            Measure::Count if used > 0 => 0,
            Measure::Count | Measure::FeeWei => value,
        }
    }

    /// Payments and holds that are reserved, from `seq` on.
    pub(super) fn open_entries(&self, seq: Seq) -> impl Iterator<Item = &Entry> {
        self.open.range(seq..).filter_map(|seq| self.entries.at(*seq))
    }

    fn scan(
        &self,
        subject: &Subject,
        line: Line,
        value: Number,
        from: Seq,
    ) -> impl Iterator<Item = (Seq, u128)> {
        let owner = self.names.owner(subject);
        self.entries
            .since(from)
            .filter(move |(_, entry)| owner.is_some_and(|owner| entry.traits.is_of(owner)))
            .filter(move |(_, entry)| entry.traits.value(line.axis) == value)
            .filter_map(move |(seq, entry)| Some((seq, entry.value(line.measure)?)))
    }

    /// The values along an axis that a subject has payments of, from `since` on: to list the
    /// budgets that a rule keeps apart. Takes a scan of the window.
    #[must_use]
    pub fn scopes(&self, subject: &Subject, axis: Axis, since: UnixSeconds) -> Vec<Scope> {
        let Some(owner) = self.names.owner(subject) else { return Vec::new() };
        let all = self.entries.since(self.entries.first_since(since));
        let own = all.filter(|(_, entry)| entry.traits.is_of(owner));
        let values: BTreeSet<_> = own.map(|(_, entry)| entry.traits.value(Some(axis))).collect();
        values.into_iter().filter_map(|value| self.names.scope(axis, value)).collect()
    }

    /// How a payee stands to those that a subject ever paid, void payments aside: for a service,
    /// or, without one, for whatever.
    #[must_use]
    pub fn pinned(
        &self,
        subject: &Subject,
        service: Option<&Service>,
        recipient: Address,
    ) -> Pinned {
        let Some(owner) = self.names.owner(subject) else { return Pinned::New };
        let recipient = self.names.addresses.find(&recipient);
        let known = |service| {
            recipient.is_some_and(|recipient| self.payees.knows(owner, service, recipient))
        };
        match service.map(|service| self.names.services.find(service)) {
            None if known(NOBODY) => Pinned::Known,
            Some(Some(service)) if known(service) => Pinned::Known,
            Some(Some(service)) if self.payees.of(owner, service).next().is_some() => {
                Pinned::Changed
            }
            None | Some(_) => Pinned::New,
        }
    }

    /// Whom a subject ever paid for a service, void payments aside, the first one first.
    #[must_use]
    pub fn payees(&self, subject: &Subject, service: &Service) -> Vec<Address> {
        let found = self.names.owner(subject).zip(self.names.services.find(service));
        let Some((owner, service)) = found else { return Vec::new() };
        let mut payees: Vec<_> = self.payees.of(owner, service).collect();
        payees.sort_unstable();
        let addresses = payees.into_iter();
        addresses.filter_map(|(_, payee)| self.names.addresses.name(payee).copied()).collect()
    }

    /// Number of recipients that a subject paid for the first time at `since` or later; past
    /// [`HEALTH_MOMENTS_MAX`](crate::ledger::HEALTH_MOMENTS_MAX), which no rule passes, one more.
    #[must_use]
    pub fn new_payees_since(&self, subject: &Subject, since: UnixSeconds) -> usize {
        self.names.owner(subject).map_or(0, |owner| self.payees.new_since(owner, since))
    }
}
