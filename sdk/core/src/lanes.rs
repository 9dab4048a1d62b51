//! One at a time: whoever wants the same thing waits, so that two of them cannot begin it at the
//! same moment.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::OwnedMutexGuard;

type Lane = tokio::sync::Mutex<()>;

/// What is being done, by name.
#[derive(Debug)]
pub(crate) struct Lanes<K>(Mutex<HashMap<K, Weak<Lane>>>);

impl<K> Default for Lanes<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Lanes<K> {
    /// Waits until nobody else is at it.
    pub(crate) async fn enter(&self, key: K) -> OwnedMutexGuard<()> {
        let lane = self.lane(key);
        lane.lock_owned().await
    }

    /// The lane, unless somebody is at it.
    pub(crate) fn try_enter(&self, key: K) -> Option<OwnedMutexGuard<()>> {
        self.lane(key).try_lock_owned().ok()
    }

    fn lane(&self, key: K) -> Arc<Lane> {
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
