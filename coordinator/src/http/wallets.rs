//! Wallets: ask for one, look at them, at their balances, and at the ceremonies that make them.

use alloy_primitives::Address;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use tercet_api::problem::{Problem, ProblemCode};
use tercet_api::resource::{BalanceView, CeremonyView, CreateWallet, WalletView};
use tercet_policy::document::RequestId;

use super::HttpError;
use super::call::{Call, Caller, Look, Named};
use crate::app::App;
use crate::ceremony;
use crate::store::{NewCeremony, WalletRecord};

/// Longest label of a wallet, in characters.
const LABEL_CHARS_MAX: usize = 100;

/// Asks for a wallet: a key made by the agent's three nodes. Idempotent on the request's id.
#[utoipa::path(
    post, path = "/v1/wallets", tag = "wallets", request_body = CreateWallet,
    responses(
        (status = 202, description = "Begun; ask for the ceremony", body = CeremonyView),
        (status = 200, description = "It was asked for before", body = CeremonyView),
        (status = 401, description = "unauthenticated", body = Problem),
        (status = 409, description = "id_conflict", body = Problem),
        (status = 422, description = "bad_document", body = Problem),
        (status = 429, description = "busy", body = Problem),
    )
)]
pub(super) async fn create(
    State(app): State<App>,
    Call { caller, body }: Call<CreateWallet>,
) -> Result<(StatusCode, Json<CeremonyView>), HttpError> {
    let agent = caller.agent()?;
    let signed = body.request;
    if signed.document.agent != *agent {
        return Err(HttpError::new(ProblemCode::Forbidden, "the request is another agent's"));
    }
    if signed.document.label.chars().count() > LABEL_CHARS_MAX {
        return Err(HttpError::malformed(format!("a label ends at {LABEL_CHARS_MAX} characters")));
    }
    let key = app.directory().agent(agent).map(|a| a.enrolment.document.agent_node.signing);
    let key = key.ok_or_else(|| HttpError::not_found("agent"))?;
    let opened = signed.clone().open_by(&key)?;
    let place = app
        .ceremony_places()
        .try_acquire_owned()
        .map_err(|_| HttpError::new(ProblemCode::Busy, "too many ceremonies at once"));
    if let Some(known) = app.store().ceremony(&opened.request).await? {
        return known_ceremony(&app, &known, opened.content_hash());
    }
    let place = place?;
    let now = app.clock().now();
    match app.store().insert_ceremony(&signed, opened.content_hash(), now).await? {
        NewCeremony::Known(known) => known_ceremony(&app, &known, opened.content_hash()),
        NewCeremony::Inserted => {
            ceremony::begin(&app, signed, place);
            let made = app.store().ceremony(&opened.request).await?;
            let made = made.ok_or_else(|| HttpError::not_found("ceremony"))?;
            Ok((StatusCode::ACCEPTED, Json(ceremony::view(&app, &made))))
        }
    }
}

fn known_ceremony(
    app: &App,
    known: &crate::store::CeremonyRecord,
    asked: tercet_policy::document::ContentHash,
) -> Result<(StatusCode, Json<CeremonyView>), HttpError> {
    if known.content_hash != asked {
        let detail = "this request id was used for another wallet";
        return Err(HttpError::new(ProblemCode::IdConflict, detail));
    }
    Ok((StatusCode::OK, Json(ceremony::view(app, known))))
}

/// Lists wallets, oldest first.
#[utoipa::path(
    get, path = "/v1/wallets", tag = "wallets",
    responses(
        (status = 200, body = Vec<WalletView>),
        (status = 401, description = "unauthenticated", body = Problem),
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    Look(caller): Look,
) -> Result<Json<Vec<WalletView>>, HttpError> {
    Ok(Json(app.store().wallets(caller.only()).await?.into_iter().map(view).collect()))
}

/// Shows a wallet.
#[utoipa::path(
    get, path = "/v1/wallets/{address}", tag = "wallets",
    params(("address" = String, Path, description = "The wallet's address")),
    responses(
        (status = 200, body = WalletView),
        (status = 401, description = "unauthenticated", body = Problem),
        (status = 404, description = "not_found", body = Problem),
    )
)]
pub(super) async fn show(
    State(app): State<App>,
    Named(address): Named<Address>,
    Look(caller): Look,
) -> Result<Json<WalletView>, HttpError> {
    Ok(Json(view(find(&app, &caller, address).await?)))
}

/// What a wallet has on every configured chain.
#[utoipa::path(
    get, path = "/v1/wallets/{address}/balance", tag = "wallets",
    params(("address" = String, Path, description = "The wallet's address")),
    responses(
        (status = 200, body = BalanceView),
        (status = 401, description = "unauthenticated", body = Problem),
        (status = 404, description = "not_found", body = Problem),
        (status = 503, description = "chain_unavailable", body = Problem),
    )
)]
pub(super) async fn balance(
    State(app): State<App>,
    Named(address): Named<Address>,
    Look(caller): Look,
) -> Result<Json<BalanceView>, HttpError> {
    let wallet = find(&app, &caller, address).await?.address;
    let mut balances = Vec::new();
    for chain in app.clerk().chains() {
        balances.push(app.clerk().balance(chain, wallet).await?);
    }
    Ok(Json(BalanceView { wallet, balances }))
}

/// Shows how far a wallet in the making is.
#[utoipa::path(
    get, path = "/v1/ceremonies/{request}", tag = "wallets",
    params(("request" = String, Path, description = "The wallet request's id")),
    responses(
        (status = 200, body = CeremonyView),
        (status = 401, description = "unauthenticated", body = Problem),
        (status = 404, description = "not_found", body = Problem),
    )
)]
pub(super) async fn ceremony(
    State(app): State<App>,
    Named(request): Named<RequestId>,
    Look(caller): Look,
) -> Result<Json<CeremonyView>, HttpError> {
    let found = app.store().ceremony(&request).await?;
    let found = found.filter(|found| caller.sees(&found.request.document.agent));
    let found = found.ok_or_else(|| HttpError::not_found("ceremony"))?;
    Ok(Json(ceremony::view(&app, &found)))
}

async fn find(app: &App, caller: &Caller, address: Address) -> Result<WalletRecord, HttpError> {
    let found = app.store().wallet(address).await?;
    found.filter(|w| caller.sees(&w.agent)).ok_or_else(|| HttpError::not_found("wallet"))
}

fn view(record: WalletRecord) -> WalletView {
    WalletView {
        address: record.address,
        agent: record.agent,
        label: record.label,
        created_at: record.created_at,
    }
}
