//! A coordinator from start to stop.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::time::timeout;

use crate::app::{App, Parts};
use crate::ceremony;
use crate::clerk::{ClerkError, Readers};
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::crash::CrashPlan;
use crate::heads;
use crate::http;
use crate::payment::driver;
use crate::pre_authorization;
use crate::store::{Store, StoreError};

/// How long requests and tasks may go on after the stop, in seconds.
pub const STOP_SECONDS_MAX: u64 = 10;

/// Why a coordinator did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chains.
    #[error(transparent)]
    Clerk(#[from] ClerkError),
    /// The listener.
    #[error("cannot listen on {listen}: {source}")]
    Listen {
        /// The address.
        listen: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Serving.
    #[error("serving ended: {0}")]
    Serve(std::io::Error),
}

/// Runs a coordinator until `shutdown` is over.
///
/// # Errors
/// [`RunError`]
pub async fn run(
    config: Config,
    crash: CrashPlan,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), RunError> {
    config.check()?;
    let clerk = Arc::new(Readers::new(&config.chains)?);
    let store = Store::open(&config.database).await?;
    let app = App::new(&config, Parts { store, clerk, clock: Clock::System, crash }).await?;
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|source| RunError::Listen { listen: config.listen, source })?;
    serve(app, listener, shutdown).await
}

/// Serves `app` on `listener` until `shutdown` is over: takes up what was open, and leaves what
/// is open to the next start.
///
/// # Errors
/// [`RunError`]
pub async fn serve(
    app: App,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), RunError> {
    ceremony::fail_unfinished(&app).await?;
    driver::resume_all(&app).await?;
    app.tasks().spawn(pre_authorization::tend(app.clone()));
    app.tasks().spawn(heads::tend(app.clone()));
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "listening");
    }
    let stop = app.stop().clone();
    let stopping = app.clone();
    let graceful = async move {
        tokio::select! { () = shutdown => {}, () = stop.cancelled() => {} }
        tracing::info!("stopping");
        stopping.stop().cancel();
        stopping.relay().disconnect_all();
    };
    // Round messages are small and waited for; Nagle's algorithm would hold each for some 40 ms.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::warn!(%error, "frames to this client may be slow");
        }
    });
    let server = axum::serve(listener, http::router(app.clone())).with_graceful_shutdown(graceful);
    let serving = tokio::spawn(server.into_future());
    app.stop().cancelled().await;
    let limit = Duration::from_secs(STOP_SECONDS_MAX);
    let served = timeout(limit, serving).await;
    app.tasks().close();
    if timeout(limit, app.tasks().wait()).await.is_err() {
        tracing::warn!("tasks did not end in time; they are taken up at the next start");
    }
    app.store().close().await;
    match served {
        Ok(Ok(Err(error))) => Err(RunError::Serve(error)),
        _ => Ok(()),
    }
}
