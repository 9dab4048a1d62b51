//! Policies, and what they say, as the API shows them.
//!
//! There is no deletion: whoever kept a document could bring it back. A policy is ended by a
//! higher epoch of it; one without rules (`rules: []`) demands nothing and grants nothing. To stop
//! an agent, freeze it.

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};
use tercet_policy::decision::{Decision, Verdict};
use tercet_policy::intent::{PaymentIntent, SignedIntent};
use tercet_policy::party::AgentId;
use tercet_policy::rules::SignedPolicy;
use tercet_policy::subject::Subject;
use tercet_policy::time::UnixSeconds;
use utoipa::ToSchema;

use crate::payment::RefusalBy;

/// A policy in force or of the past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyView {
    /// Whose payments it judges: `organisation`, `{"agent": NAME}` or `{"wallet": ADDRESS}`.
    #[schema(value_type = Object)]
    pub subject: Subject,
    /// The agent it is for, by itself or by a wallet; none for an organisation's.
    #[schema(value_type = Option<String>)]
    pub agent: Option<AgentId>,
    /// Its name.
    pub name: String,
    /// Its epoch.
    pub epoch: u64,
    /// Whether it is the one in force for its subject.
    pub in_force: bool,
    /// Text and signatures; `PUT /v1/policies` takes the same.
    #[schema(value_type = Object)]
    pub document: SignedPolicy,
    /// When the coordinator took it, Unix seconds.
    #[schema(value_type = u64)]
    pub installed_at: UnixSeconds,
}

/// One page of policies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyPage {
    /// The policies.
    pub policies: Vec<PolicyView>,
    /// Give this as `cursor` for the next page; absent on the last.
    pub next_cursor: Option<String>,
}

/// `POST /v1/policy/decide`: what would be said to a payment. Exactly one of the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskDecision {
    /// A signed intent, as `POST /v1/payments` takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub intent: Option<SignedIntent>,
    /// The same without a signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub unsigned: Option<PaymentIntent>,
}

/// What would be said now. Nothing is reserved, stored or counted, and the nodes decide for
/// themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecisionView {
    /// `approve`, `ask_human` or `refuse`.
    #[schema(value_type = String)]
    pub verdict: Verdict,
    /// Every rule of every policy that applies; absent where the payment is refused before any
    /// policy is asked.
    #[schema(value_type = Option<Object>)]
    pub decision: Option<Decision>,
    /// Why not, where the verdict is `refuse`.
    pub refusals: Vec<RefusalBy>,
}

/// A limit or a rate of a policy and where it stands now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BudgetView {
    /// Name of the policy.
    pub policy: String,
    /// Its epoch.
    pub epoch: u64,
    /// Whose payments it counts together.
    #[schema(value_type = Object)]
    pub subject: Subject,
    /// Whether the policy binds (`enforce`) or only says what it would do (`warn`).
    pub mode: String,
    /// Place of the rule in the file, from 0.
    pub rule: usize,
    /// The rule's kind, as the file writes it.
    pub kind: String,
    /// The window: `"day in America/New_York by service"`.
    pub per: String,
    /// What is counted apart there, where the rule has `by`: a recipient, a service, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The unit of the figures: the symbol of an asset or of what fees are taken in, or `payments`.
    pub unit: String,
    /// Most that may be counted in the window, in the unit, as a decimal.
    pub limit: String,
    /// Admitted, and not signed yet.
    pub reserved: String,
    /// Signed or settled.
    pub spent: String,
    /// What is left.
    pub available: String,
    /// When more becomes available, where waiting helps; Unix seconds.
    #[schema(value_type = Option<u64>)]
    pub resets_at: Option<UnixSeconds>,
}

/// `GET /v1/budgets`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BudgetPage {
    /// The agent asked about.
    #[schema(value_type = String)]
    pub agent: AgentId,
    /// The wallet asked about, where one is.
    #[schema(value_type = Option<String>)]
    pub wallet: Option<Address>,
    /// One line for each rule and what it counts apart.
    pub budgets: Vec<BudgetView>,
    /// Whether lines were left out because there are too many; ask for one service.
    pub truncated: bool,
}
