//! The schema and the policies, as text.

use std::fmt::Write as _;

use super::inputs::{Input, Kind, name};
use super::literal::{limit, set, text};
use super::parties::{allow, any, block};
use super::{Question, UNITS_MAX};
use crate::condition::{Condition, FACTS};
use crate::context::DeclaredContext;
use crate::registry::Country;
use crate::rules::{AskWhen, CountryRule, Mode, Money, Policy, Rule, RuleKind, Then};
use crate::subject::Subject;

/// The attributes of a payment, what rules need beside it, and the declared context.
pub(super) fn schema(inputs: &[Input], context: &DeclaredContext) -> String {
    let mut text = String::from("entity Agent;\nentity Payment {\n");
    for fact in &FACTS {
        let optional = if fact.always { "" } else { "?" };
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {}{optional}: {},", fact.name, fact.kind);
    }
    for (record, kind, cedar) in [("sums", Kind::Sum, "Long"), ("flags", Kind::Flags, "Bool")] {
        let _ = writeln!(text, "  {record}: {{");
        for name in inputs.iter().filter(|input| input.kind == kind).flat_map(Input::names) {
            let _ = writeln!(text, "    {name}: {cedar},");
        }
        text.push_str("  },\n");
    }
    text.push_str("};\naction pay appliesTo {\n  principal: [Agent], resource: [Payment],\n");
    text.push_str("  context: {\n");
    for (name, kind) in context.iter() {
        let _ = writeln!(text, "    {name}?: {},", kind.cedar());
    }
    text.push_str("  }\n};\n");
    text
}

/// What numbers can be at all.
pub(super) fn domain(inputs: &[Input]) -> String {
    let range =
        |what: &str, least: u64, most: u64| format!("{what} >= {least} && {what} <= {most}");
    let mut all = vec![
        range("resource.amount", 1, UNITS_MAX),
        range("resource.trust", 0, 100),
        range("resource.hour_utc", 0, 23),
        range("resource.weekday_utc", 1, 7),
        r#"["transfer", "x402"].contains(resource.protocol)"#.to_owned(),
        r#"(resource.protocol == "x402") == (resource has service)"#.to_owned(),
        "resource has recipient".to_owned(),
    ];
    for input in inputs.iter().filter(|input| input.kind == Kind::Sum) {
        all.extend(input.names().map(|name| range(&format!("resource.sums.{name}"), 0, UNITS_MAX)));
    }
    all.join(" && ")
}

/// The policies that answer a question.
pub(super) fn policies(policies: &[&Policy], question: Question) -> String {
    let mut text = String::new();
    let (mut grants, mut conditions) = (Vec::new(), Vec::new());
    for (place, policy) in policies.iter().enumerate() {
        for wrong in others(policy) {
            forbid(&mut text, &format!("{}: applies_to", policy.name()), &wrong);
        }
        if policy.mode() == Mode::Warn {
            continue;
        }
        let granted = granted(policy);
        for (at, rule) in policy.rules().iter().enumerate() {
            match objection(rule, &name(place, at), &granted, question) {
                Objection::None => {}
                Objection::Forbid(when) => {
                    let id =
                        format!("{}: line {} {}", policy.name(), rule.line(), rule.kind().word());
                    forbid(&mut text, &id, &when);
                }
                Objection::Unless(condition) => conditions.push(condition),
            }
        }
        grants.push(granted);
    }
    conditions.insert(0, any(grants.into_iter()));
    let _ = writeln!(
        text,
        "@id(\"grants\")\npermit(principal, action, resource) when {{ {} }};",
        conditions.join(" && ")
    );
    text
}

enum Objection {
    None,
    /// A `forbid` of this.
    Forbid(String),
    /// The `permit` needs this.
    Unless(String),
}

fn objection(rule: &Rule, name: &str, granted: &str, question: Question) -> Objection {
    let counts = match (rule.then(), question) {
        (Then::Refuse, _) | (Then::Ask, Question::Approves) => true,
        (Then::Ask, Question::Admits) | (Then::Warn, _) => false,
    };
    let unless = |kept: String| match counts {
        true => Objection::Forbid(format!("!{kept}")),
        false => Objection::None,
    };
    match rule.kind() {
        RuleKind::Limit(rule) => {
            unless(at_most(&rule.amount, &format!("resource.sums.{name} + resource.amount")))
        }
        RuleKind::Rate(rule) => unless(format!("(resource.sums.{name} + 1 <= {})", rule.count)),
        RuleKind::Allow(rule) if rule.can_grant() => unless(granted.to_owned()),
        RuleKind::When(_) if rule.then() == Then::Warn => Objection::None,
        RuleKind::When(rule) => Objection::Unless(condition(&rule.0, counts)),
        other => match kept(other) {
            Some(kept) => unless(kept),
            None => Objection::Forbid(match question {
                Question::Approves => format!("resource.flags.{name}r || resource.flags.{name}a"),
                Question::Admits => format!("resource.flags.{name}r"),
            }),
        },
    }
}

/// When a payment keeps to a rule that looks at nothing but the payment and who is paid.
pub(super) fn kept(rule: &RuleKind) -> Option<String> {
    Some(match rule {
        RuleKind::MaxAmount(rule) => at_most(&rule.0, "resource.amount"),
        RuleKind::PriceCeiling(rule) => {
            let other = text(rule.protocol.word());
            let within = at_most(&rule.price, "resource.amount");
            format!("(resource.protocol != {other} || {within})")
        }
        RuleKind::Allow(rule) => allow(rule),
        RuleKind::Block(rule) => format!("(!{})", block(rule)),
        RuleKind::Trust(rule) => format!("(resource.trust >= {})", rule.min),
        RuleKind::Country(rule) => country(rule),
        RuleKind::Ask(rule) => asks(rule)?,
        _ => return None,
    })
}

fn country(rule: &CountryRule) -> String {
    let (countries, not) = match rule {
        CountryRule::Allow(countries) => (countries, ""),
        CountryRule::Block(countries) => (countries, "!"),
    };
    let within = if countries.is_empty() {
        "false".to_owned()
    } else {
        format!("{}.contains(resource.country)", set(countries.iter().map(Country::as_str)))
    };
    format!("(resource has country && {not}{within})")
}

/// When nobody is asked; nothing where it hangs on who was paid before.
fn asks(rule: &AskWhen) -> Option<String> {
    if rule.new_payee {
        return None;
    }
    let mut all = Vec::new();
    all.extend(rule.above.map(|above| at_most(&above, "resource.amount")));
    all.extend(rule.trust_below.map(|below| format!("resource.trust >= {below}")));
    all.extend(rule.categories.as_ref().map(|named| {
        let names = set(named.iter().map(crate::registry::Category::as_str));
        let within = match named.is_empty() {
            true => "false".to_owned(),
            false => format!("{names}.contains(resource.category)"),
        };
        format!("(resource has category && !{within})")
    }));
    all.extend(
        rule.agents
            .iter()
            .flatten()
            .map(|agent| format!("principal != Agent::{}", text(agent.as_str()))),
    );
    Some(if all.is_empty() { "true".to_owned() } else { format!("({})", all.join(" && ")) })
}

/// A condition that only has to be decidable is still evaluated: an error has to refuse.
fn condition(condition: &Condition, has_to_hold: bool) -> String {
    let mut all: Vec<_> =
        condition.context_names().map(|name| format!("context has {name}")).collect();
    let or = if has_to_hold { "" } else { " || true" };
    // The line's end keeps a comment at the expression's end from swallowing what follows.
    all.push(format!("(({}\n){or})", condition.expression()));
    all.join(" && ")
}

fn at_most(most: &Money, what: &str) -> String {
    let (symbol, most) = (text(most.symbol), limit(most.amount.base_units()));
    format!("(resource.asset == {symbol} && {what} <= {most})")
}

/// When some rule of the policy grants.
fn granted(policy: &Policy) -> String {
    let granting = policy.rules().iter().filter_map(Rule::as_allow).filter(|rule| rule.can_grant());
    any(granting.map(allow))
}

/// The payments that are somebody else's.
fn others(policy: &Policy) -> Vec<String> {
    let mut all = Vec::new();
    all.extend(policy.agent().map(|agent| format!("principal != Agent::{}", text(agent.as_str()))));
    if let Subject::Wallet(wallet) = policy.subject() {
        all.push(format!("resource.wallet != {}", text(&format!("{wallet:#x}"))));
    }
    all
}

fn forbid(policies: &mut String, id: &str, when: &str) {
    let _ = writeln!(
        policies,
        "@id({})\nforbid(principal, action, resource) when {{ {when} }};",
        text(id)
    );
}
