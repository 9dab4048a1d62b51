//! The counterparty registry: put a signed one, look at it and at how far whom is trusted.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use tercet_api::problem::{Problem, ProblemCode};
use tercet_api::registry::{CounterpartyPage, CounterpartyView, RegistryView};
use tercet_api::relay::ToNode;
use tercet_policy::admission::RecordSpend as _;
use tercet_policy::party::AgentId;
use tercet_policy::registry::{AuthenticRegistry, Counterparty, Experience, SignedRegistry};

use super::HttpError;
use super::agents::stale;
use super::call::{Asked, Look, Named, SelfSigned};
use super::payments::{PAGE_DEFAULT, PAGE_MAX};
use crate::app::App;
use crate::store::RegistryRecord;

/// Puts a registry in force. Its signatures are the credential; its epoch must rise.
#[utoipa::path(
    put, path = "/v1/registry", tag = "policies",
    request_body(content = Object, description = "A signed registry: {document: {yaml}, signatures}"),
    responses(
        (status = 201, description = "In force", body = RegistryView),
        (status = 200, description = "The same registry is in force", body = RegistryView),
        (status = 409, description = "stale_epoch", body = Problem),
        (status = 422, description = "bad_document: line and reason", body = Problem),
    )
)]
pub(super) async fn put(
    State(app): State<App>,
    SelfSigned(document): SelfSigned<SignedRegistry>,
) -> Result<(StatusCode, Json<RegistryView>), HttpError> {
    let opened = document.clone().open_registry(app.authority());
    let opened =
        opened.map_err(|error| HttpError::new(ProblemCode::BadDocument, error.to_string()))?;
    let counterparties = count(&opened);
    if let Some(held) = app.store().registry().await?
        && held.document.document == document.document
    {
        return Ok((StatusCode::OK, Json(view(held, counterparties))));
    }
    let installed_at = app.clock().now();
    let record = RegistryRecord { epoch: opened.epoch(), document: document.clone(), installed_at };
    if !app.store().put_registry(&record).await? {
        return Err(stale(record.epoch));
    }
    app.shelf().put_registry(opened);
    app.push_to_all(&ToNode::Registry { document });
    Ok((StatusCode::CREATED, Json(view(record, counterparties))))
}

fn count(registry: &AuthenticRegistry) -> u64 {
    u64::try_from(registry.counterparties().len()).unwrap_or(u64::MAX)
}

fn view(record: RegistryRecord, counterparties: u64) -> RegistryView {
    let RegistryRecord { epoch, document, installed_at } = record;
    RegistryView { epoch, counterparties, document, installed_at }
}

/// Shows the registry in force.
#[utoipa::path(
    get, path = "/v1/registry", tag = "policies",
    responses(
        (status = 200, body = RegistryView),
        (status = 401, description = "unauthenticated", body = Problem),
        (status = 404, description = "not_found", body = Problem),
    )
)]
pub(super) async fn current(
    State(app): State<App>,
    Look(_caller): Look,
) -> Result<Json<RegistryView>, HttpError> {
    let missing = || HttpError::not_found("registry");
    let held = app.store().registry().await?.ok_or_else(missing)?;
    let counterparties = app.shelf().registry().as_deref().map_or(0, count);
    Ok(Json(view(held, counterparties)))
}

/// What to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CounterpartiesAsked {
    /// `next_cursor` of the page before: the name it ended with.
    #[param(value_type = Option<String>)]
    cursor: Option<AgentId>,
    /// Counterparties on the page, at most 200.
    limit: Option<u16>,
}

/// Lists counterparties in the registry's order, each with its trust score and what it is made of.
#[utoipa::path(
    get, path = "/v1/counterparties", tag = "policies", params(CounterpartiesAsked),
    responses(
        (status = 200, body = CounterpartyPage),
        (status = 400, description = "malformed", body = Problem),
        (status = 401, description = "unauthenticated", body = Problem),
    )
)]
pub(super) async fn counterparties(
    State(app): State<App>,
    Asked(asked): Asked<CounterpartiesAsked>,
    Look(_caller): Look,
) -> Result<Json<CounterpartyPage>, HttpError> {
    let limit = asked.limit.unwrap_or(PAGE_DEFAULT);
    if limit == 0 || limit > PAGE_MAX {
        return Err(HttpError::malformed(format!("limit is 1 to {PAGE_MAX}")));
    }
    let Some(registry) = app.shelf().registry() else {
        return Ok(Json(CounterpartyPage { counterparties: Vec::new(), next_cursor: None }));
    };
    let all = registry.counterparties();
    let after = match &asked.cursor {
        None => 0,
        Some(name) => all
            .iter()
            .position(|who| who.name == name.as_str())
            .map(|place| place.saturating_add(1))
            .ok_or_else(|| HttpError::malformed("this is no cursor of ours"))?,
    };
    let shown: Vec<_> = all.iter().skip(after).take(usize::from(limit)).collect();
    let more = all.len() > after.saturating_add(shown.len());
    let next_cursor = shown.last().filter(|_| more).map(|who| who.name.clone());
    let views = with_experience(&app, |experience| {
        shown.iter().map(|who| counterparty_view(&registry, who, experience)).collect()
    });
    Ok(Json(CounterpartyPage { counterparties: views, next_cursor }))
}

/// Shows a counterparty with its trust score and what it is made of.
#[utoipa::path(
    get, path = "/v1/counterparties/{name}", tag = "policies",
    params(("name" = String, Path, description = "The counterparty's name")),
    responses(
        (status = 200, body = CounterpartyView),
        (status = 401, description = "unauthenticated", body = Problem),
        (status = 404, description = "not_found", body = Problem),
    )
)]
pub(super) async fn counterparty(
    State(app): State<App>,
    Named(name): Named<AgentId>,
    Look(_caller): Look,
) -> Result<Json<CounterpartyView>, HttpError> {
    let missing = || HttpError::not_found("counterparty");
    let registry = app.shelf().registry().ok_or_else(missing)?;
    let who = registry.named(name.as_str()).ok_or_else(missing)?;
    Ok(Json(with_experience(&app, |experience| counterparty_view(&registry, who, experience))))
}

/// A book in memory can always be read; without one nothing would be known of anybody.
fn with_experience<T>(app: &App, look: impl FnOnce(&Experience) -> T) -> T {
    let book = app.book().lock();
    match book.experience() {
        Ok(experience) => look(experience),
        Err(_) => look(&Experience::default()),
    }
}

fn counterparty_view(
    registry: &AuthenticRegistry,
    who: &Counterparty,
    experience: &Experience,
) -> CounterpartyView {
    CounterpartyView {
        name: who.name.clone(),
        category: who.category.clone(),
        country: who.country,
        services: who.services.iter().map(ToString::to_string).collect(),
        recipients: who.recipients.iter().map(ToString::to_string).collect(),
        trust: registry.trust(who, experience),
    }
}
