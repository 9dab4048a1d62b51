//! What a session of payments may cost, from its first payment to its last.

use crate::ledger::{Axis, Measure, Scope};
use crate::money::Amount;
use crate::rules::{Judgement, Money, View};
use crate::time::UnixSeconds;

/// Whether a session with `asked` more stays within `budget`. A payment that names no session
/// has none whose budget could be kept to.
pub(super) fn budget(budget: &Money, view: &View<'_>, asked: Amount) -> Judgement {
    let current = spent(budget.symbol, view);
    let same_asset = view.ask.asset.symbol == budget.symbol;
    let fits = |current: Amount| {
        same_asset && current.checked_add(asked).is_some_and(|sum| sum <= budget.amount)
    };
    Judgement {
        kept: current.is_some_and(fits),
        per: Some(view.ask.session.map_or_else(
            || "session, and none is named".to_owned(),
            |session| format!("session {session}"),
        )),
        limit: budget.to_string(),
        current: current.map(|current| budget.with(current).to_string()),
        asked: Money::of(view.ask).with(asked).to_string(),
        ..Judgement::default()
    }
}

/// What the named session has cost so far, with what it holds.
pub(super) fn spent(symbol: &'static str, view: &View<'_>) -> Option<Amount> {
    view.ask.session?;
    let scope = Scope::of(Axis::Session, view.ask, view.counterparty);
    let (ledger, subject) = (view.facts.ledger, view.subject());
    let sum = ledger.sum(subject, Measure::Amount(symbol), &scope, UnixSeconds(0));
    Some(Amount::from_base_units(sum))
}
