//! Policies as Cedar policies, for analysis: what a solver can say something about.
//!
//! Two questions of a payment become two sets of Cedar policies: whether it is approved without a
//! human ([`Question::Approves`]), and whether it is not refused ([`Question::Admits`]). What
//! refuses becomes a `forbid`; what grants, and every condition, is in the one `permit`, because
//! Cedar skips a policy that errs: a `permit` that errs refuses, a `forbid` that errs would allow.
//!
//! Promises: for a payment in range ([`UNITS_MAX`], [`NOW_MAX`]) the compiled answer is that of
//! the typed evaluator, which a differential test holds on random payments. Sums of windows and
//! wall clocks enter as attributes, computed by the same queries.
//!
//! Translated, as an expression over the payment, the time, the sums and the context:
//! `max_amount`, `price_ceiling.x402`, `limit`, `rate`, `allow`, `block`, `trust`, `country`,
//! `hours`, `dates`, `blackout`, `ask` without `new_payee`, and `when`.
//!
//! Not translated ([`Compiled::unmodelled`]): `max_share_of_balance`, `max_fee`, `payee_pinning`,
//! `freeze`, `price_ceiling.mpp`, `x402`, `mpp`, `access_key`, and `ask` with `new_payee`. Whether such a rule
//! refuses or asks is an attribute, which a solver is free to choose.
//!
//! What is not translated therefore makes a proof harder and never false: a payment that the
//! rule would refuse may count as one that is paid, not the other way round. Sums, wall clocks,
//! trust and the hour in UTC are free of each other too, but for what [`Compiled::domain`] says.
//!
//! Refuses: policies that declare one context value with two types.
//!
//! Does not protect against: an analysis that is read as more than it says. Approvals are not
//! compiled. Cancellations, the leaving of channels and the revocation of access keys, which move
//! nothing, are not payments here, so of `v1_channels` nothing is translated: no payment is refused
//! by it. Nor are access keys, which have no payee and which `access_key` alone grants.

use std::sync::Arc;

use cedar_policy::{
    Authorizer, Decision, Entities, PolicySet, Request, RestrictedExpression, Schema,
};

use crate::ask::{Ask, Facts};
use crate::condition::{Attributes, Condition, FACTS, Parties, hour_utc, weekday_utc};
use crate::context::{Context, DeclaredContext};
use crate::rules::{Mode, Policy, View};
use crate::time::UnixSeconds;
use inputs::{Inputs, Value, in_range};

mod inputs;
mod literal;
mod parties;
mod rules;
mod text;
mod witness;

pub use literal::text as text_literal;
pub use parties::listed;
pub use witness::Witnesses;

/// Largest amount and largest sum that is analysed, in base units: two of them still fit `Long`.
pub const UNITS_MAX: u64 = (1 << 62) - 1;
/// Latest moment that is analysed: the end of the year 9999, as far as calendars reach.
pub const NOW_MAX: UnixSeconds = UnixSeconds(253_402_207_200);

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
    frame: Arc<Frame>,
    policies: Vec<Policy>,
    approves: PolicySet,
    admits: PolicySet,
}

/// What compiled policies, also those that are compared, are about.
struct Frame {
    policies: Vec<Policy>,
    inputs: Inputs,
    context: DeclaredContext,
    parties: Parties,
    schema_text: String,
    schema: Schema,
}

/// A payment, with what is known beside it, as Cedar takes it.
#[derive(Debug)]
pub struct CompiledAsk {
    request: Request,
    entities: Entities,
}

/// A rule that is not translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unmodelled<'a> {
    /// Name of its policy.
    pub policy: &'a str,
    /// Its line in the file, from 1.
    pub line: u64,
    /// The rule's key in the file.
    pub word: &'static str,
}

impl Compiled {
    /// Compiles the policies that apply together.
    ///
    /// # Errors
    /// [`CompileError::ContextClash`] for contradicting declarations.
    pub fn of(policies: &[&Policy]) -> Result<Self, CompileError> {
        Self::within(&Arc::new(Frame::of(policies)?), policies)
    }

    /// Compiles two versions of the policies that apply together, about the same payments.
    ///
    /// # Errors
    /// [`CompileError::ContextClash`] for contradicting declarations.
    pub fn pair(old: &[&Policy], new: &[&Policy]) -> Result<(Self, Self), CompileError> {
        let all: Vec<_> = old.iter().chain(new).copied().collect();
        let frame = Arc::new(Frame::of(&all)?);
        Ok((Self::within(&frame, old)?, Self::within(&frame, new)?))
    }

    fn within(frame: &Arc<Frame>, policies: &[&Policy]) -> Result<Self, CompileError> {
        let policies: Vec<_> = policies.iter().map(|policy| (*policy).clone()).collect();
        let set = |question| {
            text::policies(&policies, &frame.inputs, question).parse::<PolicySet>().map_err(invalid)
        };
        let (approves, admits) = (set(Question::Approves)?, set(Question::Admits)?);
        Ok(Self { frame: Arc::clone(frame), policies, approves, admits })
    }

    /// The schema, as Cedar writes schemas.
    #[must_use]
    pub fn schema_text(&self) -> &str {
        &self.frame.schema_text
    }

    /// The schema.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.frame.schema
    }

    /// The policies that answer a question.
    #[must_use]
    pub const fn policies(&self, question: Question) -> &PolicySet {
        match question {
            Question::Approves => &self.approves,
            Question::Admits => &self.admits,
        }
    }

    /// The same as text.
    #[must_use]
    pub fn policies_text(&self, question: Question) -> String {
        text::policies(&self.policies, &self.frame.inputs, question)
    }

    /// Whom a counterexample may pay.
    #[must_use]
    pub fn witnesses(&self) -> Witnesses {
        Witnesses::of(&self.frame.policies)
    }

    /// The declared context values.
    #[must_use]
    pub fn context(&self) -> &DeclaredContext {
        &self.frame.context
    }

    /// The binding rules that are not translated.
    pub fn unmodelled(&self) -> impl Iterator<Item = Unmodelled<'_>> {
        let binding = self.policies.iter().filter(|policy| policy.mode() == Mode::Enforce);
        binding.flat_map(|policy| {
            let rules = policy.rules().iter().filter(|rule| inputs::is_unmodelled(rule.kind()));
            rules.map(|rule| Unmodelled {
                policy: policy.name(),
                line: rule.line(),
                word: rule.kind().word(),
            })
        })
    }

    /// What the numbers and names of every possible payment and history keep to, as a Cedar
    /// expression.
    #[must_use]
    pub fn domain(&self) -> String {
        text::domain(&self.frame.inputs)
    }

    /// When a payment is outside of the hours of some rule, as a Cedar expression; nothing where
    /// no rule has hours.
    #[must_use]
    pub fn outside_hours(&self) -> Option<String> {
        text::outside_hours(&self.policies, &self.frame.inputs)
    }

    /// The sums of these very facts, as a Cedar expression that fixes them.
    ///
    /// # Errors
    /// [`CompileError::OutOfRange`] for sums beyond what is analysed.
    pub fn sums(&self, ask: &Ask<'_>, facts: &Facts<'_>) -> Result<String, CompileError> {
        let values = self.frame.inputs.values(&self.frame.policies, ask, facts)?;
        let fixed = values.into_iter().filter_map(|(name, value)| match value {
            Value::Sum(sum) => Some(format!("resource.sums.{name} == {sum}")),
            Value::Clock { .. } | Value::Flags { .. } => None,
        });
        Ok(all(fixed))
    }

    /// The moment of these very facts with all clocks, as a Cedar expression that fixes it.
    ///
    /// # Errors
    /// [`CompileError::OutOfRange`] for a moment beyond what is analysed.
    pub fn moment(&self, ask: &Ask<'_>, facts: &Facts<'_>) -> Result<String, CompileError> {
        let now = facts.now;
        let mut fixed = vec![
            format!("resource.now == {now}"),
            format!("resource.hour_utc == {}", hour_utc(now)),
            format!("resource.weekday_utc == {}", weekday_utc(now)),
        ];
        for (name, value) in self.frame.inputs.values(&self.frame.policies, ask, facts)? {
            if let Value::Clock { minute, day } = value {
                fixed.push(format!("resource.clock.{name}m == {minute}"));
                fixed.push(format!("resource.clock.{name}d == {day}"));
            }
        }
        Ok(all(fixed.into_iter()))
    }

    /// A payment in the form that the compiled policies judge.
    ///
    /// # Errors
    /// [`CompileError::OutOfRange`] for numbers beyond what is analysed.
    pub fn ask(&self, ask: &Ask<'_>, facts: &Facts<'_>) -> Result<CompiledAsk, CompileError> {
        let attributes = self.frame.attributes(ask, facts)?;
        let values = self.frame.context(ask.context);
        let wrong = |reason| CompileError::Invalid { reason };
        let parties = &self.frame.parties;
        let request = parties.request(ask.agent.as_str(), values).map_err(wrong)?;
        let entities = parties.entities(attributes).map_err(wrong)?;
        Ok(CompiledAsk { request, entities })
    }

    /// The answer.
    #[must_use]
    pub fn answer(&self, question: Question, ask: &CompiledAsk) -> bool {
        ask.is_allowed_by(self.policies(question))
    }
}

impl CompiledAsk {
    /// Whether these policies allow the payment.
    #[must_use]
    pub fn is_allowed_by(&self, policies: &PolicySet) -> bool {
        let answer = Authorizer::new().is_authorized(&self.request, policies, &self.entities);
        answer.decision() == Decision::Allow
    }
}

/// When a condition holds, without an error, as a Cedar expression over the compiled schema.
#[must_use]
pub fn holds(condition: &Condition) -> String {
    text::condition(condition, true)
}

impl Frame {
    fn of(policies: &[&Policy]) -> Result<Self, CompileError> {
        let context = declared(policies)?;
        let policies: Vec<_> = policies.iter().map(|policy| (*policy).clone()).collect();
        let inputs = Inputs::of(&policies);
        let schema_text = text::schema(&inputs, &context);
        let schema = Schema::from_cedarschema_str(&schema_text).map_err(invalid)?.0;
        let parties = Parties::new().map_err(invalid)?;
        Ok(Self { policies, inputs, context, parties, schema_text, schema })
    }

    /// The attributes of the payment.
    fn attributes(&self, ask: &Ask<'_>, facts: &Facts<'_>) -> Result<Attributes, CompileError> {
        in_range(ask.amount.base_units(), "the amount")?;
        let beyond = |what: &str| CompileError::OutOfRange { what: what.to_owned() };
        let mut attributes = Attributes::new();
        if let Some(policy) = self.policies.first() {
            let known = View::new(ask, facts, policy).condition_facts();
            for fact in &FACTS {
                let value = known.value(fact.name).map_err(|error| beyond(&error.to_string()))?;
                attributes.extend(value.map(|value| (fact.name.to_owned(), value)));
            }
        }
        let now = Some(facts.now).filter(|now| *now <= NOW_MAX);
        let now =
            now.and_then(|now| i64::try_from(now.0).ok()).ok_or_else(|| beyond("the time"))?;
        attributes.insert("now".to_owned(), RestrictedExpression::new_long(now));
        let mut fields: [Vec<(String, RestrictedExpression)>; 3] = Default::default();
        let [sums, clock, flags] = &mut fields;
        let (long, bool) = (RestrictedExpression::new_long, RestrictedExpression::new_bool);
        for (name, value) in self.inputs.values(&self.policies, ask, facts)? {
            match value {
                Value::Sum(sum) => sums.push((name.to_owned(), long(sum))),
                Value::Clock { minute, day } => {
                    clock.push((format!("{name}m"), long(minute)));
                    clock.push((format!("{name}d"), long(day)));
                }
                Value::Flags { refuses, asks } => {
                    flags.push((format!("{name}r"), bool(refuses)));
                    flags.push((format!("{name}a"), bool(asks)));
                }
            }
        }
        for (record, fields) in text::RECORDS.into_iter().zip(fields) {
            let fields = RestrictedExpression::new_record(fields).map_err(invalid)?;
            attributes.insert(record.to_owned(), fields);
        }
        Ok(attributes)
    }

    /// The declared values that the payment carries with the declared type.
    fn context(&self, context: &Context) -> Attributes {
        let given = |(name, kind)| {
            let value = crate::condition::declared(context, name, kind).ok()?;
            Some((String::from(name), value))
        };
        self.context.iter().filter_map(given).collect()
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

/// All of these; true of none.
fn all(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<_> = parts.collect();
    if parts.is_empty() { "true".to_owned() } else { parts.join(" && ") }
}

fn invalid(error: impl std::fmt::Display) -> CompileError {
    CompileError::Invalid { reason: error.to_string() }
}
