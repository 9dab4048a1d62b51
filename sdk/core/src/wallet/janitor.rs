//! Looks after MPP sessions for as long as the wallet is open.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::mpp::Sessions;

/// Time between two looks, in seconds.
const LOOK_SECONDS: u64 = 60;

/// Looks after sessions until it is dropped.
#[derive(Debug)]
pub(super) struct Janitor(JoinHandle<()>);

impl Janitor {
    /// Looks at once: what an earlier process left may be over.
    pub(super) fn of(sessions: Sessions) -> Self {
        Self(tokio::spawn(async move {
            loop {
                look(&sessions).await;
                sleep(Duration::from_secs(LOOK_SECONDS)).await;
            }
        }))
    }
}

async fn look(sessions: &Sessions) {
    match Box::pin(sessions.tend()).await {
        Ok(tended) => {
            for one in tended {
                if let Some(trouble) = one.trouble {
                    let channel = one.channel;
                    tracing::warn!(%channel, state = %one.state, trouble, "a session is not well");
                }
            }
        }
        Err(error) => tracing::error!(%error, "sessions are not looked after"),
    }
}

/// A look that is cut short is taken up by the next one, from what the journal holds.
impl Drop for Janitor {
    fn drop(&mut self) {
        self.0.abort();
    }
}
