//! What was refused and what failed since the start, by reason: numbers for whoever watches.
//!
//! Promises: no name of an agent, a wallet or a payee is in it, and it does not grow with what is
//! asked: reasons are the codes of [`tercet_policy::refusal::Refusal`], and of those at most [`REASONS_MAX`].

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::{Culprit, GateError};

/// Most reasons that are told apart.
pub const REASONS_MAX: usize = 64;
/// The reason of what is beyond, or has none.
const OTHER: &str = "other";

/// How often, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Refusals, by their code.
    pub refused: BTreeMap<String, u64>,
    /// Failures, by whose doing they were.
    pub failed: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Default)]
pub(super) struct Tallies(Mutex<Tally>);

impl Tallies {
    /// Counts a result that is not one.
    pub(super) fn note<T>(&self, result: &Result<T, GateError>) {
        let Err(error) = result else { return };
        // A panic of another holder leaves the numbers whole.
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = match error {
            GateError::Failed(failure) => tally.failed.entry(word(failure.culprit())).or_default(),
            GateError::Refused(refusal) => {
                let code = code(refusal);
                let is_known = tally.refused.contains_key(&code);
                let has_room = is_known || tally.refused.len() < REASONS_MAX;
                tally.refused.entry(if has_room { code } else { OTHER.to_owned() }).or_default()
            }
        };
        *count = count.saturating_add(1);
    }

    pub(super) fn read(&self) -> Tally {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

const fn word(culprit: Culprit) -> &'static str {
    match culprit {
        Culprit::Network => "network",
        Culprit::Peer => "peer",
        Culprit::Stock => "stock",
        Culprit::NotReady => "not_ready",
        Culprit::Bug => "bug",
    }
}

/// The code under which a refusal is told to agents.
fn code(refusal: &impl Serialize) -> String {
    let told = serde_json::to_value(refusal).unwrap_or_default();
    told.get("code").and_then(|code| code.as_str()).unwrap_or(OTHER).to_owned()
}

#[cfg(test)]
mod tests {
    use tercet_policy::party::AgentId;
    use tercet_policy::refusal::Refusal;

    use super::*;
    use crate::gate::Failure;

    #[test]
    fn results_are_counted_by_code_and_culprit() {
        let tallies = Tallies::default();
        tallies.note(&Ok(()));
        let agent = AgentId::new("a").unwrap();
        for _ in 0..2 {
            let refusal = Refusal::UnknownAgent { agent: agent.clone() };
            tallies.note::<()>(&Err(GateError::Refused(refusal)));
        }
        tallies.note::<()>(&Err(GateError::Refused(Refusal::BadSignature)));
        tallies.note::<()>(&Err(Failure::NotAnEverydayRole.into()));
        let tally = tallies.read();
        let refused = [("bad_signature".to_owned(), 1), ("unknown_agent".to_owned(), 2)];
        assert_eq!(tally.refused, BTreeMap::from(refused));
        assert_eq!(tally.failed, BTreeMap::from([("not_ready", 1)]));
    }
}
