//! What sessions spent longer ago than payments are remembered, so that the budget of a session
//! that goes on does not grow back.
//!
//! A session that had no payment for as long as payments are remembered is over, and its sum is
//! forgotten.

use std::collections::BTreeMap;

use crate::ledger::Measure;
use crate::ledger::entries::Entry;
use crate::ledger::names::{NOBODY, Number, Owner, asset_number};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    session: Number,
    agent: Number,
    wallet: Number,
    asset: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totals {
    units: u128,
    fee_wei: u128,
    count: u128,
}

/// Sums of payments that have left every window, by session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Past {
    totals: BTreeMap<Key, Totals>,
}

fn key(entry: &Entry) -> Key {
    let traits = &entry.traits;
    let (session, agent, wallet) = (traits.session, traits.agent, traits.wallet);
    Key { session, agent, wallet, asset: traits.asset }
}

impl Past {
    pub(super) fn add(&mut self, entry: &Entry) {
        if entry.traits.session == NOBODY {
            return;
        }
        let totals = self.totals.entry(key(entry)).or_default();
        totals.units = totals.units.saturating_add(entry.counted.base_units());
        totals.fee_wei = totals.fee_wei.saturating_add(entry.fee_wei);
        totals.count = totals.count.saturating_add(u128::from(entry.counts));
    }

    pub(super) fn replace(&mut self, old: &Entry, new: &Entry) {
        if let Some(totals) = self.totals.get_mut(&key(old)) {
            totals.units = totals.units.saturating_sub(old.counted.base_units());
            totals.fee_wei = totals.fee_wei.saturating_sub(old.fee_wei);
            totals.count = totals.count.saturating_sub(u128::from(old.counts));
            self.add(new);
        }
    }

    pub(super) fn forget(&mut self, session: Number) {
        let sessions = self.of(session).map(|(key, _)| *key).collect::<Vec<_>>();
        for key in sessions {
            self.totals.remove(&key);
        }
    }

    pub(super) fn sum(&self, owner: Owner, measure: Measure, session: Number) -> u128 {
        let here = self.of(session).filter(|(key, _)| match owner {
            Owner::Organisation => true,
            Owner::Agent(agent) => key.agent == agent,
            Owner::Wallet(wallet) => key.wallet == wallet,
        });
        let values = here.map(|(key, totals)| match measure {
            Measure::Amount(symbol) if asset_number(symbol) != Some(key.asset) => 0,
            Measure::Amount(_) => totals.units,
            Measure::FeeWei => totals.fee_wei,
            Measure::Count => totals.count,
        });
        values.fold(0, u128::saturating_add)
    }

    fn of(&self, session: Number) -> impl Iterator<Item = (&Key, &Totals)> {
        let from = Key { session, agent: NOBODY, wallet: NOBODY, asset: 0 };
        let to = Key { session, agent: Number::MAX, wallet: Number::MAX, asset: u8::MAX };
        let sessions = (session != NOBODY).then(|| self.totals.range(from..=to));
        sessions.into_iter().flatten()
    }
}
