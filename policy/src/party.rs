//! The three holders of a 2-of-3 key, and the names they go by.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest name of an agent or a node, in characters.
pub const NAME_CHARS_MAX: usize = 63;

/// A holder of one share. The discriminant is its fixed index in the threshold protocol:
/// indices come from the authenticated channel a message arrived on, never from the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Party {
    /// The agent runtime's share.
    Agent = 0,
    /// The operator's share; takes part in every everyday payment.
    Operator = 1,
    /// The recovery officer's share; takes part in ceremonies only.
    Recovery = 2,
}

impl Party {
    /// All holders, by index.
    pub const ALL: [Self; 3] = [Self::Agent, Self::Operator, Self::Recovery];
    /// The pair that signs everyday payments.
    pub const EVERYDAY: [Self; 2] = [Self::Agent, Self::Operator];

    /// The index in the threshold protocol: 0, 1 or 2.
    #[must_use]
    pub const fn index(self) -> u16 {
        self as u16
    }

    /// The lower-case word used in configuration and on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Operator => "operator",
            Self::Recovery => "recovery",
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Why a name was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name:?} is not a name: use 1 to {NAME_CHARS_MAX} characters of a-z, 0-9 and '-', \
     beginning and ending with a letter or digit"
)]
pub struct BadName {
    /// What was given, cut to a printable length.
    pub name: String,
}

pub(crate) fn checked_name(name: &str) -> Result<String, BadName> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = name.as_bytes();
    let ends_plain =
        bytes.first().copied().is_some_and(plain) && bytes.last().copied().is_some_and(plain);
    let good =
        ends_plain && bytes.len() <= NAME_CHARS_MAX && bytes.iter().all(|&b| plain(b) || b == b'-');
    if good {
        Ok(name.to_owned())
    } else {
        Err(BadName { name: name.chars().take(NAME_CHARS_MAX).collect() })
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The name, if it has the form of one.
            ///
            /// # Errors
            /// [`BadName`] for anything but 1 to 63 characters of `a-z0-9-` that begin and end
            /// with a letter or digit.
            pub fn new(name: &str) -> Result<Self, BadName> {
                checked_name(name).map(Self)
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = BadName;
            fn try_from(name: String) -> Result<Self, BadName> {
                checked_name(&name).map(Self)
            }
        }

        impl std::str::FromStr for $type {
            type Err = BadName;
            fn from_str(name: &str) -> Result<Self, BadName> {
                checked_name(name).map(Self)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name! {
    /// An agent: the owner of wallets and the signer of intents.
    AgentId
}
name! {
    /// A signer node. An agent's own node carries the agent's name.
    NodeId
}

impl From<AgentId> for NodeId {
    fn from(agent: AgentId) -> Self {
        Self(agent.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_letters_digits_and_inner_hyphens() {
        for good in ["a", "research-01", "0", &"a".repeat(63)] {
            assert!(AgentId::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a_b", "a b", "ä", "a/../b", &"a".repeat(64)] {
            assert!(AgentId::new(bad).is_err(), "{bad}");
        }
    }
}
