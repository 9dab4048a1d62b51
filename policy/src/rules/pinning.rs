//! `payee_pinning`: the address a service is paid at stays the one it was.

use crate::ledger::Pinned;
use crate::rules::{Judgement, Then, View};

/// What follows when a service, or nobody's service, is to be paid at an address it was not paid
/// at before. An address is pinned by the payment that was admitted to it, and so by the people
/// who approved that one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayeePinning {
    /// For the first payee of a service, and the first transfer to an address; nothing where it
    /// is allowed.
    pub new: Option<Then>,
    /// For a service that was paid at other addresses only: `Refuse` or `Ask`.
    pub changed: Then,
}

impl PayeePinning {
    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let (then, asked) = match pinned(view) {
            Pinned::Known => (None, "a payee it was paid at before"),
            Pinned::New => (self.new, "a new payee"),
            Pinned::Changed => (Some(self.changed), "another payee than before"),
        };
        let word = |then: Option<Then>| then.map_or("allow", Then::word);
        let limit = format!("new {}, changed {}", word(self.new), word(Some(self.changed)));
        let asked = match view.ask.recipient {
            Some(recipient) => format!("{asked}: {recipient}"),
            None => asked.to_owned(),
        };
        Judgement { kept: then.is_none(), then, limit, asked, ..Judgement::default() }
    }
}

/// How who is paid stands to those who were.
pub(super) fn pinned(view: &View<'_>) -> Pinned {
    // Whom the holder of an access key pays, nobody knows yet.
    if view.ask.access_key.is_some() {
        return Pinned::New;
    }
    // Whoever is paid nothing is nobody new.
    let Some(recipient) = view.ask.recipient else { return Pinned::Known };
    view.facts.ledger.pinned(view.subject(), view.ask.service, recipient)
}
