//! One agent: a signer node in this process, and a line of HTTP to the coordinator.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use alloy_primitives::Address;
use anyhow::{Context as _, Result, bail, ensure};
use http::{Method, StatusCode};
use serde::de::DeserializeOwned;
use tercet_api::auth::RequestParts;
use tercet_api::payment::{CreatePayment, PaymentView, SigningWay};
use tercet_api::problem::{Problem, ProblemCode};
use tercet_api::resource::{CeremonyStatus, CeremonyView, CreateWallet};
use tercet_cli::demo::house::now;
use tercet_cli::demo::testbed::usdc;
use tercet_policy::chain::Chain;
use tercet_policy::declared::Declared;
use tercet_policy::document::{RequestId, WalletRequest};
use tercet_policy::intent::{
    INTENT_VERSION, IntentId, Payment, PaymentIntent, Service, SignedIntent, X402Exact,
};
use tercet_policy::money::Amount;
use tercet_policy::party::AgentId;
use tercet_policy::payload::FinishedPayment;
use tercet_signer::kek::Argon2Cost;
use tercet_signer_node::config::NodeConfig;
use tercet_signer_node::{NodeHandle, NotPaid, StartOptions};

use crate::chain::http_client;
use crate::cluster::{PAYEE, RESOURCE, random};

/// How long an intent may be signed, in seconds.
const INTENT_SECONDS: u64 = 300;
/// How long a wallet may take to be made.
const WALLET_MAX: Duration = Duration::from_secs(60);
/// Between two looks at a ceremony.
const LOOK: Duration = Duration::from_millis(5);

/// An agent with a wallet.
pub struct LoadAgent {
    id: AgentId,
    line: Line,
    /// Its wallet.
    pub wallet: Address,
}

/// The node, and HTTP to the coordinator in its name.
struct Line {
    node: NodeHandle,
    base: String,
    http: reqwest::Client,
}

/// How a payment ended, as its agent saw it.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A signature, verified by the agent's node.
    Signed(IntentId),
    /// Somebody's rules say no.
    Refused(IntentId),
    /// Come again later; after so many seconds, where that was said.
    Shed(StatusCode, Option<u64>),
    /// Taken in, and not answered in time; to be asked for again.
    Open(IntentId),
}

/// A payment that is ready to be posted: its agent's part is made.
#[derive(Debug)]
pub struct Ready {
    intent: IntentId,
    body: Vec<u8>,
}

impl LoadAgent {
    /// Starts the node of `config`, which is enrolled, and makes a wallet.
    ///
    /// # Errors
    /// What does not start, or the ceremony's failure.
    pub async fn start(id: AgentId, config: &Path) -> Result<Self> {
        let config = NodeConfig::read(config)?;
        let options =
            StartOptions { kek_floor: Argon2Cost::insecure_for_tests(), ..StartOptions::default() };
        let base = config.coordinator.origin().clone();
        let node = Box::pin(NodeHandle::start_with(config, options)).await?;
        node.wait_connected(WALLET_MAX).await?;
        let base = base.as_str().trim_end_matches('/').to_owned();
        let line = Line { node, base, http: http_client()? };
        let wallet = make_wallet(&id, &line).await?;
        Ok(Self { id, line, wallet })
    }

    /// Its node.
    #[must_use]
    pub const fn node(&self) -> &NodeHandle {
        &self.line.node
    }

    /// An x402 authorization of so many base units, signed as an intent.
    ///
    /// # Errors
    /// Without randomness.
    pub fn intent(&self, units: u128) -> Result<SignedIntent> {
        let created_at = now();
        let payment = Payment::X402Exact(X402Exact {
            chain: Chain::Base,
            token: usdc(),
            to: PAYEE,
            amount: Amount::from_base_units(units),
            valid_before: created_at.plus(INTENT_SECONDS),
            resource: RESOURCE.to_owned(),
            service: Service::of(RESOURCE)?,
        });
        let intent = PaymentIntent {
            version: INTENT_VERSION,
            id: IntentId(random()?),
            agent: self.id.clone(),
            wallet: self.wallet,
            payment,
            declared: Declared::default(),
            created_at,
            expires_at: created_at.plus(INTENT_SECONDS),
        };
        Ok(self.line.node.identity().sign_intent(intent)?)
    }

    /// From a signed intent to a verified signature: what one round trip takes.
    ///
    /// # Errors
    /// For an answer that no load explains, and for one that was not signed with a presignature.
    pub async fn pay(&self, intent: SignedIntent) -> Result<(Duration, Answer)> {
        let begun = Instant::now();
        let id = intent.document.id;
        let answer = match self.begin(intent).await? {
            Some(ready) => self.post(&ready).await?,
            None => Answer::Refused(id),
        };
        Ok((begun.elapsed(), answer))
    }

    /// The agent's part, made and recorded; nothing if its own node says no.
    ///
    /// # Errors
    /// When there is no presignature, or the node fails.
    pub async fn begin(&self, intent: SignedIntent) -> Result<Option<Ready>> {
        let id = intent.document.id;
        let part = match self.line.node.begin(intent.clone()).await {
            Ok(part) => Some(part.context("no presignature in stock")?),
            Err(NotPaid::Refused(_)) => return Ok(None),
            Err(other) => return Err(other.into()),
        };
        let body = serde_json::to_vec(&CreatePayment { intent, part })?;
        Ok(Some(Ready { intent: id, body }))
    }

    /// Posts it, and finishes the payment with the answer.
    ///
    /// # Errors
    /// As for [`LoadAgent::pay`].
    pub async fn post(&self, ready: &Ready) -> Result<Answer> {
        let (status, wait, body) =
            self.line.call(Method::POST, "/v1/payments", &ready.body).await?;
        if status.is_success() {
            return self.finish(ready.intent, serde_json::from_slice(&body)?).await;
        }
        let problem: Problem = serde_json::from_slice(&body)
            .with_context(|| format!("{status}: {}", String::from_utf8_lossy(&body)))?;
        match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                ensure!(problem.retryable, "{status} and not retryable: {problem:?}");
                Ok(Answer::Shed(status, wait))
            }
            _ if problem.code == ProblemCode::Refused => Ok(Answer::Refused(ready.intent)),
            _ => bail!("{status}: {problem:?}"),
        }
    }

    /// Where a payment stands.
    ///
    /// # Errors
    /// When it is not known.
    pub async fn look(&self, id: IntentId) -> Result<PaymentView> {
        let path = format!("/v1/payments/{id}");
        self.line.read(Method::GET, &path, &[]).await
    }

    async fn finish(&self, id: IntentId, view: PaymentView) -> Result<Answer> {
        let Some(answer) = &view.answer else {
            ensure!(view.digest.is_none(), "signed, and not with the presignature: {view:?}");
            return Ok(Answer::Open(id));
        };
        ensure!(view.signed_by == Some(SigningWay::Presignature), "{view:?}");
        // The node checks the operator's part, verifies the signature and recovers the wallet.
        match self.line.node.finish(id, &answer.0).await? {
            FinishedPayment::X402(_) => Ok(Answer::Signed(id)),
            other => bail!("finished as something else: {other:?}"),
        }
    }
}

impl Line {
    async fn read<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &[u8],
    ) -> Result<T> {
        let (status, _, body) = self.call(method, path, body).await?;
        ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
        Ok(serde_json::from_slice(&body)?)
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: &[u8],
    ) -> Result<(StatusCode, Option<u64>, Vec<u8>)> {
        let parts = RequestParts { method: method.as_str(), path, query: "", body };
        let signed = self.node.identity().sign_request(&parts, now());
        let signed = signed.map_err(|error| anyhow::anyhow!("{error}"))?;
        let request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .header(tercet_api::auth::SIGNATURE_INPUT, signed.signature_input)
            .header(tercet_api::auth::SIGNATURE, signed.signature)
            .header(tercet_api::auth::CONTENT_DIGEST, signed.content_digest)
            .header(http::header::CONTENT_TYPE, "application/json");
        let response = request.body(body.to_vec()).send().await?;
        let status = response.status();
        let wait = response.headers().get(http::header::RETRY_AFTER);
        let wait = wait.and_then(|wait| wait.to_str().ok()?.parse().ok());
        Ok((status, wait, response.bytes().await?.to_vec()))
    }
}

async fn make_wallet(id: &AgentId, line: &Line) -> Result<Address> {
    let wished = WalletRequest {
        agent: id.clone(),
        request: RequestId(random()?),
        label: "load".to_owned(),
        created_at: now(),
    };
    let request = line.node.identity().sign_wallet_request(wished)?;
    let body = serde_json::to_vec(&CreateWallet { request })?;
    let mut view: CeremonyView = line.read(Method::POST, "/v1/wallets", &body).await?;
    let path = format!("/v1/ceremonies/{}", view.request);
    let begun = Instant::now();
    loop {
        match (view.status, view.wallet) {
            (CeremonyStatus::Done, Some(wallet)) => return Ok(wallet),
            (CeremonyStatus::Failed, _) => bail!("no wallet: {}", view.detail.unwrap_or_default()),
            _ if begun.elapsed() > WALLET_MAX => bail!("no wallet in {WALLET_MAX:?}"),
            _ => tokio::time::sleep(LOOK).await,
        }
        view = line.read(Method::GET, &path, &[]).await?;
    }
}

impl fmt::Debug for LoadAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoadAgent({}, {})", self.id, self.wallet)
    }
}
