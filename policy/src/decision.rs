//! The answer of a policy, with every rule that had a say and its numbers.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::UnixSeconds;

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
    /// Whether the payment keeps to the rule.
    pub kept: bool,
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
