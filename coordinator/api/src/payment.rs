//! Payments as the API shows them.

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};
use tercet_policy::intent::{IntentId, Payment, SignedIntent};
use tercet_policy::party::AgentId;
use tercet_policy::refusal::Refusal;
use tercet_policy::time::UnixSeconds;
use utoipa::ToSchema;

/// Where a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// Taken in; no node has been asked yet.
    Received,
    /// Two nodes are judging and signing it.
    Signing,
    /// Somebody said no; nothing was signed. Terminal.
    Refused,
    /// No signature was made before the intent's end. Terminal.
    Failed,
    /// A signature exists; it may be settled by whoever holds it.
    Signed,
    /// A transaction was handed to the chain.
    Submitted,
    /// It is not known whether it will settle; `deadline` says when it will be.
    Unknown,
    /// The chain has it. Terminal.
    Settled,
    /// The chain proves that it never will. Terminal.
    Void,
}

impl PaymentStatus {
    /// Whether nothing will change any more.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Refused | Self::Failed | Self::Settled | Self::Void)
    }
}

/// `POST /v1/payments`: a signed intent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePayment {
    /// The intent and its agent's signature.
    #[schema(value_type = Object)]
    pub intent: SignedIntent,
}

/// A payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentView {
    /// The intent's id, 64 hexadecimal digits; the payment's name.
    #[schema(value_type = String)]
    pub id: IntentId,
    /// Who asked.
    #[schema(value_type = String)]
    pub agent: AgentId,
    /// Who pays.
    #[schema(value_type = String)]
    pub wallet: Address,
    /// What for.
    #[schema(value_type = Object)]
    pub payment: Payment,
    /// Where it stands.
    pub status: PaymentStatus,
    /// Every refusal, and whose.
    pub refusals: Vec<RefusalBy>,
    /// The slot it fills, once signed.
    pub slot: Option<String>,
    /// What was signed, once signed.
    #[schema(value_type = Option<String>)]
    pub digest: Option<B256>,
    /// The transaction that carries or settled it.
    #[schema(value_type = Option<String>)]
    pub transaction: Option<B256>,
    /// The block that settled it.
    pub block: Option<u64>,
    /// When an unknown outcome will be known, Unix seconds.
    #[schema(value_type = Option<u64>)]
    pub deadline: Option<UnixSeconds>,
    /// What went wrong last, for people.
    pub detail: Option<String>,
    /// Unix seconds.
    #[schema(value_type = u64)]
    pub created_at: UnixSeconds,
    /// Unix seconds.
    #[schema(value_type = u64)]
    pub updated_at: UnixSeconds,
}

/// A refusal and who spoke it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RefusalBy {
    /// `coordinator`, `agent` or `operator`.
    pub by: String,
    /// Why, with numbers.
    #[schema(value_type = Object)]
    pub refusal: Refusal,
}

/// One page of payments, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaymentPage {
    /// The payments.
    pub payments: Vec<PaymentView>,
    /// Give this as `cursor` for the next page; absent on the last.
    pub next_cursor: Option<String>,
}
