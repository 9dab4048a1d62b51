//! What whoever is let in may ask of the node.

use std::convert::Infallible;
use std::sync::{Arc, Weak};
use std::time::Duration;

use alloy_primitives::Address;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::stream;
use tercet_api::auth::RequestParts;
use tercet_api::problem::ProblemCode;
use tercet_policy::document::{DocumentError, Signed, WalletRequest};
use tercet_policy::intent::{IntentId, PaymentIntent, SignedIntent};
use tercet_policy::report::SignedReport;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::answer::{Asked, Said};
use super::wire::{
    AskFinish, AskPatience, AskReport, AskRequest, Begun, End, MayHaveSigned, NodeSaid,
    RequestSigned, WalletSaid,
};
use super::{BODY_BYTES_MAX, PATIENCE_MS_MAX, TICKET_SECONDS_MAX, sessions};
use crate::handle::NodeHandle;
use crate::health::Readiness;
use crate::relay::now;
use crate::ticket::{NotPaid, Ticket};

/// The coordinator's path at which nodes speak; whoever could sign for it would be the node.
const RELAY_PATH: &str = "/v1/relay";

/// The node behind the socket, as long as it runs.
#[derive(Clone)]
pub(super) struct Desk {
    node: Weak<NodeHandle>,
    stop: CancellationToken,
}

impl Desk {
    pub(super) fn node(&self) -> Result<Arc<NodeHandle>, Said> {
        let gone = || Said::new(ProblemCode::NodeUnavailable, "this node is stopping");
        if self.stop.is_cancelled() {
            return Err(gone());
        }
        self.node.upgrade().ok_or_else(gone)
    }
}

/// The routes for those who are let in.
pub(super) fn inside(node: Weak<NodeHandle>, stop: CancellationToken) -> Router {
    Router::new()
        .route("/v1/node", get(node_said))
        .route("/v1/readiness", get(readiness))
        .route("/v1/wallets", get(wallets))
        .route("/v1/sign/intent", post(sign_intent))
        .route("/v1/sign/report", post(sign_report))
        .route("/v1/sign/wallet-request", post(sign_wallet_request))
        .route("/v1/sign/request", post(sign_request))
        .route("/v1/connected", post(connected))
        .route("/v1/wallets/{address}/wake", post(wake))
        .route("/v1/wallets/{address}/session-signers/{salt}", get(sessions::signer))
        .route("/v1/sessions/voucher", post(sessions::voucher))
        .route("/v1/sessions/close", post(sessions::close))
        .route("/v1/payments/begin", post(begin))
        .route("/v1/payments/{intent}/finish", post(finish))
        .route("/v1/payments/{intent}/give-up", post(give_up))
        .route("/v1/payments/{intent}/forget", post(forget))
        .route("/v1/payments/{intent}/ticket", post(ticket))
        .route("/v1/payments/{intent}/may-have-signed", get(may_have_signed))
        .fallback(|| async { Said::new(ProblemCode::NotFound, "no such route") })
        .method_not_allowed_fallback(|| async {
            Said::new(ProblemCode::MethodNotAllowed, "this route takes another method")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Desk { node, stop })
}

async fn node_said(State(desk): State<Desk>) -> Result<Json<NodeSaid>, Said> {
    Ok(Json(NodeSaid { keys: desk.node()?.identity().keys().clone() }))
}

async fn readiness(State(desk): State<Desk>) -> Result<Json<Readiness>, Said> {
    Ok(Json(desk.node()?.readiness()))
}

async fn wallets(State(desk): State<Desk>) -> Result<Json<Vec<WalletSaid>>, Said> {
    let held = desk.node()?.wallets();
    let held = held.map_err(|error| Said::new(ProblemCode::Internal, error.to_string()))?;
    let said = held.into_iter().map(|wallet| WalletSaid {
        address: wallet.address,
        agent: wallet.agent,
        stopped: wallet.stopped,
        presignatures: wallet.presignatures,
    });
    Ok(Json(said.collect()))
}

async fn sign_intent(
    State(desk): State<Desk>,
    Asked(intent): Asked<PaymentIntent>,
) -> Result<Json<SignedIntent>, Said> {
    desk.node()?.identity().sign_intent(intent).map(Json).map_err(not_canonical)
}

async fn sign_report(
    State(desk): State<Desk>,
    Asked(AskReport { intent, outcome }): Asked<AskReport>,
) -> Result<Json<SignedReport>, Said> {
    let node = desk.node()?;
    node.identity().sign_report(intent, outcome, now()).map(Json).map_err(not_canonical)
}

async fn sign_wallet_request(
    State(desk): State<Desk>,
    Asked(request): Asked<WalletRequest>,
) -> Result<Json<Signed<WalletRequest>>, Said> {
    desk.node()?.identity().sign_wallet_request(request).map(Json).map_err(not_canonical)
}

async fn sign_request(
    State(desk): State<Desk>,
    Asked(asked): Asked<AskRequest>,
) -> Result<Json<RequestSigned>, Said> {
    if asked.path == RELAY_PATH {
        return Err(Said::new(ProblemCode::Forbidden, "the node alone speaks at the relay"));
    }
    let AskRequest { method, path, query, body } = &asked;
    let parts = RequestParts { method, path, query, body };
    let signed = desk.node()?.identity().sign_request(&parts, now());
    let headers = signed.map_err(|error| Said::new(ProblemCode::Internal, error.to_string()))?;
    Ok(Json(RequestSigned {
        signature_input: headers.signature_input,
        signature: headers.signature,
        content_digest: headers.content_digest,
    }))
}

async fn connected(
    State(desk): State<Desk>,
    Asked(asked): Asked<AskPatience>,
) -> Result<StatusCode, Said> {
    wait_connected(&desk, asked).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn wake(
    State(desk): State<Desk>,
    address: Result<Path<Address>, axum::extract::rejection::PathRejection>,
) -> Result<StatusCode, Said> {
    let Path(address) =
        address.map_err(|bad| Said::new(ProblemCode::Malformed, bad.body_text()))?;
    desk.node()?.wake(address);
    Ok(StatusCode::NO_CONTENT)
}

async fn begin(
    State(desk): State<Desk>,
    Asked(envelope): Asked<SignedIntent>,
) -> Result<Json<Begun>, Said> {
    let begun = match Box::pin(desk.node()?.begin(envelope)).await {
        Ok(Some(part)) => Begun::Part { part },
        Ok(None) => Begun::NoPart,
        Err(why) => Begun::NotPaid { why },
    };
    Ok(Json(begun))
}

async fn finish(
    State(desk): State<Desk>,
    Path(intent): Path<String>,
    Asked(asked): Asked<AskFinish>,
) -> Result<Json<End>, Said> {
    let intent = intent_id(intent)?;
    let end = match Box::pin(desk.node()?.finish(intent, &asked.answer.0)).await {
        Ok(payment) => End::Signed { payment: payment.into() },
        Err(why) => End::NotPaid { why },
    };
    Ok(Json(end))
}

async fn give_up(State(desk): State<Desk>, Path(intent): Path<String>) -> Result<StatusCode, Said> {
    desk.node()?.give_up(intent_id(intent)?);
    Ok(StatusCode::NO_CONTENT)
}

async fn forget(State(desk): State<Desk>, Path(intent): Path<String>) -> Result<StatusCode, Said> {
    desk.node()?.forget(intent_id(intent)?);
    Ok(StatusCode::NO_CONTENT)
}

/// The answer begins when the ticket is issued: whoever has its head may post the intent.
async fn ticket(
    State(desk): State<Desk>,
    Path(intent): Path<String>,
    Asked(asked): Asked<AskPatience>,
) -> Result<Response, Said> {
    let intent = intent_id(intent)?;
    wait_connected(&desk, asked).await?;
    let waiting = Waiting {
        ticket: desk.node()?.expect(intent),
        stop: desk.stop,
        until: Instant::now().checked_add(Duration::from_secs(TICKET_SECONDS_MAX)),
        is_over: false,
    };
    let lines = stream::unfold(waiting, |mut waiting| async {
        let line = waiting.next_line().await?;
        Some((Ok::<_, Infallible>(line), waiting))
    });
    let body = Body::from_stream(lines);
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

async fn may_have_signed(
    State(desk): State<Desk>,
    Path(intent): Path<String>,
) -> Result<Json<MayHaveSigned>, Said> {
    let may_have_signed = desk.node()?.may_have_signed(intent_id(intent)?).await;
    Ok(Json(MayHaveSigned { may_have_signed }))
}

/// A ticket whose ends are told as lines.
struct Waiting {
    ticket: Ticket,
    stop: CancellationToken,
    until: Option<Instant>,
    is_over: bool,
}

impl Waiting {
    async fn next_line(&mut self) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        let end = tokio::select! {
            () = self.stop.cancelled() => None,
            ended = timeout_at(self.until?, self.ticket.next_end()) => ended.ok().flatten(),
        };
        self.is_over = end.is_none();
        let end = end.map_or(End::NotPaid { why: NotPaid::Stopped }, End::from);
        let mut line = serde_json::to_vec(&end).ok()?;
        line.push(b'\n');
        Some(line.into())
    }
}

/// Holds no node while it waits longer than it must: a node that stops waits for nobody here.
async fn wait_connected(desk: &Desk, asked: AskPatience) -> Result<(), Said> {
    let patience = Duration::from_millis(asked.patience_ms.min(PATIENCE_MS_MAX));
    let node = desk.node()?;
    let waited = tokio::select! {
        () = desk.stop.cancelled() => return desk.node().map(drop),
        waited = node.wait_connected(patience) => waited,
    };
    waited.map_err(|error| Said::new(ProblemCode::NodeUnavailable, error.to_string()))
}

fn intent_id(text: String) -> Result<IntentId, Said> {
    serde_json::from_value(text.into())
        .map_err(|_| Said::new(ProblemCode::Malformed, "the path names no intent"))
}

fn not_canonical(error: DocumentError) -> Said {
    Said::new(ProblemCode::Malformed, error.to_string())
}
