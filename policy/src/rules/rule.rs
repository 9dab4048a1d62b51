//! One rule of a policy, and what follows where a payment does not keep to it.

use serde::{Deserialize, Serialize};

use crate::decision::{Finding, Outcome};
use crate::rules::{Allow, Answer, Approvers, RuleKind, View};

/// What follows where a payment does not keep to a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// It is recorded.
    Warn,
    /// People decide.
    Ask,
    /// It is refused.
    #[default]
    Refuse,
}

impl Then {
    /// As policies write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Ask => "ask",
            Self::Refuse => "refuse",
        }
    }
}

/// One rule, and what follows where it is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub(super) kind: RuleKind,
    pub(super) then: Then,
    pub(super) approvers: Option<Approvers>,
    pub(super) place: usize,
    pub(super) line: u64,
}

impl Rule {
    /// What it demands.
    #[must_use]
    pub const fn kind(&self) -> &RuleKind {
        &self.kind
    }

    /// What follows where it is not kept.
    #[must_use]
    pub const fn then(&self) -> Then {
        self.then
    }

    /// Who decides where it asks; nobody can where nobody is named.
    #[must_use]
    pub const fn approvers(&self) -> Option<&Approvers> {
        self.approvers.as_ref()
    }

    /// The place of its entry in the file, from 0. An entry such as `mpp` may hold several rules.
    #[must_use]
    pub const fn place(&self) -> usize {
        self.place
    }

    /// Its line in the file, from 1.
    #[must_use]
    pub const fn line(&self) -> u64 {
        self.line
    }

    /// Whether it demands the same, and the same follows by the same people, wherever it stands.
    pub(crate) fn is_as(&self, other: &Self) -> bool {
        (&self.kind, self.then, &self.approvers) == (&other.kind, other.then, &other.approvers)
    }

    pub(crate) const fn as_allow(&self) -> Option<&Allow> {
        match &self.kind {
            RuleKind::Allow(allow) => Some(allow),
            _ => None,
        }
    }

    /// A payee beside the primary one is a payee: the worst that is found of any counts.
    pub(crate) fn find(&self, view: &View<'_>) -> Finding {
        let own = self.find_of(view);
        if self.as_allow().is_some() {
            // It looks at all of them by itself.
            return own;
        }
        let splits = view.ask.splits.iter();
        splits.fold(own, |worst, split| {
            let ask = view.ask.of_split(split);
            let found = self.find_of(&View::new(&ask, view.facts, view.policy));
            if found.outcome > worst.outcome { found } else { worst }
        })
    }

    fn find_of(&self, view: &View<'_>) -> Finding {
        let judged = self.kind.judge(view);
        let outcome = match (judged.kept, judged.then.unwrap_or(self.then)) {
            (true, _) => Outcome::Kept,
            (false, Then::Warn) => Outcome::Warns,
            // People are asked what to make of an answer, never what it would have been.
            (false, Then::Ask) if judged.errs => Outcome::Refuses,
            (false, Then::Ask) => Outcome::Asks,
            (false, Then::Refuse) => Outcome::Refuses,
        };
        let found = judged.finding(self.place, self.kind.word(), outcome);
        match self.approvers.as_ref().filter(|_| outcome == Outcome::Asks) {
            None => found,
            Some(approvers) => {
                let Answer { outcome, approvers, approved_by } = approvers.judge(view);
                Finding { outcome, approvers: Some(approvers), approved_by, ..found }
            }
        }
    }
}
