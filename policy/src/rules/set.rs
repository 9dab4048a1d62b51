//! The policies of one agent: its own, its wallets' and its organisation's.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::Address;

use crate::rows::PolicyEpochs;
use crate::rules::{AuthenticPolicy, Policy};
use crate::subject::Subject;

/// The policies that may apply to an agent's payments. All that apply are asked, and deny wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicySet {
    organisation: Option<Arc<AuthenticPolicy>>,
    agent: Option<Arc<AuthenticPolicy>>,
    wallets: BTreeMap<Address, Arc<AuthenticPolicy>>,
}

impl PolicySet {
    /// A set with this policy too; it takes the place of one with the same subject.
    #[must_use]
    pub fn with(mut self, policy: Arc<AuthenticPolicy>) -> Self {
        match *policy.subject() {
            Subject::Organisation => self.organisation = Some(policy),
            Subject::Agent(_) => self.agent = Some(policy),
            Subject::Wallet(wallet) => {
                self.wallets.insert(wallet, policy);
            }
        }
        self
    }

    /// All policies of the set, the widest first.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        let all = [&self.organisation, &self.agent].into_iter().flatten();
        all.chain(self.wallets.values()).map(|policy| policy.policy())
    }

    /// The policies that judge payments of this wallet, the widest first.
    #[must_use]
    pub fn applying(&self, wallet: &Address) -> Vec<&Policy> {
        let all = [&self.organisation, &self.agent].into_iter().flatten();
        all.chain(self.wallets.get(wallet)).map(|policy| policy.policy()).collect()
    }

    /// Whether the agent has a policy for this wallet that is not everybody's.
    #[must_use]
    pub fn has_own(&self, wallet: &Address) -> bool {
        self.agent.is_some() || self.wallets.contains_key(wallet)
    }

    /// The epochs by which payments of this wallet are judged.
    #[must_use]
    pub fn epochs(&self, wallet: &Address, registry: Option<u64>) -> PolicyEpochs {
        let epoch = |policy: Option<&Arc<AuthenticPolicy>>| policy.map(|policy| policy.epoch());
        PolicyEpochs {
            organisation: epoch(self.organisation.as_ref()),
            agent: epoch(self.agent.as_ref()),
            wallet: epoch(self.wallets.get(wallet)),
            registry,
        }
    }
}
