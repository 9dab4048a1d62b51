//! Which values an expression names.

use std::collections::BTreeSet;

use cedar_policy::Policy;
use serde_json::Value;

use super::{BadCondition, FACTS, Uses};
use crate::context::DeclaredContext;

/// The attributes of `resource` and `context` that a policy names. One that uses either as a
/// whole names them all.
pub(super) fn uses(policy: &Policy, declared: &DeclaredContext) -> Result<Uses, BadCondition> {
    let json =
        policy.to_json().map_err(|error| BadCondition::Syntax { reason: error.to_string() })?;
    let mut named = Named::default();
    named.walk(&json);
    let all_facts = || FACTS.iter().map(|fact| fact.name);
    let wanted = |name: &&str| named.resource.contains(*name) || named.whole.contains("resource");
    let facts = all_facts().filter(wanted).collect();
    let context = declared
        .iter()
        .filter(|(name, _)| named.context.contains(*name) || named.whole.contains("context"))
        .map(|(name, kind)| (name.to_owned(), kind))
        .collect();
    Ok(Uses { facts, context })
}

#[derive(Default)]
struct Named<'a> {
    resource: BTreeSet<&'a str>,
    context: BTreeSet<&'a str>,
    whole: BTreeSet<&'a str>,
}

impl<'a> Named<'a> {
    fn walk(&mut self, json: &'a Value) {
        match json {
            Value::Object(object) => {
                for (key, value) in object {
                    self.expression(key, value);
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.walk(value)),
            _ => {}
        }
    }

    fn expression(&mut self, key: &str, value: &'a Value) {
        let attribute = (matches!(key, "." | "has")).then(|| attribute(value)).flatten();
        match (attribute, key, value) {
            (Some(("resource", name)), _, _) => drop(self.resource.insert(name)),
            (Some(("context", name)), _, _) => drop(self.context.insert(name)),
            (_, "Var", Value::String(variable)) => drop(self.whole.insert(variable)),
            _ => self.walk(value),
        }
    }
}

/// The variable and the attribute of `variable.attribute` or `variable has attribute`.
fn attribute(access: &Value) -> Option<(&str, &str)> {
    let variable = access.get("left")?.get("Var")?.as_str()?;
    let attribute = access.get("attr")?.as_str()?;
    matches!(variable, "resource" | "context").then_some((variable, attribute))
}
