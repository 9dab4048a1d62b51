//! Sums that are kept ready: only those that loaded policies count over.
//!
//! Promises: an index answers what a scan of the payments would. It is a cache: it takes no part
//! in whether two ledgers are equal.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;

use alloy_primitives::Address;

use crate::ledger::Line;
use crate::ledger::entries::{Entries, Entry};
use crate::ledger::names::{Names, Number, Owner, Traits};
use crate::ledger::series::{Seq, Series};
use crate::party::AgentId;
use crate::subject::Subject;

/// The watched lines of each subject.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    organisation: Vec<Watched>,
    agents: BTreeMap<AgentId, Vec<Watched>>,
    wallets: BTreeMap<Address, Vec<Watched>>,
}

/// One line, with a series for each value along its axis.
#[derive(Clone, Debug)]
struct Watched {
    line: Line,
    series: BTreeMap<Number, Series>,
}

impl Index {
    /// Watches exactly these lines of a subject; a new one is built from the payments.
    pub(super) fn watch(
        &mut self,
        subject: &Subject,
        mut lines: Vec<Line>,
        (names, entries): (&Names, &Entries),
    ) {
        lines.sort_unstable();
        lines.dedup();
        let watched = match subject {
            Subject::Organisation => &mut self.organisation,
            Subject::Agent(agent) => self.agents.entry(agent.clone()).or_default(),
            Subject::Wallet(wallet) => self.wallets.entry(*wallet).or_default(),
        };
        watched.retain(|held| lines.contains(&held.line));
        lines.retain(|line| watched.iter().all(|held| held.line != *line));
        watched.extend(build(lines, names.owner(subject), entries));
        if watched.is_empty() {
            self.forget(subject);
        }
    }

    fn forget(&mut self, subject: &Subject) {
        match subject {
            Subject::Organisation => {}
            Subject::Agent(agent) => drop(self.agents.remove(agent)),
            Subject::Wallet(wallet) => drop(self.wallets.remove(wallet)),
        }
    }

    fn of(&self, subject: &Subject) -> &[Watched] {
        match subject {
            Subject::Organisation => &self.organisation,
            Subject::Agent(agent) => self.agents.get(agent).map_or(&[], Vec::as_slice),
            Subject::Wallet(wallet) => self.wallets.get(wallet).map_or(&[], Vec::as_slice),
        }
    }

    /// The series of a watched line for one value; the outer nothing says that it is not watched.
    pub(super) fn series(
        &self,
        subject: &Subject,
        line: Line,
        value: Number,
    ) -> Option<Option<&Series>> {
        let watched = self.of(subject).iter().find(|held| held.line == line)?;
        Some(watched.series.get(&value))
    }

    /// The lines that a payment is part of.
    fn lines<'a>(
        &'a mut self,
        names: &Names,
        traits: &Traits,
    ) -> impl Iterator<Item = &'a mut Watched> + use<'a> {
        let agent = names.agents.name(traits.agent);
        let wallet = names.addresses.name(traits.wallet);
        let agents = agent.and_then(|agent| self.agents.get_mut(agent));
        let wallets = wallet.and_then(|wallet| self.wallets.get_mut(wallet));
        let others = agents.into_iter().chain(wallets).flatten();
        self.organisation.iter_mut().chain(others)
    }

    pub(super) fn push(&mut self, names: &Names, seq: Seq, entry: &Entry) {
        self.lines(names, &entry.traits).for_each(|line| line.push(seq, entry));
    }

    pub(super) fn replace(&mut self, names: &Names, seq: Seq, old: &Entry, new: &Entry) {
        for held in self.lines(names, &new.traits) {
            let series = held.series.get_mut(&new.traits.value(held.line.axis));
            let values = old.value(held.line.measure).zip(new.value(held.line.measure));
            if let (Some(series), Some((old, new))) = (series, values)
                && old != new
            {
                series.replace(seq, old, new);
            }
        }
    }

    /// Drops the oldest payment.
    pub(super) fn drop_first(&mut self, names: &Names, entry: &Entry) {
        for held in self.lines(names, &entry.traits) {
            if entry.value(held.line.measure).is_none() {
                continue;
            }
            if let Place::Occupied(mut place) =
                held.series.entry(entry.traits.value(held.line.axis))
            {
                place.get_mut().drop_first();
                if place.get().is_empty() {
                    place.remove();
                }
            }
        }
    }
}

/// New lines of an owner, all built in one pass over the payments.
fn build(lines: Vec<Line>, owner: Option<Owner>, entries: &Entries) -> Vec<Watched> {
    let new = |line| Watched { line, series: BTreeMap::new() };
    let mut watched: Vec<_> = lines.into_iter().map(new).collect();
    let Some(owner) = owner.filter(|_| !watched.is_empty()) else { return watched };
    for (seq, entry) in entries.since(0).filter(|(_, entry)| entry.traits.is_of(owner)) {
        watched.iter_mut().for_each(|line| line.push(seq, entry));
    }
    watched
}

impl Watched {
    fn push(&mut self, seq: Seq, entry: &Entry) {
        if let Some(value) = entry.value(self.line.measure) {
            let series = self.series.entry(entry.traits.value(self.line.axis)).or_default();
            series.push(seq, value);
        }
    }
}

#[cfg(test)]
mod tests;
