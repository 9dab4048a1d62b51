//! Values in the order of time, with the sum of any tail in logarithmic time (Fenwick 1994).

use crate::time::UnixSeconds;

/// Values that are appended in the order of time and may shrink later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Series {
    times: Vec<UnixSeconds>,
    /// Node `i`, counted from 1, sums the values of the `i & -i` places that end with place `i`.
    nodes: Vec<u128>,
}

const fn low_bit(i: usize) -> usize {
    i & i.wrapping_neg()
}

impl Series {
    /// Appends a value and yields its place. `at` is not before the last one's.
    ///
    /// The ledger has checked that all values together fit, so no addition here saturates.
    pub(super) fn push(&mut self, at: UnixSeconds, value: u128) -> usize {
        let place = self.nodes.len();
        let i = place.saturating_add(1);
        let from = i.saturating_sub(low_bit(i));
        let mut node = value;
        let mut j = place;
        while j > from {
            node = node.saturating_add(self.node(j));
            j = j.saturating_sub(low_bit(j));
        }
        self.times.push(at);
        self.nodes.push(node);
        place
    }

    /// Takes `less` away from the value at `place`.
    pub(super) fn take(&mut self, place: usize, less: u128) {
        let mut i = place.saturating_add(1);
        while let Some(node) = i.checked_sub(1).and_then(|at| self.nodes.get_mut(at)) {
            *node = node.saturating_sub(less);
            i = i.saturating_add(low_bit(i));
        }
    }

    /// The sum of the values at `since` and later.
    pub(super) fn sum_since(&self, since: UnixSeconds) -> u128 {
        self.prefix(self.nodes.len()).saturating_sub(self.prefix(self.first_at(since)))
    }

    /// The time of the first value with which the sum from `since` on reaches `enough`.
    pub(super) fn moment_of(&self, since: UnixSeconds, enough: u128) -> Option<UnixSeconds> {
        let target = self.prefix(self.first_at(since)).checked_add(enough)?;
        let mut place: usize = 0;
        let mut sum: u128 = 0;
        let mut step = self.nodes.len().checked_next_power_of_two()?;
        while step > 0 {
            let next = place.saturating_add(step);
            let with = sum.saturating_add(self.node(next));
            if next <= self.nodes.len() && with < target {
                place = next;
                sum = with;
            }
            step >>= 1;
        }
        self.times.get(place).copied()
    }

    fn first_at(&self, since: UnixSeconds) -> usize {
        self.times.partition_point(|&at| at < since)
    }

    /// The sum of the first `i` values.
    fn prefix(&self, mut i: usize) -> u128 {
        let mut sum: u128 = 0;
        while i > 0 {
            sum = sum.saturating_add(self.node(i));
            i = i.saturating_sub(low_bit(i));
        }
        sum
    }

    fn node(&self, i: usize) -> u128 {
        i.checked_sub(1).and_then(|at| self.nodes.get(at)).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn sums_and_moments_are_those_of_a_recount(
            steps in prop::collection::vec((0u64..5, 0u128..100), 0..200),
            takes in prop::collection::vec((any::<prop::sample::Index>(), 0u128..100), 0..50),
            since in 0u64..600,
            enough in 1u128..2_000,
        ) {
            let mut series = Series::default();
            let mut plain: Vec<(u64, u128)> = Vec::new();
            let mut at = 0;
            for (step, value) in steps {
                at += step;
                series.push(UnixSeconds(at), value);
                plain.push((at, value));
            }
            let takes = if plain.is_empty() { Vec::new() } else { takes };
            for (index, less) in takes {
                let place = index.index(plain.len());
                let less = less.min(plain[place].1);
                series.take(place, less);
                plain[place].1 -= less;
            }
            let tail = || plain.iter().filter(|(at, _)| *at >= since);
            prop_assert_eq!(series.sum_since(UnixSeconds(since)), tail().map(|(_, v)| v).sum());
            let mut sum = 0;
            let moment = tail().find(|(_, value)| { sum += value; sum >= enough });
            let moment = moment.map(|(at, _)| UnixSeconds(*at));
            prop_assert_eq!(series.moment_of(UnixSeconds(since), enough), moment);
        }
    }
}
