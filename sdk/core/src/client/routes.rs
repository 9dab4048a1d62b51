//! The routes, one function each.

use std::time::Duration;

use alloy_primitives::Address;
use reqwest::Method;
use tercet_api::payment::{AnswerPayment, CreatePayment, PaymentPage, PaymentStatus, PaymentView};
use tercet_api::policy::{AskDecision, DecisionView, PolicyPage, PolicyView};
use tercet_api::registry::{CounterpartyView, RegistryView, ReportPayment};
use tercet_api::relay::SealedPart;
use tercet_api::resource::{
    AgentView, BalanceView, CeremonyView, CreateWallet, EnrolAgent, FreezeAgent, HealthView,
    NodeView, WalletView,
};
use tercet_policy::approval::SignedApproval;
use tercet_policy::document::{Enrolment, Freeze, RequestId, Signed, WalletRequest};
use tercet_policy::intent::{IntentId, SignedIntent};
use tercet_policy::party::AgentId;
use tercet_policy::registry::SignedRegistry;
use tercet_policy::report::SignedReport;
use tercet_policy::rules::SignedPolicy;
use tokio::time::sleep;
use url::form_urlencoded::Serializer;

use super::transport::json;
use super::{Client, ClientError, PAYMENT_TRIES_MAX, RETRY_PAUSE_MS};

/// Most pages of policies that are read: 20,000 policies.
const POLICY_PAGES_MAX: usize = 100;

/// Which payments are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaymentsAsked {
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Payments on the page, 1 to 200.
    pub limit: Option<u16>,
    /// Of this agent.
    pub agent: Option<AgentId>,
    /// Of this wallet.
    pub wallet: Option<Address>,
    /// In this status.
    pub status: Option<PaymentStatus>,
}

/// Every function fails with [`ClientError`].
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
impl Client {
    /// `POST /v1/agents`: enrols an agent, or raises its enrolment.
    pub async fn enrol(&self, enrolment: Signed<Enrolment>) -> Result<AgentView, ClientError> {
        self.send(Method::POST, "/v1/agents", &EnrolAgent { enrolment }).await
    }

    /// `GET /v1/agents`.
    pub async fn agents(&self) -> Result<Vec<AgentView>, ClientError> {
        self.get("/v1/agents").await
    }

    /// `GET /v1/agents/{agent}`.
    pub async fn agent(&self, agent: &AgentId) -> Result<AgentView, ClientError> {
        self.get(&format!("/v1/agents/{agent}")).await
    }

    /// `POST /v1/agents/{agent}/freeze`, or `/unfreeze`: as the document says.
    pub async fn freeze(&self, freeze: Signed<Freeze>) -> Result<AgentView, ClientError> {
        let verb = if freeze.document.frozen { "freeze" } else { "unfreeze" };
        let path = format!("/v1/agents/{}/{verb}", freeze.document.agent);
        self.send(Method::POST, &path, &FreezeAgent { freeze }).await
    }

    /// `PUT /v1/agents/{agent}/policy`: the exact text with the authority's signatures.
    pub async fn put_policy(
        &self,
        agent: &AgentId,
        policy: &SignedPolicy,
    ) -> Result<PolicyView, ClientError> {
        self.send(Method::PUT, &format!("/v1/agents/{agent}/policy"), policy).await
    }

    /// `PUT /v1/policies`: an organisation's, an agent's or a wallet's, as the document says.
    pub async fn put_any_policy(&self, policy: &SignedPolicy) -> Result<PolicyView, ClientError> {
        self.send(Method::PUT, "/v1/policies", policy).await
    }

    /// `GET /v1/policies`, page by page: those in force that the caller may see.
    pub async fn policies_in_force(&self) -> Result<Vec<PolicyView>, ClientError> {
        let (mut policies, mut path) = (Vec::new(), "/v1/policies?limit=200".to_owned());
        for _ in 0..POLICY_PAGES_MAX {
            let page: PolicyPage = self.get(&path).await?;
            policies.extend(page.policies);
            let Some(cursor) = page.next_cursor else { return Ok(policies) };
            let query = Serializer::new(String::new()).append_pair("cursor", &cursor).finish();
            path = format!("/v1/policies?limit=200&{query}");
        }
        let detail = format!("more than {POLICY_PAGES_MAX} pages of policies");
        Err(ClientError::NotTheApi { detail })
    }

    /// `POST /v1/policy/decide`: what would be said; nothing is reserved.
    pub async fn decide(&self, asked: &AskDecision) -> Result<DecisionView, ClientError> {
        self.send(Method::POST, "/v1/policy/decide", asked).await
    }

    /// `PUT /v1/registry`: the exact text with the authority's signatures.
    pub async fn put_registry(
        &self,
        registry: &SignedRegistry,
    ) -> Result<RegistryView, ClientError> {
        self.send(Method::PUT, "/v1/registry", registry).await
    }

    /// `GET /v1/registry`.
    pub async fn registry(&self) -> Result<RegistryView, ClientError> {
        self.get("/v1/registry").await
    }

    /// `GET /v1/counterparties/{name}`: with its trust score.
    pub async fn counterparty(&self, name: &str) -> Result<CounterpartyView, ClientError> {
        self.get(&format!("/v1/counterparties/{name}")).await
    }

    /// `POST /v1/payments/{id}/approvals`: one person's signed answer.
    pub async fn answer(&self, approval: SignedApproval) -> Result<PaymentView, ClientError> {
        let path = format!("/v1/payments/{}/approvals", approval.document.intent);
        self.send(Method::POST, &path, &AnswerPayment { approval }).await
    }

    /// `POST /v1/payments/{id}/reports`: what became of a payment that no chain can tell.
    pub async fn report(&self, report: SignedReport) -> Result<SignedReport, ClientError> {
        let path = format!("/v1/payments/{}/reports", report.document.intent);
        self.send(Method::POST, &path, &ReportPayment { report }).await
    }

    /// `GET /v1/agents/{agent}/policy`: the one in force.
    pub async fn policy(&self, agent: &AgentId) -> Result<PolicyView, ClientError> {
        self.get(&format!("/v1/agents/{agent}/policy")).await
    }

    /// `GET /v1/agents/{agent}/policies`: all there were.
    pub async fn policy_history(&self, agent: &AgentId) -> Result<Vec<PolicyView>, ClientError> {
        self.get(&format!("/v1/agents/{agent}/policies")).await
    }

    /// `POST /v1/wallets`: begins the making of a wallet. The same request again makes the same
    /// wallet.
    pub async fn create_wallet(
        &self,
        request: Signed<WalletRequest>,
    ) -> Result<CeremonyView, ClientError> {
        self.send(Method::POST, "/v1/wallets", &CreateWallet { request }).await
    }

    /// `GET /v1/ceremonies/{request}`.
    pub async fn ceremony(&self, request: &RequestId) -> Result<CeremonyView, ClientError> {
        self.get(&format!("/v1/ceremonies/{request}")).await
    }

    /// `GET /v1/wallets`.
    pub async fn wallets(&self) -> Result<Vec<WalletView>, ClientError> {
        self.get("/v1/wallets").await
    }

    /// `GET /v1/wallets/{address}`.
    pub async fn wallet(&self, address: Address) -> Result<WalletView, ClientError> {
        self.get(&format!("/v1/wallets/{address}")).await
    }

    /// `GET /v1/wallets/{address}/balance`.
    pub async fn balance(&self, address: Address) -> Result<BalanceView, ClientError> {
        self.get(&format!("/v1/wallets/{address}/balance")).await
    }

    /// `POST /v1/payments`: waits for the signature. Repeated when the line breaks: the intent's id
    /// makes it the same payment.
    pub async fn create_payment(&self, intent: SignedIntent) -> Result<PaymentView, ClientError> {
        let body = json(&CreatePayment { intent, part: None })?;
        let mut pause = Duration::from_millis(RETRY_PAUSE_MS);
        for _ in 1..PAYMENT_TRIES_MAX {
            match self.call(Method::POST, "/v1/payments", body.clone()).await {
                Err(ClientError::Unreachable { .. }) => sleep(pause).await,
                other => return other,
            }
            pause = pause.saturating_mul(2);
        }
        self.call(Method::POST, "/v1/payments", body).await
    }

    /// [`Client::create_payment`] with the part of the agent's node, which makes it one round trip:
    /// the view then has the operator's sealed `answer`. Not repeated by itself: a part is used up
    /// once it was sent, and who asks again brings another.
    pub async fn create_payment_with(
        &self,
        intent: SignedIntent,
        part: Option<SealedPart>,
    ) -> Result<PaymentView, ClientError> {
        self.send(Method::POST, "/v1/payments", &CreatePayment { intent, part }).await
    }

    /// `POST /v1/payments/{id}/sign`: signs the same bytes once more, for an agent that lost its
    /// signature before it used it.
    pub async fn sign_again(&self, id: &IntentId) -> Result<PaymentView, ClientError> {
        self.call(Method::POST, &format!("/v1/payments/{id}/sign"), Vec::new()).await
    }

    /// `GET /v1/payments/{id}`.
    pub async fn payment(&self, id: &IntentId) -> Result<PaymentView, ClientError> {
        self.get(&format!("/v1/payments/{id}")).await
    }

    /// `GET /v1/payments`: one page, newest first.
    pub async fn payments(&self, asked: &PaymentsAsked) -> Result<PaymentPage, ClientError> {
        let mut query = Serializer::new(String::new());
        let pairs = [
            ("cursor", asked.cursor.clone()),
            ("limit", asked.limit.map(|limit| limit.to_string())),
            ("agent", asked.agent.as_ref().map(ToString::to_string)),
            ("wallet", asked.wallet.map(|wallet| wallet.to_string())),
            ("status", asked.status.map(status_word)),
        ];
        for (key, value) in pairs {
            if let Some(value) = value {
                query.append_pair(key, &value);
            }
        }
        let query = query.finish();
        let mark = if query.is_empty() { "" } else { "?" };
        self.get(&format!("/v1/payments{mark}{query}")).await
    }

    /// `GET /v1/nodes`.
    pub async fn nodes(&self) -> Result<Vec<NodeView>, ClientError> {
        self.get("/v1/nodes").await
    }

    /// `GET /v1/health`.
    pub async fn health(&self) -> Result<HealthView, ClientError> {
        self.get("/v1/health").await
    }
}

fn status_word(status: PaymentStatus) -> String {
    let word = serde_json::to_value(status).ok();
    word.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}
