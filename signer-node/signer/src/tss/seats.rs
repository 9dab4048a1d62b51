//! Who takes part, and by which index.

use tercet_policy::party::Party;

use super::error::BadCall;

/// The parties of a run, in order, and which of them we are. Indices in the run are positions in
/// that order: for three parties they are the key's own, for a pair they are 0 and 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seats {
    parties: Vec<Party>,
    my_index: u16,
}

impl Seats {
    /// `parties` must be in order, distinct, `count` in number and contain `me`.
    pub(super) fn new(me: Party, parties: &[Party], count: usize) -> Result<Self, BadCall> {
        if parties.len() != count || !parties.is_sorted_by(|a, b| a < b) {
            return Err(BadCall::Parties);
        }
        let parties = parties.to_vec();
        let my_index = index(&parties, me).ok_or(BadCall::NotTakingPart)?;
        Ok(Self { parties, my_index })
    }

    pub(super) fn parties(&self) -> &[Party] {
        &self.parties
    }

    pub(super) fn my_index(&self) -> u16 {
        self.my_index
    }

    pub(super) fn peers(&self) -> impl Iterator<Item = Party> {
        let me = self.at(self.my_index);
        self.parties.iter().copied().filter(move |&p| Some(p) != me)
    }

    /// The index of a peer in the run; none for ourselves and for outsiders.
    pub(super) fn peer_index(&self, party: Party) -> Option<u16> {
        index(&self.parties, party).filter(|&i| i != self.my_index)
    }

    pub(super) fn at(&self, index: u16) -> Option<Party> {
        self.parties.get(usize::from(index)).copied()
    }
}

fn index(parties: &[Party], party: Party) -> Option<u16> {
    parties.iter().position(|&p| p == party).and_then(|i| u16::try_from(i).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Party::{Agent, Operator, Recovery};

    #[test]
    fn takes_ordered_distinct_lists_that_contain_us() {
        let seats = Seats::new(Recovery, &[Agent, Recovery], 2).unwrap();
        assert_eq!((seats.my_index(), seats.peer_index(Agent)), (1, Some(0)));
        assert_eq!((seats.peer_index(Recovery), seats.peer_index(Operator)), (None, None));
        assert_eq!(seats.peers().collect::<Vec<_>>(), [Agent]);
        assert_eq!((seats.at(1), seats.at(2)), (Some(Recovery), None));
    }

    #[test]
    fn refuses_every_other_list() {
        let table: [(&[Party], usize, BadCall); 6] = [
            (&[Operator, Agent], 2, BadCall::Parties),
            (&[Agent, Agent], 2, BadCall::Parties),
            (&[Agent], 2, BadCall::Parties),
            (&[Agent, Operator, Recovery], 2, BadCall::Parties),
            (&[], 0, BadCall::NotTakingPart),
            (&[Operator, Recovery], 2, BadCall::NotTakingPart),
        ];
        for (parties, count, refusal) in table {
            assert_eq!(Seats::new(Agent, parties, count), Err(refusal), "{parties:?}");
        }
    }
}
