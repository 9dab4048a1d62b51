//! Problem types: what a service says went wrong, as far as it changes what we do.

use std::time::Duration;

use reqwest::Response;
use serde::Deserialize;
use tokio::time::timeout;

/// Largest problem document that is read, in bytes.
const PROBLEM_BYTES_MAX: usize = 16 * 1024;

/// What went wrong, as far as it changes what we do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// The voucher does not pay for the unit.
    InsufficientBalance,
    /// The voucher adds too little.
    DeltaTooSmall,
    /// The channel is unknown to the service, or it is over.
    ChannelGone,
    /// Something else.
    Other,
}

#[derive(Deserialize)]
struct Problem {
    r#type: String,
}

impl ProblemKind {
    /// Reads the problem of an answer, if it has one that is known. The words are not kept.
    pub(super) async fn read(mut response: Response, patience: Duration) -> Self {
        let reading = async {
            let mut body = Vec::new();
            while let Ok(Some(chunk)) = response.chunk().await {
                body.extend_from_slice(&chunk);
                if body.len() > PROBLEM_BYTES_MAX {
                    return Vec::new();
                }
            }
            body
        };
        let body = timeout(patience, reading).await.unwrap_or_default();
        serde_json::from_slice::<Problem>(&body).map_or(Self::Other, |p| Self::of(&p.r#type))
    }

    /// A status says nothing of the session: a resource may be gone, too.
    fn of(kind: &str) -> Self {
        match kind.strip_prefix(mpp::SESSION_PROBLEM_TYPE_BASE).unwrap_or_default() {
            "/insufficient-balance" => Self::InsufficientBalance,
            "/delta-too-small" => Self::DeltaTooSmall,
            "/channel-not-found" | "/channel-finalized" => Self::ChannelGone,
            _ => Self::Other,
        }
    }
}
