//! `/livez` and `/readyz`, for this machine only.
//!
//! - `GET /livez`: 200 while the process serves; 503 once only a restart can help (a bug, or a
//!   journal that could not be written).
//! - `GET /readyz`: 200 when a payment could be signed now, 503 otherwise; the JSON says why.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tercet_policy::document::ContentHash;
use tercet_policy::party::{NodeId, Party};
use tercet_policy::rows::TripRow;
use tercet_signer::gate::Signer;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::HealthAddress;
use crate::switchboard::Switchboard;

/// Why health cannot be asked.
#[derive(Debug, thiserror::Error)]
#[error("the health address {address} cannot be used: {source}")]
pub struct HealthError {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    pub source: std::io::Error,
}

/// What `/readyz` answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Readiness {
    /// Whether a payment could be signed now, as far as this node is concerned.
    pub ready: bool,
    /// This node.
    pub node: NodeId,
    /// Its role.
    pub role: Party,
    /// Whether the line to the coordinator stands.
    pub connected: bool,
    /// Rows in its journal.
    pub journal_rows: u64,
    /// Hash of its journal's last row.
    pub journal_head: ContentHash,
    /// Sessions that run now.
    pub sessions: usize,
    /// Frames that were nobody's, since the start.
    pub dropped_frames: u64,
    /// Agents that a rule of their policy stopped, until the authority thaws them.
    pub tripped: Vec<TripRow>,
    /// The bug after which this node refuses, if there was one.
    pub bug: Option<String>,
    /// The fault after which its journal admits nothing, if there was one.
    pub journal_fault: Option<String>,
}

/// What health is read from.
#[derive(Clone)]
pub(crate) struct Pulse {
    pub(crate) signer: Arc<Signer>,
    pub(crate) switchboard: Arc<Switchboard>,
    pub(crate) connected: watch::Receiver<bool>,
}

impl Pulse {
    pub(crate) fn read(&self) -> Readiness {
        let (connected, head) = (*self.connected.borrow(), self.signer.head());
        let bug = self.signer.bug().map(str::to_owned);
        let journal_fault = self.signer.journal_fault().map(str::to_owned);
        Readiness {
            ready: connected && bug.is_none() && journal_fault.is_none(),
            node: self.signer.identity().public().id.clone(),
            role: self.signer.role(),
            connected,
            journal_rows: head.rows,
            journal_head: head.hash,
            sessions: self.switchboard.running_sessions(),
            dropped_frames: self.switchboard.dropped_frames(),
            tripped: self.signer.tripped(),
            bug,
            journal_fault,
        }
    }
}

/// Binds the address, so that a taken port is noticed at start.
pub(crate) async fn bind(at: HealthAddress) -> Result<TcpListener, HealthError> {
    let address = at.address();
    TcpListener::bind(address).await.map_err(|source| HealthError { address, source })
}

/// Answers until `stop`.
pub(crate) async fn serve(listener: TcpListener, pulse: Pulse, stop: CancellationToken) {
    let routes =
        Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).with_state(pulse);
    let serving = axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = serving.await {
        tracing::warn!(%error, "health is no longer answered");
    }
}

async fn livez(State(pulse): State<Pulse>) -> (StatusCode, &'static str) {
    match pulse.signer.bug().or(pulse.signer.journal_fault()) {
        None => (StatusCode::OK, "alive\n"),
        Some(_) => (StatusCode::SERVICE_UNAVAILABLE, "restart this node; its log says why\n"),
    }
}

async fn readyz(State(pulse): State<Pulse>) -> (StatusCode, Json<Readiness>) {
    let readiness = pulse.read();
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness))
}
