//! `ask`: when people decide, whatever else the rules make of a payment.

use std::collections::BTreeSet;

use crate::ledger::Pinned;
use crate::party::AgentId;
use crate::registry::Category;
use crate::rules::pinning::pinned;
use crate::rules::{Judgement, Money, View};

/// When people are asked: any of these that is met is enough. What cannot be told is met: an
/// amount in another asset, a category nobody gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskWhen {
    /// For more than this.
    pub above: Option<Money>,
    /// For an address that was not paid before, for this service or as a transfer.
    pub new_payee: bool,
    /// For whom is trusted less than this.
    pub trust_below: Option<u8>,
    /// For these categories.
    pub categories: Option<BTreeSet<Category>>,
    /// For these agents.
    pub agents: Option<BTreeSet<AgentId>>,
}

impl AskWhen {
    /// Whether there is nothing that it asks about.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let parts = [
            self.above.map(|above| by_amount(above, view)),
            self.new_payee.then(|| by_payee(view)),
            self.trust_below.map(|below| by_trust(below, view)),
            self.categories.as_ref().map(|named| by_category(named, view)),
            self.agents.as_ref().map(|named| by_agent(named, view)),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        let join = |text: fn(&Part) -> &str| parts.iter().map(text).collect::<Vec<_>>().join(", ");
        Judgement {
            kept: !parts.iter().any(|part| part.is_met),
            limit: join(|part| &part.limit),
            asked: join(|part| &part.asked),
            ..Judgement::default()
        }
    }
}

struct Part {
    is_met: bool,
    limit: String,
    asked: String,
}

fn by_amount(above: Money, view: &View<'_>) -> Part {
    let asked = Money::of(view.ask);
    let is_met = asked.symbol != above.symbol || asked.amount > above.amount;
    Part { is_met, limit: format!("above {above}"), asked: asked.to_string() }
}

fn by_payee(view: &View<'_>) -> Part {
    let is_met = pinned(view) != Pinned::Known;
    let asked = if is_met { "a new payee" } else { "a known payee" };
    Part { is_met, limit: "a new payee".to_owned(), asked: asked.to_owned() }
}

fn by_trust(below: u8, view: &View<'_>) -> Part {
    let score = view.trust().score;
    Part { is_met: score < below, limit: format!("trust below {below}"), asked: score.to_string() }
}

fn by_category(named: &BTreeSet<Category>, view: &View<'_>) -> Part {
    let category = view.counterparty.and_then(|who| who.category.as_ref());
    let names: Vec<_> = named.iter().map(Category::as_str).collect();
    Part {
        is_met: category.is_none_or(|category| named.contains(category)),
        limit: format!("categories {}", names.join(" ")),
        asked: category.map_or("no category", Category::as_str).to_owned(),
    }
}

fn by_agent(named: &BTreeSet<AgentId>, view: &View<'_>) -> Part {
    let names: Vec<_> = named.iter().map(AgentId::as_str).collect();
    Part {
        is_met: named.contains(view.ask.agent),
        limit: format!("agents {}", names.join(" ")),
        asked: view.ask.agent.to_string(),
    }
}
