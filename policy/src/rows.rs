//! What a journal keeps: one row for every signature that was made possible, one for every
//! outcome.
//!
//! Promises: from its rows alone a ledger can be rebuilt, equal to the one that was lost.
//!
//! Does not protect against: a journal whose rows were changed or cut. Chain the rows, and keep
//! the head elsewhere.

use alloy_primitives::{Address, B256};
use serde::{Deserialize, Serialize};

use crate::chain::Chain;
use crate::document::ContentHash;
use crate::evidence::{SettledProof, VoidProof};
use crate::intent::{IntentId, Payment, Service};
use crate::money::Amount;
use crate::party::AgentId;
use crate::proposal::{ChainTerms, Proposal, Slot};
use crate::rules::Policy;
use crate::time::UnixSeconds;

/// The kind of a payment, without its particulars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentKind {
    /// An ERC-20 transfer.
    Transfer,
    /// An x402 `exact` authorization.
    X402Exact,
    /// A cancellation of such an authorization.
    X402Cancel,
}

impl PaymentKind {
    /// The kind of this payment.
    #[must_use]
    pub const fn of(payment: &Payment) -> Self {
        match payment {
            Payment::Transfer(_) => Self::Transfer,
            Payment::X402Exact(_) => Self::X402Exact,
            Payment::X402Cancel(_) => Self::X402Cancel,
        }
    }
}

/// One admitted proposal. Written before the signature exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpendRow {
    /// The intent.
    pub intent: IntentId,
    /// Hash of what the agent signed.
    pub content_hash: ContentHash,
    /// Who asked.
    pub agent: AgentId,
    /// Who pays.
    pub wallet: Address,
    /// What kind of payment.
    pub kind: PaymentKind,
    /// On which chain.
    pub chain: Chain,
    /// In which token.
    pub token: Address,
    /// Base units; zero for a cancellation.
    pub amount: Amount,
    /// Who is paid; nobody for a cancellation.
    pub recipient: Option<Address>,
    /// The service it is for, for x402.
    pub service: Option<Service>,
    /// The intent that a cancellation takes back.
    pub cancels: Option<IntentId>,
    /// The slot that is filled.
    pub slot: Slot,
    /// The digest that may be signed.
    pub digest: B256,
    /// The digest that the slot held before, where this is a listed replacement of it.
    pub replaces: Option<B256>,
    /// The terms, which with the intent give the digest.
    pub terms: ChainTerms,
    /// Name of the policy that said yes.
    pub policy: String,
    /// Its epoch.
    pub policy_epoch: u64,
    /// When it was admitted.
    pub at: UnixSeconds,
}

impl SpendRow {
    pub(crate) fn new(
        proposal: &Proposal,
        policy: &Policy,
        digest: B256,
        replaces: Option<B256>,
        at: UnixSeconds,
    ) -> Self {
        let intent = proposal.intent().intent();
        let payment = &intent.payment;
        let cancels = match payment {
            Payment::X402Cancel(cancel) => Some(cancel.cancels),
            Payment::Transfer(_) | Payment::X402Exact(_) => None,
        };
        Self {
            intent: intent.id,
            content_hash: proposal.intent().content_hash(),
            agent: intent.agent.clone(),
            wallet: intent.wallet,
            kind: PaymentKind::of(payment),
            chain: payment.chain(),
            token: payment.token(),
            amount: payment.amount(),
            recipient: payment.payee(),
            service: payment.service().cloned(),
            cancels,
            slot: proposal.slot(),
            digest,
            replaces,
            terms: proposal.terms().clone(),
            policy: policy.name().to_owned(),
            policy_epoch: policy.epoch(),
            at,
        }
    }

    /// Whether this row adds to what was spent: a first signature for a payment does; a
    /// cancellation and a replacement of the same payment by a higher fee do not.
    #[must_use]
    pub const fn counts(&self) -> bool {
        !matches!(self.kind, PaymentKind::X402Cancel) && self.replaces.is_none()
    }
}

/// What became of an admitted payment. Only proofs make one that gives money back.
///
/// It can be deserialised so that a journal can read its own rows; a row from anywhere else is
/// not evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeRow {
    intent: IntentId,
    agent: AgentId,
    outcome: Outcome,
    at: UnixSeconds,
}

/// The outcomes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// Our part of the signature left this node.
    Released,
    /// The chain moved this much, in base units.
    Settled {
        /// Base units, at most what was reserved.
        amount: Amount,
        /// How that is known.
        proof: SettledProof,
    },
    /// The chain can never move it.
    Void {
        /// How that is known.
        proof: VoidProof,
    },
}

impl OutcomeRow {
    /// Our part of the signature for this row's payment left this node.
    #[must_use]
    pub fn released(row: &SpendRow, at: UnixSeconds) -> Self {
        Self { intent: row.intent, agent: row.agent.clone(), outcome: Outcome::Released, at }
    }

    /// The payment is on chain.
    #[must_use]
    pub fn settled(proof: SettledProof, at: UnixSeconds) -> Self {
        let (intent, agent) = (proof.intent(), proof.agent().clone());
        Self { intent, agent, outcome: Outcome::Settled { amount: proof.amount(), proof }, at }
    }

    /// The payment can never happen.
    #[must_use]
    pub fn void(proof: VoidProof, at: UnixSeconds) -> Self {
        let (intent, agent) = (proof.intent(), proof.agent().clone());
        Self { intent, agent, outcome: Outcome::Void { proof }, at }
    }

    /// The intent this is about.
    #[must_use]
    pub const fn intent(&self) -> IntentId {
        self.intent
    }

    /// The agent whose ledger it changes.
    #[must_use]
    pub const fn agent(&self) -> &AgentId {
        &self.agent
    }

    /// The outcome.
    #[must_use]
    pub const fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// When it was learned.
    #[must_use]
    pub const fn at(&self) -> UnixSeconds {
        self.at
    }
}
