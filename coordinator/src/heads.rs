//! What nodes last said about their journals, in memory before it is in the store.
//!
//! Promises: a node's word is shown at once and stored within [`HEADS_STORED_SECONDS`], however
//! often it speaks: a head moves with every payment, and none waits for the store for it.
//!
//! Does not protect against: a crash, which loses what was not stored yet. The node says it again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tercet_policy::document::ContentHash;
use tercet_policy::party::NodeId;
use tercet_policy::time::UnixSeconds;
use tokio::time::sleep;

use crate::app::App;
use crate::store::LastHead;

/// How long a node's word is in memory alone, in seconds.
pub const HEADS_STORED_SECONDS: u64 = 1;

/// What was said and is not stored yet. Bounded by the nodes that may connect.
#[derive(Debug, Default)]
pub struct Heads(Mutex<BTreeMap<NodeId, LastHead>>);

impl Heads {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, LastHead>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in that a node was heard, and its journal's head where it said one.
    pub fn hear(&self, node: &NodeId, head: Option<(u64, ContentHash)>, now: UnixSeconds) {
        let mut heads = self.lock();
        let (rows, hash) = head.unzip();
        match heads.get_mut(node) {
            Some(held) => {
                *held = (rows.or(held.0), hash.or(held.1), now);
            }
            None => drop(heads.insert(node.clone(), (rows, hash, now))),
        }
    }

    /// Puts what is not stored yet over what is.
    pub fn over(&self, stored: &mut BTreeMap<NodeId, LastHead>) {
        for (node, (rows, hash, at)) in self.lock().iter() {
            let held = stored.entry(node.clone()).or_insert((None, None, *at));
            *held = (rows.or(held.0), hash.or(held.1), *at);
        }
    }
}

/// Stores what was said, now and then, until the coordinator stops.
pub async fn tend(app: App) {
    let stop = app.stop().clone();
    loop {
        let stopped = tokio::select! {
            () = stop.cancelled() => true,
            () = sleep(Duration::from_secs(HEADS_STORED_SECONDS)) => false,
        };
        store(&app).await;
        if stopped {
            return;
        }
    }
}

/// A store that fails is logged: the node's own journal is what counts.
async fn store(app: &App) {
    let heads = app.heads().lock().clone();
    if heads.is_empty() {
        return;
    }
    if let Err(error) = app.store().put_nodes(&heads).await {
        tracing::error!(%error, "cannot remember the nodes' heads");
        return;
    }
    // What was said meanwhile stays.
    app.heads().lock().retain(|node, head| heads.get(node) != Some(head));
}
