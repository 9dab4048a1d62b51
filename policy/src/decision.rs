//! The answer of a policy, with every rule that had a say and its numbers.
//!
//! Promises: the answer is a function of the policy, the payment, the ledger and the moment.
//! Block wins over allow, and silence is no. Every rule is reported, on approval too.
//!
//! | policy is for this agent | payment | a rule refuses | a rule grants | verdict |
//! |---|---|---|---|---|
//! | no | any | – | – | refuse |
//! | yes | cancels an intent of this ledger | – | – | approve: it moves nothing |
//! | yes | cancels anything else | – | – | refuse |
//! | yes | pays | yes | any | refuse: deny wins |
//! | yes | pays | no | no | refuse: silence is refusal |
//! | yes | pays | no | yes | approve |
//!
//! Does not protect against: spending between a preview and the admission. Only
//! [`admit`](crate::admission::admit) decides and records in one step.

use std::fmt;

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

use crate::chain::{Asset, UnknownAsset};
use crate::intent::{AuthenticIntent, IntentId, Payment, PaymentIntent, Service};
use crate::ledger::Ledger;
use crate::money::Amount;
use crate::party::AgentId;
use crate::rows::PaymentKind;
use crate::rules::Policy;
use crate::time::UnixSeconds;

/// What a policy looks at in a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask<'a> {
    /// Who asks.
    pub agent: &'a AgentId,
    /// What kind of payment.
    pub kind: PaymentKind,
    /// What it pays with, and on which chain.
    pub asset: &'static Asset,
    /// Base units.
    pub amount: Amount,
    /// Who is paid.
    pub recipient: Option<Address>,
    /// The service it is for.
    pub service: Option<&'a Service>,
    /// The intent it takes back.
    pub cancels: Option<IntentId>,
}

impl<'a> Ask<'a> {
    /// What an intent asks, signed or not: enough to explain a policy, not to admit.
    ///
    /// # Errors
    /// [`UnknownAsset`] for a token that is not in the registry.
    pub fn of(intent: &'a PaymentIntent) -> Result<Self, UnknownAsset> {
        let asset = Asset::find(intent.payment.chain(), intent.payment.token())?;
        Ok(Self::with_asset(intent, asset))
    }

    fn with_asset(intent: &'a PaymentIntent, asset: &'static Asset) -> Self {
        let payment = &intent.payment;
        Self {
            agent: &intent.agent,
            kind: PaymentKind::of(payment),
            asset,
            amount: payment.amount(),
            recipient: payment.payee(),
            service: payment.service(),
            cancels: match payment {
                Payment::X402Cancel(cancel) => Some(cancel.cancels),
                Payment::Transfer(_) | Payment::X402Exact(_) => None,
            },
        }
    }
}

impl<'a> From<&'a AuthenticIntent> for Ask<'a> {
    fn from(intent: &'a AuthenticIntent) -> Self {
        Self::with_asset(intent.intent(), intent.asset())
    }
}

/// What `policy` says about `ask` at `now`, given what was spent before.
///
/// `ledger` is that of the asking agent, over all its wallets.
#[must_use]
pub fn decide(policy: &Policy, ask: &Ask<'_>, ledger: &Ledger, now: UnixSeconds) -> Decision {
    let findings = match (policy.agent() == ask.agent, ask.cancels) {
        // Another agent's rules say nothing about this one.
        (false, _) => return Decision::of(policy, Verdict::Refuse, Vec::new()),
        // Taking back what this ledger knows moves nothing, so no rule is asked.
        (true, Some(id)) => {
            let known = ledger.entry(&id).is_some();
            let verdict = if known { Verdict::Approve } else { Verdict::Refuse };
            return Decision::of(policy, verdict, Vec::new());
        }
        (true, None) => policy.findings(ask, ledger, now),
    };
    let refused = findings.iter().any(|finding| !finding.kept);
    let granted = findings.iter().any(|finding| finding.grants);
    let verdict = match (refused, granted) {
        // Deny wins, whoever grants.
        (true, _) => Verdict::Refuse,
        // Silence is refusal.
        (false, false) => Verdict::Refuse,
        (false, true) => Verdict::Approve,
    };
    Decision::of(policy, verdict, findings)
}

/// What a policy says about one payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Yes or no.
    pub verdict: Verdict,
    /// Name of the policy that was asked.
    pub policy: String,
    /// Its epoch.
    pub epoch: u64,
    /// Every rule, in the order of the file, on approval too.
    pub findings: Vec<Finding>,
}

/// Yes or no. Silence is no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// At least one rule grants, and none refuses.
    Approve,
    /// Some rule refuses, or none grants.
    Refuse,
}

/// What one rule found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Place of the rule in the file, from 0.
    pub rule: usize,
    /// The rule's kind, as the file writes it: `max_amount`, `limit`, …
    pub kind: String,
    /// Whether the payment keeps to the rule. An `allow` rule that names recipients or services
    /// and does not match refuses only when no other such rule matches.
    pub kept: bool,
    /// Whether this rule grants the payment: only an `allow` rule can.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub grants: bool,
    /// What the rule counts over, where it does: `"day in America/New_York by service"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<String>,
    /// The limit in the rule's own unit, for people and programs: `"0.5 USDC"`, `"100"`.
    pub limit: String,
    /// Where that stands before this payment, where the rule counts something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// What this payment asks, in the same unit.
    pub asked: String,
    /// When asking the same again could succeed, where waiting helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<UnixSeconds>,
}

impl Decision {
    fn of(policy: &Policy, verdict: Verdict, findings: Vec<Finding>) -> Self {
        let (policy, epoch) = (policy.name().to_owned(), policy.epoch());
        Self { verdict, policy, epoch, findings }
    }

    /// The rules that refuse.
    pub fn violations(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| !finding.kept)
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policy {} (epoch {})", self.policy, self.epoch)?;
        if self.violations().next().is_none() && self.verdict == Verdict::Refuse {
            return write!(f, ": no rule grants this");
        }
        self.violations().try_for_each(|finding| write!(f, "; {finding}"))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {} {}: limit {}", self.rule, self.kind, self.limit)?;
        if let Some(per) = &self.per {
            write!(f, " per {per}")?;
        }
        if let Some(current) = &self.current {
            write!(f, ", already {current}")?;
        }
        write!(f, ", asked {}", self.asked)?;
        if let Some(resets_at) = self.resets_at {
            write!(f, ", resets at {resets_at}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
