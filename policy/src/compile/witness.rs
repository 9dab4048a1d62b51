//! Payments that can really be asked for: a solver's text is seldom a host or an address.

use std::collections::BTreeSet;

use crate::rules::{Policy, RuleKind};

/// A host that no policy would list.
const UNLISTED_SERVICE: &str = "unlisted.example";
/// An address that no policy would list.
const UNLISTED_RECIPIENT: &str = "0x00000000000000000000000000000000000d0e5a";

/// Whom a counterexample may pay: all that is listed, one below each suffix, and a stranger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnesses {
    /// Services.
    pub services: BTreeSet<String>,
    /// Addresses, in lower case.
    pub recipients: BTreeSet<String>,
}

impl Default for Witnesses {
    fn default() -> Self {
        Self {
            services: BTreeSet::from([UNLISTED_SERVICE.to_owned()]),
            recipients: BTreeSet::from([UNLISTED_RECIPIENT.to_owned()]),
        }
    }
}

impl Witnesses {
    pub(super) fn of(policies: &[Policy]) -> Self {
        let mut all = Self::default();
        for rule in policies.iter().flat_map(Policy::rules) {
            let named = match rule.kind() {
                RuleKind::Allow(rule) => &rule.0,
                RuleKind::Block(rule) => &rule.0,
                _ => continue,
            };
            for entry in named.services.iter().flat_map(crate::rules::Services::entries) {
                all.add(&entry);
            }
            for address in named.recipients.iter().flatten() {
                all.add(&format!("{address:#x}"));
            }
        }
        all
    }

    /// One more entry of a list: an address, a host, or a pattern of hosts.
    pub fn add(&mut self, entry: &str) {
        match (entry.starts_with("0x"), entry.strip_prefix("*.")) {
            (true, _) => self.recipients.insert(entry.to_ascii_lowercase()),
            (false, Some(suffix)) => self.services.insert(format!("any.{suffix}")),
            (false, None) => self.services.insert(entry.to_owned()),
        };
    }
}
