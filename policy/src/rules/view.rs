//! What a rule looks at, and what it says before it is given its place.

use crate::ask::{Ask, Facts};
use crate::decision::{Finding, Outcome};
use crate::registry::{Counterparty, Outcomes, TrustScore};
use crate::rules::{Policy, Then};
use crate::subject::Subject;
use crate::time::UnixSeconds;

/// What a rule looks at: the payment, what is known, and whose policy the rule is in.
pub(crate) struct View<'a> {
    pub(crate) ask: &'a Ask<'a>,
    pub(crate) facts: &'a Facts<'a>,
    pub(crate) policy: &'a Policy,
    /// Who is paid, where the registry knows.
    pub(crate) counterparty: Option<&'a Counterparty>,
}

impl<'a> View<'a> {
    pub(crate) fn new(ask: &'a Ask<'a>, facts: &'a Facts<'a>, policy: &'a Policy) -> Self {
        let counterparty = facts.registry.and_then(|registry| registry.counterparty(ask));
        Self { ask, facts, policy, counterparty }
    }

    /// Whose payments the policy's limits count together.
    pub(crate) const fn subject(&self) -> &'a Subject {
        self.policy.subject()
    }

    /// How far who is paid is trusted: not at all without a registry.
    pub(crate) fn trust(&self) -> TrustScore {
        let known = self.facts.registry.zip(self.ask.counterparty());
        let score = known.map(|(registry, payee)| registry.trust_in(&payee, self.facts.experience));
        score.unwrap_or(TrustScore { base: 0, score: 0, outcomes: Outcomes::default() })
    }

    /// Our time, which in a ledger never runs backwards.
    pub(crate) fn now(&self) -> UnixSeconds {
        self.facts.ledger.clamp(self.facts.now)
    }
}

/// What a rule says, before it is given its place.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    pub(crate) kept: bool,
    /// What follows where it is not kept, if the rule itself says so.
    pub(crate) then: Option<Then>,
    /// Whether it could not be decided.
    pub(crate) errs: bool,
    pub(crate) grants: bool,
    pub(crate) per: Option<String>,
    pub(crate) limit: String,
    pub(crate) current: Option<String>,
    pub(crate) asked: String,
    pub(crate) resets_at: Option<UnixSeconds>,
    pub(crate) freezes: bool,
}

impl Judgement {
    /// What a rule says of a payment over a protocol that it is not about.
    pub(crate) fn unconcerned(limit: String, ask: &Ask<'_>) -> Self {
        Self { kept: true, limit, asked: ask.protocol().word().to_owned(), ..Self::default() }
    }

    pub(crate) fn finding(self, rule: usize, kind: &str, outcome: Outcome) -> Finding {
        Finding {
            rule,
            kind: kind.to_owned(),
            outcome,
            grants: self.grants,
            per: self.per,
            limit: self.limit,
            current: self.current,
            asked: self.asked,
            resets_at: self.resets_at,
            approvers: None,
            approved_by: Vec::new(),
            freezes: self.freezes,
        }
    }
}
