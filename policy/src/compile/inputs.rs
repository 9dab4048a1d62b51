//! What rules need beside the payment: sums of windows, wall clocks, and what rules that are not
//! translated say.
//!
//! Rules that need the same share it, also across two versions of a policy.

use crate::ask::{Ask, Facts};
use crate::decision::Outcome;
use crate::ledger::{Axis, Measure, Scope};
use crate::rules::{Approvers, Mode, Policy, Rule, RuleKind, Then, View};
use crate::subject::Subject;
use crate::window::{Window, Zone};

use super::rules::kept;
use super::{CompileError, UNITS_MAX};

/// What one rule needs, under the name it has in the schema.
#[derive(Clone, Debug)]
pub(super) struct Input {
    pub(super) name: String,
    pub(super) key: Key,
    /// A rule that needs it.
    policy: usize,
    rule: usize,
}

/// What rules need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// What a window holds.
    Sum { subject: Subject, window: Window, measure: Measure, by: Option<Axis> },
    /// The minute of the day and the day of the week in a zone.
    Clock(Zone),
    /// Whether a rule that is not translated refuses, and whether it asks.
    Flags { subject: Subject, kind: Box<RuleKind>, then: Then, approvers: Option<Approvers> },
}

/// What all rules need.
#[derive(Clone, Debug, Default)]
pub(super) struct Inputs(Vec<Input>);

/// What an input is for one payment.
pub(super) enum Value {
    Sum(i64),
    Clock { minute: i64, day: i64 },
    Flags { refuses: bool, asks: bool },
}

/// Whether what a rule says is free.
pub(super) fn is_unmodelled(kind: &RuleKind) -> bool {
    let counts = matches!(
        kind,
        RuleKind::Limit(_) | RuleKind::Rate(_) | RuleKind::Hours(_) | RuleKind::When(_)
    );
    !counts && kept(kind).is_none()
}

impl Key {
    fn of(policy: &Policy, rule: &Rule) -> Option<Self> {
        let subject = || policy.subject().clone();
        Some(match rule.kind() {
            RuleKind::Limit(limit) => Self::Sum {
                subject: subject(),
                window: limit.window.clone(),
                measure: Measure::Amount(limit.amount.symbol),
                by: limit.by,
            },
            RuleKind::Rate(rate) => Self::Sum {
                subject: subject(),
                window: rate.window.clone(),
                measure: Measure::Count,
                by: rate.by,
            },
            RuleKind::Hours(hours) => Self::Clock(hours.zone().clone()),
            kind if !is_unmodelled(kind) => return None,
            kind => Self::Flags {
                subject: subject(),
                kind: Box::new(kind.clone()),
                then: rule.then(),
                approvers: rule.approvers().cloned(),
            },
        })
    }

    /// Whether what this holds is always held by the other: a shorter window is within a longer
    /// one, and what is counted apart within the total.
    fn is_within(&self, wide: &Self) -> bool {
        let (
            Self::Sum { subject, window, measure, by },
            Self::Sum { subject: of, window: long, measure: what, by: wide },
        ) = (self, wide)
        else {
            return false;
        };
        let rolls = window.zone().is_none() && long.zone().is_none();
        let shorter = rolls && window.period().seconds() <= long.period().seconds();
        subject == of
            && measure == what
            && (by == wide || wide.is_none())
            && (window == long || shorter)
    }
}

impl Inputs {
    /// What the rules of binding policies need.
    pub(super) fn of(policies: &[Policy]) -> Self {
        let mut inputs = Self::default();
        for (policy, held) in policies.iter().enumerate() {
            if held.mode() == Mode::Warn {
                continue;
            }
            for (rule, demand) in held.rules().iter().enumerate() {
                if let Some(key) = Key::of(held, demand) {
                    inputs.add(key, policy, rule);
                }
            }
        }
        inputs
    }

    fn add(&mut self, key: Key, policy: usize, rule: usize) {
        if self.0.iter().any(|input| input.key == key) {
            return;
        }
        let letter = match key {
            Key::Sum { .. } => 's',
            Key::Clock(_) => 'z',
            Key::Flags { .. } => 'f',
        };
        let name = format!("{letter}{}", self.0.len());
        self.0.push(Input { name, key, policy, rule });
    }

    /// The name of what a rule needs.
    pub(super) fn name(&self, policy: &Policy, rule: &Rule) -> Option<&str> {
        let key = Key::of(policy, rule)?;
        self.0.iter().find(|input| input.key == key).map(|input| input.name.as_str())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Input> {
        self.0.iter()
    }

    /// Pairs of sums of which the first is never above the second.
    pub(super) fn ordered(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(move |small| {
            let wide = self.0.iter().filter(|wide| wide.name != small.name);
            wide.filter(|wide| small.key.is_within(&wide.key))
                .map(|wide| (small.name.as_str(), wide.name.as_str()))
        })
    }

    /// What the inputs are for one payment, with their names.
    pub(super) fn values<'a>(
        &'a self,
        policies: &[Policy],
        ask: &Ask<'_>,
        facts: &Facts<'_>,
    ) -> Result<Vec<(&'a str, Value)>, CompileError> {
        let mut values = Vec::new();
        for input in &self.0 {
            let Some(policy) = policies.get(input.policy) else { continue };
            let Some(rule) = policy.rules().get(input.rule) else { continue };
            values.push((input.name.as_str(), input.value(rule, &View::new(ask, facts, policy))?));
        }
        Ok(values)
    }
}

impl Input {
    fn value(&self, rule: &Rule, view: &View<'_>) -> Result<Value, CompileError> {
        Ok(match &self.key {
            Key::Sum { subject, window, measure, by } => {
                let scope =
                    by.map_or(Scope::Total, |axis| Scope::of(axis, view.ask, view.counterparty));
                let since = window.since(view.now());
                let sum = view.facts.ledger.sum(subject, *measure, &scope, since);
                Value::Sum(in_range(sum, "a sum")?)
            }
            Key::Clock(zone) => {
                let beyond = || CompileError::OutOfRange { what: "the time".to_owned() };
                let local = zone.at(view.facts.now).ok_or_else(beyond)?;
                let minute = i64::from(local.hour())
                    .saturating_mul(60)
                    .saturating_add(i64::from(local.minute()));
                Value::Clock { minute, day: i64::from(local.weekday().to_monday_one_offset()) }
            }
            Key::Flags { .. } => {
                let outcome = rule.find(view).outcome;
                Value::Flags {
                    refuses: outcome == Outcome::Refuses,
                    asks: outcome == Outcome::Asks,
                }
            }
        })
    }
}

pub(super) fn in_range(units: u128, what: &str) -> Result<i64, CompileError> {
    let within = i64::try_from(units).ok().filter(|_| units <= u128::from(UNITS_MAX));
    within.ok_or_else(|| CompileError::OutOfRange { what: what.to_owned() })
}
