//! The routes about what policies say: budgets, questions to people, who is trusted how far, and
//! approvals for wallets that are not ours.

use alloy_primitives::{Address, B256};
use reqwest::Method;
use tercet_api::payment::ApprovalPage;
use tercet_api::policy::BudgetPage;
use tercet_api::pre_authorization::{
    PreAuthorizationDecision, PreAuthorizationView, PreAuthorize, RecordTransfer,
};
use tercet_api::registry::CounterpartyPage;
use tercet_policy::intent::IntentId;
use tercet_policy::party::AgentId;
use url::form_urlencoded::Serializer;

use super::{Client, ClientError};

/// Whose budgets are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BudgetsAsked {
    /// Of this agent; the caller's own without it.
    pub agent: Option<AgentId>,
    /// What binds payments from this wallet.
    pub wallet: Option<Address>,
    /// What binds payments to this service.
    pub service: Option<String>,
}

/// Which page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageAsked {
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Entries on the page, 1 to 200.
    pub limit: Option<u16>,
}

/// Every function fails with [`ClientError`].
#[expect(clippy::missing_errors_doc, reason = "said once for all of them")]
impl Client {
    /// `GET /v1/budgets`: limits, and what is reserved, spent and left.
    pub async fn budgets(&self, asked: &BudgetsAsked) -> Result<BudgetPage, ClientError> {
        let pairs = [
            ("agent", asked.agent.as_ref().map(ToString::to_string)),
            ("wallet", asked.wallet.map(|wallet| wallet.to_string())),
            ("service", asked.service.clone()),
        ];
        self.get(&with_query("/v1/budgets", pairs)).await
    }

    /// `GET /v1/approvals`: one page of what people are asked, newest first.
    pub async fn approvals(&self, asked: &PageAsked) -> Result<ApprovalPage, ClientError> {
        self.get(&with_query("/v1/approvals", asked.pairs())).await
    }

    /// `GET /v1/counterparties`: one page of the registry, with trust scores.
    pub async fn counterparties(&self, asked: &PageAsked) -> Result<CounterpartyPage, ClientError> {
        self.get(&with_query("/v1/counterparties", asked.pairs())).await
    }

    /// `POST /v1/policy/pre-authorize`: may this be paid from a wallet of the agent's own?
    pub async fn pre_authorize(
        &self,
        asked: &PreAuthorize,
    ) -> Result<PreAuthorizationDecision, ClientError> {
        self.send(Method::POST, "/v1/policy/pre-authorize", asked).await
    }

    /// `GET /v1/policy/pre-authorize/{id}`.
    pub async fn pre_authorization(
        &self,
        id: &IntentId,
    ) -> Result<PreAuthorizationView, ClientError> {
        self.get(&format!("/v1/policy/pre-authorize/{id}")).await
    }

    /// `POST /v1/policy/pre-authorize/{id}/record`: the transaction that paid.
    pub async fn record_transfer(
        &self,
        id: &IntentId,
        transaction: B256,
    ) -> Result<PreAuthorizationView, ClientError> {
        let path = format!("/v1/policy/pre-authorize/{id}/record");
        self.send(Method::POST, &path, &RecordTransfer { transaction }).await
    }
}

impl PageAsked {
    fn pairs(&self) -> [(&'static str, Option<String>); 2] {
        [("cursor", self.cursor.clone()), ("limit", self.limit.map(|limit| limit.to_string()))]
    }
}

fn with_query<const N: usize>(path: &str, pairs: [(&str, Option<String>); N]) -> String {
    let mut query = Serializer::new(String::new());
    for (key, value) in pairs {
        if let Some(value) = value {
            query.append_pair(key, &value);
        }
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}
