//! Payments as the API shows them.

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};
use tercet_policy::approval::SignedApproval;
use tercet_policy::decision::Decision;
use tercet_policy::document::{ContentHash, Ed25519PublicKey};
use tercet_policy::intent::{IntentId, Payment, SignedIntent};
use tercet_policy::money::Amount;
use tercet_policy::party::AgentId;
use tercet_policy::refusal::Refusal;
use tercet_policy::rows::PolicyEpochs;
use tercet_policy::time::UnixSeconds;
use utoipa::ToSchema;

use crate::relay::{SealedBytes, SealedPart};

/// Where a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// Taken in; no node has been asked yet.
    Received,
    /// A policy asks people; `approval` says what for, and nothing is reserved meanwhile.
    AwaitingApproval,
    /// Two nodes are judging and signing it.
    Signing,
    /// Somebody said no; nothing was signed. Terminal.
    Refused,
    /// No signature was made before the intent's end. Terminal.
    Failed,
    /// A signature exists; it may be settled by whoever holds it.
    Signed,
    /// A transaction was handed to the chain; a deposit is in its channel at a safe block.
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
    /// The part of the signature of the agent's node, where it had a presignature: then one round
    /// trip signs the payment. Left out, or of no use, the nodes sign interactively.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<SealedPart>,
}

/// How a payment was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SigningWay {
    /// With a presignature from stock: one round trip.
    Presignature,
    /// In rounds between the nodes, which takes about a second of processor time on each side.
    Interactive,
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
    /// What people are or were asked, where a policy asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Box<ApprovalView>>,
    /// The slot it fills, once signed.
    pub slot: Option<String>,
    /// What was signed, once signed.
    #[schema(value_type = Option<String>)]
    pub digest: Option<B256>,
    /// How it was signed, once signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<SigningWay>,
    /// In the answer to the request that carried the agent's part, and nowhere else: the operator's
    /// part, sealed for the agent's node alone. Never there for what the coordinator brings to the
    /// chain (Tempo transfers, steps of leaving a channel): follow `status` and `transaction`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub answer: Option<SealedBytes>,
    /// The transaction that carries or settled it. For what the coordinator brings to the chain it
    /// is known from `signed` on.
    #[schema(value_type = Option<String>)]
    pub transaction: Option<B256>,
    /// The block that settled it.
    pub block: Option<u64>,
    /// What the payee got of a deposit, once its channel has ended; base units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub settled_amount: Option<Amount>,
    /// The fee of a transaction on Tempo that the wallet pays for, in base units of the payment's token:
    /// the most that was signed for, until it is known what the chain took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub fee: Option<Amount>,
    /// Whether `fee` is what the chain took.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fee_taken: bool,
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

/// What people are asked about a payment, with all that they need to answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalView {
    /// The payment; an answer names it.
    #[schema(value_type = String)]
    pub payment: IntentId,
    /// Exactly what the agent signed. Whoever answers computes the content hash of it.
    #[schema(value_type = Object)]
    pub intent: SignedIntent,
    /// Hash of what the agent signed; an answer names it.
    #[schema(value_type = String)]
    pub content_hash: ContentHash,
    /// Epochs of the policies that ask; an answer names them, and counts for no others.
    #[schema(value_type = Object)]
    pub policies: PolicyEpochs,
    /// What every rule says, with those who are asked.
    #[schema(value_type = Object)]
    pub decision: Decision,
    /// Who said what so far.
    pub answers: Vec<AnswerView>,
    /// Whether an answer still counts.
    pub open: bool,
    /// When the question ends, Unix seconds.
    #[schema(value_type = u64)]
    pub until: UnixSeconds,
}

/// One person's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AnswerView {
    /// The key that signed it.
    #[schema(value_type = String)]
    pub key: Ed25519PublicKey,
    /// Yes or no.
    pub approves: bool,
    /// When, by the person's word; Unix seconds.
    #[schema(value_type = u64)]
    pub at: UnixSeconds,
}

/// `POST /v1/payments/{id}/approvals`: one person's answer. Its signature is the credential; the
/// caller only has to be one that may see the payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerPayment {
    /// Signed by the person.
    #[schema(value_type = Object)]
    pub approval: SignedApproval,
}

/// One page of `GET /v1/approvals`, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalPage {
    /// What people are asked.
    pub approvals: Vec<ApprovalView>,
    /// Give this as `cursor` for the next page; absent on the last.
    pub next_cursor: Option<String>,
}
