//! HTTP: routes, and what stands in front of them.
//!
//! Promises: every error is an RFC 9457 problem with a closed list of codes and a reference to the
//! log; bodies, times and concurrency are bounded; `/openapi.json` lists every route, generated
//! from the types that serve.
//!
//! Does not protect against: somebody on the wire. TLS is ended in front of this listener.

mod agents;
mod approvals;
mod budgets;
mod call;
mod decide;
mod guard;
mod nodes;
mod payments;
mod policies;
mod pre_authorize;
mod problem;
mod registry;
mod relay;
mod reports;
mod wallets;

use axum::Router;
use axum::http::Uri;
use axum::response::IntoResponse;
use tercet_api::problem::ProblemCode;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub use call::{BODY_BYTES_MAX, Caller};
pub use guard::REQUEST_ID;
pub use problem::HttpError;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tercet coordinator",
        description = "Courier and clerk between agents, signer nodes and the chain. Agents sign \
            requests (RFC 9421, Ed25519); bearer tokens read everything and change nothing; \
            documents signed by the authority need no further credential. Every error is an RFC \
            9457 problem.",
    ),
    components(schemas(tercet_api::problem::Problem)),
    tags(
        (name = "agents", description = "Enrolment, freezing"),
        (name = "policies", description = "Signed policies, what they say, who is who"),
        (name = "wallets", description = "Wallets and the ceremonies that make them"),
        (name = "payments", description = "Payments from signed intents"),
        (name = "nodes", description = "Signer nodes and their relay"),
        (name = "service", description = "Health and this document"),
    )
)]
struct Document;

/// All routes and the document that lists them.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(agents::enrol, agents::list))
        .routes(routes!(agents::show))
        .routes(routes!(agents::freeze))
        .routes(routes!(agents::unfreeze))
        .routes(routes!(policies::put, policies::list))
        .routes(routes!(policies::named))
        .routes(routes!(decide::decide))
        .routes(routes!(pre_authorize::ask))
        .routes(routes!(pre_authorize::show))
        .routes(routes!(pre_authorize::record))
        .routes(routes!(budgets::list))
        .routes(routes!(registry::put, registry::current))
        .routes(routes!(registry::counterparties))
        .routes(routes!(registry::counterparty))
        .routes(routes!(policies::put_of_agent, policies::current))
        .routes(routes!(policies::history))
        .routes(routes!(wallets::create, wallets::list))
        .routes(routes!(wallets::show))
        .routes(routes!(wallets::balance))
        .routes(routes!(wallets::ceremony))
        .routes(routes!(payments::create, payments::list))
        .routes(routes!(payments::show))
        .routes(routes!(payments::sign_again))
        .routes(routes!(approvals::answer))
        .routes(routes!(approvals::list))
        .routes(routes!(reports::create, reports::list))
        .routes(routes!(nodes::list))
        .routes(routes!(nodes::health))
        .routes(routes!(nodes::livez))
        .routes(routes!(nodes::readyz))
        .routes(routes!(relay::dial))
        .routes(routes!(nodes::openapi))
}

/// The OpenAPI document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().into_openapi()
}

/// The service.
pub fn router(app: App) -> Router {
    let (router, _) = routes().split_for_parts();
    guard::guard(
        router.fallback(no_such_route).method_not_allowed_fallback(no_such_method),
        app.clone(),
    )
    .with_state(app)
}

async fn no_such_route(uri: Uri) -> impl IntoResponse {
    HttpError::new(ProblemCode::NotFound, format!("there is no route {}", uri.path()))
}

async fn no_such_method() -> impl IntoResponse {
    HttpError::new(ProblemCode::MethodNotAllowed, "see the Allow header")
}
