//! What is asked of a session's key over the socket.

use alloy_primitives::{Address, B256};
use axum::Json;
use axum::extract::{Path, State};
use tercet_api::problem::ProblemCode;
use tercet_policy::payload::{FinishedPayment, MppSignature};
use tercet_signer::gate::SessionAsk;

use super::answer::{Asked, Said};
use super::routes::Desk;
use super::wire::{End, SessionSigner};
use crate::ticket::NotPaid;

pub(super) async fn signer(
    State(desk): State<Desk>,
    Path((wallet, salt)): Path<(Address, B256)>,
) -> Result<Json<SessionSigner>, Said> {
    let found = desk.node()?.session_signer(wallet, salt);
    let address = found.map_err(|why| Said::new(ProblemCode::Forbidden, why.to_string()))?;
    Ok(Json(SessionSigner { address }))
}

pub(super) async fn voucher(
    State(desk): State<Desk>,
    Asked(ask): Asked<SessionAsk>,
) -> Result<Json<End>, Said> {
    Ok(Json(told(desk.node()?.sign_voucher(ask).await)))
}

pub(super) async fn close(
    State(desk): State<Desk>,
    Asked(ask): Asked<SessionAsk>,
) -> Result<Json<End>, Said> {
    Ok(Json(told(desk.node()?.sign_close(ask).await)))
}

fn told(signed: Result<MppSignature, NotPaid>) -> End {
    match signed {
        Ok(signature) => End::Signed { payment: FinishedPayment::Mpp(signature).into() },
        Err(why) => End::NotPaid { why },
    }
}
