//! Presignatures for wallets that pay: how many, and when to ask for more.
//!
//! Promises: a wallet that pays has as many in stock as it used up in the last minute, at least the
//! floor and at most the limit; one that has not paid for a while gets no more, and costs nothing.
//! Production yields to payments: right after one it waits, unless half of the stock is gone. One
//! session of a wallet at a time; after a failure the next one waits, longer each time.
//! Refuses: nothing. Without stock a payment is signed interactively.
//! Does not protect against: a courier that drops the wishes.

mod demand;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alloy_primitives::Address;
use serde::Serialize;
use tercet_api::relay::{FromNode, PRESIGN_RUNS_MAX};
use tercet_policy::party::Party;
use tercet_signer::gate::Signer;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::config::StockConfig;

use self::demand::Demand;

/// Wallets whose stock is looked after at a time; the one that paid least lately makes room.
pub const WALLETS_MAX: usize = 4_096;
/// Time between two looks at the stock when nothing happens, in milliseconds.
const LOOK_MS: u64 = 1_000;

/// Keeps the stock of an agent's node at its levels. At other roles it does nothing.
pub(crate) struct Producer {
    signer: Arc<Signer>,
    outbox: mpsc::Sender<FromNode>,
    config: StockConfig,
    demands: Mutex<BTreeMap<Address, Demand>>,
    news: Notify,
}

/// What a wallet is to have in stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StockWish {
    /// The wallet.
    pub wallet: Address,
    /// Payments in the last minute.
    pub per_minute: usize,
    /// How many it is to have in stock now.
    pub target: usize,
}

impl Producer {
    pub(crate) fn new(
        signer: Arc<Signer>,
        outbox: mpsc::Sender<FromNode>,
        config: StockConfig,
    ) -> Self {
        let (demands, news) = (Mutex::default(), Notify::new());
        Self { signer, outbox, config, demands, news }
    }

    /// Keeps the levels until `stop`.
    pub(crate) async fn run(
        self: Arc<Self>,
        connected: watch::Receiver<bool>,
        stop: CancellationToken,
    ) {
        if self.signer.role() != Party::Agent {
            return;
        }
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.news.notified() => {}
                () = sleep(Duration::from_millis(LOOK_MS)) => {}
            }
            if *connected.borrow() {
                self.ask_for_more();
            }
        }
    }

    /// The wallet is about to pay: its stock is kept at the floor from now on.
    pub(crate) fn wake(&self, wallet: Address) {
        self.with(wallet, Demand::wake);
    }

    /// The wallet used one up, or would have.
    pub(crate) fn used(&self, wallet: Address) {
        self.with(wallet, Demand::used);
    }

    /// The peer did not answer to a part: both sides agree on the stock before it is used again.
    pub(crate) fn doubt(&self, wallet: Address) {
        self.with(wallet, |demand, _| demand.doubt());
    }

    /// Whether the stock of a wallet may be used.
    pub(crate) fn is_good(&self, wallet: Address) -> bool {
        self.lock().get(&wallet).is_none_or(|demand| !demand.is_doubtful())
    }

    /// A session of the wallet is about to begin. `false` where this side wants none: a courier
    /// must not be able to keep an agent's node busy.
    pub(crate) fn begins(&self, wallet: Address) -> bool {
        if self.signer.role() != Party::Agent {
            return true;
        }
        match self.lock().get_mut(&wallet) {
            Some(demand) => demand.begins(Instant::now()),
            None => false,
        }
    }

    /// A session of the wallet has ended.
    pub(crate) fn ended(&self, wallet: Address, well: bool) {
        if let Some(demand) = self.lock().get_mut(&wallet) {
            demand.ended(well, Instant::now());
        }
        self.news.notify_one();
    }

    /// What the wallets that pay are to have.
    pub(crate) fn wishes(&self) -> Vec<StockWish> {
        let now = Instant::now();
        let wish = |(wallet, demand): (&Address, &Demand)| StockWish {
            wallet: *wallet,
            per_minute: demand.per_minute(now),
            target: demand.target(&self.config, now),
        };
        self.lock().iter().map(wish).collect()
    }

    fn with(&self, wallet: Address, change: impl FnOnce(&mut Demand, Instant)) {
        if self.signer.role() != Party::Agent {
            return;
        }
        let now = Instant::now();
        let mut demands = self.lock();
        if demands.len() >= WALLETS_MAX && !demands.contains_key(&wallet) {
            let idlest = demands.iter().min_by_key(|(_, demand)| demand.last());
            let idlest = idlest.map(|(wallet, _)| *wallet);
            idlest.and_then(|wallet| demands.remove(&wallet));
        }
        change(demands.entry(wallet).or_insert_with(|| Demand::new(now)), now);
        drop(demands);
        self.news.notify_one();
    }

    fn ask_for_more(&self) {
        let now = Instant::now();
        let mut demands = self.lock();
        demands.retain(|_, demand| !demand.is_idle(&self.config, now) || demand.is_doubtful());
        for (wallet, demand) in demands.iter_mut().filter(|(_, demand)| demand.may_ask(now)) {
            let target = demand.target(&self.config, now);
            let missing = target.saturating_sub(self.signer.presignatures(*wallet));
            if !demand.is_due(missing, target, now) && !demand.is_doubtful() {
                continue;
            }
            let count = u16::try_from(missing).unwrap_or(PRESIGN_RUNS_MAX).min(PRESIGN_RUNS_MAX);
            // A line that takes nothing is asked again at the next look.
            if self.outbox.try_send(FromNode::Restock { wallet: *wallet, count }).is_ok() {
                demand.asked(now);
            }
        }
    }

    /// A panic of another holder leaves the map whole: every change to it is one call.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Address, Demand>> {
        self.demands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
