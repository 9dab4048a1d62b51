//! What people and agents do in a house: enrol, install a policy, ask for a wallet or a payment.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tercet_api::auth::{self, RequestParts};
use tercet_api::payment::{CreatePayment, PaymentView};
use tercet_api::policy::PolicyView;
use tercet_api::problem::Problem;
use tercet_api::resource::{AgentView, CeremonyStatus, CeremonyView, CreateWallet, EnrolAgent};
use tercet_policy::document::{DocumentError, Enrolment, RequestId, Signed, WalletRequest};
use tercet_policy::intent::{IntentId, PaymentIntent, SignedIntent};
use tercet_policy::party::Party;
use tercet_policy::rules::{PolicyDocument, SignedPolicy};

use super::{House, now};

const ANSWER_SECONDS_MAX: u64 = 60;
const POLL: Duration = Duration::from_millis(100);
/// How long a ceremony may take; making safe primes for a new group takes the most of it.
pub const CEREMONY_SECONDS_MAX: u64 = 900;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// The coordinator does not answer.
    #[error("the coordinator does not answer: {0}")]
    Line(#[from] reqwest::Error),
    /// It said no.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// Its answer is not one of the API.
    #[error("HTTP {status} is no answer of the API: {body}")]
    Answer {
        /// HTTP status.
        status: StatusCode,
        /// The body, cut.
        body: String,
    },
    /// A document could not be signed.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A wallet could not be made.
    #[error("the ceremony failed: {0}")]
    Ceremony(String),
    /// No randomness, or a value without JSON form.
    #[error("{0}")]
    Own(String),
}

/// Whether an address answers with success.
pub(super) async fn answers(url: &str) -> bool {
    let Ok(http) = client() else { return false };
    http.get(url).send().await.is_ok_and(|response| response.status().is_success())
}

fn client() -> Result<reqwest::Client, reqwest::Error> {
    crate::tls::install();
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(ANSWER_SECONDS_MAX)).build()
}

/// An agent's signed line to the coordinator, without a wallet in it.
#[derive(Debug)]
pub struct AgentLine<'a> {
    house: &'a House,
    base: String,
    http: reqwest::Client,
}

impl House {
    /// A line that signs as this house's agent.
    ///
    /// # Errors
    /// [`ActError::Line`] if there is no HTTP client.
    pub fn line(&self) -> Result<AgentLine<'_>, ActError> {
        Ok(AgentLine { house: self, base: self.coordinator_url(), http: client()? })
    }

    /// The enrolment of the three nodes.
    #[must_use]
    pub fn enrolment(&self) -> Enrolment {
        let keys = |party| self.seat(party).keys.clone();
        Enrolment {
            agent: self.agent.clone(),
            epoch: 1,
            agent_node: keys(Party::Agent),
            operator_node: keys(Party::Operator),
            recovery_node: keys(Party::Recovery),
        }
    }

    /// Signs an intent as the agent.
    ///
    /// # Errors
    /// [`ActError::Document`].
    pub fn sign_intent(&self, intent: PaymentIntent) -> Result<SignedIntent, ActError> {
        Ok(Signed::by(intent, self.identity.expose_signing())?)
    }
}

impl AgentLine<'_> {
    /// Enrols the agent with its three nodes.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn enrol(&self) -> Result<AgentView, ActError> {
        let enrolment = Signed::by(self.house.enrolment(), self.house.authority.expose())?;
        self.send(Method::POST, "/v1/agents", &EnrolAgent { enrolment }).await
    }

    /// Signs and installs a policy, of whatever subject.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn install_policy(&self, yaml: &str) -> Result<PolicyView, ActError> {
        let document = PolicyDocument { yaml: yaml.to_owned() };
        let signed: SignedPolicy = Signed::by(document, self.house.authority.expose())?;
        self.send(Method::PUT, "/v1/policies", &signed).await
    }

    /// Asks for a wallet.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn ask_for_wallet(&self, label: &str) -> Result<CeremonyView, ActError> {
        let mut request = [0u8; 32];
        getrandom::fill(&mut request).map_err(|_| ActError::Own("no randomness".into()))?;
        let request = WalletRequest {
            agent: self.house.agent.clone(),
            request: RequestId(request),
            label: label.to_owned(),
            created_at: now(),
        };
        let request = Signed::by(request, self.house.identity.expose_signing())?;
        self.send(Method::POST, "/v1/wallets", &CreateWallet { request }).await
    }

    /// Follows a ceremony to its end, telling `seen` what each party does.
    ///
    /// # Errors
    /// [`ActError::Ceremony`] when it fails or takes too long.
    pub async fn follow(
        &self,
        ceremony: &CeremonyView,
        mut seen: impl FnMut(&CeremonyView),
    ) -> Result<alloy_primitives::Address, ActError> {
        let path = format!("/v1/ceremonies/{}", ceremony.request);
        let begun = Instant::now();
        loop {
            let view: CeremonyView = self.get(&path).await?;
            seen(&view);
            match (view.status, view.wallet) {
                (CeremonyStatus::Done, Some(wallet)) => return Ok(wallet),
                (CeremonyStatus::Failed, _) => {
                    return Err(ActError::Ceremony(view.detail.unwrap_or_default()));
                }
                _ if begun.elapsed() > Duration::from_secs(CEREMONY_SECONDS_MAX) => {
                    return Err(ActError::Ceremony("it takes too long".into()));
                }
                _ => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// Posts a signed intent.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn pay(&self, intent: SignedIntent) -> Result<PaymentView, ActError> {
        self.send(Method::POST, "/v1/payments", &CreatePayment { intent, part: None }).await
    }

    /// Where a payment stands.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn payment(&self, id: &IntentId) -> Result<PaymentView, ActError> {
        self.get(&format!("/v1/payments/{id}")).await
    }

    /// Reads a view.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ActError> {
        self.request(Method::GET, path, Vec::new()).await
    }

    /// Sends a document.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ActError> {
        let body = serde_json::to_vec(body).map_err(|error| ActError::Own(error.to_string()))?;
        self.request(method, path, body).await
    }

    async fn request<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<T, ActError> {
        let (path_only, query) = path.split_once('?').unwrap_or((path, ""));
        let parts = RequestParts { method: method.as_str(), path: path_only, query, body: &body };
        let mut nonce = [0u8; 16];
        getrandom::fill(&mut nonce).map_err(|_| ActError::Own("no randomness".into()))?;
        let identity = &self.house.identity;
        let headers =
            auth::sign(&parts, &identity.public().id, identity.expose_signing(), now(), nonce);
        let response = self
            .http
            .request(method, format!("{}{path}", self.base))
            .header(auth::SIGNATURE_INPUT, headers.signature_input)
            .header(auth::SIGNATURE, headers.signature)
            .header(auth::CONTENT_DIGEST, headers.content_digest)
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .body(body)
            .send()
            .await?;
        let status = response.status();
        let body = response.bytes().await?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| answer(status, &body));
        }
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Err(ActError::Problem(Box::new(problem))),
            Err(_) => Err(answer(status, &body)),
        }
    }
}

fn answer(status: StatusCode, body: &[u8]) -> ActError {
    let body = String::from_utf8_lossy(body).chars().take(500).collect();
    ActError::Answer { status, body }
}
