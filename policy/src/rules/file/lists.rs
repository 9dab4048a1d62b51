//! Lists: by the name of an entry of `lists`, or written in place.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{SeqAccess, Visitor};
use serde_saphyr::Spanned;

use crate::party::AgentId;
use crate::rules::file::malformed;
use crate::rules::{LIST_ENTRIES_MAX, LISTS_MAX, PolicyError};
use crate::yaml::at_most;

/// The `lists` of a file.
pub(super) type Lists = BTreeMap<String, Spanned<Vec<String>>>;

/// A list by its name, or written in place.
pub(super) enum ListFile {
    Name(String),
    Inline(Vec<String>),
}

impl ListFile {
    /// The entries, and how findings speak of them.
    pub(super) fn resolve(&self, lists: &Lists) -> Result<(Vec<String>, String), String> {
        match self {
            Self::Name(name) => {
                let entries = lists.get(name).map(|list| list.value.clone());
                let unknown = || format!("there is no list {name:?}; write [{name}] for one entry");
                Ok((entries.ok_or_else(unknown)?, name.clone()))
            }
            Self::Inline(entries) => {
                check_entries(entries)?;
                let said = match entries.as_slice() {
                    [] => "none".to_owned(),
                    [one] => one.clone(),
                    [first, rest @ ..] => format!("{first} and {} more", rest.len()),
                };
                Ok((entries.clone(), said))
            }
        }
    }
}

pub(super) fn check(lists: &Lists) -> Result<(), PolicyError> {
    at_most(LISTS_MAX, lists.len(), "lists").map_err(|reason| malformed(0, reason))?;
    for (name, list) in lists {
        let line = list.referenced.line();
        AgentId::new(name).map_err(|bad| malformed(line, bad.to_string()))?;
        check_entries(&list.value).map_err(|reason| malformed(line, reason))?;
    }
    Ok(())
}

fn check_entries(entries: &[String]) -> Result<(), String> {
    at_most(LIST_ENTRIES_MAX, entries.len(), "entries in a list")
}

impl<'de> Deserialize<'de> for ListFile {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EitherWay;

        impl<'de> Visitor<'de> for EitherWay {
            type Value = ListFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a list, or a list in brackets")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<ListFile, E> {
                Ok(ListFile::Name(name.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ListFile, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = seq.next_element()? {
                    entries.push(entry);
                }
                Ok(ListFile::Inline(entries))
            }
        }

        deserializer.deserialize_any(EitherWay)
    }
}
