//! The documents that payments are judged by, in memory beside the store: the policies in force
//! and the counterparty registry.
//!
//! Promises: what is here was opened with the authority that is pinned now: with its quorum, or
//! with one of its keys where a policy only tightens the one before it.
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
use tercet_policy::rules::{AuthenticPolicy, Policy, PolicySet, SignedPolicy};
use tercet_policy::subject::Subject;

use crate::store::{PolicyRecord, PolicyWish, RegistryRecord, Store, StoreError};

/// What a policy stands on that fewer than the quorum signed, because it only tightens what was in
/// force: the last one before it that the quorum signed, and those in between, oldest first.
///
/// # Errors
/// [`StoreError`]
pub async fn grounds(
    store: &Store,
    record: &PolicyRecord,
    authority: &Authority,
) -> Result<Vec<SignedPolicy>, StoreError> {
    let by_quorum = |document: &SignedPolicy| document.clone().open_policy(authority).is_ok();
    if by_quorum(&record.document) {
        return Ok(Vec::new());
    }
    let subject = Some(record.subject.clone());
    let wish = PolicyWish { subject, limit: i64::MAX, ..PolicyWish::default() };
    let mut grounds = Vec::new();
    for placed in store.policies(&wish).await? {
        let document = placed.record.document;
        if placed.record.epoch >= record.epoch {
            continue;
        }
        let last = by_quorum(&document);
        grounds.push(document);
        if last {
            break;
        }
    }
    grounds.reverse();
    Ok(grounds)
}

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
        let mut inner = Inner::default();
        let registry = store.registry().await?;
        for record in store.policies_in_force().await? {
            let grounds = grounds(store, &record, authority).await?;
            inner.load_policy(record, &grounds, authority);
        }
        registry.into_iter().for_each(|record| inner.load_registry(record, authority));
        Ok(Self(RwLock::new(inner)))
    }

    /// The policy in force for a subject.
    #[must_use]
    pub fn policy(&self, subject: &Subject) -> Option<Arc<AuthenticPolicy>> {
        self.read().policies.get(subject).cloned()
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
    fn load_policy(
        &mut self,
        record: PolicyRecord,
        grounds: &[SignedPolicy],
        authority: &Authority,
    ) {
        let mut held: Option<AuthenticPolicy> = None;
        for before in grounds {
            let after = held.as_deref();
            held = before.clone().open_policy_after(authority, after).ok().or(held);
        }
        match record.document.open_policy_after(authority, held.as_deref()) {
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
