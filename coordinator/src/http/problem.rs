//! Errors on their way out: RFC 9457 problems with two faces. The caller reads the detail, the
//! operator finds the cause in the log under the same reference.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tercet_api::payment::RefusalBy;
use tercet_api::problem::{PROBLEM_MEDIA_TYPE, Problem, ProblemCode};
use tercet_policy::document::DocumentError;
use tercet_policy::refusal::Refusal;

use super::guard::request_id;
use crate::clerk::ClerkError;
use crate::store::StoreError;

/// How long a caller should wait before it tries again, in seconds.
const RETRY_AFTER_SECONDS: u64 = 2;
/// Longest detail, in characters; it may quote the request.
const DETAIL_CHARS_MAX: usize = 500;

/// An error that becomes a problem.
#[derive(Debug)]
pub struct HttpError {
    code: ProblemCode,
    detail: String,
    refusals: Vec<RefusalBy>,
}

impl HttpError {
    /// A problem of this code.
    #[must_use]
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), refusals: Vec::new() }
    }

    /// Something in the request has not the form it needs.
    #[must_use]
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(ProblemCode::Malformed, detail)
    }

    /// There is none, or none of the caller's.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Self::new(ProblemCode::NotFound, format!("there is no such {what}"))
    }

    /// A payment that was refused.
    #[must_use]
    pub fn refused(detail: impl Into<String>, refusals: Vec<RefusalBy>) -> Self {
        Self { refusals, ..Self::new(ProblemCode::Refused, detail) }
    }

    /// A refusal of the coordinator itself.
    #[must_use]
    pub fn refused_here(refusal: Refusal) -> Self {
        let by = "coordinator".to_owned();
        Self::refused(refusal.to_string(), vec![RefusalBy { by, refusal }])
    }
}

impl From<StoreError> for HttpError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed");
        Self::new(ProblemCode::Internal, "the store failed; the log says more")
    }
}

impl From<ClerkError> for HttpError {
    fn from(error: ClerkError) -> Self {
        let code = match error {
            ClerkError::NotConfigured(_) => ProblemCode::NotFound,
            ClerkError::Unavailable { .. } | ClerkError::Rejected { .. } => {
                ProblemCode::ChainUnavailable
            }
        };
        Self::new(code, error.to_string())
    }
}

impl From<DocumentError> for HttpError {
    fn from(error: DocumentError) -> Self {
        Self::new(ProblemCode::BadDocument, error.to_string())
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let log_ref = request_id();
        let detail: String = self.detail.chars().take(DETAIL_CHARS_MAX).collect();
        tracing::info!(code = self.code.word(), %detail, "problem");
        let mut problem = Problem::new(self.code, detail, log_ref);
        problem.refusals = self.refusals;
        let status =
            StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retryable = problem.retryable;
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_MEDIA_TYPE));
        if retryable && status != StatusCode::INTERNAL_SERVER_ERROR {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        if status == StatusCode::UNAUTHORIZED {
            let schemes = HeaderValue::from_static("Signature, Bearer");
            headers.insert(header::WWW_AUTHENTICATE, schemes);
        }
        response
    }
}
