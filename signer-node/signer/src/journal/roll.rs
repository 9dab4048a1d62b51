//! Whom this node knows: the documents in force, and the wallets.
//!
//! Promises: of each kind of document the one with the highest epoch seen, opened with the
//! authority that is pinned now. A document that this authority did not sign keeps its epoch and
//! loses its force: no enrolment, no policy, and a freeze that stays.

use std::collections::BTreeMap;
use std::sync::Arc;

use alloy_primitives::Address;
use tercet_policy::document::{Authority, Ed25519PublicKey, Enrolment, Freeze, RequestId, Signed};
use tercet_policy::intent::AgentKeys;
use tercet_policy::party::AgentId;
use tercet_policy::rules::{AuthenticPolicy, PolicyPin as Pin, SignedPolicy};

use super::error::JournalError;

/// A document of which the epoch is pinned.
#[derive(Clone, Debug)]
pub(super) struct Pinned<T> {
    pub(super) pin: Pin,
    /// None if the authority pinned now did not sign it.
    pub(super) in_force: Option<Arc<T>>,
}

/// What is known of one agent.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) enrolment: Option<Pinned<Enrolment>>,
    pub(super) freeze: Option<Pinned<Freeze>>,
    pub(super) policy: Option<Pinned<AuthenticPolicy>>,
}

/// A wallet of which this node holds a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletOf {
    /// Whose it is.
    pub agent: AgentId,
    /// The request it was made for.
    pub request: RequestId,
}

/// A snapshot of documents and wallets. Cheap to hold; it does not change.
#[derive(Clone, Debug, Default)]
pub struct Roll {
    pub(super) agents: BTreeMap<AgentId, Known>,
    pub(super) wallets: BTreeMap<Address, WalletOf>,
    pub(super) stopped: BTreeMap<Address, String>,
}

impl Roll {
    /// The enrolment of an agent.
    #[must_use]
    pub fn enrolment(&self, agent: &AgentId) -> Option<&Enrolment> {
        self.agents.get(agent)?.enrolment.as_ref()?.in_force.as_deref()
    }

    /// The latest freeze or unfreeze of an agent.
    #[must_use]
    pub fn freeze(&self, agent: &AgentId) -> Option<&Freeze> {
        self.agents.get(agent)?.freeze.as_ref()?.in_force.as_deref()
    }

    /// The policy of an agent.
    #[must_use]
    pub fn policy(&self, agent: &AgentId) -> Option<&Arc<AuthenticPolicy>> {
        self.agents.get(agent)?.policy.as_ref()?.in_force.as_ref()
    }

    /// Every agent of which there is any document.
    pub fn agents(&self) -> impl Iterator<Item = &AgentId> {
        self.agents.keys()
    }

    /// What is known of a wallet.
    #[must_use]
    pub fn wallet(&self, wallet: &Address) -> Option<&WalletOf> {
        self.wallets.get(wallet)
    }

    /// The wallet that was made for a request: the same request twice makes one wallet.
    #[must_use]
    pub fn wallet_for(&self, request: &RequestId) -> Option<Address> {
        self.wallets.iter().find(|(_, of)| of.request == *request).map(|(wallet, _)| *wallet)
    }

    /// All wallets, in order of address.
    pub fn wallets(&self) -> impl Iterator<Item = (&Address, &WalletOf)> {
        self.wallets.iter()
    }

    /// Why signing for a wallet is stopped, if it is.
    #[must_use]
    pub fn stopped(&self, wallet: &Address) -> Option<&str> {
        self.stopped.get(wallet).map(String::as_str)
    }

    pub(super) fn known(&mut self, agent: &AgentId) -> &mut Known {
        self.agents.entry(agent.clone()).or_default()
    }
}

impl AgentKeys for Roll {
    /// The signing key of the agent's own node.
    fn agent_key(&self, agent: &AgentId) -> Option<Ed25519PublicKey> {
        self.enrolment(agent).map(|enrolment| enrolment.agent_node.signing)
    }
}

/// Whether a document brings something new, where `held` is pinned.
pub(super) fn is_news<T>(
    kind: &'static str,
    agent: &AgentId,
    held: Option<&Pinned<T>>,
    offered: Pin,
) -> Result<bool, JournalError> {
    let Some(held) = held.map(|held| held.pin) else { return Ok(true) };
    if offered.epoch > held.epoch {
        return Ok(true);
    }
    if offered == held {
        return Ok(false);
    }
    let (pinned, offered) = (held.epoch, offered.epoch);
    Err(JournalError::OldEpoch { kind, agent: agent.clone(), pinned, offered })
}

pub(super) fn open_enrolment(
    signed: Signed<Enrolment>,
    authority: &Authority,
) -> Result<Pinned<Enrolment>, JournalError> {
    let opened = signed.open(authority)?;
    if !opened.parties_are_distinct() {
        return Err(JournalError::PartiesNotDistinct { agent: opened.agent.clone() });
    }
    let pin = Pin { epoch: opened.epoch, content_hash: opened.content_hash() };
    Ok(Pinned { pin, in_force: Some(Arc::new(opened.into_document())) })
}

pub(super) fn open_freeze(
    signed: Signed<Freeze>,
    authority: &Authority,
) -> Result<Pinned<Freeze>, JournalError> {
    let opened = signed.open_freeze(authority)?;
    let pin = Pin { epoch: opened.epoch, content_hash: opened.content_hash() };
    Ok(Pinned { pin, in_force: Some(Arc::new(opened.into_document())) })
}

pub(super) fn open_policy(
    signed: SignedPolicy,
    authority: &Authority,
) -> Result<Pinned<AuthenticPolicy>, JournalError> {
    let opened = signed.open_policy(authority)?;
    Ok(Pinned { pin: opened.pin(), in_force: Some(Arc::new(opened)) })
}

/// What stands in for a freeze or an unfreeze that the pinned authority did not sign: stopping
/// is the safe side.
pub(super) fn still_frozen(of: &Freeze) -> Freeze {
    Freeze {
        frozen: true,
        reason: "the last freeze document is not signed by the authority pinned here".to_owned(),
        ..of.clone()
    }
}
