//! The schema and the policies, as text.

use std::fmt::Write as _;

use super::inputs::{Input, Inputs, Key};
use super::literal::{limit, text};
use super::parties::{allow, any, pair};
use super::rules::{at_most, kept};
use super::{NOW_MAX, Question, UNITS_MAX};
use crate::chain::ASSETS;
use crate::condition::{Condition, FACTS};
use crate::context::DeclaredContext;
use crate::registry::TRUST_MAX;
use crate::rules::{Hours, Mode, Policy, Rule, RuleKind, Then};
use crate::subject::Subject;

/// What of a payment is no attribute of its own.
pub(super) const RECORDS: [&str; 3] = ["sums", "clock", "flags"];

/// The attributes of a payment, what rules need beside it, and the declared context.
pub(super) fn schema(inputs: &Inputs, context: &DeclaredContext) -> String {
    let mut text = String::from("entity Agent;\nentity Payment {\n");
    for fact in &FACTS {
        let optional = if fact.always { "" } else { "?" };
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {}{optional}: {},", fact.name, fact.kind);
    }
    text.push_str("  now: Long,\n");
    for record in RECORDS {
        let _ = writeln!(text, "  {record}: {{");
        for (name, kind) in inputs.iter().flat_map(|input| fields(input, record)) {
            let _ = writeln!(text, "    {name}: {kind},");
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

/// The fields that an input has in a record, with their types.
fn fields(input: &Input, record: &str) -> Vec<(String, &'static str)> {
    let name = &input.name;
    match (&input.key, record) {
        (Key::Sum { .. }, "sums") => vec![(name.clone(), "Long")],
        (Key::Clock(_), "clock") => {
            vec![(format!("{name}m"), "Long"), (format!("{name}d"), "Long")]
        }
        (Key::Flags { .. }, "flags") => {
            vec![(format!("{name}r"), "Bool"), (format!("{name}a"), "Bool")]
        }
        _ => Vec::new(),
    }
}

/// What numbers and names can be at all.
pub(super) fn domain(inputs: &Inputs) -> String {
    let range =
        |what: &str, least: u64, most: u64| format!("{what} >= {least} && {what} <= {most}");
    let mut all = vec![
        range("resource.amount", 1, UNITS_MAX),
        range("resource.trust", 0, u64::from(TRUST_MAX)),
        range("resource.hour_utc", 0, 23),
        range("resource.weekday_utc", 1, 7),
        range("resource.now", 0, NOW_MAX.0),
        any(ASSETS.iter().map(pair)),
        r#"["transfer", "x402", "mpp"].contains(resource.protocol)"#.to_owned(),
        r#"(resource.protocol != "transfer" || !(resource has service))"#.to_owned(),
        r#"(resource.protocol != "x402" || resource has service)"#.to_owned(),
        "resource has recipient".to_owned(),
    ];
    for Input { name, key, .. } in inputs.iter() {
        match key {
            Key::Sum { .. } => all.push(range(&format!("resource.sums.{name}"), 0, UNITS_MAX)),
            Key::Clock(_) => {
                all.push(range(&format!("resource.clock.{name}m"), 0, 1_439));
                all.push(range(&format!("resource.clock.{name}d"), 1, 7));
            }
            Key::Flags { .. } => {
                all.push(format!("!(resource.flags.{name}r && resource.flags.{name}a)"));
            }
        }
    }
    let ordered = |(small, wide)| format!("resource.sums.{small} <= resource.sums.{wide}");
    all.extend(inputs.ordered().map(ordered));
    all.join(" && ")
}

/// The policies that answer a question.
pub(super) fn policies(policies: &[Policy], inputs: &Inputs, question: Question) -> String {
    let mut text = String::new();
    let (mut grants, mut conditions) = (Vec::new(), Vec::new());
    for policy in policies {
        for wrong in others(policy) {
            forbid(&mut text, &format!("{}: applies_to", policy.name()), &wrong);
        }
        if policy.mode() == Mode::Warn {
            continue;
        }
        let granted = granted(policy);
        for rule in policy.rules() {
            let name = inputs.name(policy, rule).unwrap_or_default();
            match objection(rule, name, &granted, question) {
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
        RuleKind::Rate(rule) => {
            let most = limit(rule.count.into());
            unless(format!("(resource.sums.{name} + 1 <= {most})"))
        }
        RuleKind::Hours(rule) => unless(open(rule, name)),
        RuleKind::Allow(rule) if rule.can_grant() => unless(granted.to_owned()),
        RuleKind::When(_) if rule.then() == Then::Warn => Objection::None,
        RuleKind::V1Channels(_) => Objection::None,
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

/// When a payment is outside of the hours of some rule; nothing where no rule has hours.
pub(super) fn outside_hours(policies: &[Policy], inputs: &Inputs) -> Option<String> {
    let rules = policies.iter().flat_map(|policy| policy.rules().iter().map(move |r| (policy, r)));
    let closed = rules.filter_map(|(policy, rule)| match rule.kind() {
        RuleKind::Hours(hours) => Some(format!("!{}", open(hours, inputs.name(policy, rule)?))),
        _ => None,
    });
    let closed: Vec<_> = closed.collect();
    (!closed.is_empty()).then(|| any(closed.into_iter()))
}

/// When it is open by the wall clock of the zone.
fn open(hours: &Hours, name: &str) -> String {
    any(hours.spans().into_iter().map(|span| {
        format!(
            "(resource.clock.{name}d == {} && resource.clock.{name}m >= {} && \
             resource.clock.{name}m < {})",
            span.day, span.from_minute, span.to_minute
        )
    }))
}

/// A condition that only has to be decidable is still evaluated: an error has to refuse.
pub(super) fn condition(condition: &Condition, has_to_hold: bool) -> String {
    let mut all: Vec<_> =
        condition.context_names().map(|name| format!("context has {name}")).collect();
    let or = if has_to_hold { "" } else { " || true" };
    // The line's end keeps a comment at the expression's end from swallowing what follows.
    all.push(format!("(({}\n){or})", condition.expression()));
    all.join(" && ")
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
