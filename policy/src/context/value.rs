//! One value of a context, and the four types there are.

use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{BadContext, Decimal};
use crate::document::JSON_INTEGER_MAX;

/// Longest text, in bytes.
pub const TEXT_BYTES_MAX: usize = 256;

/// The types of context values, as policies write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContextKind {
    /// Yes or no.
    Bool,
    /// A whole number.
    Long,
    /// An exact decimal with up to four places.
    Decimal,
    /// A text.
    String,
}

impl ContextKind {
    /// As policies write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Long => "long",
            Self::Decimal => "decimal",
            Self::String => "string",
        }
    }

    /// As the condition language's schema writes it.
    pub(crate) const fn cedar(self) -> &'static str {
        match self {
            Self::Bool => "Bool",
            Self::Long => "Long",
            Self::Decimal => "decimal",
            Self::String => "String",
        }
    }
}

impl fmt::Display for ContextKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A value that an agent declares. In JSON `true`, `3` and `"text"` are themselves; a decimal is
/// `{"decimal": "0.93"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContextValue {
    /// Yes or no.
    Bool(bool),
    /// A whole number, within plus and minus 2^53 - 1.
    Long(i64),
    /// An exact decimal.
    Decimal(Decimal),
    /// A text of at most [`TEXT_BYTES_MAX`] bytes.
    Text(String),
}

impl ContextValue {
    /// Its type.
    #[must_use]
    pub const fn kind(&self) -> ContextKind {
        match self {
            Self::Bool(_) => ContextKind::Bool,
            Self::Long(_) => ContextKind::Long,
            Self::Decimal(_) => ContextKind::Decimal,
            Self::Text(_) => ContextKind::String,
        }
    }
}

/// Whether a value is within the limits.
pub(super) fn check(name: &str, value: &ContextValue) -> Result<(), BadContext> {
    match value {
        ContextValue::Text(text) if text.len() > TEXT_BYTES_MAX => {
            Err(BadContext::TextTooLong { name: name.to_owned(), bytes: text.len() })
        }
        ContextValue::Long(long) if long.unsigned_abs() > JSON_INTEGER_MAX => {
            Err(BadContext::LongTooLarge { name: name.to_owned() })
        }
        _ => Ok(()),
    }
}

impl Serialize for ContextValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(yes) => serializer.serialize_bool(*yes),
            Self::Long(long) => serializer.serialize_i64(*long),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Decimal(decimal) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("decimal", decimal)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for ContextValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Value)
    }
}

struct Value;

impl<'de> Visitor<'de> for Value {
    type Value = ContextValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false, a whole number, a text, or a decimal as {\"decimal\": \"0.93\"}")
    }

    fn visit_bool<E: de::Error>(self, yes: bool) -> Result<ContextValue, E> {
        Ok(ContextValue::Bool(yes))
    }

    fn visit_i64<E: de::Error>(self, long: i64) -> Result<ContextValue, E> {
        Ok(ContextValue::Long(long))
    }

    fn visit_u64<E: de::Error>(self, long: u64) -> Result<ContextValue, E> {
        i64::try_from(long).map(ContextValue::Long).map_err(|_| {
            E::invalid_value(de::Unexpected::Unsigned(long), &"a number of at most 2^53 - 1")
        })
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ContextValue, E> {
        Ok(ContextValue::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ContextValue, A::Error> {
        let Some(key) = map.next_key::<String>()? else {
            return Err(de::Error::missing_field("decimal"));
        };
        if key != "decimal" {
            return Err(de::Error::unknown_field(&key, &["decimal"]));
        }
        let decimal = map.next_value()?;
        match map.next_key::<String>()? {
            None => Ok(ContextValue::Decimal(decimal)),
            Some(key) => Err(de::Error::unknown_field(&key, &[])),
        }
    }
}
