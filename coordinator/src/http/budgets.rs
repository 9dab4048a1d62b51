//! Where the limits of an agent's policies stand.

use alloy_primitives::Address;
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use tercet_api::policy::BudgetPage;
use tercet_api::problem::Problem;
use tercet_policy::admission::RecordSpend as _;
use tercet_policy::intent::Service;
use tercet_policy::party::AgentId;
use tercet_policy::rules::{Policy, PolicySet};

use super::HttpError;
use super::call::{Asked, Caller, Look};
use crate::app::App;
use crate::payment::budgets::{BudgetsWish, budgets};
use crate::pre_authorization;

/// What to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct BudgetsAsked {
    /// Of this agent; an agent's own without it. A reader names an agent or a wallet.
    #[param(value_type = Option<String>)]
    agent: Option<AgentId>,
    /// What binds payments from this wallet; without it, from all of the agent's.
    #[param(value_type = Option<String>)]
    wallet: Option<Address>,
    /// What binds payments to this service, as `api.search.example`; what is counted for others
    /// apart is left out.
    #[param(value_type = Option<String>)]
    service: Option<String>,
}

/// Lists every limit, rate and budget of the policies that judge an agent's payments, with what is
/// reserved, spent and left, and when more becomes available. By the coordinator's book: the
/// operator's node goes by its own. At most 500 lines.
#[utoipa::path(
    get, path = "/v1/budgets", tag = "policies", params(BudgetsAsked),
    responses(
        (status = 200, body = BudgetPage),
        (status = 400, description = "malformed", body = Problem),
        (status = 401, description = "unauthenticated", body = Problem),
        (status = 404, description = "not_found: the agent or its wallet", body = Problem),
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    Asked(asked): Asked<BudgetsAsked>,
    Look(caller): Look,
) -> Result<Json<BudgetPage>, HttpError> {
    let service = asked.service.as_deref().map(read_service).transpose()?;
    let agent = agent(&app, &caller, &asked).await?;
    pre_authorization::expire_due(&app).await?;
    let page = |budgets, truncated| {
        let (agent, wallet) = (agent.clone(), asked.wallet);
        Json(BudgetPage { agent, wallet, budgets, truncated })
    };
    let Some(set) = app.shelf().policies_of(&agent) else { return Ok(page(Vec::new(), false)) };
    let policies = applying(&set, asked.wallet);
    let wish = BudgetsWish { agent: &agent, service: service.as_ref() };
    let book = app.book().lock();
    // A book in memory can always be read.
    let (lines, truncated) = book
        .ledger()
        .map_or_else(|_| (Vec::new(), true), |l| budgets(&policies, l, app.clock().now(), wish));
    Ok(page(lines, truncated))
}

fn applying(set: &PolicySet, wallet: Option<Address>) -> Vec<&Policy> {
    wallet.map_or_else(|| set.policies().collect(), |wallet| set.applying(&wallet))
}

/// The agent asked about: the one that is named, the wallet's, or the caller.
async fn agent(app: &App, caller: &Caller, asked: &BudgetsAsked) -> Result<AgentId, HttpError> {
    let owner = match asked.wallet {
        Some(wallet) => app.store().wallet(wallet).await?.map(|wallet| wallet.agent),
        None => None,
    };
    let named = asked.agent.clone().or_else(|| caller.only().cloned());
    if asked.wallet.is_some() && (owner.is_none() || (named.is_some() && named != owner)) {
        return Err(HttpError::not_found("wallet"));
    }
    let which = || HttpError::malformed("say whose: agent=NAME or wallet=0x…");
    let agent = named.or(owner).ok_or_else(which)?;
    if !caller.sees(&agent) || app.directory().agent(&agent).is_none() {
        return Err(HttpError::not_found("agent"));
    }
    Ok(agent)
}

fn read_service(text: &str) -> Result<Service, HttpError> {
    let read = Service::of(&format!("https://{text}"));
    let read = read.ok().filter(|service| service.to_string() == text);
    let form = "a service is a host in lower case, with its port where that is not 443";
    read.ok_or_else(|| HttpError::malformed(form))
}
