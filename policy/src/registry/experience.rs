//! What came of paying somebody, counted, and the trust that follows.
//!
//! Promises: a score is a whole number that every node computes alike:
//!
//! ```text
//! score = floor(base * (WEIGHT + good) / (WEIGHT + good + bad))
//! good  = settled payments
//! bad   = 1 * refused by the merchant + 4 * paid and not delivered + 10 * disputed
//! ```
//!
//! Outcomes only ever lower a score below what the authority gave. Settled payments heal it
//! slowly, and never above that.
//!
//! Does not protect against: an agent that reports what did not happen. It can lower the trust
//! in a counterparty for the agents of its own journal; it can raise nobody's.

use std::collections::{BTreeMap, VecDeque};

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

use crate::intent::{IntentId, Service};
use crate::registry::{Counterparty, Registry};
use crate::report::{REPORT_SECONDS_MAX, ReportKind, ReportRow};
use crate::time::UnixSeconds;

/// As how many settled payments the authority's word counts.
pub const TRUST_WEIGHT: u64 = 10;
/// What a payment that the merchant refused weighs.
pub const REFUSED_WEIGHT: u64 = 1;
/// What a payment weighs that was made and not delivered for.
pub const UNDELIVERED_WEIGHT: u64 = 4;
/// What a disputed payment weighs.
pub const DISPUTED_WEIGHT: u64 = 10;
/// How long it is remembered of which payment something was reported, in seconds: as long again
/// as it can be reported, for clocks that are set back. What was counted stays counted.
const REPORTED_SECONDS_KEPT: u64 = REPORT_SECONDS_MAX * 2;

/// Who was paid, as counterparties are told apart: by the service, or, where there is none, by
/// the address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Payee {
    /// A service, whatever address it names.
    Service(Service),
    /// An address, without a service.
    Recipient(Address),
}

impl Payee {
    /// Who is paid for `service` at `recipient`; nobody for a cancellation.
    #[must_use]
    pub fn of(service: Option<&Service>, recipient: Option<Address>) -> Option<Self> {
        match (service, recipient) {
            (Some(service), _) => Some(Self::Service(service.clone())),
            (None, recipient) => recipient.map(Self::Recipient),
        }
    }
}

/// What came of the payments to one payee.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcomes {
    /// Payments that are on chain.
    pub settled: u64,
    /// Payments that the merchant refused to take.
    pub refused: u64,
    /// Payments that nothing was delivered for.
    pub undelivered: u64,
    /// Payments that are disputed.
    pub disputed: u64,
}

impl Outcomes {
    /// The score of a counterparty that the authority trusts `base`, 0 to 100.
    #[must_use]
    pub fn score(&self, base: u8) -> u8 {
        let weigh = |count: u64, weight: u64| u128::from(count).saturating_mul(weight.into());
        let good = u128::from(self.settled).saturating_add(TRUST_WEIGHT.into());
        let bad = weigh(self.refused, REFUSED_WEIGHT)
            .saturating_add(weigh(self.undelivered, UNDELIVERED_WEIGHT))
            .saturating_add(weigh(self.disputed, DISPUTED_WEIGHT));
        // Counts are of 64 bits, so nothing here comes near the end of 128.
        let score = u128::from(base).saturating_mul(good).checked_div(good.saturating_add(bad));
        score.and_then(|score| u8::try_from(score).ok()).map_or(0, |score| score.min(base))
    }

    fn plus(self, more: Self) -> Self {
        Self {
            settled: self.settled.saturating_add(more.settled),
            refused: self.refused.saturating_add(more.refused),
            undelivered: self.undelivered.saturating_add(more.undelivered),
            disputed: self.disputed.saturating_add(more.disputed),
        }
    }

    const fn count(&mut self, kind: ReportKind) -> &mut u64 {
        match kind {
            ReportKind::MerchantRefused => &mut self.refused,
            ReportKind::Undelivered => &mut self.undelivered,
            ReportKind::Disputed => &mut self.disputed,
        }
    }
}

/// How far a counterparty is trusted now, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustScore {
    /// What the authority gave, 0 to 100.
    pub base: u8,
    /// What is left of it.
    pub score: u8,
    /// What came of paying it.
    #[serde(flatten)]
    pub outcomes: Outcomes,
}

/// A payee's place in an [`Experience`]: small enough to be kept with every intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PayeePlace(u32);

/// What came of paying anybody. Equal rows in equal order give equal experiences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Experience {
    places: BTreeMap<Payee, PayeePlace>,
    outcomes: Vec<Outcomes>,
    reported: BTreeMap<IntentId, Vec<ReportKind>>,
    /// Which intent was first reported when, in the order of the rows.
    order: VecDeque<(UnixSeconds, IntentId)>,
}

impl Experience {
    /// The place of a payee that is paid.
    pub(crate) fn place(&mut self, payee: Payee) -> Option<PayeePlace> {
        let next = PayeePlace(u32::try_from(self.outcomes.len()).ok()?);
        let place = *self.places.entry(payee).or_insert(next);
        if place == next {
            self.outcomes.push(Outcomes::default());
        }
        Some(place)
    }

    /// A payment is on chain. To be said once for each.
    pub(crate) fn settle(&mut self, place: PayeePlace) {
        if let Some(outcomes) = self.at_mut(place) {
            outcomes.settled = outcomes.settled.saturating_add(1);
        }
    }

    /// Takes in what an agent reports; the same of the same intent counts once.
    pub(crate) fn report(&mut self, row: &ReportRow) {
        if !self.is_news(row) {
            return;
        }
        let Some(place) = self.place(row.payee().clone()) else { return };
        if let Some(outcomes) = self.at_mut(place) {
            let count = outcomes.count(row.kind());
            *count = count.saturating_add(1);
        }
    }

    /// Whether this was not reported of the intent before, and could be; remembers it then.
    fn is_news(&mut self, row: &ReportRow) -> bool {
        let last = self.order.back().map_or(row.at(), |(last, _)| row.at().max(*last));
        // By a clock that was set back so far it could be one that is forgotten.
        if row.at().plus(REPORT_SECONDS_MAX) < last {
            return false;
        }
        self.forget(last.minus(REPORTED_SECONDS_KEPT));
        let reported = self.reported.entry(row.intent()).or_default();
        if reported.contains(&row.kind()) {
            return false;
        }
        if reported.is_empty() {
            self.order.push_back((last, row.intent()));
        }
        reported.push(row.kind());
        true
    }

    fn forget(&mut self, before: UnixSeconds) {
        while let Some((_, intent)) = self.order.pop_front_if(|(at, _)| *at < before) {
            self.reported.remove(&intent);
        }
    }

    /// Whether this was reported of the intent before, within the time that is remembered.
    #[must_use]
    pub fn has(&self, intent: &IntentId, kind: ReportKind) -> bool {
        self.reported.get(intent).is_some_and(|kinds| kinds.contains(&kind))
    }

    /// What came of paying one payee.
    #[must_use]
    pub fn of(&self, payee: &Payee) -> Outcomes {
        self.places.get(payee).and_then(|place| self.at(*place)).copied().unwrap_or_default()
    }

    fn at(&self, PayeePlace(place): PayeePlace) -> Option<&Outcomes> {
        self.outcomes.get(usize::try_from(place).ok()?)
    }

    fn at_mut(&mut self, PayeePlace(place): PayeePlace) -> Option<&mut Outcomes> {
        self.outcomes.get_mut(usize::try_from(place).ok()?)
    }
}

impl Registry {
    /// How far a counterparty is trusted, by what came of paying any of its services and
    /// addresses.
    #[must_use]
    pub fn trust(&self, who: &Counterparty, experience: &Experience) -> TrustScore {
        let services = who.services.iter().cloned().map(Payee::Service);
        let recipients = who.recipients.iter().copied().map(Payee::Recipient);
        let all = services.chain(recipients).map(|payee| experience.of(&payee));
        scored(who.trust, all.fold(Outcomes::default(), Outcomes::plus))
    }

    /// The same for a payee that the registry may not know.
    #[must_use]
    pub fn trust_in(&self, payee: &Payee, experience: &Experience) -> TrustScore {
        match self.find(payee) {
            Some(who) => self.trust(who, experience),
            None => scored(self.unknown_trust(), experience.of(payee)),
        }
    }
}

fn scored(base: u8, outcomes: Outcomes) -> TrustScore {
    TrustScore { base, score: outcomes.score(base), outcomes }
}

#[cfg(test)]
mod tests;
