//! Which nodes hold an agent's wallets.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::document::{Document, Ed25519PublicKey, X25519PublicKey};
use crate::party::{AgentId, NodeId, Party};

/// The public half of a node's identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeKeys {
    /// The node's name.
    pub id: NodeId,
    /// Signs its requests; for an agent's node, its intents too.
    pub signing: Ed25519PublicKey,
    /// Its static key in the Noise channels.
    pub channel: X25519PublicKey,
}

/// The three nodes that hold an agent's wallets, signed by the authority: who may ask, and who
/// may sign with whom. Every node checks it against its own pins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// The agent this enrols.
    pub agent: AgentId,
    /// Rises with every change; a node refuses an older one.
    pub epoch: u64,
    /// The agent's own node.
    pub agent_node: NodeKeys,
    /// The operator's node.
    pub operator_node: NodeKeys,
    /// The recovery officer's node.
    pub recovery_node: NodeKeys,
}

impl Document for Enrolment {
    const KIND: &'static str = "enrolment";
}

impl Enrolment {
    /// The keys of one party.
    #[must_use]
    pub const fn keys(&self, party: Party) -> &NodeKeys {
        match party {
            Party::Agent => &self.agent_node,
            Party::Operator => &self.operator_node,
            Party::Recovery => &self.recovery_node,
        }
    }

    /// The party a node is for this agent, if any.
    #[must_use]
    pub fn party_of(&self, node: &NodeId) -> Option<Party> {
        Party::ALL.into_iter().find(|&party| self.keys(party).id == *node)
    }

    /// Whether the three nodes are three different nodes with different keys.
    #[must_use]
    pub fn parties_are_distinct(&self) -> bool {
        let keys = Party::ALL.map(|party| self.keys(party));
        let distinct = |count: usize| count == Party::ALL.len();
        distinct(keys.iter().map(|k| &k.id).collect::<BTreeSet<_>>().len())
            && distinct(keys.iter().map(|k| k.signing).collect::<BTreeSet<_>>().len())
            && distinct(keys.iter().map(|k| k.channel).collect::<BTreeSet<_>>().len())
    }
}
