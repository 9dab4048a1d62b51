//! A policy: whose payments it judges, and by which rules.

use serde::{Deserialize, Serialize};

use crate::ask::{Ask, Facts, VoucherSigner};
use crate::context::DeclaredContext;
use crate::decision::{Opinion, Outcome};
use crate::party::AgentId;
use crate::rules::{Allow, Money, Mpp, PolicyError, Rule, RuleKind, Then, View, file};
use crate::subject::Subject;

/// A policy that was read and understood to the last key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub(super) name: String,
    pub(super) epoch: u64,
    pub(super) subject: Subject,
    pub(super) agent: Option<AgentId>,
    pub(super) mode: Mode,
    pub(super) context: DeclaredContext,
    pub(super) rules: Vec<Rule>,
}

/// Whether a policy binds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It binds.
    #[default]
    Enforce,
    /// It says what it would do, and does nothing: it refuses nothing, asks nobody, grants
    /// nothing.
    Warn,
}

/// Why a policy can grant nothing at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum GrantsNothing {
    /// There are no rules.
    #[error("the policy has no rules, and silence is refusal")]
    NoRules,
    /// No `allow` rule names a service or a recipient.
    #[error("the policy has no allow rule that names services or recipients, so nothing is paid")]
    NoAllowRule,
    /// What the `allow` rules name is empty.
    #[error("the allow rules of the policy name empty lists, so nothing is paid")]
    EmptyLists,
    /// A rule that no payment keeps to.
    #[error("rule {rule} of the policy has a limit of zero, so nothing is paid")]
    ZeroLimit {
        /// Its place in the file, from 0.
        rule: usize,
    },
}

impl Policy {
    /// Reads a policy file.
    ///
    /// # Errors
    /// [`PolicyError::TooLarge`] or [`PolicyError::Malformed`] with line and reason.
    pub fn parse(yaml: &str) -> Result<Self, PolicyError> {
        file::parse(yaml)
    }

    /// The JSON Schema (2020-12) of a policy file, for editors.
    #[must_use]
    pub fn json_schema() -> serde_json::Value {
        file::schema().to_value()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its epoch: 1 or more.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whose payments it judges.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The agent it is for, by itself or by a wallet; none for an organisation's.
    #[must_use]
    pub const fn agent(&self) -> Option<&AgentId> {
        self.agent.as_ref()
    }

    /// Whether it binds.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// What it declares that agents say of their payments.
    #[must_use]
    pub const fn context(&self) -> &DeclaredContext {
        &self.context
    }

    /// Its rules, in the order of the file.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether it is an agent's own, by itself or by a wallet, and not everybody's.
    #[must_use]
    pub const fn is_own(&self) -> bool {
        self.agent.is_some()
    }

    /// Whether it judges this payment.
    #[must_use]
    pub fn applies_to(&self, ask: &Ask<'_>) -> bool {
        let wallet = match self.subject {
            Subject::Wallet(wallet) => wallet == ask.wallet,
            Subject::Organisation | Subject::Agent(_) => true,
        };
        wallet && self.agent.as_ref().is_none_or(|agent| agent == ask.agent)
    }

    /// Whether this policy can grant nothing, and why. A node refuses to start on one, so that
    /// a slip is noticed before the first payment.
    #[must_use]
    pub fn grants_nothing(&self) -> Option<GrantsNothing> {
        if self.rules.is_empty() {
            return Some(GrantsNothing::NoRules);
        }
        let allows = || self.rules.iter().filter_map(Rule::as_allow);
        if !allows().any(Allow::can_grant) {
            return Some(GrantsNothing::NoAllowRule);
        }
        if !allows().any(Allow::grants_something) || allows().any(Allow::refuses_everything) {
            return Some(GrantsNothing::EmptyLists);
        }
        let zero = self.rules.iter().find(|rule| rule.kind.is_zero());
        zero.map(|rule| GrantsNothing::ZeroLimit { rule: rule.place })
    }

    /// The most that a voucher may add to the one before it, by the rules that bind: for vouchers
    /// that no payment is made of. A rule that asks refuses, for nobody is asked about those.
    pub fn voucher_steps(&self) -> impl Iterator<Item = &Money> {
        let binds = self.mode == Mode::Enforce;
        let rules = self.rules.iter().filter(move |rule| binds && rule.then() != Then::Warn);
        rules.filter_map(|rule| match rule.kind() {
            RuleKind::Mpp(Mpp::MaxVoucherStep(most)) => Some(most),
            _ => None,
        })
    }

    /// Whether a rule that binds has the wallet itself sign vouchers: for those of a session's key,
    /// of which no payment is made. A rule that asks refuses, as for
    /// [`voucher_steps`](Self::voucher_steps).
    #[must_use]
    pub fn refuses_session_keys(&self) -> bool {
        let wallet = Mpp::VoucherSigner(VoucherSigner::Wallet);
        let is_it = |rule: &Rule| matches!(rule.kind(), RuleKind::Mpp(mpp) if *mpp == wallet);
        let binds = |rule: &Rule| self.mode == Mode::Enforce && rule.then() != Then::Warn;
        self.rules.iter().any(|rule| binds(rule) && is_it(rule))
    }

    /// What it says about a payment that it applies to.
    pub(crate) fn opinion(&self, ask: &Ask<'_>, facts: &Facts<'_>) -> Opinion {
        let view = View::new(ask, facts, self);
        let mut findings: Vec<_> = self.rules.iter().map(|rule| rule.find(&view)).collect();
        if findings.iter().any(|found| found.grants) {
            // Rules that grant are alternatives: one that matches is enough.
            for (found, rule) in findings.iter_mut().zip(&self.rules) {
                if rule.as_allow().is_some_and(Allow::can_grant) {
                    found.outcome = Outcome::Kept;
                }
            }
        }
        Opinion {
            policy: self.name.clone(),
            epoch: self.epoch,
            subject: self.subject.clone(),
            mode: self.mode,
            findings,
        }
    }
}
