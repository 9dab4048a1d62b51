//! Nodes, health, and the document that describes all routes.

use axum::Json;
use axum::extract::State;
use tercet_api::problem::{Problem, ProblemCode};
use tercet_api::resource::{HealthView, NodeView};
use tercet_policy::party::{NodeId, Party};

use super::HttpError;
use super::call::Look;
use crate::app::App;

/// Lists the nodes that may connect, and what they last said; an agent sees its own three.
#[utoipa::path(
    get, path = "/v1/nodes", tag = "nodes",
    responses(
        (status = 200, body = Vec<NodeView>),
        (status = 401, description = "unauthenticated", body = Problem),
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    Look(caller): Look,
) -> Result<Json<Vec<NodeView>>, HttpError> {
    let mut ids: Vec<NodeId> = Vec::new();
    if caller.only().is_none() {
        ids.extend(app.directory().house());
    }
    for record in app.directory().agents() {
        let enrolment = record.enrolment.document;
        if caller.sees(&enrolment.agent) {
            ids.extend(Party::ALL.map(|party| enrolment.keys(party).id.clone()));
        }
    }
    ids.sort();
    ids.dedup();
    let mut heads = app.store().nodes().await?;
    app.heads().over(&mut heads);
    let view = |id: NodeId| {
        let (journal_rows, journal_head, heard) =
            heads.get(&id).map_or((None, None, None), |(r, h, at)| (*r, *h, Some(*at)));
        let connected = app.relay().is_connected(&id);
        NodeView { id, connected, journal_rows, journal_head, last_heard_at: heard }
    };
    Ok(Json(ids.into_iter().map(view).collect()))
}

/// How the coordinator is.
#[utoipa::path(
    get, path = "/v1/health", tag = "service",
    responses(
        (status = 200, body = HealthView),
        (status = 401, description = "unauthenticated", body = Problem),
    )
)]
pub(super) async fn health(
    State(app): State<App>,
    Look(_caller): Look,
) -> Result<Json<HealthView>, HttpError> {
    Ok(Json(HealthView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        store: app.store().answers().await,
        nodes_connected: u32::try_from(app.relay().connected().len()).unwrap_or(u32::MAX),
        chains: app.clerk().answering().await,
        payments_open: app.store().open_payments_count().await?,
    }))
}

/// Whether the process lives.
#[utoipa::path(get, path = "/livez", tag = "service", responses((status = 200, body = String)))]
pub(super) async fn livez() -> &'static str {
    "alive"
}

/// Whether the coordinator takes requests.
#[utoipa::path(
    get, path = "/readyz", tag = "service",
    responses((status = 200, body = String), (status = 503, description = "not_ready", body = Problem))
)]
pub(super) async fn readyz(State(app): State<App>) -> Result<&'static str, HttpError> {
    if app.stop().is_cancelled() || !app.store().answers().await {
        return Err(HttpError::new(
            ProblemCode::NotReady,
            "stopping, or the store does not answer",
        ));
    }
    Ok("ready")
}

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "service",
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
pub(super) async fn openapi() -> Json<utoipa::openapi::OpenApi> {
    Json(super::openapi())
}
