//! An operator's line to the coordinator: documents that carry their own signatures go up,
//! read-only views come down under a bearer token.
//!
//! Does not protect against: a coordinator that shows something false. What binds is checked by
//! each node on its own.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE};
use reqwest::{Method, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tercet_api::problem::{PROBLEM_MEDIA_TYPE, Problem};
use url::Url;
use zeroize::Zeroizing;

use crate::error::CliError;

/// Longest wait for one answer, in seconds.
pub const ANSWER_SECONDS_MAX: u64 = 60;
/// Largest answer that is read, in bytes.
pub const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A line to one coordinator.
#[derive(Debug)]
pub struct Coordinator {
    base: Url,
    http: reqwest::Client,
    token: Option<Zeroizing<String>>,
}

impl Coordinator {
    /// Opens a line; nothing is sent yet.
    ///
    /// # Errors
    /// [`CliError::Failed`] if no TLS can be set up.
    pub fn new(base: Url, token: Option<Zeroizing<String>>) -> Result<Self, CliError> {
        crate::tls::install();
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(ANSWER_SECONDS_MAX))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| CliError::Failed(error.to_string()))?;
        Ok(Self { base, http, token })
    }

    /// Where it goes.
    #[must_use]
    pub const fn base(&self) -> &Url {
        &self.base
    }

    /// Reads a view.
    ///
    /// # Errors
    /// [`CliError::Unreachable`], [`CliError::Problem`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        self.send(Method::GET, path, Vec::new()).await
    }

    /// Sends a document.
    ///
    /// # Errors
    /// [`CliError::Unreachable`], [`CliError::Problem`].
    pub async fn put<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, CliError> {
        let body = serde_json::to_vec(body).map_err(|e| CliError::Failed(e.to_string()))?;
        self.send(method, path, body).await
    }

    /// The coordinator's clock, from the `Date` header of its answer.
    ///
    /// # Errors
    /// [`CliError::Unreachable`].
    pub async fn date(&self) -> Result<Option<String>, CliError> {
        let response = self.request(Method::GET, "/livez", Vec::new()).await?;
        Ok(response.headers().get(DATE).and_then(|d| d.to_str().ok()).map(str::to_owned))
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<T, CliError> {
        let response = self.request(method, path, body).await?;
        let problem = response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(PROBLEM_MEDIA_TYPE.as_bytes()));
        let status = response.status();
        let body = self.read(response).await?;
        if problem {
            let problem: Problem = self.parse(&body)?;
            return Err(CliError::Problem(Box::new(problem)));
        }
        if !status.is_success() {
            return Err(self.unreachable(format!("HTTP {status}")));
        }
        self.parse(&body)
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Response, CliError> {
        let url = self.base.join(path).map_err(|e| CliError::Usage(e.to_string()))?;
        let mut request = self.http.request(method, url);
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.as_str()));
        }
        request.send().await.map_err(|error| self.unreachable(cause(&error)))
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, CliError> {
        let mut body = Vec::new();
        let failed = |error: reqwest::Error| self.unreachable(cause(&error));
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES_MAX {
                return Err(self.unreachable(format!("more than {ANSWER_BYTES_MAX} bytes")));
            }
        }
        Ok(body)
    }

    fn parse<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, CliError> {
        serde_json::from_slice(body).map_err(|error| self.unreachable(format!("no API: {error}")))
    }

    fn unreachable(&self, detail: String) -> CliError {
        CliError::Unreachable { what: format!("the coordinator at {}", self.base), detail }
    }
}

/// The innermost reason, which says "connection refused" where the outer ones say "error".
fn cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), cause)
}
