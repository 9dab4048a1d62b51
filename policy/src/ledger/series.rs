//! Values in the order of time, with the sum of any tail in logarithmic time (Fenwick 1994).
//!
//! A value is found by the number of its payment, which only rises. Values are dropped from the
//! front in amortised constant time: the tree is built anew once half of it is dropped.

/// Number of a payment in the ledger.
pub(super) type Seq = u32;

/// Values that are appended in the order of time, may change later, and leave in that order.
/// Takes 20 bytes for each, 40 before the tree is built anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Series {
    seqs: Vec<Seq>,
    /// Node `i`, counted from 1, sums the values of the `i & -i` places that end with place `i`.
    nodes: Vec<u128>,
    /// Places at the front that were dropped.
    dropped: usize,
    /// Of all values, the dropped ones too that the tree still holds.
    total: u128,
}

const fn low_bit(i: usize) -> usize {
    i & i.wrapping_neg()
}

impl Series {
    /// Appends the value of the payment `seq`, which is above the last one's.
    ///
    /// No value is above what the ledger counts at most, so no addition here saturates.
    pub(super) fn push(&mut self, seq: Seq, value: u128) {
        let i = self.nodes.len().saturating_add(1);
        let from = i.saturating_sub(low_bit(i));
        let mut node = value;
        let mut j = self.nodes.len();
        while j > from {
            node = node.saturating_add(self.node(j));
            j = j.saturating_sub(low_bit(j));
        }
        self.seqs.push(seq);
        self.nodes.push(node);
        self.total = self.total.saturating_add(value);
    }

    /// Replaces the value of the payment `seq`, if it has one here.
    pub(super) fn replace(&mut self, seq: Seq, old: u128, new: u128) {
        let Ok(place) = self.seqs.binary_search(&seq) else { return };
        self.total = self.total.saturating_sub(old).saturating_add(new);
        let mut i = place.saturating_add(1);
        while let Some(node) = i.checked_sub(1).and_then(|at| self.nodes.get_mut(at)) {
            // The node contains the old value, so this order neither wraps nor saturates.
            *node = node.saturating_sub(old).saturating_add(new);
            i = i.saturating_add(low_bit(i));
        }
    }

    /// Drops the first value.
    pub(super) fn drop_first(&mut self) {
        self.dropped = self.dropped.saturating_add(1).min(self.seqs.len());
        if self.dropped > self.seqs.len().saturating_sub(self.dropped) {
            self.rebuild();
        }
    }

    /// Whether every value was dropped.
    pub(super) fn is_empty(&self) -> bool {
        self.dropped >= self.seqs.len()
    }

    /// The sum of the values of `seq` and later payments.
    pub(super) fn sum_from(&self, seq: Seq) -> u128 {
        self.total.saturating_sub(self.prefix(self.first_at(seq)))
    }

    /// The first payment with which the sum from `seq` on reaches `enough`.
    pub(super) fn reaches(&self, seq: Seq, enough: u128) -> Option<Seq> {
        let target = self.prefix(self.first_at(seq)).checked_add(enough)?;
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
        self.seqs.get(place).copied()
    }

    fn first_at(&self, seq: Seq) -> usize {
        self.seqs.partition_point(|&here| here < seq).max(self.dropped)
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

    fn rebuild(&mut self) {
        let count = self.nodes.len();
        self.total = self.total.saturating_sub(self.prefix(self.dropped));
        // Undoes the sums from the last to the first, so that every node is its own value again.
        for i in (1..=count).rev() {
            let value = self.node(i);
            self.change(i.saturating_add(low_bit(i)), |above| above.saturating_sub(value));
        }
        self.nodes.drain(..self.dropped.min(count));
        self.seqs.drain(..self.dropped.min(count));
        self.dropped = 0;
        for i in 1..=self.nodes.len() {
            let value = self.node(i);
            self.change(i.saturating_add(low_bit(i)), |above| above.saturating_add(value));
        }
        self.nodes.shrink_to(self.nodes.len().saturating_mul(2));
        self.seqs.shrink_to(self.seqs.len().saturating_mul(2));
    }

    fn change(&mut self, i: usize, to: impl FnOnce(u128) -> u128) {
        if let Some(node) = i.checked_sub(1).and_then(|at| self.nodes.get_mut(at)) {
            *node = to(*node);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Push(u32, u128),
        Replace(prop::sample::Index, u128),
        Drop,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            5 => (1u32..5, 0u128..100).prop_map(|(gap, value)| Step::Push(gap, value)),
            2 => (any::<prop::sample::Index>(), 0u128..100)
                .prop_map(|(which, value)| Step::Replace(which, value)),
            2 => Just(Step::Drop),
        ]
    }

    proptest! {
        #[test]
        fn sums_and_moments_are_those_of_a_recount(
            steps in prop::collection::vec(step(), 0..200),
            since in 0u32..600,
            enough in 1u128..2_000,
        ) {
            let mut series = Series::default();
            let mut plain: Vec<(u32, u128)> = Vec::new();
            let mut seq = 0;
            for step in steps {
                match step {
                    Step::Push(gap, value) => {
                        seq += gap;
                        series.push(seq, value);
                        plain.push((seq, value));
                    }
                    Step::Replace(which, value) if !plain.is_empty() => {
                        let (seq, old) = which.get_mut(&mut plain);
                        series.replace(*seq, *old, value);
                        *old = value;
                    }
                    Step::Drop if !plain.is_empty() => {
                        series.drop_first();
                        plain.remove(0);
                    }
                    Step::Replace(..) | Step::Drop => {}
                }
                prop_assert!(series.seqs.len() <= 2 * plain.len() + 1, "dropped values linger");
            }
            prop_assert_eq!(series.is_empty(), plain.is_empty());
            let tail = || plain.iter().filter(|(seq, _)| *seq >= since);
            prop_assert_eq!(series.sum_from(since), tail().map(|(_, v)| v).sum());
            let mut sum = 0;
            let reaches = tail().find(|(_, value)| { sum += value; sum >= enough });
            prop_assert_eq!(series.reaches(since, enough), reaches.map(|(seq, _)| *seq));
        }
    }

    #[test]
    fn a_value_that_is_not_here_replaces_nothing() {
        let mut series = Series::default();
        series.push(3, 10);
        series.replace(2, 10, 1);
        series.replace(4, 10, 1);
        assert_eq!(series.sum_from(0), 10);
    }
}
