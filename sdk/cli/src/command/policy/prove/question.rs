//! Questions about payments in plain words, and their way to a Cedar expression. The grammar
//! stands in `tercet policy prove --help`.
//!
//! Refuses: words that are no part of it, names that are not known, and what is too long.

use std::collections::BTreeMap;

use tercet_policy::chain::Chain;
use tercet_policy::compile::{Compiled, Question, UNITS_MAX, listed, text_literal};
use tercet_policy::intent::Service;
use tercet_policy::registry::{Category, Country, TRUST_MAX};

use super::super::payment::money;

/// Longest question, in bytes.
pub(super) const QUESTION_BYTES_MAX: usize = 1_024;
/// Most parts of a question.
pub(super) const PARTS_MAX: usize = 16;

/// A question that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) question: Question,
    /// When a payment is meant, as a Cedar expression.
    pub(super) expression: String,
    /// Whom it names.
    pub(super) names: Vec<String>,
}

/// What a question may refer to.
pub(super) struct Around<'a> {
    pub(super) lists: &'a BTreeMap<String, Vec<String>>,
    pub(super) compiled: &'a Compiled,
}

const VERBS: [(&str, Question); 3] = [
    ("approves without asking", Question::Approves),
    ("pays without asking", Question::Approves),
    ("pays", Question::Admits),
];

/// Reads a question.
pub(super) fn read(text: &str, around: &Around<'_>) -> Result<Asked, String> {
    if text.len() > QUESTION_BYTES_MAX {
        return Err(format!("a question has at most {QUESTION_BYTES_MAX} bytes"));
    }
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let verb = VERBS.iter().find_map(|(verb, question)| {
        let rest = words.strip_prefix(verb)?;
        (rest.is_empty() || rest.starts_with(' ')).then(|| (*question, rest.trim_start()))
    });
    let (question, rest) =
        verb.ok_or_else(|| wrong("a question begins with `pays` or `approves without asking`"))?;
    let rest = if rest.is_empty() { "anything" } else { rest };
    let parts: Vec<_> = rest.split(" and ").collect();
    if parts.len() > PARTS_MAX {
        return Err(format!("a question has at most {PARTS_MAX} parts"));
    }
    let mut names = Vec::new();
    let parts = parts.into_iter().map(|text| part(text, around, &mut names));
    let parts: Vec<_> = parts.collect::<Result<_, _>>()?;
    Ok(Asked { question, expression: parts.join(" && "), names })
}

fn wrong(reason: &str) -> String {
    format!("{reason}; `tercet policy prove --help` has them all")
}

fn part(text: &str, around: &Around<'_>, names: &mut Vec<String>) -> Result<String, String> {
    match text.strip_prefix("not ") {
        Some(rest) => Ok(format!("!({})", meant(rest, around, names)?)),
        None => meant(text, around, names),
    }
}

fn meant(text: &str, around: &Around<'_>, names: &mut Vec<String>) -> Result<String, String> {
    let after = |word: &str| text.strip_prefix(word).map(str::trim);
    if let Some(name) = after("outside list ") {
        return Ok(format!("!{}", list(name, around, names)?));
    }
    if let Some(name) = after("inside list ") {
        return list(name, around, names);
    }
    if let Some(amount) = after("more than ").or_else(|| after("above ")) {
        return compared(amount, ">");
    }
    if let Some(amount) = after("less than ").or_else(|| after("below ")) {
        return compared(amount, "<");
    }
    if let Some(below) = after("trust below ") {
        let below = below.parse().ok().filter(|below: &u8| *below <= TRUST_MAX);
        let below = below.ok_or_else(|| format!("trust is a number from 0 to {TRUST_MAX}"))?;
        return Ok(format!("resource.trust < {below}"));
    }
    match text {
        "anything" => Ok("true".to_owned()),
        "outside hours" => around
            .compiled
            .outside_hours()
            .ok_or_else(|| "no policy here has a rule `hours` that binds".to_owned()),
        _ => named(text, names),
    }
}

/// Parts that name one thing.
fn named(text: &str, names: &mut Vec<String>) -> Result<String, String> {
    let unknown = || wrong(&format!("{text:?} is no part of a question"));
    let (word, name) = text.split_once(' ').ok_or_else(unknown)?;
    match word {
        "over" if ["x402", "mpp", "transfer"].contains(&name) => {
            Ok(format!("resource.protocol == {}", text_literal(name)))
        }
        "on" => {
            let chain = Chain::from_caip2(name).map_err(|unknown| unknown.to_string())?;
            Ok(format!("resource.chain == {}", text_literal(chain.caip2())))
        }
        "recipient" | "service" => {
            if word == "recipient" {
                let address = name.parse::<alloy_primitives::Address>();
                address.map_err(|bad| format!("{name:?} is not an address: {bad}"))?;
            } else {
                check_service(name)?;
            }
            names.push(name.to_owned());
            Ok(listed(&[name.to_owned()]))
        }
        "category" => {
            name.parse::<Category>().map_err(|bad| bad.to_string())?;
            names.push(name.to_owned());
            let name = text_literal(name);
            Ok(format!("(resource has category && resource.category == {name})"))
        }
        "country" => {
            name.parse::<Country>().map_err(|bad| bad.to_string())?;
            names.push(name.to_owned());
            Ok(format!("(resource has country && resource.country == {})", text_literal(name)))
        }
        _ => Err(unknown()),
    }
}

fn check_service(name: &str) -> Result<(), String> {
    let host = name.strip_prefix("*.").unwrap_or(name);
    let service = Service::of(&format!("https://{host}/")).ok();
    service.filter(|service| service.as_str() == host).map(drop).ok_or_else(|| {
        format!("{name:?} is not a service: write a host in lower case, or \"*.suffix\"")
    })
}

fn list(name: &str, around: &Around<'_>, names: &mut Vec<String>) -> Result<String, String> {
    let unknown = || {
        let known: Vec<_> = around.lists.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        format!("there is no list {name:?} here; there are: {known}")
    };
    let entries = around.lists.get(name).ok_or_else(unknown)?;
    names.extend(entries.iter().cloned());
    Ok(listed(entries))
}

fn compared(amount: &str, operator: &str) -> Result<String, String> {
    let money = money(amount)?;
    let units = money.amount.base_units();
    if units > u128::from(UNITS_MAX) {
        return Err(format!("{money} is beyond what is analysed"));
    }
    let symbol = text_literal(money.symbol);
    Ok(format!("(resource.asset == {symbol} && resource.amount {operator} {units})"))
}
