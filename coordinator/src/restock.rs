//! Sessions in which the everyday pair of a wallet makes presignatures.
//!
//! Promises: a node asks for wallets of agents in whose everyday pair it is, and for no others; such
//! sessions are bounded in all, for each operator's node and for each wallet, and take no place of
//! a payment's. A wish beyond the bounds is dropped: whoever still wants it says so again.
//!
//! Does not protect against: nodes that make none. What comes of a session is theirs to count.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alloy_primitives::Address;
use tercet_api::relay::{Outcome, PRESIGN_RUNS_MAX, ToNode};
use tercet_policy::party::{NodeId, Party};
use tokio::time::timeout;

use crate::app::App;
use crate::relay::{Report, Seats};

/// Sessions at once.
pub const PRESIGN_SESSIONS_MAX: usize = 32;
/// Sessions of one operator's node at once.
pub const PRESIGN_SESSIONS_PER_NODE_MAX: usize = 4;
/// How long one may take, in seconds: nodes let payments go first.
pub const PRESIGN_SECONDS_MAX: u64 = 300;

/// The sessions that run.
#[derive(Debug, Default)]
pub struct Restocking(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    wallets: HashSet<Address>,
    operators: HashMap<NodeId, usize>,
}

impl Restocking {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many sessions run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.lock().wallets.len()
    }
}

/// The place of one session; dropping it gives it back.
struct Place {
    app: App,
    wallet: Address,
    operator: NodeId,
}

impl Place {
    fn take(app: &App, wallet: Address, operator: &NodeId) -> Option<Self> {
        let mut table = app.restocking().lock();
        let of_node = table.operators.get(operator).copied().unwrap_or_default();
        if table.wallets.len() >= PRESIGN_SESSIONS_MAX
            || of_node >= PRESIGN_SESSIONS_PER_NODE_MAX
            || !table.wallets.insert(wallet)
        {
            return None;
        }
        table.operators.insert(operator.clone(), of_node.saturating_add(1));
        drop(table);
        Some(Self { app: app.clone(), wallet, operator: operator.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut table = self.app.restocking().lock();
        table.wallets.remove(&self.wallet);
        if let Some(count) = table.operators.get_mut(&self.operator) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                table.operators.remove(&self.operator);
            }
        }
    }
}

/// Takes a node's wish: opens a session where it may and there is room, and drops it otherwise.
pub async fn wished(app: &App, node: &NodeId, wallet: Address, count: u16) {
    if count > PRESIGN_RUNS_MAX {
        tracing::warn!(%node, %wallet, count, "a wish for too many presignatures");
        return;
    }
    let Some(seats) = pair(app, node, wallet).await else {
        tracing::warn!(%node, %wallet, "a wish for presignatures of a wallet that is not its own");
        return;
    };
    let operator = seats.node(Party::Operator);
    let place = operator.and_then(|operator| Place::take(app, wallet, operator));
    let Some(place) = place.filter(|_| app.relay().are_connected(&seats)) else {
        tracing::debug!(%node, %wallet, "no room for a session that makes presignatures");
        return;
    };
    app.tasks().spawn(async move {
        let stop = place.app.stop().clone();
        let limit = Duration::from_secs(PRESIGN_SECONDS_MAX);
        tokio::select! {
            () = stop.cancelled() => {}
            _over = timeout(limit, run(&place.app, seats, wallet, count)) => {}
        }
    });
}

/// The everyday pair of the wallet's agent, where the node is one of it.
async fn pair(app: &App, node: &NodeId, wallet: Address) -> Option<Seats> {
    let agent = match app.store().wallet_agent(wallet).await {
        Ok(agent) => agent?,
        Err(error) => {
            tracing::error!(%wallet, %error, "cannot read whose wallet it is");
            return None;
        }
    };
    let seats = app.directory().seats(&agent, &Party::EVERYDAY)?;
    seats.party_of(node).map(|_| seats)
}

async fn run(app: &App, seats: Seats, wallet: Address, count: u16) {
    let opened = app.relay().open_background(seats);
    let Ok(mut session) = opened else { return };
    for party in Party::EVERYDAY {
        let frame = ToNode::Presign { session: session.id, wallet, count };
        if session.begin(party, frame).is_err() {
            return;
        }
    }
    let mut stocked = 0usize;
    while let Some((party, report)) = session.next().await {
        match report {
            Report::Progress { .. } => {}
            Report::Done(Outcome::Stocked { made }) if made <= count => {
                tracing::debug!(%wallet, %party, made, "presignatures made");
                stocked = stocked.saturating_add(1);
                if stocked == Party::EVERYDAY.len() {
                    return;
                }
            }
            Report::Failed { detail, .. } => {
                tracing::info!(%wallet, %party, detail, "no presignatures were made");
                return;
            }
            _ => {
                tracing::info!(%wallet, %party, "no presignatures were made");
                return;
            }
        }
    }
}
