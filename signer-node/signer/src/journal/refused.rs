//! Which refused intents were counted, for rules that stop an agent after so many refusals.
//!
//! Promises: one intent is one refusal, however often a courier brings it. In memory alone, as the
//! count is.
//!
//! Does not protect against: an agent that signs more than [`REFUSED_REMEMBERED_MAX`] intents while
//! they live; the oldest of them may then be counted twice.

use std::collections::{BTreeSet, VecDeque};

use tercet_policy::intent::IntentId;

/// Most intents that are remembered: four times what any rule counts to.
pub(super) const REFUSED_REMEMBERED_MAX: usize = 4_000;

/// The intents that were refused last.
#[derive(Debug, Default)]
pub(super) struct Refused {
    order: VecDeque<IntentId>,
    known: BTreeSet<IntentId>,
}

impl Refused {
    /// Notes a refusal. `false` where this intent's was noted before.
    pub(super) fn note(&mut self, intent: IntentId) -> bool {
        if !self.known.insert(intent) {
            return false;
        }
        if self.order.len() >= REFUSED_REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(intent);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> IntentId {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        IntentId(bytes)
    }

    #[test]
    fn an_intent_is_new_once_and_the_oldest_makes_room() {
        let mut refused = Refused::default();
        assert!((0..REFUSED_REMEMBERED_MAX).all(|n| refused.note(id(n))));
        assert!((0..REFUSED_REMEMBERED_MAX).all(|n| !refused.note(id(n))));
        assert!(refused.note(id(REFUSED_REMEMBERED_MAX)));
        assert!(!refused.note(id(1)));
        assert!(refused.note(id(0)), "the oldest was forgotten");
        assert_eq!(refused.known.len(), REFUSED_REMEMBERED_MAX);
    }
}
