//! Policies and the counterparty registry: put signed ones, look at those in force and before.
//!
//! There is no deletion: whoever kept a document could bring it back. A policy is ended by a
//! higher epoch of it (`rules: []` demands nothing and grants nothing); an agent is stopped by a
//! freeze.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use tercet_api::policy::{PolicyPage, PolicyView};
use tercet_api::problem::{Problem, ProblemCode};
use tercet_api::relay::ToNode;
use tercet_policy::party::AgentId;
use tercet_policy::rules::{AuthenticPolicy, Policy, PolicyError, SignedPolicy};
use tercet_policy::subject::Subject;

use super::HttpError;
use super::agents::stale;
use super::call::{Asked, Caller, Look, Named, SelfSigned};
use super::payments::{PAGE_DEFAULT, PAGE_MAX, cursor, place};
use crate::app::App;
use crate::store::{PlacedPolicy, PolicyRecord, PolicyWish};

/// Policies of one agent that one answer lists, newest first.
const HISTORY_MAX: i64 = 200;

/// Puts a policy in force: an organisation's, an agent's or a wallet's, as the document says. Its
/// signatures are the credential; its epoch must rise above the one in force for its subject.
#[utoipa::path(
    put, path = "/v1/policies", tag = "policies",
    request_body(content = Object, description = "A signed policy: {document: {yaml}, signatures}"),
    responses(
        (status = 201, description = "In force", body = PolicyView),
        (status = 200, description = "The same policy is in force", body = PolicyView),
        (status = 404, description = "not_found: its agent or wallet", body = Problem),
        (status = 409, description = "stale_epoch", body = Problem),
        (status = 422, description = "bad_document: line and reason", body = Problem),
    )
)]
pub(super) async fn put(
    State(app): State<App>,
    SelfSigned(document): SelfSigned<SignedPolicy>,
) -> Result<(StatusCode, Json<PolicyView>), HttpError> {
    take(&app, document, None).await
}

/// Puts an agent's own policy in force: as `PUT /v1/policies`, for this agent alone.
#[utoipa::path(
    put, path = "/v1/agents/{agent}/policy", tag = "policies",
    request_body(content = Object, description = "A signed policy: {document: {yaml}, signatures}"),
    params(("agent" = String, Path, description = "The agent's name")),
    responses(
        (status = 201, description = "In force", body = PolicyView),
        (status = 200, description = "The same policy is in force", body = PolicyView),
        (status = 404, description = "not_found", body = Problem),
        (status = 409, description = "stale_epoch", body = Problem),
        (status = 422, description = "bad_document: line and reason", body = Problem),
    )
)]
pub(super) async fn put_of_agent(
    State(app): State<App>,
    Named(agent): Named<AgentId>,
    SelfSigned(document): SelfSigned<SignedPolicy>,
) -> Result<(StatusCode, Json<PolicyView>), HttpError> {
    take(&app, document, Some(Subject::Agent(agent))).await
}

async fn take(
    app: &App,
    document: SignedPolicy,
    expected: Option<Subject>,
) -> Result<(StatusCode, Json<PolicyView>), HttpError> {
    let opened = open(app, &document)?;
    let subject = opened.subject().clone();
    let agent = match &expected {
        Some(Subject::Agent(agent)) => Some(agent),
        _ => opened.agent(),
    };
    if agent.is_some_and(|agent| app.directory().agent(agent).is_none()) {
        return Err(HttpError::not_found("agent"));
    }
    opened.may_follow(None, expected.as_ref().unwrap_or(&subject)).map_err(bad_policy)?;
    check_wallet(app, &subject, opened.agent()).await?;
    if let Some(held) = app.store().policy(&subject).await?
        && held.document.document == document.document
    {
        return Ok((StatusCode::OK, Json(view(held, true))));
    }
    let record = PolicyRecord {
        subject,
        agent: opened.agent().cloned(),
        name: opened.name().to_owned(),
        epoch: opened.epoch(),
        document: document.clone(),
        installed_at: app.clock().now(),
    };
    if !app.store().put_policy(&record).await? {
        return Err(stale(record.epoch));
    }
    app.book().watch(opened.policy());
    app.shelf().put_policy(opened);
    match &record.agent {
        Some(agent) => app.push(agent, &ToNode::Policy { document }),
        None => app.push_to_all(&ToNode::Policy { document }),
    }
    Ok((StatusCode::CREATED, Json(view(record, true))))
}

/// Opens a policy as what follows the one in force for its subject, as nodes do: a stricter one
/// takes one key of the authority, any other its quorum.
fn open(app: &App, document: &SignedPolicy) -> Result<AuthenticPolicy, HttpError> {
    // Read unopened to find the one held; what counts is read again once it is opened.
    let read = Policy::parse(&document.document.yaml).map_err(bad_policy)?;
    let held = app.shelf().policy(read.subject());
    let held = held.as_deref().map(AuthenticPolicy::policy);
    document.clone().open_policy_after(app.authority(), held).map_err(bad_policy)
}

/// A wallet's policy names the agent that owns the wallet.
async fn check_wallet(
    app: &App,
    subject: &Subject,
    agent: Option<&AgentId>,
) -> Result<(), HttpError> {
    let Subject::Wallet(address) = subject else { return Ok(()) };
    match app.store().wallet(*address).await? {
        Some(wallet) if Some(&wallet.agent) == agent => Ok(()),
        Some(_) => {
            let detail = "applies_to: the wallet is another agent's";
            Err(HttpError::new(ProblemCode::BadDocument, detail))
        }
        None => Err(HttpError::not_found("wallet")),
    }
}

/// What to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PoliciesAsked {
    /// `organisation`, `agent/NAME` or `wallet/0x…`; without it, all that the caller may see.
    subject: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Policies on the page, at most 200.
    limit: Option<u16>,
}

/// Lists the policies in force, the latest first. An agent sees its own, its wallets' and its
/// organisation's.
#[utoipa::path(
    get, path = "/v1/policies", tag = "policies", params(PoliciesAsked),
    responses(
        (status = 200, body = PolicyPage),
        (status = 400, description = "malformed", body = Problem),
        (status = 401, description = "unauthenticated", body = Problem),
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    Asked(asked): Asked<PoliciesAsked>,
    Look(caller): Look,
) -> Result<Json<PolicyPage>, HttpError> {
    let subject = asked.subject.as_deref().map(read_subject).transpose()?;
    page(&app, &caller, asked, PolicyWish { subject, in_force: true, ..PolicyWish::default() })
        .await
}

/// The policies of a name, of all epochs, the latest first.
#[utoipa::path(
    get, path = "/v1/policies/{name}", tag = "policies",
    params(("name" = String, Path, description = "The policy's name"), PoliciesAsked),
    responses(
        (status = 200, body = PolicyPage),
        (status = 400, description = "malformed", body = Problem),
        (status = 401, description = "unauthenticated", body = Problem),
        (status = 404, description = "not_found", body = Problem),
    )
)]
pub(super) async fn named(
    State(app): State<App>,
    Named(name): Named<AgentId>,
    Asked(asked): Asked<PoliciesAsked>,
    Look(caller): Look,
) -> Result<Json<PolicyPage>, HttpError> {
    let subject = asked.subject.as_deref().map(read_subject).transpose()?;
    let name = Some(name.to_string());
    let wish = PolicyWish { name, subject, ..PolicyWish::default() };
    let first = asked.cursor.is_none();
    let found = page(&app, &caller, asked, wish).await?;
    if first && found.policies.is_empty() {
        return Err(HttpError::not_found("policy"));
    }
    Ok(found)
}

async fn page(
    app: &App,
    caller: &Caller,
    asked: PoliciesAsked,
    wish: PolicyWish,
) -> Result<Json<PolicyPage>, HttpError> {
    let limit = asked.limit.unwrap_or(PAGE_DEFAULT);
    if limit == 0 || limit > PAGE_MAX {
        return Err(HttpError::malformed(format!("limit is 1 to {PAGE_MAX}")));
    }
    let wish = PolicyWish {
        seen_by: caller.only().cloned(),
        before: asked.cursor.as_deref().map(place).transpose()?,
        limit: i64::from(limit).saturating_add(1),
        ..wish
    };
    let mut found = app.store().policies(&wish).await?;
    let more = found.len() > usize::from(limit);
    found.truncate(usize::from(limit));
    let next_cursor = found.last().filter(|_| more).map(|last| cursor(last.serial));
    Ok(Json(PolicyPage { policies: found.into_iter().map(placed).collect(), next_cursor }))
}

fn read_subject(text: &str) -> Result<Subject, HttpError> {
    let read = match text.split_once('/') {
        None if text == "organisation" => Some(Subject::Organisation),
        Some(("agent", name)) => AgentId::new(name).ok().map(Subject::Agent),
        Some(("wallet", address)) => address.parse().ok().map(Subject::Wallet),
        _ => None,
    };
    let forms = "a subject is organisation, agent/NAME or wallet/0x…";
    read.ok_or_else(|| HttpError::malformed(forms))
}

/// Shows an agent's own policy in force.
#[utoipa::path(
    get, path = "/v1/agents/{agent}/policy", tag = "policies",
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
    let held = app.store().policy(&Subject::Agent(agent)).await?;
    held.map(|held| Json(view(held, true))).ok_or_else(missing)
}

/// Lists an agent's own policies, newest first.
#[utoipa::path(
    get, path = "/v1/agents/{agent}/policies", tag = "policies",
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
    let subject = Some(Subject::Agent(agent));
    let wish = PolicyWish { subject, limit: HISTORY_MAX, ..PolicyWish::default() };
    Ok(Json(app.store().policies(&wish).await?.into_iter().map(placed).collect()))
}

fn bad_policy(error: PolicyError) -> HttpError {
    HttpError::new(ProblemCode::BadDocument, error.to_string())
}

fn placed(placed: PlacedPolicy) -> PolicyView {
    view(placed.record, placed.in_force)
}

fn view(record: PolicyRecord, in_force: bool) -> PolicyView {
    PolicyView {
        subject: record.subject,
        agent: record.agent,
        name: record.name,
        epoch: record.epoch,
        in_force,
        document: record.document,
        installed_at: record.installed_at,
    }
}
