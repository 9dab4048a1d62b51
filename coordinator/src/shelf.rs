//! The documents that payments are judged by, in memory beside the store: the policies in force
//! and the counterparty registry.
//!
//! Promises: what is here was opened with the quorum of the authority that is pinned now.
//!
//! Refuses: to leave a stored document out because it does not open any more (another authority,
//! a file that this version does not understand). Whoever it would judge is refused until a newer
//! one is put in its place: leaving it out could allow what it forbids.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use alloy_primitives::Address;
use tercet_policy::document::Authority;
use tercet_policy::party::AgentId;
use tercet_policy::registry::AuthenticRegistry;
use tercet_policy::rows::PolicyEpochs;
use tercet_policy::rules::{AuthenticPolicy, Policy, PolicySet};
use tercet_policy::subject::Subject;

use crate::store::{PolicyRecord, RegistryRecord, Store, StoreError};

/// The documents in force.
#[derive(Debug, Default)]
pub struct Shelf(RwLock<Inner>);

#[derive(Debug, Default)]
struct Inner {
    policies: BTreeMap<Subject, Arc<AuthenticPolicy>>,
    registry: Option<Arc<AuthenticRegistry>>,
    unreadable: BTreeSet<Unreadable>,
    /// Made when they are first asked for, and again after a change.
    sets: BTreeMap<AgentId, Arc<PolicySet>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unreadable {
    Policy(Subject),
    Registry,
}

/// What a wallet's payments are judged by.
#[derive(Clone, Debug)]
pub struct Judges {
    /// The policies.
    pub policies: Arc<PolicySet>,
    /// The registry, if there is one.
    pub registry: Option<Arc<AuthenticRegistry>>,
}

impl Judges {
    /// The epochs by which payments of this wallet are judged.
    #[must_use]
    pub fn epochs(&self, wallet: Address) -> PolicyEpochs {
        self.policies.epochs(&wallet, self.registry.as_ref().map(|registry| registry.epoch()))
    }
}

impl Shelf {
    /// Opens everything that is in force.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn load(store: &Store, authority: &Authority) -> Result<Self, StoreError> {
        let shelf = Self::default();
        let mut inner = shelf.write();
        let policies = store.policies_in_force().await;
        let registry = store.registry().await;
        policies?.into_iter().for_each(|record| inner.load_policy(record, authority));
        registry?.into_iter().for_each(|record| inner.load_registry(record, authority));
        drop(inner);
        Ok(shelf)
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a policy in that the store has taken.
    pub fn put_policy(&self, policy: AuthenticPolicy) {
        self.write().put_policy(policy);
    }

    /// Takes a registry in that the store has taken.
    pub fn put_registry(&self, registry: AuthenticRegistry) {
        let mut inner = self.write();
        inner.unreadable.remove(&Unreadable::Registry);
        inner.registry = Some(Arc::new(registry));
    }

    /// The registry in force.
    #[must_use]
    pub fn registry(&self) -> Option<Arc<AuthenticRegistry>> {
        self.read().registry.clone()
    }

    /// Shows every policy in force.
    pub fn each_policy(&self, mut each: impl FnMut(&Policy)) {
        self.read().policies.values().for_each(|policy| each(policy.policy()));
    }

    /// Everything that judges payments of this wallet of this agent; none where one of them
    /// cannot be read.
    #[must_use]
    pub fn judges(&self, agent: &AgentId, wallet: Address) -> Option<Judges> {
        let inner = self.read();
        if !inner.is_readable(agent, wallet) {
            return None;
        }
        let registry = inner.registry.clone();
        if let Some(policies) = inner.sets.get(agent) {
            return Some(Judges { policies: Arc::clone(policies), registry });
        }
        drop(inner);
        Some(Judges { policies: self.write().set(agent), registry })
    }
}

impl Shelf {
    /// The policies of an agent; none where one of its own or the organisation's cannot be read.
    #[must_use]
    pub fn policies_of(&self, agent: &AgentId) -> Option<Arc<PolicySet>> {
        let inner = self.read();
        let subjects = [Subject::Organisation, Subject::Agent(agent.clone())];
        let bad = |subject| inner.unreadable.contains(&Unreadable::Policy(subject));
        if subjects.into_iter().any(bad) {
            return None;
        }
        drop(inner);
        Some(self.write().set(agent))
    }
}

impl Inner {
    fn load_policy(&mut self, record: PolicyRecord, authority: &Authority) {
        match record.document.open_policy(authority) {
            Ok(policy) => self.put_policy(policy),
            Err(error) => {
                let subject = record.subject;
                tracing::error!(%subject, %error, "a stored policy does not open; put a newer one");
                self.unreadable.insert(Unreadable::Policy(subject));
            }
        }
    }

    fn load_registry(&mut self, record: RegistryRecord, authority: &Authority) {
        match record.document.open_registry(authority) {
            Ok(registry) => self.registry = Some(Arc::new(registry)),
            Err(error) => {
                tracing::error!(%error, "the stored registry does not open; put a newer one");
                self.unreadable.insert(Unreadable::Registry);
            }
        }
    }

    fn put_policy(&mut self, policy: AuthenticPolicy) {
        let subject = policy.subject().clone();
        match policy.agent() {
            Some(agent) => drop(self.sets.remove(agent)),
            None => self.sets.clear(),
        }
        self.unreadable.remove(&Unreadable::Policy(subject.clone()));
        self.policies.insert(subject, Arc::new(policy));
    }

    fn is_readable(&self, agent: &AgentId, wallet: Address) -> bool {
        let subjects =
            [Subject::Organisation, Subject::Agent(agent.clone()), Subject::Wallet(wallet)];
        let bad = |subject| self.unreadable.contains(&Unreadable::Policy(subject));
        !(subjects.into_iter().any(bad) || self.unreadable.contains(&Unreadable::Registry))
    }

    fn set(&mut self, agent: &AgentId) -> Arc<PolicySet> {
        if let Some(set) = self.sets.get(agent) {
            return Arc::clone(set);
        }
        let applies = |policy: &&Arc<AuthenticPolicy>| policy.agent().is_none_or(|a| a == agent);
        let policies = self.policies.values().filter(applies).cloned();
        let set = Arc::new(policies.fold(PolicySet::default(), PolicySet::with));
        self.sets.insert(agent.clone(), Arc::clone(&set));
        set
    }
}
