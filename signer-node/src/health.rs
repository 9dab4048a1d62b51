//! `/livez`, `/readyz`, `/status` and `/metrics`, for this machine only.
//!
//! Promises: the address is a loopback one, and a request that a page in a browser of this machine
//! was led to make is refused: its `Host` is not a loopback name. Nothing here changes anything.
//! Does not protect against: other users and programs of this machine. They can read what is told:
//! wallets, agents, counts and the journal's head; no secret, amount or payee is among it.
//!
//! - `GET /livez`: 200 while the process serves; 503 once only a restart can help (a bug, or a
//!   journal that could not be written).
//! - `GET /readyz`: 200 when a payment could be signed now, 503 otherwise; the JSON says why.
//! - `GET /status`: what [`NodeStatus`] says, as JSON.
//! - `GET /metrics`: OpenMetrics text, for Prometheus.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tercet_policy::document::ContentHash;
use tercet_policy::party::{NodeId, Party};
use tercet_policy::rows::TripRow;
use tercet_signer::gate::Signer;
use tercet_signer::vault::PrimeLevels;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::HealthAddress;
use crate::metrics::{self, METRICS_TYPE};
use crate::status::{
    NodeStatus, PresignatureStatus, PrimeStatus, STATUS_WALLETS_MAX, StoppedWallet, WalletStatus,
    WorkStatus,
};
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
    /// Presignatures in stock: payments that could be signed in one round trip.
    pub presignatures: usize,
    /// Sets of primes in stock: groups that need not wait for a search.
    pub prime_sets: usize,
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
    pub(crate) since: Instant,
    pub(crate) primes_wanted: usize,
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
            presignatures: self.signer.stock_levels().count,
            prime_sets: self.primes().in_stock,
            tripped: self.signer.tripped(),
            bug,
            journal_fault,
        }
    }

    pub(crate) fn status(&self) -> NodeStatus {
        let Readiness { ready, node, role, connected, journal_rows, journal_head, .. } =
            self.read();
        let stock = self.signer.stock_levels();
        NodeStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node,
            role,
            up_seconds: self.since.elapsed().as_secs(),
            ready,
            connected,
            bug: self.signer.bug().map(str::to_owned),
            journal_fault: self.signer.journal_fault().map(str::to_owned),
            journal_rows,
            journal_head,
            wallets: self.wallets(),
            tripped: self.signer.tripped(),
            work: self.work(),
            presignatures: PresignatureStatus::of(&stock, &self.switchboard.producer.wishes()),
            primes: PrimeStatus::of(self.primes(), self.primes_wanted),
        }
    }

    fn wallets(&self) -> WalletStatus {
        let stopped = self.signer.stopped();
        let told = |(wallet, reason): &(_, String)| StoppedWallet {
            wallet: *wallet,
            agent: self.signer.owner(*wallet),
            reason: reason.clone(),
        };
        WalletStatus {
            held: self.signer.wallets_count(),
            stopped: stopped.len(),
            stopped_first: stopped.iter().take(STATUS_WALLETS_MAX).map(told).collect(),
        }
    }

    fn work(&self) -> WorkStatus {
        let (payment_runs, background_runs) = self.signer.running();
        WorkStatus {
            sessions: self.switchboard.running_sessions(),
            sessions_max: self.switchboard.sessions_max(),
            payment_runs,
            background_runs,
            dropped_frames: self.switchboard.dropped_frames(),
        }
    }

    fn primes(&self) -> PrimeLevels {
        *self.signer.prime_levels().borrow()
    }
}

/// Binds the address, so that a taken port is noticed at start.
pub(crate) async fn bind(at: HealthAddress) -> Result<TcpListener, HealthError> {
    let address = at.address();
    TcpListener::bind(address).await.map_err(|source| HealthError { address, source })
}

/// Answers until `stop`.
pub(crate) async fn serve(listener: TcpListener, pulse: Pulse, stop: CancellationToken) {
    let routes = Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .layer(middleware::from_fn(refuse_other_hosts))
        .with_state(pulse);
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

async fn status(State(pulse): State<Pulse>) -> Json<NodeStatus> {
    Json(pulse.status())
}

async fn metrics(State(pulse): State<Pulse>) -> Response {
    match metrics::text(&pulse.status(), &pulse.signer.tally()) {
        Ok(text) => ([(header::CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A page from elsewhere can have its own name lead to loopback (DNS rebinding); then the browser
/// sends that name. A request without any is no browser's.
async fn refuse_other_hosts(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST);
    if host.is_none_or(|host| host.to_str().is_ok_and(is_loopback)) {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "asked for under a name that is not this machine's\n").into_response()
}

fn is_loopback(host: &str) -> bool {
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback();
    }
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|digit| digit.is_ascii_digit()) { name } else { host }
    });
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_served() {
        for host in
            ["127.0.0.1:7071", "127.0.0.1", "localhost", "LOCALHOST:1", "[::1]:7071", "[::1]"]
        {
            assert!(is_loopback(host), "{host}");
        }
        for host in
            ["evil.example", "evil.example:7071", "localhost.evil.example", "10.0.0.1", "", ":"]
        {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
