//! What policies say about a higher fee for a payment that they approved before.
//!
//! | some fee rule refuses | some fee rule asks | verdict |
//! |---|---|---|
//! | yes | – | refuse: deny wins |
//! | no | yes | ask a human |
//! | no | no | approve |
//!
//! Promises: every rule about fees of every policy that applies is asked, those of a transaction
//! for the whole new fee and those of a window for what it adds. Nothing else is asked again, and
//! nothing has to be granted again: payee, amount and time of making are those that were judged.
//!
//! Refuses: where no policy applies, or one is of somebody else.
//!
//! Does not protect against: a yes that people gave to the payment. It holds for the higher fee
//! too, as long as it holds at all: what they sign names the payment, not its fee.

use crate::ask::{Ask, Facts};
use crate::decision::{Decision, Opinion, Outcome, Verdict};
use crate::registry::Registry;
use crate::rules::{Mode, Policy};
use crate::window::TZDB_VERSION;

/// What `policies` together say about the fee of `ask`, of which
/// [`Facts::fee_counted_wei`] is counted already.
#[must_use]
pub fn decide_higher_fee(policies: &[&Policy], ask: &Ask<'_>, facts: &Facts<'_>) -> Decision {
    let all_apply = policies.iter().all(|policy| policy.applies_to(ask));
    let opinions: Vec<_> = match all_apply {
        true => policies.iter().map(|policy| policy.fee_opinion(ask, facts)).collect(),
        false => Vec::new(),
    };
    Decision {
        verdict: verdict(&opinions),
        policies: opinions,
        registry_epoch: facts.registry.map(Registry::epoch),
        tzdb: TZDB_VERSION.to_owned(),
    }
}

fn verdict(opinions: &[Opinion]) -> Verdict {
    let any = |outcome| {
        let mut binding = opinions.iter().filter(|opinion| opinion.mode == Mode::Enforce);
        binding.any(|opinion| opinion.findings.iter().any(|found| found.outcome == outcome))
    };
    match (opinions.is_empty() || any(Outcome::Refuses), any(Outcome::Asks)) {
        (true, _) => Verdict::Refuse,
        (false, true) => Verdict::AskHuman,
        (false, false) => Verdict::Approve,
    }
}
