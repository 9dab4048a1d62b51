//! Payments that can really be asked for: a solver's text is seldom a host or an address.

use std::collections::BTreeSet;

use crate::registry::{Category, Country};
use crate::rules::{CountryRule, Named, Policy, RuleKind, Services, read_recipient, read_service};

/// A host that no policy would list.
const UNLISTED_SERVICE: &str = "unlisted.example";
/// An address that no policy would list.
const UNLISTED_RECIPIENT: &str = "0x00000000000000000000000000000000000d0e5a";
/// A category that no policy would name.
const UNLISTED_CATEGORY: &str = "unlisted";
/// Two countries, for policies that name one or none.
const COUNTRIES: [&str; 2] = ["DE", "US"];
const ROOT: &str = "/";

/// Whom a counterexample may pay: all that policies name, one below each suffix, and a stranger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witnesses {
    /// Services.
    pub services: BTreeSet<String>,
    /// Paths of services.
    pub endpoints: BTreeSet<String>,
    /// Addresses, in lower case.
    pub recipients: BTreeSet<String>,
    /// Categories of counterparties.
    pub categories: BTreeSet<String>,
    /// Countries of counterparties.
    pub countries: BTreeSet<String>,
}

impl Default for Witnesses {
    fn default() -> Self {
        let one = |text: &str| BTreeSet::from([text.to_owned()]);
        Self {
            services: one(UNLISTED_SERVICE),
            endpoints: one(ROOT),
            recipients: one(UNLISTED_RECIPIENT),
            categories: one(UNLISTED_CATEGORY),
            countries: COUNTRIES.map(str::to_owned).into(),
        }
    }
}

impl Witnesses {
    pub(super) fn of(policies: &[Policy]) -> Self {
        let mut all = Self::default();
        for rule in policies.iter().flat_map(Policy::rules) {
            match rule.kind() {
                RuleKind::Allow(rule) => all.add_named(&rule.0),
                RuleKind::Block(rule) => all.add_named(&rule.0),
                RuleKind::Country(CountryRule::Allow(set) | CountryRule::Block(set)) => {
                    all.countries.extend(set.iter().map(|country| country.as_str().to_owned()));
                }
                RuleKind::Ask(rule) => all.add_categories(rule.categories.iter().flatten()),
                // Whatever stands in quotes may be what a payment is compared with.
                RuleKind::When(rule) => {
                    let texts = rule.0.expression().split('"').skip(1).step_by(2);
                    texts.for_each(|text| all.add(text));
                }
                _ => {}
            }
        }
        all
    }

    /// One more name: an address, a host, a pattern of hosts, a path, a country or a category.
    /// What is none of these is left out.
    pub fn add(&mut self, entry: &str) {
        let lower = entry.to_ascii_lowercase();
        let host = entry.replacen("*.", "any.", 1).replacen('*', "any.", 1);
        if read_recipient(&lower).is_ok() {
            self.recipients.insert(lower);
        } else if entry.starts_with('/') {
            self.endpoints.insert(entry.replace('*', "any"));
        } else if Country::try_from(entry.to_owned()).is_ok() {
            self.countries.insert(entry.to_owned());
        } else if host.contains(['.', ':', '[']) {
            if read_service(&host).is_ok() {
                self.services.insert(host);
            }
        } else if entry.parse::<Category>().is_ok() {
            self.categories.insert(entry.to_owned());
        }
    }

    fn add_named(&mut self, named: &Named) {
        for entry in named.services.iter().flat_map(Services::entries) {
            // A host may be a single word, which alone would be a category.
            self.services.insert(entry.replacen("*.", "any.", 1));
        }
        let recipients = named.recipients.iter().flatten();
        self.recipients.extend(recipients.map(|address| format!("{address:#x}")));
        self.add_categories(named.categories.iter().flatten());
    }

    fn add_categories<'a>(&mut self, categories: impl Iterator<Item = &'a Category>) {
        self.categories.extend(categories.map(|category| category.as_str().to_owned()));
    }
}
