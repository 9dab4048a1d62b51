//! What policies say about one payment, as a truth table with everything that was looked at.
//!
//! | some rule refuses | some policy grants | some rule asks | verdict |
//! |---|---|---|---|
//! | yes | – | – | refuse: deny wins |
//! | no | no | – | refuse: silence is refusal |
//! | no | yes | yes | ask a human |
//! | no | yes | no | approve |
//!
//! Every policy that applies is asked, and every rule of each: the answer lists them all, on
//! approval too. A policy that has granting `allow` rules refuses a payment that none of them
//! matches, so an organisation's list and an agent's list have to allow it both.
//!
//! What moves nothing is not asked about: the cancellation of what the ledger knows, and the end of
//! a channel that was opened here. Of leaving a channel of a contract from before TIP-1034 only the
//! `v1_channels` rules are asked, by the same table.
//!
//! Does not protect against: policies that are foolish.

mod fee;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ask::{Ask, Facts};
use crate::refusal::Refusal;
use crate::rules::{Mode, Policy};
use crate::subject::Subject;
use crate::time::UnixSeconds;
use crate::window::TZDB_VERSION;

pub use fee::decide_higher_fee;

/// What `policies` together say about `ask`, given what is known.
///
/// `policies` are those that apply to the asking agent and wallet; one of another agent or wallet
/// refuses. The ledger has to know the payments of every subject among them.
#[must_use]
pub fn decide(policies: &[&Policy], ask: &Ask<'_>, facts: &Facts<'_>) -> Decision {
    let registry_epoch = facts.registry.map(crate::registry::Registry::epoch);
    let decision = |verdict, policies| Decision {
        verdict,
        policies,
        registry_epoch,
        tzdb: TZDB_VERSION.to_owned(),
    };
    if policies.iter().any(|policy| !policy.applies_to(ask)) {
        // The rules of others say nothing about this payment.
        return decision(Verdict::Refuse, Vec::new());
    }
    if let Some(id) = ask.cancels {
        // Taking back what this ledger knows moves nothing, so no rule is asked.
        let known = facts.ledger.entry(&id).is_some();
        let verdict =
            if known && !policies.is_empty() { Verdict::Approve } else { Verdict::Refuse };
        return decision(verdict, Vec::new());
    }
    if ask.leaves_v1.is_some() {
        // No journal knows the channel, so whoever signs policies has to; no other rule is asked.
        let opinions: Vec<_> =
            policies.iter().map(|policy| policy.exit_opinion(ask, facts)).collect();
        return decision(verdict(&opinions), opinions);
    }
    if ask.moves_nothing {
        // A channel, or a key, is known by then: what ends it only brings money back, or keeps it.
        let verdict = if policies.is_empty() { Verdict::Refuse } else { Verdict::Approve };
        return decision(verdict, Vec::new());
    }
    let opinions: Vec<_> = policies.iter().map(|policy| policy.opinion(ask, facts)).collect();
    decision(verdict(&opinions), opinions)
}

fn verdict(opinions: &[Opinion]) -> Verdict {
    let binding = || opinions.iter().filter(|opinion| opinion.mode == Mode::Enforce);
    let any = |outcome| {
        binding().any(|opinion| opinion.findings.iter().any(|found| found.outcome == outcome))
    };
    let granted = binding().any(|opinion| opinion.findings.iter().any(|found| found.grants));
    match (any(Outcome::Refuses), granted, any(Outcome::Asks)) {
        (true, _, _) | (false, false, _) => Verdict::Refuse,
        (false, true, true) => Verdict::AskHuman,
        (false, true, false) => Verdict::Approve,
    }
}

/// What all policies that apply say about one payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// What it comes to.
    pub verdict: Verdict,
    /// What each policy says, the widest subject first.
    pub policies: Vec<Opinion>,
    /// Epoch of the counterparty registry that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry_epoch: Option<u64>,
    /// Release of the IANA time zone database that calendars went by.
    pub tzdb: String,
}

/// What a decision comes to. Silence is no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Some policy grants, and no rule refuses or asks.
    Approve,
    /// It would be approved if people approved.
    AskHuman,
    /// Some rule refuses, or none grants.
    Refuse,
}

/// What one policy says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opinion {
    /// Name of the policy.
    pub policy: String,
    /// Its epoch.
    pub epoch: u64,
    /// Whose payments it judges.
    pub subject: Subject,
    /// Whether it binds, or only says what it would do.
    pub mode: Mode,
    /// Every rule, in the order of the file.
    pub findings: Vec<Finding>,
}

/// What a rule makes of a payment, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The payment keeps to it.
    Kept,
    /// It does not, which is recorded and no more.
    Warns,
    /// It does not, and people decide.
    Asks,
    /// It does not, and that is a no.
    Refuses,
}

/// What one rule found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Place of the rule in the file, from 0.
    pub rule: usize,
    /// The rule's kind, as the file writes it: `max_amount`, `limit`, …
    pub kind: String,
    /// What it makes of the payment. An `allow` rule that names recipients or services and does
    /// not match refuses only when no other such rule of its policy matches.
    pub outcome: Outcome,
    /// Whether this rule grants the payment: an `allow` rule can, and `access_key` for such a key.
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
    /// Who has to say yes, where the rule asks: `"2 of alice, bob, carol within 1800 s"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvers: Option<String>,
    /// Who said yes so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approved_by: Vec<String>,
    /// Whether this refusal stops the agent until the authority thaws it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub freezes: bool,
}

impl Finding {
    /// Whether the payment keeps to the rule.
    #[must_use]
    pub fn kept(&self) -> bool {
        self.outcome == Outcome::Kept
    }
}

impl Decision {
    /// A no, as whoever asked is told it: where there is no rule to point at, which one is missing.
    #[must_use]
    pub fn refusal(self, ask: &Ask<'_>) -> Refusal {
        match ask.leaves_v1 {
            Some(channel) if self.violations().next().is_none() => {
                Refusal::ChannelNotListed { channel }
            }
            _ => Refusal::Policy(self),
        }
    }

    /// The rules that refuse or ask, of policies that bind, each with its policy.
    pub fn objections(&self) -> impl Iterator<Item = (&Opinion, &Finding)> {
        let binding = self.policies.iter().filter(|opinion| opinion.mode == Mode::Enforce);
        binding
            .flat_map(|opinion| opinion.findings.iter().map(move |found| (opinion, found)))
            .filter(|(_, found)| matches!(found.outcome, Outcome::Refuses | Outcome::Asks))
    }

    /// The rules that refuse or ask, of policies that bind.
    pub fn violations(&self) -> impl Iterator<Item = &Finding> {
        self.objections().map(|(_, found)| found)
    }

    /// The rules that would have refused or asked if they were to bind.
    pub fn warnings(&self) -> impl Iterator<Item = (&Opinion, &Finding)> {
        let all = self.policies.iter();
        all.flat_map(|opinion| opinion.findings.iter().map(move |found| (opinion, found))).filter(
            |(opinion, found)| match found.outcome {
                Outcome::Kept => false,
                Outcome::Warns => true,
                Outcome::Asks | Outcome::Refuses => opinion.mode == Mode::Warn,
            },
        )
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self
            .policies
            .iter()
            .map(|opinion| format!("{} (epoch {})", opinion.policy, opinion.epoch))
            .collect();
        let names = if names.is_empty() { "none applies".to_owned() } else { names.join(", ") };
        write!(f, "policy {names}")?;
        if self.violations().next().is_none() && self.verdict == Verdict::Refuse {
            return write!(f, ": no rule grants this");
        }
        let several = self.policies.len() > 1;
        self.objections().try_for_each(|(opinion, found)| match several {
            true => write!(f, "; {}: {found}", opinion.policy),
            false => write!(f, "; {found}"),
        })
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
        if let Some(approvers) = &self.approvers {
            write!(f, ", needs {approvers}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
