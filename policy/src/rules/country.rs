//! `country`: where whoever is paid may be.

use std::collections::BTreeSet;

use crate::registry::Country;
use crate::rules::{Judgement, View};

/// Where who is paid may be, by the counterparty registry. Whose country is not known is nowhere
/// that is allowed, and nobody can say that it is not blocked: the rule is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CountryRule {
    /// Only these.
    Allow(BTreeSet<Country>),
    /// All but these.
    Block(BTreeSet<Country>),
}

impl CountryRule {
    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let country = view.counterparty.and_then(|who| who.country);
        let (kept, limit) = match self {
            Self::Allow(allowed) => (country.is_some_and(|c| allowed.contains(&c)), said(allowed)),
            Self::Block(blocked) => {
                let clear = country.is_some_and(|country| !blocked.contains(&country));
                (clear, format!("not {}", said(blocked)))
            }
        };
        let asked = country.map_or_else(|| "unknown".to_owned(), |country| country.to_string());
        Judgement { kept, limit, asked, ..Judgement::default() }
    }
}

fn said(countries: &BTreeSet<Country>) -> String {
    let all: Vec<_> = countries.iter().map(Country::as_str).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}
