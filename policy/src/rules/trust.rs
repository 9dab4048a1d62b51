//! `trust`: how far whoever is paid has to be trusted.

use crate::registry::TrustScore;
use crate::rules::{Judgement, View};

/// Lowest trust of who is paid; see [`crate::registry`] for how it is reckoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trust {
    /// 0 to 100.
    pub min: u8,
}

impl Trust {
    pub(super) fn judge(&self, view: &View<'_>) -> Judgement {
        let trust = view.trust();
        Judgement {
            kept: trust.score >= self.min,
            limit: format!("at least {}", self.min),
            asked: said(&trust, view),
            ..Judgement::default()
        }
    }
}

/// `55 of 80 for search-example (12 settled, 1 refused, 2 undelivered, 0 disputed)`.
fn said(trust: &TrustScore, view: &View<'_>) -> String {
    let TrustScore { base, score, outcomes } = trust;
    let who = view.counterparty.map_or("somebody unknown", |who| who.name.as_str());
    let mut said = format!("{score} of {base} for {who}");
    if *outcomes != crate::registry::Outcomes::default() {
        let crate::registry::Outcomes { settled, refused, undelivered, disputed } = outcomes;
        said.push_str(&format!(
            " ({settled} settled, {refused} refused, {undelivered} undelivered, \
             {disputed} disputed)"
        ));
    }
    said
}
