//! What stands in front of every route: a request id, a place among those being answered, a time
//! limit, and a net under panics.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tercet_api::problem::ProblemCode;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;

use super::HttpError;
use crate::app::App;

/// Names a request in answers and in the log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Time that an answer may take beyond the waiting it is asked for, in seconds.
const GRACE_SECONDS: u64 = 5;

tokio::task_local! {
    static CURRENT: String;
}

/// The id of the request that is being answered.
pub(super) fn request_id() -> String {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}

pub(super) fn guard(router: Router<App>, app: App) -> Router<App> {
    router
        .layer(from_fn_with_state(app, bound))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(name))
}

async fn name(request: Request, next: Next) -> Response {
    let mut id = [0u8; 8];
    // Without randomness the request has a useless name, and is answered all the same.
    let _ = getrandom::fill(&mut id);
    let id = hex::encode(id);
    let span = tracing::info_span!(
        "request", %id, method = %request.method(), path = request.uri().path()
    );
    let answer = CURRENT.scope(id.clone(), next.run(request)).instrument(span);
    let mut response = answer.await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn bound(State(app): State<App>, request: Request, next: Next) -> Response {
    let Ok(_place) = app.request_places().try_acquire_owned() else {
        return HttpError::new(ProblemCode::Busy, "too many requests at once").into_response();
    };
    let limits = app.limits();
    let seconds = limits.request_seconds_max.max(limits.payment_wait_seconds);
    let limit = Duration::from_secs(seconds.saturating_add(GRACE_SECONDS));
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!("no answer within {} s", limit.as_secs());
            HttpError::new(ProblemCode::TimedOut, detail).into_response()
        }
    }
}

fn panicked(cause: Box<dyn Any + Send + 'static>) -> Response {
    let text = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("unknown"), "a request hit a bug");
    HttpError::new(ProblemCode::Internal, "this is a bug; the log says more").into_response()
}
