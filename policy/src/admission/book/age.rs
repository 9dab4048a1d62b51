//! What a book forgets, and why nothing can be signed by that.
//!
//! Promises: an intent is forgotten only when it is over, and its payment final. It is refused
//! for its time alone from then on, before anything is looked up: an admitted intent is over
//! [`INTENT_SECONDS_KEPT`] after its first row at the latest, by the ledger's clock, which never
//! goes back. What it held stays taken:
//!
//! | slot | why no other digest gets it |
//! |---|---|
//! | EIP-3009 nonce | it comes from the intent's id, so no other intent asks for it, and there is nothing to cancel where nothing is held |
//! | account nonce | the chain used it up with all lower ones: one number for each wallet and chain, below which no slot is free |
//!
//! A payment whose outcome is not final stays, however old.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use alloy_primitives::{Address, B256};

use crate::admission::checks::INTENT_SECONDS_KEPT;
use crate::admission::{Book, SlotRecord};
use crate::chain::Chain;
use crate::intent::IntentId;
use crate::ledger::Entry;
use crate::money::Amount;
use crate::proposal::{ChainTerms, Slot};
use crate::time::UnixSeconds;

/// Which intents are over, and which account nonces are used up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ages {
    /// By the time of their first row.
    coming: VecDeque<(UnixSeconds, IntentId)>,
    /// Over, but for the outcome of their payment.
    waiting: BTreeSet<IntentId>,
    /// The lowest account nonce that may still be free.
    floors: BTreeMap<(Address, Chain), u64>,
}

impl Ages {
    /// An intent has its first row. Moments never go back.
    pub(super) fn push(&mut self, at: UnixSeconds, intent: IntentId) {
        self.coming.push_back((at, intent));
    }

    fn next_over(&mut self, now: UnixSeconds) -> Option<IntentId> {
        let (at, _) = self.coming.front()?;
        if now < at.plus(INTENT_SECONDS_KEPT) {
            return None;
        }
        self.coming.pop_front().map(|(_, intent)| intent)
    }

    fn use_up(&mut self, slot: &Slot) {
        if let Slot::Account { wallet, chain, nonce } = *slot {
            let floor = self.floors.entry((wallet, chain)).or_default();
            *floor = nonce.saturating_add(1).max(*floor);
        }
    }

    /// What is known of a slot that the chain used up, and of which the rest is forgotten.
    pub(super) fn used_up(&self, slot: &Slot) -> Option<SlotRecord> {
        let Slot::Account { wallet, chain, nonce } = *slot else { return None };
        let floor = *self.floors.get(&(wallet, chain))?;
        (nonce < floor).then(|| forgotten(nonce))
    }
}

/// A record that no proposal is equal to and none replaces: of no intent, and without a digest.
fn forgotten(nonce: u64) -> SlotRecord {
    let most = Amount::from_base_units(u128::MAX);
    SlotRecord {
        digest: B256::ZERO,
        intent: IntentId([0; 32]),
        cancels: None,
        terms: ChainTerms::Eip1559 {
            nonce,
            gas_limit: u64::MAX,
            max_fee_per_gas: most,
            max_priority_fee_per_gas: most,
        },
    }
}

impl Book {
    /// Time has passed: forgets what is over and final.
    pub(super) fn age(&mut self) {
        let now = self.ledger.clamp(UnixSeconds(0));
        while let Some(intent) = self.ages.next_over(now) {
            self.ages.waiting.insert(intent);
            self.forget_if_final(&intent);
        }
    }

    /// Forgets an intent that is over, once its payment is final.
    pub(super) fn forget_if_final(&mut self, intent: &IntentId) {
        let is_open = self.ledger.entry(intent).is_some_and(|entry: &Entry| !entry.is_final());
        if is_open || !self.ages.waiting.remove(intent) {
            return;
        }
        let Some(known) = self.intents.remove(intent) else { return };
        // A cancellation leaves the slot to the payment that it takes back.
        let is_its = |held: &SlotRecord| held.cancels.unwrap_or(held.intent) == *intent;
        if self.slots.get(&known.slot).is_some_and(is_its) {
            self.slots.remove(&known.slot);
            self.ages.use_up(&known.slot);
        }
    }
}

#[cfg(test)]
mod tests;
