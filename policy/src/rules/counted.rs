//! What a window, or a session, holds at a moment.

use crate::ask::Ask;
use crate::ledger::{Axis, Measure, Scope};
use crate::rules::View;
use crate::time::UnixSeconds;
use crate::window::Window;

/// What a payment is counted with. Those without a recipient, say, are counted together.
pub(super) fn scope(by: Option<Axis>, view: &View<'_>) -> Scope {
    by.map_or(Scope::Total, |axis| Scope::of(axis, view.ask, view.counterparty))
}

/// Whether what is asked is counted along an axis. A charge is recorded with its primary payee
/// alone: what its splits pay would be missing from the sums of all others.
pub(super) const fn is_counted(by: Option<Axis>, ask: &Ask<'_>) -> bool {
    !matches!(by, Some(Axis::Recipient | Axis::Category)) || (ask.splits.is_empty() && !ask.beside)
}

/// What findings say is asked for, where it cannot be counted.
pub(super) const SEVERAL_PAYEES: &str = "to pay several payees, who are not counted apart";

/// How findings speak of it: `day in America/New_York by service`.
pub(super) fn per(window: &Window, by: Option<Axis>) -> String {
    by.map_or_else(|| window.to_string(), |by| format!("{window} by {}", by.word()))
}

/// What a window holds at a moment.
pub(super) struct Counted<'a> {
    view: &'a View<'a>,
    window: &'a Window,
    measure: Measure,
    scope: Scope,
    since: UnixSeconds,
    pub(super) current: u128,
}

impl<'a> Counted<'a> {
    pub(super) fn at(
        view: &'a View<'a>,
        window: &'a Window,
        measure: Measure,
        scope: Scope,
    ) -> Self {
        let since = window.since(view.now());
        let current = view.facts.ledger.sum(view.subject(), measure, &scope, since);
        Self { view, window, measure, scope, since, current }
    }

    pub(super) fn leaves_room_for(&self, asked: u128, limit: u128) -> bool {
        self.current.checked_add(asked).is_some_and(|sum| sum <= limit)
    }

    /// When the same would fit, if it does not now and waiting helps.
    pub(super) fn room_at(&self, asked: u128, limit: u128) -> Option<UnixSeconds> {
        let room = limit.checked_sub(asked)?;
        let excess = self.current.checked_sub(room).filter(|excess| *excess > 0)?;
        let (ledger, subject) = (self.view.facts.ledger, self.view.subject());
        let moment = ledger.moment_of(subject, self.measure, &self.scope, self.since, excess)?;
        self.window.leaves_at(moment, self.view.now())
    }
}
