//! What rules need beside the payment: sums of windows, and what rules that are not translated
//! say.

use cedar_policy::RestrictedExpression;

use super::text::kept;
use super::{CompileError, UNITS_MAX};
use crate::ask::{Ask, Facts};
use crate::condition::{Attributes, FACTS, declared};
use crate::context::{Context, DeclaredContext};
use crate::decision::Outcome;
use crate::ledger::{Axis, Measure, Scope};
use crate::rules::{Mode, Policy, RuleKind, View};
use crate::window::Window;

/// What one rule needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Input {
    policy: usize,
    rule: usize,
    pub(super) kind: Kind,
}

/// The kinds of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What the window of the rule holds.
    Sum,
    /// Whether the rule refuses, and whether it asks.
    Flags,
}

/// The name of what a rule needs.
pub(super) fn name(policy: usize, rule: usize) -> String {
    format!("p{policy}r{rule}")
}

impl Input {
    pub(super) fn names(&self) -> std::vec::IntoIter<String> {
        let name = name(self.policy, self.rule);
        match self.kind {
            Kind::Sum => vec![name],
            Kind::Flags => vec![format!("{name}r"), format!("{name}a")],
        }
        .into_iter()
    }
}

/// What the rules of binding policies need.
pub(super) fn of(policies: &[&Policy]) -> Vec<Input> {
    let mut inputs = Vec::new();
    for (policy, held) in policies.iter().enumerate() {
        if held.mode() == Mode::Warn {
            continue;
        }
        for (rule, held) in held.rules().iter().enumerate() {
            let kind = match held.kind() {
                RuleKind::Limit(_) | RuleKind::Rate(_) => Kind::Sum,
                RuleKind::When(_) => continue,
                kind if kept(kind).is_some() => continue,
                _ => Kind::Flags,
            };
            inputs.push(Input { policy, rule, kind });
        }
    }
    inputs
}

enum Value {
    Sum(String, i64),
    Flag(String, bool),
}

fn values(
    inputs: &[Input],
    policies: &[Policy],
    ask: &Ask<'_>,
    facts: &Facts<'_>,
) -> Result<Vec<Value>, CompileError> {
    let mut values = Vec::new();
    for input in inputs {
        let Some(policy) = policies.get(input.policy) else { continue };
        let view = View::new(ask, facts, policy);
        let Some(rule) = policy.rules().get(input.rule) else { continue };
        let name = name(input.policy, input.rule);
        match rule.kind() {
            RuleKind::Limit(rule) => {
                let measure = Measure::Amount(rule.amount.symbol);
                values.push(Value::Sum(name, sum(&view, &rule.window, measure, rule.by)?));
            }
            RuleKind::Rate(rule) => {
                let sum = sum(&view, &rule.window, Measure::Count, rule.by)?;
                values.push(Value::Sum(name, sum));
            }
            _ => {
                let opinion = policy.opinion(ask, facts);
                let outcome = opinion.findings.get(input.rule).map(|found| found.outcome);
                let is = |asked| outcome == Some(asked);
                values.push(Value::Flag(format!("{name}r"), is(Outcome::Refuses)));
                values.push(Value::Flag(format!("{name}a"), is(Outcome::Asks)));
            }
        }
    }
    Ok(values)
}

fn sum(
    view: &View<'_>,
    window: &Window,
    measure: Measure,
    by: Option<Axis>,
) -> Result<i64, CompileError> {
    let scope = by.map_or(Scope::Total, |axis| Scope::of(axis, view.ask, view.counterparty));
    let since = window.since(view.now());
    in_range(view.facts.ledger.sum(view.subject(), measure, &scope, since), "a sum")
}

fn in_range(units: u128, what: &str) -> Result<i64, CompileError> {
    let within = i64::try_from(units).ok().filter(|_| units <= u128::from(UNITS_MAX));
    within.ok_or_else(|| CompileError::OutOfRange { what: what.to_owned() })
}

/// The attributes of the payment.
pub(super) fn attributes(
    inputs: &[Input],
    policies: &[Policy],
    ask: &Ask<'_>,
    facts: &Facts<'_>,
) -> Result<Attributes, CompileError> {
    in_range(ask.amount.base_units(), "the amount")?;
    let mut attributes = Attributes::new();
    if let Some(policy) = policies.first() {
        let known = View::new(ask, facts, policy).condition_facts();
        for fact in &FACTS {
            let value = known
                .value(fact.name)
                .map_err(|error| CompileError::OutOfRange { what: error.to_string() })?;
            attributes.extend(value.map(|value| (fact.name.to_owned(), value)));
        }
    }
    let (mut sums, mut flags) = (Vec::new(), Vec::new());
    for value in values(inputs, policies, ask, facts)? {
        match value {
            Value::Sum(name, sum) => sums.push((name, RestrictedExpression::new_long(sum))),
            Value::Flag(name, flag) => flags.push((name, RestrictedExpression::new_bool(flag))),
        }
    }
    for (record, fields) in [("sums", sums), ("flags", flags)] {
        let fields = RestrictedExpression::new_record(fields).map_err(super::invalid)?;
        attributes.insert(record.to_owned(), fields);
    }
    Ok(attributes)
}

/// The same values as an expression that fixes them.
pub(super) fn state(
    inputs: &[Input],
    policies: &[Policy],
    ask: &Ask<'_>,
    facts: &Facts<'_>,
) -> Result<String, CompileError> {
    let fixed = values(inputs, policies, ask, facts)?.into_iter().map(|value| match value {
        Value::Sum(name, sum) => format!("resource.sums.{name} == {sum}"),
        Value::Flag(name, true) => format!("resource.flags.{name}"),
        Value::Flag(name, false) => format!("!resource.flags.{name}"),
    });
    let fixed: Vec<_> = fixed.collect();
    Ok(if fixed.is_empty() { "true".to_owned() } else { fixed.join(" && ") })
}

/// The declared values that the payment carries with the declared type.
pub(super) fn context(declarations: &DeclaredContext, context: &Context) -> Attributes {
    let given = |(name, kind)| Some((String::from(name), declared(context, name, kind).ok()?));
    declarations.iter().filter_map(given).collect()
}
