//! Every rule there is, with an example of each: the reference that people read.
//!
//! Promises: it names the kinds of rule that policy files may hold, and no other; every example
//! is a rule that is read.

mod entries;

use std::fmt::Write as _;

use serde::Serialize;

pub use entries::entries;

/// How policies are written and decided, before the rules.
const INTRODUCTION: &str = include_str!("catalogue/introduction.md");

/// A kind of rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its key in the file.
    pub word: &'static str,
    /// What it is about.
    pub group: &'static str,
    /// What it demands, in one sentence.
    pub summary: &'static str,
    /// Its fields, each with what it means.
    pub fields: &'static [(&'static str, &'static str)],
    /// What may follow where it is not kept.
    pub outcomes: &'static [&'static str],
    /// Rules of other engines that it stands for.
    pub covers: &'static [&'static str],
    /// What else there is to know; may be empty.
    pub notes: &'static str,
    /// One entry of `rules`.
    pub example: &'static str,
}

/// The reference, in Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(INTRODUCTION);
    let mut group = "";
    for entry in entries() {
        if entry.group != group {
            group = entry.group;
            push(&mut text, format_args!("\n### {group}\n"));
        }
        section(&mut text, &entry);
    }
    text
}

fn section(text: &mut String, entry: &Entry) {
    push(text, format_args!("\n#### `{}`\n\n{}\n\n", entry.word, entry.summary));
    push(text, format_args!("```yaml\n{}\n```\n", entry.example.trim_end()));
    if !entry.fields.is_empty() {
        push(text, format_args!("\n| field | |\n|---|---|\n"));
        for (field, meaning) in entry.fields {
            push(text, format_args!("| `{field}` | {meaning} |\n"));
        }
    }
    let outcomes: Vec<_> = entry.outcomes.iter().map(|word| format!("`{word}`")).collect();
    let own = outcomes.is_empty();
    let then = if own { "said by the rule".to_owned() } else { outcomes.join(", ") };
    push(text, format_args!("\nThen: {then}."));
    let covers: Vec<_> = entry.covers.iter().map(|word| format!("`{word}`")).collect();
    if covers.is_empty() {
        text.push('\n');
    } else {
        push(text, format_args!(" Covers {}.\n", covers.join(", ")));
    }
    if !entry.notes.is_empty() {
        push(text, format_args!("\n{}\n", entry.notes.trim()));
    }
}

/// Writing to a text does not fail.
fn push(text: &mut String, more: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(more);
}

#[cfg(test)]
mod tests;
