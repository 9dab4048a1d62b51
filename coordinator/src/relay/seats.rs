//! Who sits in a session.

use tercet_policy::document::Enrolment;
use tercet_policy::party::{NodeId, Party};

/// The parties of a session and their nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seats(Vec<(Party, NodeId)>);

impl Seats {
    /// These parties of an agent's group.
    #[must_use]
    pub fn of(enrolment: &Enrolment, parties: &[Party]) -> Self {
        Self(parties.iter().map(|&party| (party, enrolment.keys(party).id.clone())).collect())
    }

    /// The seat of this party alone.
    #[must_use]
    pub fn only(&self, party: Party) -> Self {
        Self(self.0.iter().filter(|(seat, _)| *seat == party).cloned().collect())
    }

    /// The party a node sits for.
    #[must_use]
    pub fn party_of(&self, node: &NodeId) -> Option<Party> {
        self.iter().find(|(_, id)| *id == node).map(|(party, _)| party)
    }

    /// The node of a party.
    #[must_use]
    pub fn node(&self, party: Party) -> Option<&NodeId> {
        self.iter().find(|(seat, _)| *seat == party).map(|(_, node)| node)
    }

    /// All seats.
    pub fn iter(&self) -> impl Iterator<Item = (Party, &NodeId)> {
        self.0.iter().map(|(party, node)| (*party, node))
    }

    /// All nodes.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeId> {
        self.0.iter().map(|(_, node)| node.clone()).collect()
    }
}
