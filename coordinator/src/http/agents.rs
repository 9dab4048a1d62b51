//! Agents: enrol, look, freeze, unfreeze.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use tercet_api::problem::{Problem, ProblemCode};
use tercet_api::relay::ToNode;
use tercet_api::resource::{AgentView, EnrolAgent, FreezeAgent, PolicyInForce};
use tercet_policy::document::{DocumentError, Enrolment, Freeze, Signed};
use tercet_policy::party::{AgentId, Party};
use tercet_policy::subject::Subject;

use super::HttpError;
use super::call::{Look, Named, SelfSigned};
use crate::app::App;
use crate::store::{AgentRecord, PolicyRecord, PolicyWish};

/// Longest reason of a freeze, in characters.
const REASON_CHARS_MAX: usize = 500;
/// Most policies that a view of an agent lists: an organisation's, its own, and its wallets'.
const POLICIES_MAX: i64 = 200;

/// Enrols an agent, or changes its enrolment by a higher epoch. The document's signatures are the
/// credential.
#[utoipa::path(
    post, path = "/v1/agents", tag = "agents", request_body = EnrolAgent,
    responses(
        (status = 201, description = "Enrolled", body = AgentView),
        (status = 200, description = "The same enrolment is in force", body = AgentView),
        (status = 409, description = "stale_epoch", body = Problem),
        (status = 422, description = "bad_document", body = Problem),
    )
)]
pub(super) async fn enrol(
    State(app): State<App>,
    SelfSigned(body): SelfSigned<EnrolAgent>,
) -> Result<(StatusCode, Json<AgentView>), HttpError> {
    let signed = body.enrolment;
    let enrolment = signed.clone().open(app.authority())?;
    app.directory()
        .check(&enrolment)
        .map_err(|misfit| HttpError::new(ProblemCode::BadDocument, misfit.to_string()))?;
    let agent = enrolment.agent.clone();
    let held = app.directory().agent(&agent);
    if let Some(held) = held.as_ref().filter(|held| held.enrolment.document == signed.document) {
        return Ok((StatusCode::OK, Json(view(&app, held).await?)));
    }
    if !app.store().put_enrolment(&signed, app.clock().now()).await? {
        return Err(stale(signed.document.epoch));
    }
    app.directory().put_enrolment(signed.clone());
    let own = |enrolment: &Enrolment| enrolment.agent_node.signing;
    if held.is_some_and(|held| own(&held.enrolment.document) != own(&signed.document)) {
        // It was let in by a key that is no longer the agent's.
        app.relay().drop_node(&signed.document.agent_node.id);
    }
    app.push(&agent, &ToNode::Enrolment { document: signed });
    let record = app.directory().agent(&agent).ok_or_else(|| HttpError::not_found("agent"))?;
    Ok((StatusCode::CREATED, Json(view(&app, &record).await?)))
}

/// Lists agents; an agent sees itself.
#[utoipa::path(
    get, path = "/v1/agents", tag = "agents",
    responses(
        (status = 200, body = Vec<AgentView>),
        (status = 401, description = "unauthenticated", body = Problem),
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    Look(caller): Look,
) -> Result<Json<Vec<AgentView>>, HttpError> {
    let mut views = Vec::new();
    for record in app.directory().agents() {
        if caller.sees(&record.enrolment.document.agent) {
            views.push(view(&app, &record).await?);
        }
    }
    Ok(Json(views))
}

/// Shows an agent.
#[utoipa::path(
    get, path = "/v1/agents/{agent}", tag = "agents",
    params(("agent" = String, Path, description = "The agent's name")),
    responses(
        (status = 200, body = AgentView),
        (status = 401, description = "unauthenticated", body = Problem),
        (status = 404, description = "not_found", body = Problem),
    )
)]
pub(super) async fn show(
    State(app): State<App>,
    Named(agent): Named<AgentId>,
    Look(caller): Look,
) -> Result<Json<AgentView>, HttpError> {
    let record = app.directory().agent(&agent).filter(|_| caller.sees(&agent));
    let record = record.ok_or_else(|| HttpError::not_found("agent"))?;
    Ok(Json(view(&app, &record).await?))
}

/// Stops an agent. Any one key of the authority suffices.
#[utoipa::path(
    post, path = "/v1/agents/{agent}/freeze", tag = "agents", request_body = FreezeAgent,
    params(("agent" = String, Path, description = "The agent's name")),
    responses(
        (status = 200, body = AgentView),
        (status = 404, description = "not_found", body = Problem),
        (status = 409, description = "stale_epoch", body = Problem),
        (status = 422, description = "bad_document", body = Problem),
    )
)]
pub(super) async fn freeze(
    State(app): State<App>,
    Named(agent): Named<AgentId>,
    SelfSigned(body): SelfSigned<FreezeAgent>,
) -> Result<Json<AgentView>, HttpError> {
    take_freeze(&app, &agent, body.freeze, true).await
}

/// Lets an agent go on. Takes the authority's quorum.
#[utoipa::path(
    post, path = "/v1/agents/{agent}/unfreeze", tag = "agents", request_body = FreezeAgent,
    params(("agent" = String, Path, description = "The agent's name")),
    responses(
        (status = 200, body = AgentView),
        (status = 404, description = "not_found", body = Problem),
        (status = 409, description = "stale_epoch", body = Problem),
        (status = 422, description = "bad_document", body = Problem),
    )
)]
pub(super) async fn unfreeze(
    State(app): State<App>,
    Named(agent): Named<AgentId>,
    SelfSigned(body): SelfSigned<FreezeAgent>,
) -> Result<Json<AgentView>, HttpError> {
    take_freeze(&app, &agent, body.freeze, false).await
}

async fn take_freeze(
    app: &App,
    agent: &AgentId,
    signed: Signed<Freeze>,
    frozen: bool,
) -> Result<Json<AgentView>, HttpError> {
    let document = &signed.document;
    if document.agent != *agent || document.frozen != frozen {
        return Err(HttpError::malformed("the document is about something else than the path"));
    }
    if document.reason.chars().count() > REASON_CHARS_MAX {
        return Err(HttpError::malformed(format!(
            "a reason ends at {REASON_CHARS_MAX} characters"
        )));
    }
    let opened: Result<_, DocumentError> = signed.clone().open_freeze(app.authority());
    let opened = opened?;
    let held = app.directory().agent(agent).ok_or_else(|| HttpError::not_found("agent"))?;
    let same = held.freeze.as_ref().is_some_and(|held| held.document == *opened.document());
    if !same {
        if !app.store().put_freeze(&signed, app.clock().now()).await? {
            return Err(stale(signed.document.epoch));
        }
        app.directory().put_freeze(signed.clone());
        app.push(agent, &ToNode::Freeze { document: signed });
    }
    let record = app.directory().agent(agent).ok_or_else(|| HttpError::not_found("agent"))?;
    Ok(Json(view(app, &record).await?))
}

pub(super) fn stale(epoch: u64) -> HttpError {
    let detail = format!("epoch {epoch} does not rise above the one in force");
    HttpError::new(ProblemCode::StaleEpoch, detail)
}

async fn view(app: &App, record: &AgentRecord) -> Result<AgentView, HttpError> {
    let enrolment = &record.enrolment.document;
    let freeze = record.freeze.as_ref().map(|signed| &signed.document);
    let wish = PolicyWish {
        seen_by: Some(enrolment.agent.clone()),
        in_force: true,
        limit: POLICIES_MAX,
        ..PolicyWish::default()
    };
    let mut policies: Vec<_> = app
        .store()
        .policies(&wish)
        .await?
        .into_iter()
        .map(|placed| in_force(placed.record))
        .collect();
    policies.sort_by(|a, b| a.subject.cmp(&b.subject));
    let own = Subject::Agent(enrolment.agent.clone());
    Ok(AgentView {
        id: enrolment.agent.clone(),
        epoch: enrolment.epoch,
        nodes: Party::ALL.map(|party| enrolment.keys(party).id.clone()),
        frozen: freeze.is_some_and(|f| f.frozen),
        freeze_epoch: freeze.map_or(0, |f| f.epoch),
        frozen_reason: freeze.filter(|f| f.frozen).map(|f| f.reason.clone()),
        aux: record.aux,
        policy_epoch: policies.iter().find(|held| held.subject == own).map(|held| held.epoch),
        policies,
        registry_epoch: app.shelf().registry().map(|registry| registry.epoch()),
    })
}

fn in_force(record: PolicyRecord) -> PolicyInForce {
    PolicyInForce { subject: record.subject, name: record.name, epoch: record.epoch }
}
