//! Conditions of a rule: an expression over the payment and what the agent says about it, in the
//! expression language of Cedar.
//!
//! ```yaml
//! context: { confidence: decimal, task: string }
//! rules:
//!   - when: 'context.confidence.greaterThan(decimal("0.8"))'
//!   - when: 'resource.protocol == "x402" && resource.amount <= 500000'
//!   - when: 'resource has country && ["DE", "FR"].contains(resource.country)'
//! ```
//!
//! `principal` is `Agent::"<name>"`, `action` is `Action::"pay"`, `resource` is the payment with
//! the attributes of [`FACTS`], and `context` holds what the policy declares.
//!
//! Promises: an expression is parsed and type-checked (Cedar's strict mode) when the policy is
//! loaded, so a slip in a name or a type never reaches a payment. Each evaluation is given only
//! the values that the expression names, is a function of them, and ends: the language has no
//! loops.
//!
//! Refuses: at load, whatever does not type-check, and what can never hold. At a payment, *any*
//! doubt is a [`ConditionError`], with which the rule refuses: a declared value that is named and
//! missing or of another type, an amount beyond 64 bits, an overflow. Cedar itself skips a policy
//! that errs, so an erring `forbid` allows; here nothing that errs is skipped.
//!
//! Does not protect against: an agent that declares something untrue.

use std::collections::{BTreeSet, HashMap};

use cedar_policy::{Authorizer, Decision, Entities, Policy, PolicySet};
use serde::{Deserialize, Serialize};

use crate::context::{ContextKind, DeclaredContext};
use crate::money::Amount;

mod check;
mod facts;
mod names;

pub use check::BadCondition;
pub use facts::{ConditionFacts, FACTS, Fact};
pub(crate) use facts::{Parties, declared, hour_utc, weekday_utc};

/// Longest expression, in bytes.
pub const CONDITION_BYTES_MAX: usize = 2_048;
/// Deepest nesting of brackets.
pub const CONDITION_DEPTH_MAX: usize = 16;
/// The largest amount a condition can look at, in base units: `Long` has 64 bits and a sign.
pub const CONDITION_AMOUNT_MAX: u128 = i64::MAX as u128;

/// A condition that was parsed and type-checked.
#[derive(Clone)]
pub struct Condition {
    expression: String,
    policies: PolicySet,
    uses: Uses,
    parties: Parties,
}

/// What an expression names; nothing else is evaluated for it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Uses {
    facts: BTreeSet<&'static str>,
    context: Vec<(String, ContextKind)>,
}

/// Why a condition could not be decided. The rule refuses then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case", deny_unknown_fields)]
pub enum ConditionError {
    /// The amount does not fit the language's whole numbers.
    #[error("the amount {amount} is beyond {limit}, the largest a condition can look at")]
    AmountTooLarge {
        /// Base units asked for.
        amount: Amount,
        /// Most base units.
        limit: Amount,
    },
    /// The intent does not carry a value that the condition names.
    #[error("the intent carries no context value {name}, which the condition needs")]
    Missing {
        /// The declared name.
        name: String,
    },
    /// The intent carries the value with another type.
    #[error("context value {name} is a {found}; the policy declares a {expected}")]
    OtherType {
        /// The declared name.
        name: String,
        /// The declared type.
        expected: ContextKind,
        /// The type in the intent.
        found: ContextKind,
    },
    /// The evaluation failed, for example by an overflow.
    #[error("the condition could not be evaluated: {reason}")]
    Evaluation {
        /// Why, for people.
        reason: String,
    },
}

impl Condition {
    /// Reads and type-checks an expression over the payment and the declared context.
    ///
    /// # Errors
    /// [`BadCondition`] with a reason for people.
    pub fn parse(expression: &str, declared: &DeclaredContext) -> Result<Self, BadCondition> {
        let policy = check::policy(expression, declared)?;
        let uses = names::uses(&policy, declared)?;
        let policies = policy_set(policy)?;
        let parties = Parties::new().map_err(|reason| BadCondition::Syntax { reason })?;
        Ok(Self { expression: expression.to_owned(), policies, uses, parties })
    }

    /// The expression as the policy writes it.
    #[must_use]
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The declared values that the expression names.
    pub fn context_names(&self) -> impl Iterator<Item = &str> {
        self.uses.context.iter().map(|(name, _)| name.as_str())
    }

    /// The attributes of the payment that the expression names.
    pub fn fact_names(&self) -> impl Iterator<Item = &'static str> {
        self.uses.facts.iter().copied()
    }

    /// Whether the condition holds for a payment.
    ///
    /// # Errors
    /// [`ConditionError`] for whatever leaves a doubt.
    pub fn holds(&self, facts: &ConditionFacts<'_>) -> Result<bool, ConditionError> {
        let request = facts.request(&self.uses, &self.parties)?;
        let entities = facts.entities(&self.uses, &self.parties)?;
        self.decide(&request, &entities)
    }

    fn decide(
        &self,
        request: &cedar_policy::Request,
        entities: &Entities,
    ) -> Result<bool, ConditionError> {
        let response = Authorizer::new().is_authorized(request, &self.policies, entities);
        match (response.diagnostics().errors().next(), response.decision()) {
            // An error is never an answer, whatever the decision beside it.
            (Some(error), _) => Err(ConditionError::Evaluation { reason: error.to_string() }),
            (None, Decision::Allow) => Ok(true),
            (None, Decision::Deny) => Ok(false),
        }
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.expression == other.expression && self.uses == other.uses
    }
}

impl Eq for Condition {}

impl std::fmt::Debug for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Condition({})", self.expression)
    }
}

fn policy_set(policy: Policy) -> Result<PolicySet, BadCondition> {
    PolicySet::from_policies([policy])
        .map_err(|error| BadCondition::Syntax { reason: error.to_string() })
}

/// A record of values for the language.
pub(crate) type Attributes = HashMap<String, cedar_policy::RestrictedExpression>;

#[cfg(test)]
mod tests;
