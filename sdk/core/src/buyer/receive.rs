//! A paid answer, read to its end where that is possible, so that "delivered" means all of it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Body, Response, ResponseBuilderExt as _};
use sha2::{Digest as _, Sha256};
use tercet_policy::document::ContentHash;
use tokio::time::{Instant, timeout_at};

use crate::rules::RESOURCE_HASHED_BYTES_MAX;

/// Most of a 402's body that is read (and thrown away) to keep the connection, in bytes.
const CHALLENGE_BODY_BYTES_MAX: usize = 64 * 1024;

/// An answer that came.
pub(crate) struct Received {
    pub(crate) response: Response,
    /// Hash and length of the whole body, where it was held.
    pub(crate) body: Option<(ContentHash, u64)>,
}

/// Throws a body away, up to a limit.
pub(crate) async fn drain(response: &mut Response) {
    let mut read = 0usize;
    while let Ok(Some(chunk)) = response.chunk().await {
        read = read.saturating_add(chunk.len());
        if read > CHALLENGE_BODY_BYTES_MAX {
            return;
        }
    }
}

/// Reads the body, unless it is a stream of events, too large to be held, or slower than `patience`:
/// those are handed on as they come.
pub(crate) async fn receive(
    mut response: Response,
    patience: Duration,
) -> Result<Received, reqwest::Error> {
    if is_event_stream(response.headers()) {
        return Ok(Received { response, body: None });
    }
    let begun = Instant::now();
    let until = begun.checked_add(patience).unwrap_or(begun);
    let mut held = BytesMut::new();
    loop {
        match timeout_at(until, response.chunk()).await {
            Ok(chunk) => match chunk? {
                Some(chunk) => held.extend_from_slice(&chunk),
                None => break,
            },
            Err(_elapsed) => return Ok(as_it_comes(response, held)),
        }
        if held.len() > RESOURCE_HASHED_BYTES_MAX {
            return Ok(as_it_comes(response, held));
        }
    }
    let held = held.freeze();
    let hash = ContentHash(Sha256::digest(&held).into());
    let length = u64::try_from(held.len()).unwrap_or(u64::MAX);
    let response = rebuild(Head::of(&response), held.into());
    Ok(Received { response, body: Some((hash, length)) })
}

fn as_it_comes(response: Response, held: BytesMut) -> Received {
    Received { response: rejoin(response, held.freeze()), body: None }
}

pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
    let kind = kind.and_then(|kind| kind.split(|byte| *byte == b';').next()).unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(b"text/event-stream")
}

/// What was read already, followed by what is still to come.
fn rejoin(response: Response, held: Bytes) -> Response {
    let head = Head::of(&response);
    let body = stream::iter([Ok(held)]).chain(response.bytes_stream());
    rebuild(head, Body::wrap_stream(body))
}

pub(crate) struct Head {
    status: reqwest::StatusCode,
    version: reqwest::Version,
    headers: HeaderMap,
    url: reqwest::Url,
}

impl Head {
    pub(crate) fn of(response: &Response) -> Self {
        Self {
            status: response.status(),
            version: response.version(),
            headers: response.headers().clone(),
            url: response.url().clone(),
        }
    }
}

pub(crate) fn rebuild(head: Head, body: Body) -> Response {
    let url = http::Response::builder().url(head.url);
    // The builder was given nothing that can be wrong; an empty answer would be the fallback.
    let mut response = url.body(()).unwrap_or_default().map(|()| body);
    *response.status_mut() = head.status;
    *response.version_mut() = head.version;
    *response.headers_mut() = head.headers;
    Response::from(response)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn a_stream_of_events_is_known_in_any_case() {
        let is = |kind: &'static str| {
            is_event_stream(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]))
        };
        for kind in ["text/event-stream", "Text/Event-Stream", "TEXT/EVENT-STREAM ;charset=utf-8"] {
            assert!(is(kind), "{kind}");
        }
        for other in ["text/event-streams", "text/plain", ""] {
            assert!(!is(other), "{other}");
        }
    }
}
