//! What an agent says about its own payment, beside the payment itself: how sure it is, for which
//! task, how often it tried. Policies declare the values they look at, and conditions read them.
//!
//! Promises: a value has one of four types and a bounded size, and is exact: a decimal is text
//! with at most four places, never a float. What was signed is what is read.
//!
//! Refuses: names that no condition can write, values beyond the limits, the same name twice.
//!
//! Does not protect against: an agent that says something untrue. A context narrows what an
//! honest agent may do; it never replaces a limit.
//!
//! ```json
//! { "confidence": { "decimal": "0.93" }, "task": "nightly-index", "urgent": false, "attempts": 2 }
//! ```

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

mod decimal;
mod value;

pub use decimal::{BadDecimal, DECIMAL_CHARS_MAX, DECIMAL_PLACES_MAX, Decimal};
pub use value::{ContextKind, ContextValue, TEXT_BYTES_MAX};

/// Most values in a context, and most that a policy declares.
pub const CONTEXT_ENTRIES_MAX: usize = 16;
/// Longest name of a value, in characters.
pub const CONTEXT_NAME_CHARS_MAX: usize = 32;

/// Words of the condition language, which name nothing else.
const RESERVED: [&str; 12] = [
    "action",
    "context",
    "else",
    "false",
    "has",
    "if",
    "in",
    "is",
    "like",
    "principal",
    "then",
    "true",
];

/// Why a context, or a declaration of one, was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadContext {
    /// The name has another form.
    #[error(
        "{name:?} is not a name of a context value: use 1 to {CONTEXT_NAME_CHARS_MAX} characters \
         of a-z, 0-9 and '_', beginning with a letter, and no word of the condition language"
    )]
    Name {
        /// What was given, cut to a printable length.
        name: String,
    },
    /// The name is there already.
    #[error("context value {name} is given twice")]
    Twice {
        /// The name.
        name: String,
    },
    /// More values than a context holds.
    #[error("a context has at most {CONTEXT_ENTRIES_MAX} values")]
    TooMany,
    /// A text beyond the limit.
    #[error("context value {name} has {bytes} bytes; a text has at most {TEXT_BYTES_MAX}")]
    TextTooLong {
        /// The name.
        name: String,
        /// Its size.
        bytes: usize,
    },
    /// A whole number that JSON does not carry exactly.
    #[error("context value {name} is beyond 2^53 - 1, which JSON does not carry exactly")]
    LongTooLarge {
        /// The name.
        name: String,
    },
}

/// The values an intent carries, by name.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Context(BTreeMap<String, ContextValue>);

impl Context {
    /// This context with one more value.
    ///
    /// # Errors
    /// [`BadContext`] for a bad or repeated name and for whatever passes a limit.
    pub fn with(mut self, name: &str, value: ContextValue) -> Result<Self, BadContext> {
        insert(&mut self.0, name, value, value::check)?;
        Ok(self)
    }

    /// The value of that name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&ContextValue> {
        self.0.get(name)
    }

    /// Whether there is no value at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ContextValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl<'de> Deserialize<'de> for Context {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries(value::check)).map(Self)
    }
}

/// The values a policy says that it looks at, with their types.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct DeclaredContext(BTreeMap<String, ContextKind>);

impl DeclaredContext {
    /// This declaration with one more value.
    ///
    /// # Errors
    /// [`BadContext`] for a bad or repeated name, and for too many.
    pub fn with(mut self, name: &str, kind: ContextKind) -> Result<Self, BadContext> {
        insert(&mut self.0, name, kind, |_, _| Ok(()))?;
        Ok(self)
    }

    /// The declared type of that name.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<ContextKind> {
        self.0.get(name).copied()
    }

    /// Whether nothing is declared.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All declared names with their types.
    pub fn iter(&self) -> impl Iterator<Item = (&str, ContextKind)> {
        self.0.iter().map(|(name, kind)| (name.as_str(), *kind))
    }
}

impl<'de> Deserialize<'de> for DeclaredContext {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries(|_, _| Ok(()))).map(Self)
    }
}

fn insert<V>(
    entries: &mut BTreeMap<String, V>,
    name: &str,
    value: V,
    check: impl Fn(&str, &V) -> Result<(), BadContext>,
) -> Result<(), BadContext> {
    check_name(name)?;
    check(name, &value)?;
    if entries.contains_key(name) {
        return Err(BadContext::Twice { name: name.to_owned() });
    }
    if entries.len() >= CONTEXT_ENTRIES_MAX {
        return Err(BadContext::TooMany);
    }
    entries.insert(name.to_owned(), value);
    Ok(())
}

fn check_name(name: &str) -> Result<(), BadContext> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let good = name.len() <= CONTEXT_NAME_CHARS_MAX
        && name.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && name.bytes().all(plain)
        && !RESERVED.contains(&name);
    let cut = || name.chars().take(CONTEXT_NAME_CHARS_MAX).collect();
    if good { Ok(()) } else { Err(BadContext::Name { name: cut() }) }
}

/// Reads a map entry by entry, so that a name given twice is seen and no more is kept than may be.
struct Entries<V>(fn(&str, &V) -> Result<(), BadContext>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for Entries<V> {
    type Value = BTreeMap<String, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("names of context values, each with its value or type")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value()?;
            insert(&mut entries, &name, value, self.0).map_err(de::Error::custom)?;
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests;
