//! Lets connections in, one after the other, each with the kernel's word of who asks.

use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tercet_api::problem::ProblemCode;
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::answer::Said;
use super::place::Place;
use super::users::Users;
use super::{CLOSE_SECONDS_MAX, CONNECTIONS_MAX, HEAD_SECONDS_MAX, routes};
use crate::handle::NodeHandle;

/// Most connections at a time that are told why they are not let in; the others are cut.
const TURNED_AWAY_MAX: usize = 16;
/// Largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Pause after a connection that could not be taken, in milliseconds: the process may be out of
/// descriptors.
const ACCEPT_PAUSE_MS: u64 = 100;

/// What stands at the door.
struct Door<'a> {
    users: &'a Users,
    inside: Router,
    seats: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
    /// The last user that was not let in, so that one who knocks on fills no log.
    last_stranger: Option<u32>,
}

/// Lets in until `stop`, then waits a little for those inside.
pub(super) async fn keep(
    place: &Place,
    users: &Users,
    node: Weak<NodeHandle>,
    stop: CancellationToken,
) {
    let mut door = Door {
        users,
        inside: routes::inside(node, stop.clone()),
        seats: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        turned_away: Arc::new(Semaphore::new(TURNED_AWAY_MAX)),
        last_stranger: None,
    };
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            Some(_ended) = connections.join_next() => continue,
            accepted = place.listener().accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                if let Some((routes, seat)) = door.let_in(&stream) {
                    connections.spawn(serve(stream, routes, seat, stop.clone()));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
        }
    }
    let limit = Duration::from_secs(CLOSE_SECONDS_MAX);
    let last = async { while connections.join_next().await.is_some() {} };
    if timeout(limit, last).await.is_err() {
        tracing::warn!("connections of agents are cut: they took too long to end");
        connections.shutdown().await;
    }
}

impl Door<'_> {
    /// The routes for whoever asks; nothing for one that is cut.
    fn let_in(&mut self, stream: &UnixStream) -> Option<(Router, OwnedSemaphorePermit)> {
        let user = stream.peer_cred().ok()?.uid();
        if !self.users.are_let_in(user) {
            if self.last_stranger.replace(user) != Some(user) {
                tracing::warn!(user, "a user that is not listed was turned away");
            }
            let detail = format!("user {user} is not listed in socket.users of this node");
            return self.turn_away(ProblemCode::Forbidden, detail);
        }
        match Arc::clone(&self.seats).try_acquire_owned() {
            Ok(seat) => Some((self.inside.clone(), seat)),
            Err(_) => {
                let detail = format!("{CONNECTIONS_MAX} connections are open already");
                self.turn_away(ProblemCode::Busy, detail)
            }
        }
    }

    fn turn_away(
        &self,
        code: ProblemCode,
        detail: String,
    ) -> Option<(Router, OwnedSemaphorePermit)> {
        let seat = Arc::clone(&self.turned_away).try_acquire_owned().ok()?;
        let refused = move || std::future::ready(Said::new(code, detail.clone()));
        Some((Router::new().fallback(refused), seat))
    }
}

async fn serve(
    stream: UnixStream,
    routes: Router,
    seat: OwnedSemaphorePermit,
    stop: CancellationToken,
) {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(HEAD_SECONDS_MAX))
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection of an agent broke");
    }
    drop(seat);
}
