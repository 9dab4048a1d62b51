//! The only door to a share.
//!
//! Promises: a share is used for a payment only after this node has opened the agent's intent by
//! itself, compared the courier's claim with it, judged it by its own rules and records, and made
//! the record durable; for a ceremony only when the enrolled agent or the authority's documents
//! ask for it. What a peer must prove, it proved under its pinned key. After a bug of ours
//! everything is refused until the node is started anew.
//! Refuses: agents of others (an agent's node serves its own agent alone), payments at the
//! recovery node, wallets whose sessions failed by a peer's proof [`PROOF_FAILURES_MAX`] times.
//! Does not protect against: two nodes of one group in one hand.
//!
//! ```text
//! envelope --open--> intent --assemble--> proposal --admit--> reserved --> payload --sign--> payment
//!            roll             claim                 journal                  session
//! ```

mod budget;
mod ceremony;
mod crash;
mod documents;
mod error;
#[cfg(feature = "insecure-dealer")]
mod insecure_dealer;
mod meeting;
mod outcome;
mod part;
mod payment;
mod peers;
mod presign;
mod primes;
mod session_key;
mod stocking;
mod submission;
mod tally;

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock};

use alloy_primitives::Address;
use tercet_policy::document::{Authority, ContentHash, Enrolment, NodeKeys};
use tercet_policy::party::{AgentId, Party};
use tercet_policy::rows::TripRow;
use tercet_policy::rules::Policy;
use tercet_policy::time::UnixSeconds;

pub use self::budget::PROOF_FAILURES_MAX;
pub use self::ceremony::{Ceremony, CeremonyStep, MadeWallet, Report};
pub use self::crash::CrashPoint;
pub use self::documents::{InstallError, slip_of};
pub use self::error::{Culprit, Failure, GateError};
pub use self::part::{Joined, PartRequest, PendingPayment, SealedPart};
pub use self::payment::{SignRequest, SignedPayment};
pub use self::presign::{PRESIGN_RUNS_MAX, PresignRequest};
pub use self::session_key::SessionAsk;
pub use self::submission::{BALANCE_MS_MAX, ReadBalance};
pub use self::tally::{REASONS_MAX, Tally};

use self::budget::Budget;
use self::peers::Peers;
use self::session_key::SessionKeys;
use self::tally::Tallies;
use crate::home::Home;
use crate::identity::NodeIdentity;
use crate::journal::{Head, Journal, JournalError, Pins, Roll};
use crate::kek::Kek;
use crate::stock::Stock;
use crate::tss::{ThreadLimits, Threads};
use crate::vault::{Vault, VaultError};

/// What a signer is put together from.
pub struct SignerParts {
    /// Which of the three it is.
    pub role: Party,
    /// Its home, locked.
    pub home: Home,
    /// The key of the home's sealed files.
    pub kek: Kek,
    /// Its keys.
    pub identity: Arc<NodeIdentity>,
    /// Who signs enrolments, freezes and policies.
    pub authority: Authority,
    /// Policies of this node's own: all that apply to a payment are asked too, and must approve it.
    pub own_policies: Vec<Policy>,
    /// Tells what wallets hold; without it no rule that looks at a balance is kept.
    pub balances: Option<Arc<dyn ReadBalance>>,
    /// Where the process aborts, for tests of what survives that.
    pub crash_at: Option<CrashPoint>,
}

/// Why a signer was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The journal is missing, damaged, or older than the shares.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A sealed file cannot be used.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// A wallet this node holds a share of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldWallet {
    /// Its address.
    pub address: Address,
    /// Whose it is.
    pub agent: AgentId,
    /// Why signing for it is stopped, if it is.
    pub stopped: Option<String>,
    /// How many payments of it could be signed in one round trip now.
    pub presignatures: usize,
}

/// One holder's door. Shared by all sessions of a node.
pub struct Signer {
    role: Party,
    identity: Arc<NodeIdentity>,
    authority: Authority,
    vault: Arc<Vault>,
    journal: Journal,
    own_policies: Vec<Policy>,
    balances: Option<Arc<dyn ReadBalance>>,
    threads: Threads,
    budget: Budget,
    peers: Peers,
    stock: Mutex<Stock>,
    /// Held while parameters or a share are put on disk, for each looks at the other first.
    keeping: tokio::sync::Mutex<()>,
    crash_at: Option<CrashPoint>,
    tallies: Tallies,
    session_keys: Mutex<SessionKeys>,
    bug: OnceLock<String>,
    journal_fault: OnceLock<String>,
    /// The search takes every core, so groups take turns.
    searching_primes: Arc<tokio::sync::Semaphore>,
    /// The search ahead of need is one at a time, and gives way to the other.
    stocking_primes: tokio::sync::Mutex<()>,
}

impl Signer {
    /// Opens journal and shares, and checks that they belong together.
    ///
    /// # Errors
    /// [`OpenError`] for whatever makes the home unfit to sign by.
    pub async fn open(parts: SignerParts, now: UnixSeconds) -> Result<Self, OpenError> {
        let home = Arc::new(parts.home);
        let (authority, own_policies) = (parts.authority.clone(), parts.own_policies.clone());
        let pins = Pins { authority, own_policies };
        let journal = Journal::open(Arc::clone(&home), pins, now).await?;
        let vault = Vault::new(home, parts.kek, parts.role);
        vault.look_through()?;
        Ok(Self {
            role: parts.role,
            identity: parts.identity,
            authority: parts.authority,
            vault: Arc::new(vault),
            journal,
            own_policies: parts.own_policies,
            balances: parts.balances,
            threads: Threads::new(ThreadLimits::default()),
            budget: Budget::default(),
            peers: Peers::default(),
            stock: Mutex::default(),
            keeping: tokio::sync::Mutex::default(),
            crash_at: parts.crash_at,
            tallies: Tallies::default(),
            session_keys: Mutex::default(),
            bug: OnceLock::new(),
            journal_fault: OnceLock::new(),
            searching_primes: Arc::new(tokio::sync::Semaphore::new(1)),
            stocking_primes: tokio::sync::Mutex::default(),
        })
    }

    /// Opens every share and its group's parameters once, so that a damaged file is noticed at
    /// start. Blocks for some milliseconds a wallet.
    ///
    /// # Errors
    /// [`VaultError`] for the first that cannot be used.
    pub fn check_shares(&self) -> Result<(), VaultError> {
        let held = self.vault.wallets();
        let roll = self.journal.roll();
        let owned = |wallet: Address| roll.wallet(&wallet).map(|of| (wallet, of.agent.clone()));
        self.vault.check(&held.into_iter().filter_map(owned).collect::<Vec<_>>())
    }

    /// Which of the three this is.
    #[must_use]
    pub const fn role(&self) -> Party {
        self.role
    }

    /// The node's keys.
    #[must_use]
    pub const fn identity(&self) -> &Arc<NodeIdentity> {
        &self.identity
    }

    /// How far the journal goes.
    #[must_use]
    pub fn head(&self) -> Head {
        self.journal.head()
    }

    /// A handle that waits for the journal's head to move ([`Journal::head_moved`]).
    #[must_use]
    pub fn journal(&self) -> Journal {
        self.journal.clone()
    }

    /// The wallets of which this node has a share and a record.
    ///
    /// # Errors
    /// [`VaultError`] if the home cannot be looked into.
    pub fn wallets(&self) -> Result<Vec<HeldWallet>, VaultError> {
        let roll = self.journal.roll();
        let held = |address: Address| {
            let agent = roll.wallet(&address)?.agent.clone();
            let stopped = roll.stopped(&address).map(str::to_owned);
            let presignatures = self.presignatures(address);
            Some(HeldWallet { address, agent, stopped, presignatures })
        };
        Ok(self.vault.wallets().into_iter().filter_map(held).collect())
    }

    /// The agents that a rule of their policy stopped, and that nobody has thawed.
    #[must_use]
    pub fn tripped(&self) -> Vec<TripRow> {
        self.journal.roll().all_tripped().cloned().collect()
    }

    /// Hash of the parameters of an agent's group, if they were made.
    ///
    /// # Errors
    /// [`VaultError`] for parameters that cannot be opened.
    pub fn aux_hash(&self, agent: &AgentId) -> Result<Option<ContentHash>, VaultError> {
        self.vault.aux_hash(agent)
    }

    /// How many wallets there are here, at no cost.
    #[must_use]
    pub fn wallets_count(&self) -> usize {
        self.vault.wallets_count()
    }

    /// The wallets for which signing is stopped, and why.
    #[must_use]
    pub fn stopped(&self) -> Vec<(Address, String)> {
        let roll = self.journal.roll();
        roll.all_stopped().map(|(wallet, reason)| (*wallet, reason.clone())).collect()
    }

    /// Whose a wallet is, if it is known here.
    #[must_use]
    pub fn owner(&self, wallet: Address) -> Option<AgentId> {
        self.journal.roll().wallet(&wallet).map(|of| of.agent.clone())
    }

    /// Runs that compute now: for payments and new wallets, and such as give way to those.
    #[must_use]
    pub fn running(&self) -> (usize, usize) {
        self.threads.running()
    }

    /// What was refused and what failed since the start, by reason.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tallies.read()
    }

    /// The bug after which everything is refused, if there was one.
    #[must_use]
    pub fn bug(&self) -> Option<&str> {
        self.bug.get().map(String::as_str)
    }

    /// The fault of the journal after which nothing is admitted, if there was one.
    #[must_use]
    pub fn journal_fault(&self) -> Option<&str> {
        self.journal_fault.get().map(String::as_str)
    }

    /// Closes the journal. Sessions that still run are refused from now on.
    ///
    /// # Errors
    /// [`JournalError`] if the file did not close cleanly; every answered row is durable anyway.
    pub async fn close(&self) -> Result<(), JournalError> {
        self.journal.close().await
    }

    /// Ends once the home is free for another signer: after [`Signer::close`], when this signer and
    /// all of its sessions are gone.
    pub fn home_freed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.vault.home().freed()
    }

    /// The enrolment under which this node serves an agent.
    fn serving(&self, roll: &Roll, agent: &AgentId) -> Result<Enrolment, GateError> {
        let unknown = tercet_policy::refusal::Refusal::UnknownAgent { agent: agent.clone() };
        let enrolment = roll.enrolment(agent).ok_or(GateError::Refused(unknown))?;
        if enrolment.keys(self.role) == self.identity.public() {
            Ok(enrolment.clone())
        } else {
            Err(Failure::OtherKeysEnrolled { agent: agent.clone() }.into())
        }
    }

    fn refuse_after_bug(&self) -> Result<(), GateError> {
        match self.bug.get() {
            None => Ok(()),
            Some(bug) => Err(Failure::Halted { bug: bug.clone() }.into()),
        }
    }

    /// Marks the node as unfit if only a restart can help; hands the result on.
    fn mark_if_unfit<T>(&self, result: Result<T, GateError>) -> Result<T, GateError> {
        self.tallies.note(&result);
        let Err(GateError::Failed(failure)) = &result else { return result };
        // The first one stands.
        if failure.culprit() == Culprit::Bug {
            tracing::error!(%failure, "a bug: this node refuses until it is started anew");
            drop(self.bug.set(failure.to_string()));
        } else if failure.seals_the_journal() {
            tracing::error!(%failure, "the journal takes nothing until this node is started anew");
            drop(self.journal_fault.set(failure.to_string()));
        }
        result
    }

    fn crash_if(&self, point: CrashPoint) {
        if self.crash_at == Some(point) {
            point.abort();
        }
    }

    /// The public keys of the parties other than this one.
    fn peers_of(&self, enrolment: &Enrolment, parties: &[Party]) -> Vec<(Party, NodeKeys)> {
        let others = parties.iter().filter(|party| **party != self.role);
        others.map(|party| (*party, enrolment.keys(*party).clone())).collect()
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}, {})", self.role, self.identity.public().id)
    }
}

#[cfg(test)]
mod tests;
