//! The rows of the journal: what happened.

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};
use tercet_policy::document::{ContentHash, Enrolment, Freeze, RequestId, Signed};
use tercet_policy::evidence::DepositedProof;
use tercet_policy::money::Amount;
use tercet_policy::mpp::ChannelId;
use tercet_policy::party::AgentId;
use tercet_policy::registry::SignedRegistry;
use tercet_policy::report::ReportRow;
use tercet_policy::rows::{HoldOutcomeRow, HoldRow, OutcomeRow, SpendRow, TripRow};
use tercet_policy::rules::{PolicyPin as Pin, SignedPolicy};
use tercet_policy::subject::Subject;
use tercet_policy::time::UnixSeconds;

use super::ROW_BYTES_MAX;
use super::error::JournalError;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", content = "is", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Event {
    /// The journal was made. The seed is random, so that no two journals have one head, and
    /// never leaves the node, so that nobody else makes a tag.
    Begun { seed: ContentHash, at: UnixSeconds },
    /// An enrolment came into force.
    Enrolment { pin: Pin, signed: Box<Signed<Enrolment>> },
    /// An agent was stopped or resumed.
    Freeze { pin: Pin, signed: Signed<Freeze> },
    /// A policy came into force.
    Policy { subject: Subject, pin: Pin, signed: SignedPolicy },
    /// The counterparty registry came into force.
    Registry { pin: Pin, signed: SignedRegistry },
    /// This node holds a share of a new wallet.
    Wallet { agent: AgentId, wallet: Address, request: RequestId },
    /// A rule of a policy stopped an agent.
    Trip(TripRow),
    /// A proposal was admitted.
    Spend(Box<SpendRow>),
    /// It is known what became of one.
    Outcome(Box<OutcomeRow>),
    /// An amount was set aside.
    Hold(Box<HoldRow>),
    /// It is known what became of one.
    HoldOutcome(Box<HoldOutcomeRow>),
    /// An agent said what became of a payment.
    Report(Box<ReportRow>),
    /// The key of a session agreed to the end of its channel.
    SessionClose { channel: ChannelId, cumulative: Amount },
    /// A deposit was seen in its channel.
    Deposited(Box<DepositedProof>),
    /// Signing for a wallet was stopped until an operator looks.
    Stopped { wallet: Address, reason: String },
    /// An operator has looked.
    Resumed { wallet: Address },
}

impl Event {
    /// The bytes that are stored and hashed.
    pub(super) fn body(&self) -> Result<String, JournalError> {
        // Serialising our own types into memory cannot fail; if it does, nothing was recorded.
        let body = serde_json::to_string(self).unwrap_or_default();
        if (1..=ROW_BYTES_MAX).contains(&body.len()) {
            Ok(body)
        } else {
            Err(JournalError::RowTooLarge { bytes: body.len() })
        }
    }

    /// What this row claims for itself alone, for the database's own uniqueness check: the last
    /// net under the ledger. A slot is claimed once, and once more by each listed replacement.
    pub(super) fn claim(&self) -> Option<String> {
        match self {
            Self::Begun { .. } => Some("begun".to_owned()),
            Self::Enrolment { pin, signed } => {
                Some(format!("enrolment/{}/{}", signed.document.agent, pin.epoch))
            }
            // One of each: a freeze may follow a thaw of the same epoch.
            Self::Freeze { pin, signed } => {
                let word = if signed.document.frozen { "freeze" } else { "thaw" };
                Some(format!("{word}/{}/{}", signed.document.agent, pin.epoch))
            }
            Self::Policy { subject, pin, .. } => Some(format!("policy/{subject}/{}", pin.epoch)),
            Self::Trip(row) => Some(format!("trip/{}/{}", row.agent, row.freeze_epoch)),
            Self::Wallet { wallet, .. } => Some(format!("wallet/{wallet}")),
            Self::Spend(row) => Some(match row.replaces {
                None => format!("slot/{}", row.slot),
                // With the intent, for two cancellations of one authorization are the same bytes.
                Some(_) => format!("slot/{}/{}/{}", row.slot, row.digest, row.intent),
            }),
            Self::Registry { pin, .. } => Some(format!("registry/{}", pin.epoch)),
            Self::Hold(row) => Some(format!("hold/{}", row.hold)),
            Self::Outcome(_)
            | Self::HoldOutcome(_)
            | Self::Report(_)
            | Self::SessionClose { .. }
            | Self::Deposited(_)
            | Self::Stopped { .. }
            | Self::Resumed { .. } => None,
        }
    }
}
