//! Policies as Cedar policies, for analysis: what a solver can say something about.
//!
//! Two questions of a payment become two sets of Cedar policies: whether it is approved without a
//! human ([`Question::Approves`]), and whether it is not refused ([`Question::Admits`]). What
//! refuses becomes a `forbid`; what grants, and every condition, is in the one `permit`, because
//! Cedar skips a policy that errs: a `permit` that errs refuses, a `forbid` that errs would allow.
//!
//! Promises: for a payment in range ([`UNITS_MAX`]) the compiled answer is that of the typed
//! evaluator, which a differential test holds. Sums of windows enter as attributes, computed by
//! the same queries of the ledger.
//!
//! | rule | in Cedar |
//! |---|---|
//! | `max_amount`, `price_ceiling`, `limit`, `rate`, `allow`, `block`, `trust`, `country`, `ask` without `new_payee`, `when` | an expression over the payment, the sums and the context |
//! | every other rule | what the typed rule makes of the payment, as an attribute that a solver is free to choose |
//!
//! Refuses: policies that declare one context value with two types.
//!
//! Does not protect against: an analysis that is read as more than it says. Approvals are not
//! compiled, and cancellations, which move nothing, are not payments here.

use cedar_policy::{Authorizer, Decision, Entities, PolicySet, Request, Schema};

use crate::ask::{Ask, Facts};
use crate::condition::Parties;
use crate::context::DeclaredContext;
use crate::rules::{Mode, Policy, RuleKind};

mod inputs;
mod literal;
mod parties;
mod text;
mod witness;

pub use literal::text as text_literal;
pub use parties::listed;
pub use witness::Witnesses;

/// Largest amount and largest sum that is analysed, in base units: two of them still fit `Long`.
pub const UNITS_MAX: u64 = (1 << 62) - 1;

/// What is asked about a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether it is approved, and nobody has to be asked.
    Approves,
    /// Whether it is not refused: approved, or put to people.
    Admits,
}

/// Why policies were not compiled, or a payment not put to them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// Two policies declare a value differently.
    #[error("context value {name} is declared with two types")]
    ContextClash {
        /// The value.
        name: String,
    },
    /// A number beyond what is analysed.
    #[error("{what} is beyond {UNITS_MAX}, the largest number that is analysed")]
    OutOfRange {
        /// Which number.
        what: String,
    },
    /// Cedar does not take what was made: a defect of this compiler.
    #[error("the compiled policy is not valid: {reason}")]
    Invalid {
        /// Why.
        reason: String,
    },
}

/// Policies, compiled.
#[derive(Clone)]
pub struct Compiled {
    policies: Vec<Policy>,
    inputs: Vec<inputs::Input>,
    context: DeclaredContext,
    parties: Parties,
    schema_text: String,
    schema: Schema,
    approves: PolicySet,
    admits: PolicySet,
}

/// A payment, with what is known beside it, as Cedar takes it.
#[derive(Debug)]
pub struct CompiledAsk {
    request: Request,
    entities: Entities,
}

impl Compiled {
    /// Compiles the policies that apply together.
    ///
    /// # Errors
    /// [`CompileError::ContextClash`] for contradicting declarations.
    pub fn of(policies: &[&Policy]) -> Result<Self, CompileError> {
        let context = declared(policies)?;
        let inputs = inputs::of(policies);
        let schema_text = text::schema(&inputs, &context);
        let schema = Schema::from_cedarschema_str(&schema_text).map_err(invalid)?.0;
        let set =
            |question| text::policies(policies, question).parse::<PolicySet>().map_err(invalid);
        Ok(Self {
            approves: set(Question::Approves)?,
            admits: set(Question::Admits)?,
            policies: policies.iter().map(|policy| (*policy).clone()).collect(),
            parties: Parties::new().map_err(invalid)?,
            inputs,
            context,
            schema_text,
            schema,
        })
    }

    /// The schema, as Cedar writes schemas.
    #[must_use]
    pub fn schema_text(&self) -> &str {
        &self.schema_text
    }

    /// The schema.
    #[must_use]
    pub const fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The policies that answer a question.
    #[must_use]
    pub const fn policies(&self, question: Question) -> &PolicySet {
        match question {
            Question::Approves => &self.approves,
            Question::Admits => &self.admits,
        }
    }

    /// Whom a counterexample may pay.
    #[must_use]
    pub fn witnesses(&self) -> Witnesses {
        Witnesses::of(&self.policies)
    }

    /// Whether some condition looks at the hour or the day.
    #[must_use]
    pub fn looks_at_the_clock(&self) -> bool {
        let rules = self.policies.iter().flat_map(Policy::rules);
        let mut conditions = rules.filter_map(|rule| match rule.kind() {
            RuleKind::When(when) => Some(&when.0),
            _ => None,
        });
        conditions.any(|when| when.fact_names().any(|name| name.ends_with("_utc")))
    }

    /// The declared context values.
    #[must_use]
    pub const fn context(&self) -> &DeclaredContext {
        &self.context
    }

    /// What the numbers of every possible payment and history keep to, as a Cedar expression.
    #[must_use]
    pub fn domain(&self) -> String {
        text::domain(&self.inputs)
    }

    /// What these very facts make of the inputs that are no part of the payment, as a Cedar
    /// expression: sums, and what rules that are not translated say of `ask`.
    ///
    /// # Errors
    /// [`CompileError::OutOfRange`] for sums beyond what is analysed.
    pub fn state(&self, ask: &Ask<'_>, facts: &Facts<'_>) -> Result<String, CompileError> {
        inputs::state(&self.inputs, &self.policies, ask, facts)
    }

    /// A payment in the form that the compiled policies judge.
    ///
    /// # Errors
    /// [`CompileError::OutOfRange`] for numbers beyond what is analysed.
    pub fn ask(&self, ask: &Ask<'_>, facts: &Facts<'_>) -> Result<CompiledAsk, CompileError> {
        let attributes = inputs::attributes(&self.inputs, &self.policies, ask, facts)?;
        let values = inputs::context(&self.context, ask.context);
        let wrong = |reason| CompileError::Invalid { reason };
        let request = self.parties.request(ask.agent.as_str(), values).map_err(wrong)?;
        let entities = self.parties.entities(attributes).map_err(wrong)?;
        Ok(CompiledAsk { request, entities })
    }

    /// The answer.
    #[must_use]
    pub fn answer(&self, question: Question, ask: &CompiledAsk) -> bool {
        let policies = self.policies(question);
        let answer = Authorizer::new().is_authorized(&ask.request, policies, &ask.entities);
        answer.decision() == Decision::Allow
    }
}

/// Everything the binding policies declare.
fn declared(policies: &[&Policy]) -> Result<DeclaredContext, CompileError> {
    let mut all = DeclaredContext::default();
    for policy in policies.iter().filter(|policy| policy.mode() == Mode::Enforce) {
        for (name, kind) in policy.context().iter() {
            match all.kind(name) {
                Some(other) if other == kind => {}
                Some(_) => return Err(CompileError::ContextClash { name: name.to_owned() }),
                None => all = all.with(name, kind).map_err(invalid)?,
            }
        }
    }
    Ok(all)
}

fn invalid(error: impl std::fmt::Display) -> CompileError {
    CompileError::Invalid { reason: error.to_string() }
}
