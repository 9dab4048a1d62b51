//! Rows about what became of an admitted payment.
//!
//! Promises: a row that gives money back is made from a proof alone.

use serde::{Deserialize, Serialize};

use super::SpendRow;
use crate::evidence::{FeeProof, SettledProof, VoidProof};
use crate::intent::IntentId;
use crate::money::Amount;
use crate::party::AgentId;
use crate::time::UnixSeconds;

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
    /// What moves nothing is over, and the chain took this fee for it.
    Fee {
        /// How that is known.
        proof: FeeProof,
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

    /// The chain took a fee for what moves nothing.
    #[must_use]
    pub fn charged(row: &SpendRow, proof: FeeProof, at: UnixSeconds) -> Self {
        let (intent, agent) = (proof.intent(), row.agent.clone());
        Self { intent, agent, outcome: Outcome::Fee { proof }, at }
    }

    /// What the chain took as the fee in the token, where that is proven: then it counts instead of
    /// the ceiling.
    #[must_use]
    pub fn fee(&self) -> Option<Amount> {
        match &self.outcome {
            Outcome::Released => None,
            Outcome::Settled { proof, .. } => proof.fee(),
            Outcome::Void { proof } => proof.fee(),
            Outcome::Fee { proof } => Some(proof.units()),
        }
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
