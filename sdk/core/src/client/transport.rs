//! One signed request and its bounded answer.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tercet_api::auth::{CONTENT_DIGEST, RequestParts, SIGNATURE, SIGNATURE_INPUT};
use tercet_api::problem::{PROBLEM_MEDIA_TYPE, Problem};

use super::{ANSWER_BYTES_MAX, Client, ClientError, Credentials};
use crate::net;

/// Longest wait for a connection, in seconds.
const CONNECT_SECONDS_MAX: u64 = 10;

pub(super) fn http_client(timeout: Duration) -> Result<reqwest::Client, ClientError> {
    net::builder(Duration::from_secs(CONNECT_SECONDS_MAX))
        .timeout(timeout)
        .build()
        .map_err(|e| ClientError::NoHttpClient { detail: net::text_of(e) })
}

impl Client {
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.call(Method::GET, path, Vec::new()).await
    }

    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.call(method, path, json(body)?).await
    }

    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<T, ClientError> {
        let request = self.request(method, path, body).await?;
        let response = self.http.execute(request).await.map_err(unreachable)?;
        let is_problem = response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(PROBLEM_MEDIA_TYPE.as_bytes()));
        let status = response.status();
        let body = read(response).await?;
        if is_problem {
            return Err(ClientError::Problem(Box::new(parse::<Problem>(&body)?)));
        }
        if !status.is_success() {
            return Err(ClientError::NotTheApi { detail: format!("HTTP {status}") });
        }
        parse(&body)
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Request, ClientError> {
        let not_url = |_| ClientError::Url { url: format!("{}{path}", self.base) };
        let url = self.base.join(path).map_err(not_url)?;
        let mut request = Request::new(method, url);
        let headers = self.authorization(&request, &body).await?;
        request.headers_mut().extend(headers);
        if !body.is_empty() {
            let json = HeaderValue::from_static("application/json");
            request.headers_mut().insert(CONTENT_TYPE, json);
            *request.body_mut() = Some(body.into());
        }
        Ok(request)
    }

    async fn authorization(
        &self,
        request: &Request,
        body: &[u8],
    ) -> Result<HeaderMap, ClientError> {
        let mut headers = HeaderMap::new();
        match &self.credentials {
            Credentials::None => {}
            Credentials::Reader(token) => {
                headers.insert(AUTHORIZATION, secret(&format!("Bearer {}", token.as_str()))?);
            }
            Credentials::Node(key) => {
                let parts = RequestParts {
                    method: request.method().as_str(),
                    path: request.url().path(),
                    query: request.url().query().unwrap_or_default(),
                    body,
                };
                let signed = key.sign_request(&parts, self.clock.now()).await?;
                headers.insert(SIGNATURE_INPUT, secret(&signed.signature_input)?);
                headers.insert(SIGNATURE, secret(&signed.signature)?);
                headers.insert(CONTENT_DIGEST, secret(&signed.content_digest)?);
            }
        }
        Ok(headers)
    }
}

/// A header value that no HTTP layer prints.
fn secret(text: &str) -> Result<HeaderValue, ClientError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| ClientError::NoHttpClient {
        detail: "the credentials are no header value".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

pub(super) fn json(body: &impl Serialize) -> Result<Vec<u8>, ClientError> {
    serde_json::to_vec(body).map_err(|e| ClientError::NotTheApi { detail: e.to_string() })
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|e| ClientError::NotTheApi { detail: e.to_string() })
}

async fn read(mut response: Response) -> Result<Vec<u8>, ClientError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES_MAX {
            let detail = format!("an answer of more than {ANSWER_BYTES_MAX} bytes");
            return Err(ClientError::NotTheApi { detail });
        }
    }
    Ok(body)
}

fn unreachable(error: reqwest::Error) -> ClientError {
    ClientError::Unreachable { detail: net::text_of(error) }
}
