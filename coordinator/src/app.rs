//! What every part of a running coordinator shares.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tercet_api::relay::ToNode;
use tercet_api::resource::ProgressView;
use tercet_policy::chain::Chain;
use tercet_policy::document::{Authority, ContentHash, RequestId};
use tercet_policy::party::{AgentId, NodeId};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clerk::Clerk;
use crate::clock::Clock;
use crate::config::{Config, Limits, ReadToken};
use crate::crash::CrashPlan;
use crate::directory::Directory;
use crate::heads::Heads;
use crate::payment::book::SharedBook;
use crate::payment::lookout::Lookout;
use crate::payment::running::Running;
use crate::relay::Relay;
use crate::replay::Replays;
use crate::restock::Restocking;
use crate::shelf::{self, Shelf};
use crate::store::{Store, StoreError};

/// A running coordinator. Cheap to clone.
#[derive(Clone, Debug)]
pub struct App(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    authority: Authority,
    read_tokens: Vec<ReadToken>,
    limits: Limits,
    store: Store,
    directory: Directory,
    shelf: Shelf,
    book: SharedBook,
    relay: Relay,
    replays: Replays,
    clerk: Arc<dyn Clerk>,
    clock: Clock,
    crash: CrashPlan,
    running: Running,
    lookout: Lookout,
    heads: Heads,
    restocking: Restocking,
    progress: Mutex<HashMap<RequestId, Vec<ProgressView>>>,
    requests: Arc<Semaphore>,
    payments: Arc<Semaphore>,
    ceremonies: Arc<Semaphore>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// What a coordinator is made of, beside its configuration.
#[derive(Debug)]
pub struct Parts {
    /// The store.
    pub store: Store,
    /// The chains.
    pub clerk: Arc<dyn Clerk>,
    /// The clock.
    pub clock: Clock,
    /// Where to die, if anywhere.
    pub crash: CrashPlan,
}

impl App {
    /// Puts a coordinator together and reads who is known.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn new(config: &Config, parts: Parts) -> Result<Self, StoreError> {
        let directory = Directory::new(&config.nodes, parts.store.agents().await?);
        let shelf = Shelf::load(&parts.store, &config.authority).await?;
        let book = SharedBook::load(&parts.store, &shelf, parts.clock.now()).await?;
        Ok(Self(Arc::new(Shared {
            authority: config.authority.clone(),
            read_tokens: config.read_tokens.clone(),
            limits: config.limits,
            store: parts.store,
            directory,
            shelf,
            book,
            relay: Relay::default(),
            replays: Replays::default(),
            clerk: parts.clerk,
            clock: parts.clock,
            crash: parts.crash,
            running: Running::default(),
            lookout: Lookout::default(),
            heads: Heads::default(),
            restocking: Restocking::default(),
            progress: Mutex::default(),
            requests: Arc::new(Semaphore::new(config.limits.requests_in_flight_max)),
            payments: Arc::new(Semaphore::new(config.limits.payments_in_flight_max)),
            ceremonies: Arc::new(Semaphore::new(config.limits.ceremonies_max)),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        })))
    }

    /// The authority that is pinned here.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.0.authority
    }

    /// Tokens for read-only views.
    #[must_use]
    pub fn read_tokens(&self) -> &[ReadToken] {
        &self.0.read_tokens
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.0.limits
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Who is known.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.0.directory
    }

    /// The documents that payments are judged by.
    #[must_use]
    pub fn shelf(&self) -> &Shelf {
        &self.0.shelf
    }

    /// What was spent, as the preview sees it.
    #[must_use]
    pub fn book(&self) -> &SharedBook {
        &self.0.book
    }

    /// The relay.
    #[must_use]
    pub fn relay(&self) -> &Relay {
        &self.0.relay
    }

    /// When the chain is looked at.
    #[must_use]
    pub fn lookout(&self) -> &Lookout {
        &self.0.lookout
    }

    /// What nodes said and is not stored yet.
    #[must_use]
    pub fn heads(&self) -> &Heads {
        &self.0.heads
    }

    /// The sessions that make presignatures.
    #[must_use]
    pub fn restocking(&self) -> &Restocking {
        &self.0.restocking
    }

    /// Nonces of requests.
    #[must_use]
    pub fn replays(&self) -> &Replays {
        &self.0.replays
    }

    /// The chains.
    #[must_use]
    pub fn clerk(&self) -> &dyn Clerk {
        self.0.clerk.as_ref()
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Where to die, if anywhere.
    #[must_use]
    pub fn crash(&self) -> CrashPlan {
        self.0.crash
    }

    /// The payments that are being driven.
    #[must_use]
    pub fn running(&self) -> &Running {
        &self.0.running
    }

    /// What the parties of open ceremonies are doing.
    #[must_use]
    pub fn progress(&self) -> &Mutex<HashMap<RequestId, Vec<ProgressView>>> {
        &self.0.progress
    }

    /// Places for requests.
    #[must_use]
    pub fn request_places(&self) -> Arc<Semaphore> {
        Arc::clone(&self.0.requests)
    }

    /// Places for payments that are being taken in or signed in one round trip.
    #[must_use]
    pub fn payment_places(&self) -> Arc<Semaphore> {
        Arc::clone(&self.0.payments)
    }

    /// Places for ceremonies.
    #[must_use]
    pub fn ceremony_places(&self) -> Arc<Semaphore> {
        Arc::clone(&self.0.ceremonies)
    }

    /// Work that goes on beside requests.
    #[must_use]
    pub fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    /// Cancelled when the coordinator stops.
    #[must_use]
    pub fn stop(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// Whether a chain is configured.
    #[must_use]
    pub fn has_chain(&self, chain: Chain) -> bool {
        self.clerk().chains().contains(&chain)
    }

    /// Remembers that a node was heard, and its journal's head where it said one.
    pub fn hear(&self, node: &NodeId, head: Option<(u64, ContentHash)>) {
        self.heads().hear(node, head, self.clock().now());
    }

    /// The documents of every group that a node is in: enrolments first, then what judges all.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn documents_for(&self, node: &NodeId) -> Result<Vec<ToNode>, StoreError> {
        let records = self.directory().agents_of(node);
        let mut documents = Vec::new();
        let mut agents = std::collections::BTreeSet::new();
        for record in records {
            agents.insert(record.enrolment.document.agent.clone());
            documents.push(ToNode::Enrolment { document: record.enrolment });
            documents.extend(record.freeze.map(|document| ToNode::Freeze { document }));
        }
        if agents.is_empty() {
            return Ok(documents);
        }
        let policies = self.store().policies_in_force().await?;
        let theirs = policies
            .into_iter()
            .filter(|policy| policy.agent.as_ref().is_none_or(|agent| agents.contains(agent)));
        for policy in theirs {
            let grounds = shelf::grounds(self.store(), &policy, self.authority()).await?;
            let all = grounds.into_iter().chain([policy.document]);
            documents.extend(all.map(|document| ToNode::Policy { document }));
        }
        let registry = self.store().registry().await?;
        documents.extend(registry.map(|r| ToNode::Registry { document: r.document }));
        // Last, as they are judged by what came before.
        let reports = self.store().reports_not_taken(&self.directory().operated_by(node)).await?;
        documents.extend(reports.into_iter().map(|r| ToNode::Report { document: r.document }));
        Ok(documents)
    }

    /// Sends a document to the three nodes of a group, those that are connected.
    pub fn push(&self, agent: &AgentId, document: &ToNode) {
        let Some(record) = self.directory().agent(agent) else { return };
        for party in tercet_policy::party::Party::ALL {
            let node = &record.enrolment.document.keys(party).id;
            // A node that is away gets it when it connects.
            let _ = self.relay().send(node, document.clone());
        }
    }

    /// Sends a document to every node of every group that is connected, once to each.
    pub fn push_to_all(&self, document: &ToNode) {
        for node in self.relay().connected() {
            if !self.directory().agents_of(&node).is_empty() {
                let _ = self.relay().send(&node, document.clone());
            }
        }
    }
}
