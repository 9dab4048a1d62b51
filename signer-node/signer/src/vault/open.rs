//! What is open of a vault: parameters of groups, and the shares that were used last.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::Address;
use tercet_policy::party::AgentId;

use crate::tss::{AuxHash, GroupAux, SigningShare};

/// Most shares that are open at once; a share carries its group's parameters, some 20 kB. Another
/// one takes the place of the one that was used least recently, and is opened again, within a
/// millisecond or two, when it is needed.
pub const OPEN_SHARES_MAX: usize = 1_024;

#[derive(Default)]
pub(super) struct Open {
    pub(super) groups: BTreeMap<AgentId, Arc<GroupAux>>,
    shares: Recent<Arc<SigningShare>>,
}

impl Open {
    pub(super) fn share(&mut self, wallet: Address) -> Option<Arc<SigningShare>> {
        self.shares.find(wallet)
    }

    /// What was opened with these parameters is opened anew, with whatever they have become.
    pub(super) fn forget_shares_under(&mut self, aux: AuxHash) {
        self.shares.retain(|share| share.card().aux_hash != aux);
    }

    pub(super) fn keep(&mut self, wallet: Address, share: Arc<SigningShare>) {
        self.shares.put(wallet, share, OPEN_SHARES_MAX);
    }
}

/// Values by wallet, with the order in which they were used last.
struct Recent<V> {
    uses: u64,
    values: BTreeMap<Address, (u64, V)>,
    by_use: BTreeMap<u64, Address>,
}

impl<V> Default for Recent<V> {
    fn default() -> Self {
        Self { uses: 0, values: BTreeMap::new(), by_use: BTreeMap::new() }
    }
}

impl<V: Clone> Recent<V> {
    fn find(&mut self, wallet: Address) -> Option<V> {
        let (used, value) = self.values.get_mut(&wallet)?;
        self.by_use.remove(used);
        self.uses = self.uses.saturating_add(1);
        *used = self.uses;
        self.by_use.insert(self.uses, wallet);
        Some(value.clone())
    }

    fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        self.values.retain(|_, (_, value)| keep(value));
        let kept = &self.values;
        self.by_use.retain(|_, wallet| kept.contains_key(wallet));
    }

    fn put(&mut self, wallet: Address, value: V, values_max: usize) {
        self.uses = self.uses.saturating_add(1);
        if let Some((before, _)) = self.values.insert(wallet, (self.uses, value)) {
            self.by_use.remove(&before);
        }
        self.by_use.insert(self.uses, wallet);
        while self.values.len() > values_max {
            let Some((_, least)) = self.by_use.pop_first() else { return };
            self.values.remove(&least);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_gives_its_place_up() {
        let [one, two, three] = [1, 2, 3].map(Address::repeat_byte);
        let mut recent = Recent::default();
        recent.put(one, 1, 2);
        recent.put(two, 2, 2);
        assert_eq!(recent.find(one), Some(1));
        recent.put(three, 3, 2);
        assert_eq!([one, two, three].map(|wallet| recent.find(wallet)), [Some(1), None, Some(3)]);
        recent.put(three, 4, 2);
        assert_eq!((recent.find(three), recent.values.len(), recent.by_use.len()), (Some(4), 2, 2));
        recent.retain(|value| *value == 4);
        assert_eq!((recent.find(one), recent.values.len(), recent.by_use.len()), (None, 1, 1));
    }
}
