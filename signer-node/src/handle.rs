//! A running node, whoever houses it.

mod pay;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tercet_api::relay::FromNode;
use tercet_signer::gate::{HeldWallet, Signer};
use tercet_signer::journal::Head;
use tercet_signer::vault::VaultError;
use tokio::net::TcpListener;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::chains::Chains;
use crate::config::NodeConfig;
use crate::health::{self, Pulse, Readiness};
use crate::pending::Pending;
use crate::primes::PrimeKeeper;
use crate::progress::{CeremonyProgress, PROGRESS_REPORTS_MAX};
use crate::reconcile::Reconciler;
use crate::relay::{Dial, Line, OUTBOX_FRAMES_MAX};
use crate::restock::Producer;
use crate::start::{self, StartError, StartOptions};
use crate::status::NodeStatus;
use crate::switchboard::Switchboard;
use crate::ticket::Tickets;
use crate::voice::Voice;

/// How long sessions that were called off get to end, in milliseconds.
const CALLED_OFF_MS_MAX: u64 = 3_000;

/// No line to the coordinator in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the coordinator could not be reached in time")]
pub struct NotConnected;

/// A running node. Dropping it stops the node without waiting for its sessions.
pub struct NodeHandle {
    signer: Arc<Signer>,
    switchboard: Arc<Switchboard>,
    tickets: Arc<Tickets>,
    pending: Pending,
    progress: broadcast::Sender<CeremonyProgress>,
    connected: watch::Receiver<bool>,
    tasks: TaskTracker,
    stop: DropGuard,
    stop_within: Duration,
    since: Instant,
    primes_wanted: usize,
}

impl NodeHandle {
    /// Starts a node. Must be called in a Tokio runtime with time and I/O.
    ///
    /// # Errors
    /// [`StartError`], for whatever the node refuses to start on.
    pub async fn start(config: NodeConfig) -> Result<Self, StartError> {
        Self::start_with(config, StartOptions::default()).await
    }

    /// [`Self::start`] with what does not come from the configuration.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start_with(config: NodeConfig, options: StartOptions) -> Result<Self, StartError> {
        // Somebody else in this process may have chosen a provider before; then that one serves.
        drop(rustls::crypto::ring::default_provider().install_default());
        let chains = Chains::new(&config)?;
        // First of all the home: a second node in it would find the health address taken, too, and
        // that is not what is wrong.
        let signer = Box::pin(start::open(&config, chains.clone(), options)).await?;
        match Surroundings::find(&config, chains, &signer).await {
            Ok(around) => Ok(Self::start_in(&config, signer, around)),
            Err(error) => {
                start::free(signer).await;
                Err(error)
            }
        }
    }

    fn start_in(config: &NodeConfig, signer: Arc<Signer>, around: Surroundings) -> Self {
        let (outbox, frames) = mpsc::channel(OUTBOX_FRAMES_MAX);
        let (progress, _) = broadcast::channel(PROGRESS_REPORTS_MAX);
        let (is_connected, connected) = watch::channel(false);
        let (head_told, head) = watch::channel(head_frame(signer.head()));
        let tickets = Arc::new(Tickets::default());
        let producer = Producer::new(Arc::clone(&signer), outbox.clone(), config.stock);
        let producer = Arc::new(producer);
        let switchboard = Arc::new(Switchboard::new(
            Arc::clone(&signer),
            outbox,
            Arc::clone(&tickets),
            progress.clone(),
            Arc::clone(&producer),
            config.limits.sessions,
        ));
        let line = Line {
            dial: Dial::new(config.coordinator.clone(), Arc::clone(signer.identity())),
            outbox: frames,
            head,
            connected: is_connected,
            listener: Box::new(Arc::clone(&switchboard)),
        };
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(line.keep(stop.clone()));
        tasks.spawn(producer.run(connected.clone(), stop.clone()));
        tasks.spawn(follow_head(Arc::clone(&signer), head_told, stop.clone()));
        if let Some(reconciler) = around.reconciler {
            tasks.spawn(reconciler.run(stop.clone()));
        }
        if let Some(keeper) = PrimeKeeper::new(&signer, config.primes.stock_at(config.role)) {
            tasks.spawn(keeper.run(stop.clone()));
        }
        let handle = Self {
            signer,
            switchboard,
            tickets,
            pending: Pending::default(),
            progress,
            connected,
            tasks,
            stop: stop.clone().drop_guard(),
            stop_within: Duration::from_secs(config.limits.stop_seconds),
            since: Instant::now(),
            primes_wanted: config.primes.stock_at(config.role),
        };
        if let Some(listener) = around.health {
            handle.tasks.spawn(health::serve(listener, handle.pulse(), stop));
        }
        handle
    }

    /// Waits until the line to the coordinator stands.
    ///
    /// # Errors
    /// [`NotConnected`] after `patience`.
    pub async fn wait_connected(&self, patience: Duration) -> Result<(), NotConnected> {
        let mut connected = self.connected.clone();
        let waiting = connected.wait_for(|connected| *connected);
        match timeout(patience, waiting).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(NotConnected),
        }
    }

    /// What this node says in its own name; the secret stays inside.
    #[must_use]
    pub fn identity(&self) -> Voice<'_> {
        Voice::of(self.signer.identity())
    }

    /// The wallets of which this node holds a share.
    ///
    /// # Errors
    /// [`VaultError`] if the home cannot be looked into.
    pub fn wallets(&self) -> Result<Vec<HeldWallet>, VaultError> {
        self.signer.wallets()
    }

    /// INSECURE: fills the stock from a seed, for load tests alone
    /// ([`Signer::insecurely_deal`]).
    ///
    /// # Errors
    /// [`GateError`](tercet_signer::gate::GateError) for a wallet of which this node has no share.
    #[cfg(feature = "insecure-dealer")]
    pub async fn insecurely_deal(
        &self,
        wallet: alloy_primitives::Address,
        seed: &[u8; 32],
        numbers: std::ops::Range<u64>,
    ) -> Result<usize, tercet_signer::gate::GateError> {
        self.signer.insecurely_deal(wallet, seed, numbers).await
    }

    /// How far ceremonies are, from now on. A reader that is slow misses reports.
    #[must_use]
    pub fn progress(&self) -> broadcast::Receiver<CeremonyProgress> {
        self.progress.subscribe()
    }

    /// What `/readyz` answers.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        self.pulse().read()
    }

    /// What `/status` answers.
    #[must_use]
    pub fn status(&self) -> NodeStatus {
        self.pulse().status()
    }

    /// Stops in order: takes no new sessions, lets the running ones end within the configured
    /// time, calls the rest off, closes the journal and waits until the home is free.
    pub async fn stop(self) {
        let Self { signer, switchboard, tasks, stop, stop_within, .. } = self;
        if timeout(stop_within, switchboard.finish()).await.is_err() {
            tracing::warn!("sessions are called off: they took too long to end");
            switchboard.call_off_all();
            let grace = Duration::from_millis(CALLED_OFF_MS_MAX);
            drop(timeout(grace, switchboard.finish()).await);
        }
        tasks.close();
        drop(stop);
        tasks.wait().await;
        drop(switchboard);
        start::free(signer).await;
    }

    fn pulse(&self) -> Pulse {
        Pulse {
            signer: Arc::clone(&self.signer),
            switchboard: Arc::clone(&self.switchboard),
            connected: self.connected.clone(),
            since: self.since,
            primes_wanted: self.primes_wanted,
        }
    }
}

impl fmt::Debug for NodeHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeHandle({:?})", self.signer)
    }
}

/// What a node needs beside its home.
struct Surroundings {
    health: Option<TcpListener>,
    reconciler: Option<Reconciler>,
}

impl Surroundings {
    async fn find(
        config: &NodeConfig,
        chains: Chains,
        signer: &Arc<Signer>,
    ) -> Result<Self, StartError> {
        let health = match config.health {
            Some(address) => Some(health::bind(address).await?),
            None => None,
        };
        Ok(Self { health, reconciler: Reconciler::new(config, chains, signer) })
    }
}

fn head_frame(head: Head) -> FromNode {
    FromNode::Head { rows: head.rows, hash: head.hash }
}

async fn follow_head(signer: Arc<Signer>, told: watch::Sender<FromNode>, stop: CancellationToken) {
    let mut journal = signer.journal();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            moved = journal.head_moved() => match moved {
                Some(head) => drop(told.send_replace(head_frame(head))),
                None => return,
            },
        }
    }
}
