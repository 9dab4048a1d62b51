//! What is answered when something is not done, and bodies read within their bounds.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use tercet_api::problem::{PROBLEM_MEDIA_TYPE, Problem, ProblemCode};
use tokio::time::timeout;

use super::BODY_SECONDS_MAX;

/// Where a problem's story is told in full.
const LOG: &str = "log of the agent's node";
/// When to come back where that helps, in seconds.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// A problem, as an answer.
pub(super) struct Said(Box<Problem>);

impl Said {
    pub(super) fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self(Box::new(Problem::new(code, detail, LOG)))
    }
}

impl IntoResponse for Said {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status);
        let body = serde_json::to_vec(&self.0).unwrap_or_default();
        let mut response =
            (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_MEDIA_TYPE));
        if self.0.retryable {
            headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
        }
        response
    }
}

/// A JSON body, within the limits of size and time.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Asked<T> {
    type Rejection = Said;

    async fn from_request(request: Request, state: &S) -> Result<Self, Said> {
        let reading = Bytes::from_request(request, state);
        let body = match timeout(Duration::from_secs(BODY_SECONDS_MAX), reading).await {
            Ok(Ok(body)) => body,
            Ok(Err(bad)) if bad.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                return Err(Said::new(ProblemCode::TooLarge, bad.body_text()));
            }
            Ok(Err(bad)) => return Err(Said::new(ProblemCode::Malformed, bad.body_text())),
            Err(_) => return Err(Said::new(ProblemCode::TimedOut, "the body did not come")),
        };
        match serde_json::from_slice(&body) {
            Ok(asked) => Ok(Self(asked)),
            Err(error) => Err(Said::new(ProblemCode::Malformed, error.to_string())),
        }
    }
}
