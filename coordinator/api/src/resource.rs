//! Agents, wallets, nodes and health as the API shows them.

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};
use tercet_policy::chain::{Asset, Chain};
use tercet_policy::document::{ContentHash, Enrolment, Freeze, RequestId, Signed, WalletRequest};
use tercet_policy::money::Amount;
use tercet_policy::party::{AgentId, NodeId};
use tercet_policy::subject::Subject;
use tercet_policy::time::UnixSeconds;
use utoipa::ToSchema;

/// The token that has a field of its own in a balance.
const USDC: &str = "USDC";

/// `POST /v1/agents`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolAgent {
    /// Signed by the authority's quorum.
    #[schema(value_type = Object)]
    pub enrolment: Signed<Enrolment>,
}

/// `POST /v1/agents/{agent}/freeze` and `/unfreeze`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FreezeAgent {
    /// Signed by any one authority key to freeze, by the quorum to unfreeze.
    #[schema(value_type = Object)]
    pub freeze: Signed<Freeze>,
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentView {
    /// Its name.
    #[schema(value_type = String)]
    pub id: AgentId,
    /// Epoch of its enrolment.
    pub epoch: u64,
    /// Names of its three nodes: agent, operator, recovery.
    #[schema(value_type = Vec<String>)]
    pub nodes: [NodeId; 3],
    /// Whether it is stopped.
    pub frozen: bool,
    /// Epoch of the last freeze or unfreeze; the next one must be higher. 0 before the first.
    pub freeze_epoch: u64,
    /// Why, if it is.
    pub frozen_reason: Option<String>,
    /// Hash of its group's aux info, once made.
    #[schema(value_type = Option<String>)]
    pub aux: Option<ContentHash>,
    /// Epoch of its own policy, if it has one.
    pub policy_epoch: Option<u64>,
    /// All policies in force that judge its payments: the organisation's, its own, its wallets'.
    #[serde(default)]
    pub policies: Vec<PolicyInForce>,
    /// Epoch of the counterparty registry in force, if there is one.
    #[serde(default)]
    pub registry_epoch: Option<u64>,
}

/// A policy in force, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyInForce {
    /// Whose payments it judges: `organisation`, `{"agent": NAME}` or `{"wallet": ADDRESS}`.
    #[schema(value_type = Object)]
    pub subject: Subject,
    /// Its name.
    pub name: String,
    /// Its epoch.
    pub epoch: u64,
}

/// `POST /v1/wallets`: answered at once with a [`CeremonyView`] (202).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWallet {
    /// Signed by the agent.
    #[schema(value_type = Object)]
    pub request: Signed<WalletRequest>,
}

/// A wallet in the making, `GET /v1/ceremonies/{request}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CeremonyView {
    /// The request's id.
    #[schema(value_type = String)]
    pub request: RequestId,
    /// Whose wallet.
    #[schema(value_type = String)]
    pub agent: AgentId,
    /// Where it stands.
    pub status: CeremonyStatus,
    /// What each party is doing.
    pub progress: Vec<ProgressView>,
    /// The wallet, once made.
    #[schema(value_type = Option<String>)]
    pub wallet: Option<Address>,
    /// What went wrong, if it failed.
    pub detail: Option<String>,
}

/// Where a ceremony stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CeremonyStatus {
    /// Not all three nodes are connected.
    WaitingForNodes,
    /// The group makes its aux info.
    Preparing,
    /// The three nodes make the key.
    Keygen,
    /// The wallet exists. Terminal.
    Done,
    /// It failed; ask again with a new request. Terminal.
    Failed,
}

/// What one party is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProgressView {
    /// `agent`, `operator` or `recovery`.
    pub party: String,
    /// What is being done.
    pub stage: String,
    /// Steps done.
    pub done: u32,
    /// Steps in all.
    pub total: u32,
}

/// A wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WalletView {
    /// Its address.
    #[schema(value_type = String)]
    pub address: Address,
    /// Whose it is.
    #[schema(value_type = String)]
    pub agent: AgentId,
    /// What people call it.
    pub label: String,
    /// Unix seconds.
    #[schema(value_type = u64)]
    pub created_at: UnixSeconds,
}

/// `GET /v1/wallets/{address}/balance`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BalanceView {
    /// The wallet.
    #[schema(value_type = String)]
    pub wallet: Address,
    /// One line per chain.
    pub balances: Vec<ChainBalance>,
}

/// What a wallet has on one chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChainBalance {
    /// CAIP-2.
    #[schema(value_type = String)]
    pub chain: Chain,
    /// Wei; 0 on Tempo, which has no coin of its own.
    #[schema(value_type = String)]
    pub native: Amount,
    /// USDC, base units; 0 on Tempo, where `tokens` has what there is.
    #[schema(value_type = String)]
    pub usdc: Amount,
    /// Every token of the registry that the chain has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<TokenBalance>,
}

/// What a wallet has of one token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenBalance {
    /// Its contract.
    #[schema(value_type = String)]
    pub token: Address,
    /// As policies write it.
    pub symbol: String,
    /// Decimal places of one whole unit.
    pub decimals: u8,
    /// Base units.
    #[schema(value_type = String)]
    pub amount: Amount,
}

impl ChainBalance {
    /// A line of these tokens; USDC is among them where the chain has it.
    #[must_use]
    pub fn of(chain: Chain, native: Amount, tokens: Vec<TokenBalance>) -> Self {
        let usdc = tokens.iter().find(|held| held.symbol == USDC).map(|held| held.amount);
        Self { chain, native, usdc: usdc.unwrap_or_default(), tokens }
    }
}

impl TokenBalance {
    /// So much of a registered token.
    #[must_use]
    pub fn of(asset: &Asset, amount: Amount) -> Self {
        let Asset { token, symbol, decimals, .. } = asset;
        Self { token: *token, symbol: (*symbol).to_owned(), decimals: *decimals, amount }
    }
}

/// A node that is or was connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeView {
    /// Its name.
    #[schema(value_type = String)]
    pub id: NodeId,
    /// Whether it is connected now.
    pub connected: bool,
    /// Rows in its journal, by its last word.
    pub journal_rows: Option<u64>,
    /// Hash of its journal's last row, by its last word.
    #[schema(value_type = Option<String>)]
    pub journal_head: Option<ContentHash>,
    /// When it was last heard, Unix seconds.
    #[schema(value_type = Option<u64>)]
    pub last_heard_at: Option<UnixSeconds>,
}

/// `GET /v1/health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HealthView {
    /// The coordinator's version.
    pub version: String,
    /// Whether the store answers.
    pub store: bool,
    /// Nodes connected now.
    pub nodes_connected: u32,
    /// Chains that answer, CAIP-2.
    #[schema(value_type = Vec<String>)]
    pub chains: Vec<Chain>,
    /// Payments that are not terminal.
    pub payments_open: u64,
}
