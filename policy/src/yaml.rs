//! Files that people write, read with a limit on everything.
//!
//! Refuses, with the line: unknown keys (the types say which are known), keys given twice,
//! anchors, aliases, merge keys, several documents in one, and nesting or lengths beyond the named
//! limits.

use serde::de::DeserializeOwned;
use serde_saphyr::{DuplicateKeyPolicy, MergeKeyPolicy};

/// Deepest nesting: file, rules, rule, its fields, who is asked, who is asked then, a list.
const DEPTH_MAX: usize = 10;
/// Most parser events: every entry of every list, and the rest.
const EVENTS_MAX: usize = 100_000;

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// Line in the file, from 1; 0 where it is about the whole.
    pub(crate) line: u64,
    /// What is wrong, for people.
    pub(crate) reason: String,
}

/// The value that a text writes.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Malformed> {
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| {
        let line = error.location().map_or(0, |location| location.line());
        Malformed { line, reason: without_place(&error.without_snippet().to_string()) }
    })
}

/// A reason that does not end with the place that stands before it already.
fn without_place(reason: &str) -> String {
    reason.rsplit_once(" at line ").map_or(reason, |(reason, _)| reason).to_owned()
}

pub(crate) fn at_most(limit: usize, found: usize, what: &str) -> Result<(), String> {
    if found <= limit { Ok(()) } else { Err(format!("{found} {what}; at most {limit} are read")) }
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: 1,
            max_depth: DEPTH_MAX,
            max_events: EVENTS_MAX,
            max_anchors: 0,
            max_aliases: 0,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        with_snippet: false,
    }
}
