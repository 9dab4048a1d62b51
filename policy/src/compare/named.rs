//! When one list is within another.

use std::collections::BTreeSet;
use std::fmt::Display;

use crate::rules::{Allow, Named, RuleKind, Services};

/// Whether every payment that `narrow` grants is granted by `wide`; both are rules that grant.
pub(crate) fn allows_at_most(narrow: &Allow, wide: &Allow) -> bool {
    let (narrow, wide) = (&narrow.0, &wide.0);
    let services = match (&narrow.services, &wide.services) {
        (Some(narrow), Some(wide)) => narrow.within(wide),
        // A list of services grants no transfer, and what it does not name is everything.
        (None, Some(_)) => false,
        // Categories grant what is paid for a service, and transfers; recipients these alone.
        (Some(_), None) => wide.categories.is_some(),
        (None, None) => wide.categories.is_some() || narrow.categories.is_none(),
    };
    services
        && within(narrow.recipients.as_ref(), wide.recipients.as_ref())
        && within(narrow.categories.as_ref(), wide.categories.as_ref())
        && places_within(narrow, wide)
}

/// Whether one leaves no more chains, assets and contracts than the other.
fn places_within(narrow: &Named, wide: &Named) -> bool {
    within(narrow.assets.as_ref(), wide.assets.as_ref())
        && within(narrow.chains.as_ref(), wide.chains.as_ref())
        && within(narrow.contracts.as_ref(), wide.contracts.as_ref())
}

/// Whether a restriction leaves no more than another; false for rules that grant.
pub(super) fn restricts_at_least(strict: &Allow, mild: &Allow) -> bool {
    !strict.can_grant() && !mild.can_grant() && places_within(&strict.0, &mild.0)
}

/// Whether whatever `mild` blocks is blocked by `strict`.
pub(super) fn blocks_at_least(strict: &Named, mild: &Named) -> bool {
    let services = mild
        .services
        .as_ref()
        .is_none_or(|mild| strict.services.as_ref().is_some_and(|strict| mild.within(strict)));
    // A payee without a category is in all that are blocked, if any list of them is there.
    let categories = mild
        .categories
        .as_ref()
        .is_none_or(|mild| strict.categories.as_ref().is_some_and(|strict| mild.is_subset(strict)));
    services
        && categories
        && listed(mild.contracts.as_ref(), strict.contracts.as_ref())
        && listed(mild.recipients.as_ref(), strict.recipients.as_ref())
        && listed(mild.assets.as_ref(), strict.assets.as_ref())
        && listed(mild.chains.as_ref(), strict.chains.as_ref())
}

/// Whether whatever the rule blocks is blocked by those rules together.
pub(super) fn blocks_together(rules: &[&RuleKind], kind: &RuleKind) -> bool {
    let RuleKind::Block(mild) = kind else { return false };
    let mut all = Named::default();
    for rule in rules {
        if let RuleKind::Block(block) = rule {
            all.extend(&block.0);
        }
    }
    blocks_at_least(&all, &mild.0)
}

/// Whether a block stops the very service or suffix that an entry of `allow` names.
pub(crate) fn blocks_service(block: &Services, entry: &str) -> bool {
    Services::from_patterns([entry]).is_ok_and(|entry| entry.within(block))
}

/// Whether the service or suffix that an entry names lies within a list.
pub(crate) fn lies_within(entry: &str, list: &Services) -> bool {
    Services::from_patterns([entry]).is_ok_and(|entry| entry.within(list))
}

/// Whether two lists name the same sorts of thing.
pub(super) fn same_axes(old: &Named, new: &Named) -> bool {
    old.axes() == new.axes()
}

/// What was added to lists, and what was taken from them.
pub(super) fn words(old: &Named, new: &Named) -> String {
    let entries = |named: &Named| -> BTreeSet<String> { named.entries().into_iter().collect() };
    said(&entries(old), &entries(new))
}

/// What was added to entries, and what was taken from them.
pub(super) fn said(before: &BTreeSet<String>, after: &BTreeSet<String>) -> String {
    let said = |word: &str, entries: Vec<&String>| match entries.as_slice() {
        [] => None,
        entries => Some(format!("{word} {}", join(entries))),
    };
    let parts = [
        said("adds", after.difference(before).collect()),
        said("takes away", before.difference(after).collect()),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "the same is written otherwise".to_owned() } else { parts.join(", ") }
}

/// Most entries that are told one by one.
const SAID_MAX: usize = 8;

fn join(entries: &[impl Display]) -> String {
    let said: Vec<_> = entries.iter().take(SAID_MAX).map(ToString::to_string).collect();
    let more = entries.len().saturating_sub(SAID_MAX);
    if more == 0 { said.join(", ") } else { format!("{} and {more} more", said.join(", ")) }
}

/// Whether one allowed set is within another; what is not named is everything.
fn within<T: Ord>(narrow: Option<&BTreeSet<T>>, wide: Option<&BTreeSet<T>>) -> bool {
    wide.is_none_or(|wide| narrow.is_some_and(|narrow| narrow.is_subset(wide)))
}

/// Whether one blocked set is within another; what is not named is nothing.
fn listed<T: Ord>(mild: Option<&BTreeSet<T>>, strict: Option<&BTreeSet<T>>) -> bool {
    let empty = BTreeSet::new();
    mild.is_none_or(|mild| mild.is_subset(strict.unwrap_or(&empty)))
}
