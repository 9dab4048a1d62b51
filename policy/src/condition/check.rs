//! What is checked when an expression is loaded.

use std::fmt::Write as _;

use cedar_policy::{
    Expression, Policy, PolicySet, Schema, ValidationMode, ValidationWarning, Validator,
};

use super::{CONDITION_BYTES_MAX, CONDITION_DEPTH_MAX, FACTS};
use crate::context::{ContextKind, DeclaredContext};

/// Why an expression was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCondition {
    /// Longer than is ever read.
    #[error("a condition has at most {limit} bytes; this one has {bytes}")]
    TooLong {
        /// Its size.
        bytes: usize,
        /// Most that is read.
        limit: usize,
    },
    /// Nested deeper than is ever read: the language's parser needs stack for every level.
    #[error("a condition nests at most {limit} brackets in each other")]
    TooDeep {
        /// Most levels.
        limit: usize,
    },
    /// Not an expression.
    #[error("not a condition: {reason}")]
    Syntax {
        /// What is wrong, for people.
        reason: String,
    },
    /// Names or types that do not fit.
    #[error("the condition does not type-check: {reason}")]
    Type {
        /// What is wrong, for people.
        reason: String,
    },
    /// No payment could keep it.
    #[error("the condition can never hold, so the rule would refuse every payment")]
    NeverHolds,
    /// An address that no payment could equal.
    #[error("conditions compare addresses in lower case: write {wanted:?}")]
    MixedCaseAddress {
        /// The address in lower case.
        wanted: String,
    },
}

const FRACTION_HINT: &str = "the language has no fractional numbers: a decimal is written \
     decimal(\"0.8\") and compared with .greaterThan(decimal(\"0.8\")), .greaterThanOrEqual(…), \
     .lessThan(…) or .lessThanOrEqual(…)";
const DECIMAL_HINT: &str = "a decimal is not compared with < and >: write \
     context.confidence.greaterThan(decimal(\"0.8\")), or .greaterThanOrEqual(…), .lessThan(…), \
     .lessThanOrEqual(…)";
const OPTIONAL_HINT: &str = "not every payment has it, so ask for it first: \
     resource has service && resource.service == \"…\"";

/// The policy that an expression stands for.
pub(super) fn policy(expression: &str, declared: &DeclaredContext) -> Result<Policy, BadCondition> {
    let (bytes, limit) = (expression.len(), CONDITION_BYTES_MAX);
    if bytes > limit {
        return Err(BadCondition::TooLong { bytes, limit });
    }
    check_depth(expression)?;
    check_addresses(expression)?;
    // Alone first: what closes a brace and opens another is no expression.
    expression.parse::<Expression>().map_err(|error| syntax(expression, &error))?;
    // The line's end keeps a comment at the expression's end from swallowing the brace.
    let text = format!("permit(principal, action, resource) when {{ {expression}\n}};");
    let policy = Policy::parse(None, text).map_err(|error| syntax(expression, &error))?;
    type_check(&policy, declared)?;
    Ok(policy)
}

fn syntax(expression: &str, error: &cedar_policy::ParseErrors) -> BadCondition {
    let mut reason = error.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if has_fraction(expression) {
        reason = format!("{reason}; {FRACTION_HINT}");
    }
    BadCondition::Syntax { reason }
}

/// Whether a number with a point stands outside of texts.
fn has_fraction(expression: &str) -> bool {
    let outside = expression.split('"').step_by(2);
    outside
        .flat_map(|code| code.as_bytes().windows(3))
        .any(|window| matches!(window, [a, b'.', b] if a.is_ascii_digit() && b.is_ascii_digit()))
}

fn type_check(policy: &Policy, declared: &DeclaredContext) -> Result<(), BadCondition> {
    let wrong = |reason: String| BadCondition::Type { reason };
    let (schema, _) = Schema::from_cedarschema_str(&schema(declared))
        .map_err(|error| wrong(error.to_string()))?;
    let set =
        PolicySet::from_policies([policy.clone()]).map_err(|error| wrong(error.to_string()))?;
    let result = Validator::new(schema).validate(&set, ValidationMode::Strict);
    let errors: Vec<_> = result.validation_errors().map(reason).collect();
    if !errors.is_empty() {
        return Err(wrong(errors.join("; ")));
    }
    let impossible =
        |warning: &ValidationWarning| matches!(warning, ValidationWarning::ImpossiblePolicy(_));
    if result.validation_warnings().any(impossible) {
        return Err(BadCondition::NeverHolds);
    }
    Ok(())
}

fn reason(error: &cedar_policy::ValidationError) -> String {
    use cedar_policy::ValidationError as Wrong;
    let text = error.to_string();
    // Every message begins with the name the policy has here, which says nothing to anybody.
    let text = text.strip_prefix("for policy `policy0`, ").unwrap_or(&text).to_owned();
    let hint = match error {
        Wrong::UnexpectedType(_) if text.contains("decimal") => DECIMAL_HINT,
        Wrong::UnsafeOptionalAttributeAccess(_) => OPTIONAL_HINT,
        _ => return text,
    };
    format!("{text}; {hint}")
}

/// Brackets inside of texts count too: that is simpler, and refuses nothing anybody writes.
fn check_depth(expression: &str) -> Result<(), BadCondition> {
    let mut depth = 0_usize;
    for byte in expression.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth = depth.saturating_add(1),
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > CONDITION_DEPTH_MAX {
            return Err(BadCondition::TooDeep { limit: CONDITION_DEPTH_MAX });
        }
    }
    Ok(())
}

/// Texts are compared to the letter, and payments give addresses in lower case.
fn check_addresses(expression: &str) -> Result<(), BadCondition> {
    let texts = expression.split('"').skip(1).step_by(2);
    for text in texts {
        let address = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        let hex = |hex: &str| hex.len() == 40 && hex.bytes().all(|b| b.is_ascii_hexdigit());
        let wanted = text.to_ascii_lowercase();
        if address.is_some_and(hex) && text != wanted {
            return Err(BadCondition::MixedCaseAddress { wanted });
        }
    }
    Ok(())
}

/// The schema that expressions are checked against.
fn schema(declared: &DeclaredContext) -> String {
    let mut text = String::from("entity Agent;\nentity Payment {\n");
    for fact in &FACTS {
        let optional = if fact.always { "" } else { "?" };
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {}{optional}: {},", fact.name, fact.kind);
    }
    text.push_str("};\naction pay appliesTo {\n  principal: [Agent], resource: [Payment],\n");
    text.push_str("  context: {\n");
    for (name, kind) in declared.iter() {
        let _ = writeln!(text, "    {name}: {},", ContextKind::cedar(kind));
    }
    text.push_str("  }\n};\n");
    text
}
