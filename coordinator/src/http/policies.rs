//! Policies: put a signed one, look at the one in force and at those before.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use tercet_api::problem::{Problem, ProblemCode};
use tercet_api::relay::ToNode;
use tercet_api::resource::PolicyView;
use tercet_policy::party::AgentId;
use tercet_policy::rules::{PolicyError, SignedPolicy};

use super::HttpError;
use super::agents::stale;
use super::call::{Look, Named, SelfSigned};
use crate::app::App;
use crate::store::PolicyRecord;

/// Puts a policy in force. The document's signatures are the credential; its epoch must rise.
#[utoipa::path(
    put, path = "/v1/agents/{agent}/policy", tag = "agents",
    request_body(content = Object, description = "A signed policy: {document: {yaml}, signatures}"),
    params(("agent" = String, Path, description = "The agent's name")),
    responses(
        (status = 201, description = "In force", body = PolicyView),
        (status = 200, description = "The same policy is in force", body = PolicyView),
        (status = 404, description = "not_found", body = Problem),
        (status = 409, description = "stale_epoch", body = Problem),
        (status = 422, description = "bad_document", body = Problem),
    )
)]
pub(super) async fn put(
    State(app): State<App>,
    Named(agent): Named<AgentId>,
    SelfSigned(document): SelfSigned<SignedPolicy>,
) -> Result<(StatusCode, Json<PolicyView>), HttpError> {
    let opened = document.clone().open_policy(app.authority()).map_err(bad_policy)?;
    app.directory().agent(&agent).ok_or_else(|| HttpError::not_found("agent"))?;
    opened.may_follow(None, &agent).map_err(bad_policy)?;
    if let Some(held) = app.store().policy(&agent).await?
        && held.document.document == document.document
    {
        return Ok((StatusCode::OK, Json(view(held))));
    }
    let record = PolicyRecord {
        agent: agent.clone(),
        name: opened.name().to_owned(),
        epoch: opened.epoch(),
        document: document.clone(),
        installed_at: app.clock().now(),
    };
    if !app.store().put_policy(&record).await? {
        return Err(stale(record.epoch));
    }
    app.push(&agent, &ToNode::Policy { document });
    Ok((StatusCode::CREATED, Json(view(record))))
}

/// Shows the policy in force.
#[utoipa::path(
    get, path = "/v1/agents/{agent}/policy", tag = "agents",
    params(("agent" = String, Path, description = "The agent's name")),
    responses(
        (status = 200, body = PolicyView),
        (status = 401, description = "unauthenticated", body = Problem),
        (status = 404, description = "not_found", body = Problem),
    )
)]
pub(super) async fn current(
    State(app): State<App>,
    Named(agent): Named<AgentId>,
    Look(caller): Look,
) -> Result<Json<PolicyView>, HttpError> {
    let missing = || HttpError::not_found("policy");
    if !caller.sees(&agent) {
        return Err(missing());
    }
    app.store().policy(&agent).await?.map(view).map(Json).ok_or_else(missing)
}

/// Lists an agent's policies, newest first.
#[utoipa::path(
    get, path = "/v1/agents/{agent}/policies", tag = "agents",
    params(("agent" = String, Path, description = "The agent's name")),
    responses(
        (status = 200, body = Vec<PolicyView>),
        (status = 401, description = "unauthenticated", body = Problem),
        (status = 404, description = "not_found", body = Problem),
    )
)]
pub(super) async fn history(
    State(app): State<App>,
    Named(agent): Named<AgentId>,
    Look(caller): Look,
) -> Result<Json<Vec<PolicyView>>, HttpError> {
    if !caller.sees(&agent) || app.directory().agent(&agent).is_none() {
        return Err(HttpError::not_found("agent"));
    }
    Ok(Json(app.store().policies(&agent).await?.into_iter().map(view).collect()))
}

fn bad_policy(error: PolicyError) -> HttpError {
    HttpError::new(ProblemCode::BadDocument, error.to_string())
}

fn view(record: PolicyRecord) -> PolicyView {
    PolicyView {
        agent: record.agent,
        name: record.name,
        epoch: record.epoch,
        document: record.document,
        installed_at: record.installed_at,
    }
}
