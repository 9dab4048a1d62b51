//! Errors as RFC 9457 problems: a closed list of codes, and whether trying again can help.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::payment::RefusalBy;

/// Media type of a problem.
pub const PROBLEM_MEDIA_TYPE: &str = "application/problem+json";

/// A problem as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:tercet:problem:<code>`.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// The code's title, the same for every occurrence.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// This occurrence, for people.
    pub detail: String,
    /// For programs.
    pub code: ProblemCode,
    /// Whether the same request can succeed later.
    pub retryable: bool,
    /// Where the operator's log says more.
    pub log_ref: String,
    /// The refusals behind it, where there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<RefusalBy>,
}

/// All problems there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// The body or a parameter has not the form it needs.
    Malformed,
    /// The body is larger than is read.
    TooLarge,
    /// No credentials, or none that are good here.
    Unauthenticated,
    /// Good credentials for something else.
    Forbidden,
    /// No such thing, or none of yours.
    NotFound,
    /// The method is not one of this resource.
    MethodNotAllowed,
    /// The same id was used for other content.
    IdConflict,
    /// An epoch that does not rise.
    StaleEpoch,
    /// A signed document whose signatures do not suffice.
    BadDocument,
    /// The payment was refused; `refusals` says why.
    Refused,
    /// Nobody is asked about this payment, or not any more.
    NotAwaiting,
    /// The approval is not the one that was given: another wallet, payee, asset, chain or more.
    ApprovalMismatch,
    /// The approval's time is over; what it reserved is free again.
    ApprovalExpired,
    /// The approval was used for another transaction.
    ApprovalUsed,
    /// A node that is needed is not connected.
    NodeUnavailable,
    /// The chain does not answer, or its endpoints disagree.
    ChainUnavailable,
    /// More is going on than is let in.
    Busy,
    /// It took too long; the outcome can be asked for.
    TimedOut,
    /// The coordinator starts or stops.
    NotReady,
    /// Our fault.
    Internal,
}

impl ProblemCode {
    /// HTTP status, title, and whether trying again can help.
    #[must_use]
    pub const fn facts(self) -> (u16, &'static str, bool) {
        match self {
            Self::Malformed => (400, "The request is malformed", false),
            Self::TooLarge => (413, "The request is too large", false),
            Self::Unauthenticated => (401, "Credentials are missing or not good here", false),
            Self::Forbidden => (403, "Not yours to do", false),
            Self::NotFound => (404, "No such thing", false),
            Self::MethodNotAllowed => (405, "Not a method of this resource", false),
            Self::IdConflict => (409, "The id was used for other content", false),
            Self::StaleEpoch => (409, "The epoch does not rise", false),
            Self::BadDocument => (422, "The document is not signed as it needs to be", false),
            Self::Refused => (422, "Refused", false),
            Self::NotAwaiting => (409, "Nobody is asked about this", false),
            Self::ApprovalMismatch => (422, "The approval is for something else", false),
            Self::ApprovalExpired => (410, "The approval has expired", false),
            Self::ApprovalUsed => (409, "The approval is used", false),
            Self::NodeUnavailable => (503, "A node that is needed is not connected", true),
            Self::ChainUnavailable => (503, "The chain does not answer", true),
            Self::Busy => (429, "Too much at once", true),
            Self::TimedOut => (504, "It took too long", true),
            Self::NotReady => (503, "The coordinator is not ready", true),
            Self::Internal => (500, "Our fault", true),
        }
    }

    /// The code as its JSON word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::IdConflict => "id_conflict",
            Self::StaleEpoch => "stale_epoch",
            Self::BadDocument => "bad_document",
            Self::Refused => "refused",
            Self::NotAwaiting => "not_awaiting",
            Self::ApprovalMismatch => "approval_mismatch",
            Self::ApprovalExpired => "approval_expired",
            Self::ApprovalUsed => "approval_used",
            Self::NodeUnavailable => "node_unavailable",
            Self::ChainUnavailable => "chain_unavailable",
            Self::Busy => "busy",
            Self::TimedOut => "timed_out",
            Self::NotReady => "not_ready",
            Self::Internal => "internal",
        }
    }
}

impl Problem {
    /// A problem of this code.
    #[must_use]
    pub fn new(code: ProblemCode, detail: impl Into<String>, log_ref: impl Into<String>) -> Self {
        let (status, title, retryable) = code.facts();
        Self {
            type_uri: format!("urn:tercet:problem:{}", code.word()),
            title: title.to_owned(),
            status,
            detail: detail.into(),
            code,
            retryable,
            log_ref: log_ref.into(),
            refusals: Vec::new(),
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.title, self.detail)?;
        self.refusals.iter().try_for_each(|r| write!(f, "; {}: {}", r.by, r.refusal))
    }
}
