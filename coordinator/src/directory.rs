//! Who is known here: configured nodes and enrolled agents, in memory beside the store.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use tercet_policy::document::{ContentHash, Ed25519PublicKey, Enrolment, Freeze, Signed};
use tercet_policy::intent::AgentKeys;
use tercet_policy::party::{AgentId, NodeId, Party};

use crate::config::{HouseRole, NodeConfig};
use crate::relay::Seats;
use crate::store::AgentRecord;

/// Everybody who may speak to the coordinator.
#[derive(Debug)]
pub struct Directory {
    house: HashMap<NodeId, NodeConfig>,
    agents: RwLock<BTreeMap<AgentId, AgentRecord>>,
}

/// Why an enrolment does not fit this coordinator, whoever signed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// Three different nodes with different keys are needed.
    #[error("the three nodes are not three different nodes with different keys")]
    NotDistinct,
    /// The agent's node carries the agent's name.
    #[error("the agent's node must be named {0}, as the agent is")]
    AgentNodeName(AgentId),
    /// A node or a key of the house cannot be an agent's.
    #[error("{0} is a node of this house")]
    AgentIsHouse(NodeId),
    /// The operator's or recovery officer's node is not configured here with that role and key.
    #[error("{node} is not configured here as {party} with that signing key")]
    UnknownNode {
        /// The node named.
        node: NodeId,
        /// For which party.
        party: Party,
    },
}

impl Directory {
    /// The configured nodes and the stored agents.
    #[must_use]
    pub fn new(house: &[NodeConfig], agents: Vec<AgentRecord>) -> Self {
        let house = house.iter().map(|node| (node.id.clone(), node.clone())).collect();
        let agents = agents.into_iter().map(|a| (a.enrolment.document.agent.clone(), a)).collect();
        Self { house, agents: RwLock::new(agents) }
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<AgentId, AgentRecord>> {
        self.agents.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, agent: &AgentId, change: impl FnOnce(&mut AgentRecord)) {
        let mut agents = self.agents.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = agents.get_mut(agent) {
            change(record);
        }
    }

    /// One agent.
    #[must_use]
    pub fn agent(&self, id: &AgentId) -> Option<AgentRecord> {
        self.read().get(id).cloned()
    }

    /// These parties of an agent's group.
    #[must_use]
    pub fn seats(&self, agent: &AgentId, parties: &[Party]) -> Option<Seats> {
        self.read().get(agent).map(|record| Seats::of(&record.enrolment.document, parties))
    }

    /// All agents, by name.
    #[must_use]
    pub fn agents(&self) -> Vec<AgentRecord> {
        self.read().values().cloned().collect()
    }

    /// The agents in whose group a node is.
    #[must_use]
    pub fn agents_of(&self, node: &NodeId) -> Vec<AgentRecord> {
        let of = |a: &&AgentRecord| a.enrolment.document.party_of(node).is_some();
        self.read().values().filter(of).cloned().collect()
    }

    /// The agents whose operator's node this is.
    #[must_use]
    pub fn operated_by(&self, node: &NodeId) -> BTreeSet<AgentId> {
        let all = self.read();
        let enrolments = all.values().map(|record| &record.enrolment.document);
        let operated = enrolments.filter(|enrolment| enrolment.keys(Party::Operator).id == *node);
        operated.map(|enrolment| enrolment.agent.clone()).collect()
    }

    /// Nodes of the house.
    #[must_use]
    pub fn house(&self) -> Vec<NodeId> {
        self.house.keys().cloned().collect()
    }

    /// The key a node signs its requests with: the house's by configuration, an agent's by its
    /// enrolment.
    #[must_use]
    pub fn signing_key(&self, node: &NodeId) -> Option<Ed25519PublicKey> {
        if let Some(node) = self.house.get(node) {
            return Some(node.signing);
        }
        self.agent_named(node).map(|record| record.enrolment.document.agent_node.signing)
    }

    /// The agent whose own node this is.
    #[must_use]
    pub fn agent_named(&self, node: &NodeId) -> Option<AgentRecord> {
        if self.house.contains_key(node) {
            return None;
        }
        AgentId::new(node.as_str()).ok().and_then(|agent| self.agent(&agent))
    }

    /// Whether an enrolment fits the nodes of this house.
    ///
    /// # Errors
    /// [`Misfit`]
    pub fn check(&self, enrolment: &Enrolment) -> Result<(), Misfit> {
        if !enrolment.parties_are_distinct() {
            return Err(Misfit::NotDistinct);
        }
        if enrolment.agent_node.id != NodeId::from(enrolment.agent.clone()) {
            return Err(Misfit::AgentNodeName(enrolment.agent.clone()));
        }
        let own = &enrolment.agent_node;
        if self.house.values().any(|node| node.id == own.id || node.signing == own.signing) {
            return Err(Misfit::AgentIsHouse(own.id.clone()));
        }
        for (party, role) in
            [(Party::Operator, HouseRole::Operator), (Party::Recovery, HouseRole::Recovery)]
        {
            let keys = enrolment.keys(party);
            let configured = self
                .house
                .get(&keys.id)
                .is_some_and(|node| node.role == role && node.signing == keys.signing);
            if !configured {
                return Err(Misfit::UnknownNode { node: keys.id.clone(), party });
            }
        }
        Ok(())
    }

    /// Takes an enrolment in that the store has taken.
    pub fn put_enrolment(&self, enrolment: Signed<Enrolment>) {
        let mut agents = self.agents.write().unwrap_or_else(PoisonError::into_inner);
        let id = enrolment.document.agent.clone();
        let freeze = agents.get(&id).and_then(|record| record.freeze.clone());
        agents.insert(id, AgentRecord { enrolment, freeze, aux: None });
    }

    /// Takes a freeze in that the store has taken. Two that the store took one after the other may
    /// come here in another order.
    pub fn put_freeze(&self, freeze: Signed<Freeze>) {
        let agent = freeze.document.agent.clone();
        self.change(&agent, |record| {
            let held = record.freeze.as_ref();
            if held.is_none_or(|held| freeze.document.supersedes(&held.document)) {
                record.freeze = Some(freeze);
            }
        });
    }

    /// Takes in that a group has aux info.
    pub fn put_aux(&self, agent: &AgentId, aux: ContentHash) {
        self.change(agent, |record| record.aux = Some(aux));
    }
}

impl AgentKeys for Directory {
    fn agent_key(&self, agent: &AgentId) -> Option<Ed25519PublicKey> {
        self.read().get(agent).map(|record| record.enrolment.document.agent_node.signing)
    }
}
