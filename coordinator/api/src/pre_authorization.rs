//! Approvals given beforehand to an agent that pays with a wallet of its own: approve, transfer,
//! confirm.
//!
//! Enforced: what is approved counts in every limit from the moment of the approval, and no number
//! of approvals side by side passes a limit; an approval is bound to agent, wallet, chain, token,
//! payee and amount; it ends; one transfer confirms one approval, and only where the chain shows
//! that transfer (or nobody here reads that chain, which the answer says).
//!
//! Not enforced: that the agent asks, or pays what it asked for. No share of that wallet's key is
//! here, so nothing holds the agent to the answer. Wallets made by the signer nodes are for that.

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};
use tercet_policy::approval::SignedApproval;
use tercet_policy::decision::Decision;
use tercet_policy::document::ContentHash;
use tercet_policy::intent::{IntentId, Payment, SignedIntent};
use tercet_policy::money::Amount;
use tercet_policy::party::AgentId;
use tercet_policy::rows::PolicyEpochs;
use tercet_policy::time::UnixSeconds;
use utoipa::ToSchema;

use crate::payment::RefusalBy;

/// `POST /v1/policy/pre-authorize`: may this be paid from a wallet of the agent's own?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreAuthorize {
    /// The payment, as `POST /v1/payments` takes it: `wallet` is the agent's own, and the approval
    /// ends when the intent does. Its id names the approval; the same intent again is the same
    /// question.
    #[schema(value_type = Object)]
    pub intent: SignedIntent,
    /// What people said to it, where a policy asks them; at most 16 are looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub approvals: Vec<SignedApproval>,
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PreAuthorizationAnswer {
    /// Yes: the amount is set aside until the approval ends.
    Approved,
    /// No. Nothing is set aside.
    Denied,
    /// People have to say yes; ask again with what they signed. Nothing is set aside.
    RequiresApproval,
}

/// The answer to a pre-authorization, with every rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PreAuthorizationDecision {
    /// Yes, no, or not yet.
    pub answer: PreAuthorizationAnswer,
    /// Every rule of every policy that applies; absent where it is denied before any is asked.
    #[schema(value_type = Option<Object>)]
    pub decision: Option<Decision>,
    /// Why not, where it is denied.
    pub refusals: Vec<RefusalBy>,
    /// The approval, where there is one.
    pub approval: Option<PreAuthorizationView>,
    /// Hash of what the agent signed: people's answers name it.
    #[schema(value_type = Option<String>)]
    pub content_hash: Option<ContentHash>,
    /// Epochs of the policies that were asked: people's answers name them.
    #[schema(value_type = Object)]
    pub policies: PolicyEpochs,
}

/// Where an approval stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PreAuthorizationStatus {
    /// It can be used; its amount is set aside.
    Open,
    /// A transaction was named, and the chain does not show it at a safe block yet. Its amount
    /// stays set aside, past the approval's end too, until the chain says what became of it.
    Claimed,
    /// The chain shows the transfer at a safe block: what moved is spent, the rest is free.
    Settled,
    /// A transaction was named on a chain that is not read here: all of it is spent, by the
    /// agent's word.
    Unchecked,
    /// It ended before a transaction was named; what was set aside is free. A transfer that was
    /// made all the same can still be named once the chain shows it, and is spent then.
    Expired,
}

/// An approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PreAuthorizationView {
    /// Its id, the intent's.
    #[schema(value_type = String)]
    pub id: IntentId,
    /// For whom.
    #[schema(value_type = String)]
    pub agent: AgentId,
    /// The agent's own wallet.
    #[schema(value_type = String)]
    pub wallet: Address,
    /// What for.
    #[schema(value_type = Object)]
    pub payment: Payment,
    /// Where it stands.
    pub status: PreAuthorizationStatus,
    /// Base units approved.
    #[schema(value_type = String)]
    pub amount: Amount,
    /// Base units that moved; absent before that is known.
    #[schema(value_type = Option<String>)]
    pub used: Option<Amount>,
    /// The transaction that was named.
    #[schema(value_type = Option<String>)]
    pub transaction: Option<B256>,
    /// The block it was seen in.
    pub block: Option<u64>,
    /// What was wrong last, for people.
    pub detail: Option<String>,
    /// When it was given, Unix seconds.
    #[schema(value_type = u64)]
    pub created_at: UnixSeconds,
    /// When it ends, Unix seconds.
    #[schema(value_type = u64)]
    pub expires_at: UnixSeconds,
}

/// `POST /v1/policy/pre-authorize/{id}/record`: the transaction that paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordTransfer {
    /// Its hash.
    #[schema(value_type = String)]
    pub transaction: B256,
}
