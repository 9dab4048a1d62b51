//! Values as Cedar writes them.

use std::fmt::Write as _;

use super::UNITS_MAX;

/// A text in quotes, with everything but plain letters escaped.
#[must_use]
pub fn text(text: &str) -> String {
    let mut literal = String::from("\"");
    push(&mut literal, text);
    literal.push('"');
    literal
}

/// A pattern for `like`: the text with anything in front of it.
pub(super) fn ends_with(end: &str) -> String {
    let mut literal = String::from("\"*");
    push(&mut literal, end);
    literal.push('"');
    literal
}

/// A pattern for `like`: anything, the text, anything.
pub(super) fn holds(front: &str, middle: &str) -> String {
    let mut literal = String::from("\"");
    literal.push_str(front);
    push(&mut literal, middle);
    literal.push_str("*\"");
    literal
}

fn push(literal: &mut String, text: &str) {
    for letter in text.chars() {
        if letter.is_ascii_alphanumeric() || ".-:/[]_ ".contains(letter) {
            literal.push(letter);
        } else {
            // Writing to a string does not fail.
            let _ = write!(literal, "\\u{{{:x}}}", u32::from(letter));
        }
    }
}

/// A set of texts.
pub(super) fn set<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let all: Vec<_> = texts.into_iter().map(text).collect();
    format!("[{}]", all.join(", "))
}

/// A limit: what lies beyond every sum of two analysed numbers is no limit to them.
pub(super) fn limit(units: u128) -> u64 {
    let most = UNITS_MAX.saturating_mul(2);
    u64::try_from(units).unwrap_or(most).min(most)
}
