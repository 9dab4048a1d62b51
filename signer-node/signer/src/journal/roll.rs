//! Whom this node knows: the documents in force, the agents that a rule stopped, and the wallets.
//!
//! Promises: of each kind of document and each subject the one with the highest epoch seen, opened
//! with the authority that is pinned now. A document that this authority did not sign keeps its
//! epoch and loses its force: no enrolment, no payment under that policy, and a freeze that stays.

use std::sync::Arc;

use alloy_primitives::Address;
use rpds::RedBlackTreeMapSync;
use tercet_policy::document::{Authority, Ed25519PublicKey, Enrolment, Freeze, RequestId, Signed};
use tercet_policy::intent::AgentKeys;
use tercet_policy::party::AgentId;
use tercet_policy::registry::{AuthenticRegistry, RegistryError, SignedRegistry};
use tercet_policy::rows::TripRow;
use tercet_policy::rules::{AuthenticPolicy, Policy, PolicyPin as Pin, PolicySet, SignedPolicy};
use tercet_policy::subject::Subject;

use super::error::JournalError;
use super::state::OpenedPolicy;

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
    /// That document as it was signed, whoever is believed today.
    pub(super) freeze_signed: Option<Freeze>,
    pub(super) trip: Option<TripRow>,
}

/// A wallet of which this node holds a share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletOf {
    /// Whose it is.
    pub agent: AgentId,
    /// The request it was made for.
    pub request: RequestId,
}

/// A snapshot of documents and wallets. Cheap to hold; it does not change. What comes after it
/// shares with it all that stayed, so that a change costs the same beside ten wallets and ten
/// thousand.
#[derive(Clone, Debug, Default)]
pub struct Roll {
    agents: RedBlackTreeMapSync<AgentId, Known>,
    pub(super) policies: RedBlackTreeMapSync<Subject, Pinned<AuthenticPolicy>>,
    pub(super) registry: Option<Pinned<AuthenticRegistry>>,
    wallets: RedBlackTreeMapSync<Address, WalletOf>,
    /// The first wallet of each agent: enough to know that it has one.
    first_wallets: RedBlackTreeMapSync<AgentId, Address>,
    requests: RedBlackTreeMapSync<RequestId, Address>,
    pub(super) stopped: RedBlackTreeMapSync<Address, String>,
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

    /// The rule that stopped an agent, until it is thawed ([`TripRow::holds`]).
    #[must_use]
    pub fn tripped(&self, agent: &AgentId) -> Option<&TripRow> {
        self.last_trip(agent).filter(|trip| trip.holds(self.freeze(agent)))
    }

    /// Every agent that a rule stopped and nobody has thawed.
    pub fn all_tripped(&self) -> impl Iterator<Item = &TripRow> {
        self.agents.keys().filter_map(|agent| self.tripped(agent))
    }

    /// Why an agent is stopped, by the authority or by a rule, if it is.
    #[must_use]
    pub fn stop_of(&self, agent: &AgentId) -> Option<&str> {
        let frozen = self.freeze(agent).filter(|freeze| freeze.frozen);
        let tripped = self.tripped(agent).map(|trip| trip.reason.as_str());
        frozen.map(|freeze| freeze.reason.as_str()).or(tripped)
    }

    /// The policy of a subject.
    #[must_use]
    pub fn policy(&self, subject: &Subject) -> Option<&Arc<AuthenticPolicy>> {
        self.policies.get(subject)?.in_force.as_ref()
    }

    /// All policies that judge payments of an agent's wallet. None where one of them is held and
    /// not in force: what it forbade is not known, so it forbids everything.
    #[must_use]
    pub fn policies_for(&self, agent: &AgentId, wallet: &Address) -> Option<PolicySet> {
        let subjects =
            [Subject::Organisation, Subject::Agent(agent.clone()), Subject::Wallet(*wallet)];
        let held = subjects.iter().filter_map(|subject| self.policies.get(subject));
        held.map(|held| held.in_force.clone())
            .try_fold(PolicySet::default(), |set, policy| Some(set.with(policy?)))
    }

    /// Who is who, as the authority says.
    #[must_use]
    pub fn registry(&self) -> Option<&AuthenticRegistry> {
        self.registry.as_ref()?.in_force.as_deref()
    }

    /// What is known of a wallet.
    #[must_use]
    pub fn wallet(&self, wallet: &Address) -> Option<&WalletOf> {
        self.wallets.get(wallet)
    }

    /// The wallet that was made for a request: the same request twice makes one wallet.
    #[must_use]
    pub fn wallet_for(&self, request: &RequestId) -> Option<Address> {
        self.requests.get(request).copied()
    }

    /// Whether an agent has a wallet here.
    #[must_use]
    pub fn has_wallet_of(&self, agent: &AgentId) -> bool {
        self.first_wallets.contains_key(agent)
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

    pub(super) fn add_wallet(&mut self, wallet: Address, of: WalletOf) {
        if !self.has_wallet_of(&of.agent) {
            self.first_wallets.insert_mut(of.agent.clone(), wallet);
        }
        if !self.requests.contains_key(&of.request) {
            self.requests.insert_mut(of.request, wallet);
        }
        self.wallets.insert_mut(wallet, of);
    }

    /// The wallets for which signing is stopped, with why.
    pub fn all_stopped(&self) -> impl Iterator<Item = (&Address, &String)> {
        self.stopped.iter()
    }

    /// Changes what is known of an agent.
    pub(super) fn change<T>(&mut self, agent: &AgentId, change: impl FnOnce(&mut Known) -> T) -> T {
        let mut known = self.agents.get(agent).cloned().unwrap_or_default();
        let changed = change(&mut known);
        self.agents.insert_mut(agent.clone(), known);
        changed
    }

    /// The last rule that stopped an agent, thawed since or not.
    pub(super) fn last_trip(&self, agent: &AgentId) -> Option<&TripRow> {
        self.agents.get(agent)?.trip.as_ref()
    }

    /// Opens a policy as what follows the one of its subject that is held here: a stricter one
    /// takes one key of the authority, any other its quorum.
    pub(super) fn open_policy(
        &self,
        signed: SignedPolicy,
        authority: &Authority,
    ) -> Result<OpenedPolicy, JournalError> {
        // Read unopened to find the one held; what counts is read again once it is opened.
        let subject = Policy::parse(&signed.document.yaml)?.subject().clone();
        let held = self.policy(&subject).map(|held| held.policy());
        let opened = signed.open_policy_after(authority, held)?;
        let after = self.policies.get(&subject).map(|held| held.pin);
        let policy = Pinned { pin: opened.pin(), in_force: Some(Arc::new(opened)) };
        Ok(OpenedPolicy { policy, after })
    }

    /// A wallet's policy has to be for a wallet that is here, and for the agent that owns it.
    pub(super) fn check_wallet(&self, policy: &AuthenticPolicy) -> Result<(), JournalError> {
        let Subject::Wallet(wallet) = *policy.subject() else { return Ok(()) };
        let Some(of) = self.wallet(&wallet) else {
            return Err(JournalError::NoSuchWallet { wallet });
        };
        if policy.agent() == Some(&of.agent) {
            return Ok(());
        }
        Err(JournalError::WalletOfAnother { wallet, agent: of.agent.clone() })
    }
}

impl AgentKeys for Roll {
    /// The signing key of the agent's own node.
    fn agent_key(&self, agent: &AgentId) -> Option<Ed25519PublicKey> {
        self.enrolment(agent).map(|enrolment| enrolment.agent_node.signing)
    }
}

/// Pins a document, if it is newer than the one held.
pub(super) fn put<T>(
    kind: &'static str,
    subject: &Subject,
    held: &mut Option<Pinned<T>>,
    new: Pinned<T>,
) -> Result<bool, JournalError> {
    let is_news = is_news(kind, subject, held.as_ref(), new.pin)?;
    if is_news {
        *held = Some(new);
    }
    Ok(is_news)
}

/// Pins a freeze or a thaw, if it is newer than the one held, or a freeze where a thaw of the same
/// epoch came first.
pub(super) fn put_freeze(
    known: &mut Known,
    signed: &Freeze,
    new: Pinned<Freeze>,
) -> Result<bool, JournalError> {
    let is_news = if known.freeze_signed.as_ref().is_some_and(|held| signed.supersedes(held)) {
        known.freeze = Some(new);
        true
    } else {
        put("freeze", &Subject::Agent(signed.agent.clone()), &mut known.freeze, new)?
    };
    if is_news {
        known.freeze_signed = Some(signed.clone());
    }
    Ok(is_news)
}

/// Whether a document brings something new, where `held` is pinned.
fn is_news<T>(
    kind: &'static str,
    subject: &Subject,
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
    Err(JournalError::OldEpoch { kind, subject: subject.clone(), pinned, offered })
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

pub(super) fn open_registry(
    signed: SignedRegistry,
    authority: &Authority,
) -> Result<Pinned<AuthenticRegistry>, RegistryError> {
    let opened = signed.open_registry(authority)?;
    let pin = Pin { epoch: opened.epoch(), content_hash: opened.content_hash() };
    Ok(Pinned { pin, in_force: Some(Arc::new(opened)) })
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
