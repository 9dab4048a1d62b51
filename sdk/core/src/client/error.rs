//! Why the coordinator gave no answer that can be used.

use tercet_api::payment::RefusalBy;
use tercet_api::problem::{Problem, ProblemCode};

/// Why there is no answer, grouped by the caller's next move.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The coordinator says what is wrong; see its code.
    #[error("the coordinator says: {0}")]
    Problem(Box<Problem>),
    /// The line broke or nothing came in time. What was asked may have been done.
    #[error("the coordinator cannot be reached: {detail}")]
    Unreachable {
        /// What happened, without the URL.
        detail: String,
    },
    /// Something answers that is no coordinator of this version.
    #[error("what answers is no coordinator of this version: {detail}")]
    NotTheApi {
        /// What was wrong.
        detail: String,
    },
    /// Not a URL to call a coordinator at.
    #[error("{url} is no coordinator's URL: use https, or http on this machine")]
    Url {
        /// What was given.
        url: String,
    },
    /// No HTTP client can be made here.
    #[error("no HTTP client: {detail}")]
    NoHttpClient {
        /// Why.
        detail: String,
    },
    /// The wallet whose key signed requests is closed.
    #[error("the wallet is closed")]
    Closed,
    /// The node whose key signs requests did not sign this one. Nothing was sent.
    #[error("the request could not be signed: {detail}")]
    NotSigned {
        /// Whether the same call can succeed later.
        retryable: bool,
        /// What happened.
        detail: String,
    },
    /// The operating system gives no randomness.
    #[error("the operating system gives no randomness")]
    NoRandomness,
}

impl ClientError {
    /// The problem's code, if the coordinator answered with one.
    #[must_use]
    pub fn code(&self) -> Option<ProblemCode> {
        match self {
            Self::Problem(problem) => Some(problem.code),
            _ => None,
        }
    }

    /// Whether the same call can succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Problem(problem) => problem.retryable,
            Self::Unreachable { .. } => true,
            Self::NotSigned { retryable, .. } => *retryable,
            _ => false,
        }
    }

    /// The refusals behind it, where the payment was refused.
    #[must_use]
    pub fn refusals(&self) -> &[RefusalBy] {
        match self {
            Self::Problem(problem) if problem.code == ProblemCode::Refused => &problem.refusals,
            _ => &[],
        }
    }
}
