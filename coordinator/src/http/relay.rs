//! Where nodes dial in.

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::Response;
use tercet_api::problem::Problem;
use tercet_api::relay::RELAY_FRAME_BYTES_MAX;

use super::HttpError;
use super::call::Dialler;
use crate::app::App;
use crate::relay::socket;

/// Opens a node's WebSocket. The upgrade request is signed by the node, with an empty body.
#[utoipa::path(
    get, path = "/v1/relay", tag = "nodes",
    responses(
        (status = 101, description = "A WebSocket of JSON text frames"),
        (status = 400, description = "malformed: not a WebSocket upgrade", body = Problem),
        (status = 401, description = "unauthenticated", body = Problem),
    )
)]
pub(super) async fn dial(
    State(app): State<App>,
    Dialler(node): Dialler,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, HttpError> {
    let upgrade = upgrade.map_err(|rejection| HttpError::malformed(rejection.body_text()))?;
    let stop = app.stop().clone();
    Ok(upgrade
        .max_message_size(RELAY_FRAME_BYTES_MAX)
        .max_frame_size(RELAY_FRAME_BYTES_MAX)
        .on_upgrade(move |socket| socket::serve(app, node, socket, stop)))
}
