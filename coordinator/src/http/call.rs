//! Who calls, and with what: verification yields the caller and the parsed body together.

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tercet_api::auth::{
    self, CONTENT_DIGEST, RequestParts, SIGNATURE, SIGNATURE_INPUT, SignatureHeaders,
};
use tercet_api::problem::ProblemCode;
use tercet_policy::party::{AgentId, NodeId};

use super::HttpError;
use crate::app::App;
use crate::replay::NotFresh;

/// Largest body that is read, in bytes: a policy with its signatures in JSON.
pub const BODY_BYTES_MAX: usize = 320 * 1024;

/// Who calls, proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// An enrolled agent, by a request signature. It sees its own things.
    Agent(AgentId),
    /// The holder of a bearer token. It sees everything and changes nothing.
    Reader,
}

impl Caller {
    /// Whether the caller may see an agent's things.
    #[must_use]
    pub fn sees(&self, agent: &AgentId) -> bool {
        match self {
            Self::Agent(own) => own == agent,
            Self::Reader => true,
        }
    }

    /// The agent whose things alone the caller sees.
    #[must_use]
    pub const fn only(&self) -> Option<&AgentId> {
        match self {
            Self::Agent(own) => Some(own),
            Self::Reader => None,
        }
    }

    /// The agent that calls, for what only agents do.
    ///
    /// # Errors
    /// `forbidden` for a reader.
    pub fn agent(&self) -> Result<&AgentId, HttpError> {
        self.only().ok_or_else(|| {
            HttpError::new(ProblemCode::Forbidden, "a bearer token reads and changes nothing")
        })
    }
}

/// A caller that may look.
pub(super) struct Look(pub Caller);

/// A caller with a JSON body.
pub(super) struct Call<T> {
    pub caller: Caller,
    pub body: T,
}

/// A JSON body that carries its own signatures.
pub(super) struct SelfSigned<T>(pub T);

/// A connected node's name, proved.
pub(super) struct Dialler(pub NodeId);

/// Path parameters.
pub(super) struct Named<T>(pub T);

/// Query parameters.
pub(super) struct Asked<T>(pub T);

impl FromRequest<App> for Look {
    type Rejection = HttpError;
    async fn from_request(request: Request, app: &App) -> Result<Self, HttpError> {
        let (parts, body) = read(request).await?;
        caller(app, &parts, &body).map(Self)
    }
}

impl<T: DeserializeOwned> FromRequest<App> for Call<T> {
    type Rejection = HttpError;
    async fn from_request(request: Request, app: &App) -> Result<Self, HttpError> {
        let (parts, body) = read(request).await?;
        let caller = caller(app, &parts, &body)?;
        Ok(Self { caller, body: parse(&body)? })
    }
}

impl<T: DeserializeOwned> FromRequest<App> for SelfSigned<T> {
    type Rejection = HttpError;
    async fn from_request(request: Request, _: &App) -> Result<Self, HttpError> {
        let (_, body) = read(request).await?;
        parse(&body).map(Self)
    }
}

impl FromRequestParts<App> for Dialler {
    type Rejection = HttpError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, HttpError> {
        signed_by(app, parts, &[]).map(Self)
    }
}

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Named<T> {
    type Rejection = HttpError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, HttpError> {
        let Path(named) = Path::<T>::from_request_parts(parts, app)
            .await
            .map_err(|rejection| HttpError::malformed(rejection.body_text()))?;
        Ok(Self(named))
    }
}

impl<T: DeserializeOwned> FromRequestParts<App> for Asked<T> {
    type Rejection = HttpError;
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, HttpError> {
        let Query(asked) = Query::<T>::from_request_parts(parts, app)
            .await
            .map_err(|rejection| HttpError::malformed(rejection.body_text()))?;
        Ok(Self(asked))
    }
}

async fn read(request: Request) -> Result<(Parts, Vec<u8>), HttpError> {
    let (parts, body) = request.into_parts();
    let too_large =
        || HttpError::new(ProblemCode::TooLarge, format!("bodies end at {BODY_BYTES_MAX} bytes"));
    let announced = parts.headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    if announced.and_then(|v| v.parse::<usize>().ok()).is_some_and(|len| len > BODY_BYTES_MAX) {
        return Err(too_large());
    }
    let bytes = to_bytes(Body::new(body), BODY_BYTES_MAX).await.map_err(|_| too_large())?;
    Ok((parts, bytes.to_vec()))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, HttpError> {
    serde_json::from_slice(body).map_err(|error| HttpError::malformed(error.to_string()))
}

fn caller(app: &App, parts: &Parts, body: &[u8]) -> Result<Caller, HttpError> {
    if let Some(token) = bearer(&parts.headers) {
        return reader(app, token);
    }
    let node = signed_by(app, parts, body)?;
    let agent = app.directory().agent_named(&node).ok_or_else(|| {
        HttpError::new(ProblemCode::Forbidden, "this node's key opens the relay only")
    })?;
    Ok(Caller::Agent(agent.enrolment.document.agent))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn reader(app: &App, token: &str) -> Result<Caller, HttpError> {
    let hash: [u8; 32] = Sha256::digest(token.trim()).into();
    let mut found = false;
    for known in app.read_tokens() {
        found |= bool::from(known.sha256.0.ct_eq(&hash));
    }
    if found { Ok(Caller::Reader) } else { Err(unauthenticated("the bearer token is not known")) }
}

fn signed_by(app: &App, parts: &Parts, body: &[u8]) -> Result<NodeId, HttpError> {
    let text = |name: &str| {
        let mut values = parts.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok().map(str::to_owned),
            _ => None,
        }
    };
    let headers = (text(SIGNATURE_INPUT), text(SIGNATURE), text(CONTENT_DIGEST));
    let (Some(signature_input), Some(signature), Some(content_digest)) = headers else {
        return Err(unauthenticated("sign the request, or give a bearer token"));
    };
    let request = RequestParts {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        body,
    };
    let headers = SignatureHeaders { signature_input, signature, content_digest };
    let now = app.clock().now();
    let caller = auth::open(&request, &headers, |node| app.directory().signing_key(node), now)
        .map_err(|error| unauthenticated(&error.to_string()))?;
    match app.replays().take(&caller, now) {
        Ok(()) => Ok(caller.node),
        Err(NotFresh::Replayed) => Err(unauthenticated("this request was seen before")),
        Err(NotFresh::TooMany) => {
            Err(HttpError::new(ProblemCode::Busy, "too many signed requests in two minutes"))
        }
    }
}

fn unauthenticated(detail: &str) -> HttpError {
    HttpError::new(ProblemCode::Unauthenticated, detail)
}
