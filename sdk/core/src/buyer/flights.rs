//! One flight per request: equal requests wait for each other, so that two of them cannot begin
//! two intents at the same moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OwnedMutexGuard;

use crate::journal::RequestKey;

type Lane = tokio::sync::Mutex<()>;

/// The requests that are in flight.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<RequestKey, Weak<Lane>>>);

impl Flights {
    /// Waits until no equal request is in flight.
    pub(super) async fn enter(&self, key: RequestKey) -> OwnedMutexGuard<()> {
        let lane = self.lane(key);
        lane.lock_owned().await
    }

    fn lane(&self, key: RequestKey) -> Arc<Lane> {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.retain(|_, lane| lane.strong_count() > 0);
        if let Some(lane) = lanes.get(&key).and_then(Weak::upgrade) {
            return lane;
        }
        let lane = Arc::new(Lane::new(()));
        lanes.insert(key, Arc::downgrade(&lane));
        lane
    }
}
