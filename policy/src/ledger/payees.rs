//! Who was paid, ever: for rules about new payees, and payees pinned to a service.
//!
//! Promises: a payee is known from its first payment that was not proved void, and stays known
//! when that payment has left memory.
//!
//! Refuses: payments to new payees once [`PAYEE_LINKS_MAX`] is reached; those to known payees go
//! on.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::ledger::HEALTH_MOMENTS_MAX;
use crate::ledger::names::{NOBODY, Names, Number, Owner, Traits};
use crate::time::UnixSeconds;

/// Most links of a subject with a payee, or with a payee of a service, that are remembered. A
/// payment to a new payee of a service makes six: for the organisation, the agent and the wallet
/// each one for the payee and one for the service's payee. A link takes about 100 bytes.
pub const PAYEE_LINKS_MAX: usize = 1_000_000;

/// Most new payees that are counted: more than any rule has room for.
const NEW_PAYEES_MAX: usize = HEALTH_MOMENTS_MAX + 1;

/// Whom a subject paid; for a service, or (service 0) for whatever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Link {
    owner: Owner,
    service: Number,
    recipient: Number,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Paid {
    first: UnixSeconds,
    /// Payments that are not void.
    payments: u32,
}

/// Links between subjects, services and payees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Payees {
    links: BTreeMap<Link, Paid>,
    firsts: BTreeSet<(Owner, UnixSeconds, Number)>,
}

fn links(traits: &Traits) -> impl Iterator<Item = Link> + use<> {
    let (service, recipient) = (traits.service, traits.recipient);
    let services = [Some(NOBODY), Some(service).filter(|service| *service != NOBODY)];
    let owners = traits.owners().into_iter().filter(move |_| recipient != NOBODY);
    owners.flat_map(move |owner| {
        let link = move |service| Link { owner, service, recipient };
        services.into_iter().flatten().map(link)
    })
}

impl Payees {
    /// Whether the links of one more payment fit, or are there already.
    pub(super) fn have_room(&self, traits: &Traits) -> bool {
        self.links.len() < PAYEE_LINKS_MAX
            || links(traits).all(|link| self.links.contains_key(&link))
    }

    pub(super) fn add(&mut self, names: &mut Names, traits: &Traits, at: UnixSeconds) {
        for link in links(traits) {
            let paid = self.links.entry(link).or_insert_with(|| {
                names.take_payee(link.owner, link.service, link.recipient);
                if link.service == NOBODY {
                    self.firsts.insert((link.owner, at, link.recipient));
                }
                Paid { first: at, payments: 0 }
            });
            paid.payments = paid.payments.saturating_add(1);
        }
    }

    /// A payment never happened.
    pub(super) fn remove(&mut self, names: &mut Names, traits: &Traits) {
        for link in links(traits) {
            let Some(paid) = self.links.get_mut(&link) else { continue };
            paid.payments = paid.payments.saturating_sub(1);
            if paid.payments > 0 {
                continue;
            }
            self.firsts.remove(&(link.owner, paid.first, link.recipient));
            self.links.remove(&link);
            names.release_payee(link.owner, link.service, link.recipient);
        }
    }

    pub(super) fn knows(&self, owner: Owner, service: Number, recipient: Number) -> bool {
        self.links.contains_key(&Link { owner, service, recipient })
    }

    /// Who was paid for a service, with the moment of each first payment.
    pub(super) fn of(
        &self,
        owner: Owner,
        service: Number,
    ) -> impl Iterator<Item = (UnixSeconds, Number)> {
        let from = Link { owner, service, recipient: NOBODY };
        let to = Link { recipient: Number::MAX, ..from };
        self.links.range(from..=to).map(|(link, paid)| (paid.first, link.recipient))
    }

    /// Number of payees whose first payment was at `since` or later, as far as rules count.
    pub(super) fn new_since(&self, owner: Owner, since: UnixSeconds) -> usize {
        let from = Bound::Included((owner, since, NOBODY));
        let to = Bound::Included((owner, UnixSeconds(u64::MAX), Number::MAX));
        self.firsts.range((from, to)).take(NEW_PAYEES_MAX).count()
    }
}

#[cfg(test)]
mod tests;
