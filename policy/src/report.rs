//! What an agent says became of a payment that no chain can tell: it was refused by the
//! merchant, nothing was delivered for it, or it is disputed.
//!
//! Promises: a [`ReportRow`] is of a payment that was admitted for the very agent that signed the
//! report. Reports lower the trust in who was paid; they change no amount.
//!
//! Refuses: reports of another agent's payments, of other content than was signed, of
//! cancellations, which pay nobody, and of payments longer ago than [`REPORT_SECONDS_MAX`].
//!
//! Does not protect against: an agent that reports what did not happen.

use serde::{Deserialize, Serialize};

use crate::document::{ContentHash, Document, DocumentError, JSON_INTEGER_MAX, Signed};
use crate::intent::{AgentKeys, IntentId};
use crate::party::AgentId;
use crate::registry::Payee;
use crate::rows::SpendRow;
use crate::time::UnixSeconds;

/// How long after a payment it can be reported, in seconds: 90 days.
pub const REPORT_SECONDS_MAX: u64 = 90 * 86_400;

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    /// The merchant did not take it.
    MerchantRefused,
    /// It was paid and nothing came.
    Undelivered,
    /// It was paid and is disputed.
    Disputed,
}

impl ReportKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::MerchantRefused, Self::Undelivered, Self::Disputed];
}

/// An agent's word on what became of one payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Who says so.
    pub agent: AgentId,
    /// Of which payment.
    pub intent: IntentId,
    /// Hash of what the agent signed to pay it.
    pub content_hash: ContentHash,
    /// What became of it.
    pub outcome: ReportKind,
    /// When it was said.
    pub at: UnixSeconds,
}

impl Document for Report {
    const KIND: &'static str = "report";
}

/// A report with its signature, unchecked.
pub type SignedReport = Signed<Report>;

/// A report of a payment of this journal. [`SignedReport::open_report`] alone makes one; it can be
/// deserialised so that a journal can read its own rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportRow {
    agent: AgentId,
    intent: IntentId,
    payee: Payee,
    kind: ReportKind,
    at: UnixSeconds,
}

/// Why a report was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum ReportError {
    /// Not signed by the agent it names, or that agent is unknown.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// Of another payment, of another agent's, or of one with other content.
    #[error("intent {intent} is not a payment of agent {agent} with this content")]
    OtherPayment {
        /// The intent named.
        intent: IntentId,
        /// The agent named.
        agent: AgentId,
    },
    /// The payment is too long ago.
    #[error("intent {intent} was paid too long ago; it could be reported until {until}")]
    TooLate {
        /// The intent named.
        intent: IntentId,
        /// The last moment for it.
        until: UnixSeconds,
    },
    /// Nobody was paid.
    #[error("intent {intent} paid nobody, so there is nothing to report")]
    PaidNobody {
        /// The intent named.
        intent: IntentId,
    },
}

impl SignedReport {
    /// Checks the agent's signature, and that `row` is the payment it is about; `now` is when it
    /// was learned.
    ///
    /// # Errors
    /// [`ReportError`] that says what is wrong.
    pub fn open_report(
        self,
        agents: &impl AgentKeys,
        row: &SpendRow,
        now: UnixSeconds,
    ) -> Result<ReportRow, ReportError> {
        let kind = || Report::KIND.to_owned();
        if self.document.at.0 > JSON_INTEGER_MAX {
            return Err(DocumentError::NotCanonical { kind: kind() }.into());
        }
        let key = agents
            .agent_key(&self.document.agent)
            .ok_or_else(|| DocumentError::BadSignature { kind: kind() })?;
        let report = self.open_by(&key)?.into_document();
        let Report { agent, intent, content_hash, outcome, .. } = report;
        if (row.intent, &row.agent, row.content_hash) != (intent, &agent, content_hash) {
            return Err(ReportError::OtherPayment { intent, agent });
        }
        let until = row.at.plus(REPORT_SECONDS_MAX);
        if now > until {
            return Err(ReportError::TooLate { intent, until });
        }
        let payee = Payee::of(row.service.as_ref(), row.recipient)
            .ok_or(ReportError::PaidNobody { intent })?;
        Ok(ReportRow { agent, intent, payee, kind: outcome, at: now })
    }
}

impl ReportRow {
    /// Who said so.
    #[must_use]
    pub const fn agent(&self) -> &AgentId {
        &self.agent
    }

    /// Of which payment.
    #[must_use]
    pub const fn intent(&self) -> IntentId {
        self.intent
    }

    /// Who was paid.
    #[must_use]
    pub const fn payee(&self) -> &Payee {
        &self.payee
    }

    /// What became of it.
    #[must_use]
    pub const fn kind(&self) -> ReportKind {
        self.kind
    }

    /// When it was learned.
    #[must_use]
    pub const fn at(&self) -> UnixSeconds {
        self.at
    }
}

#[cfg(test)]
mod tests;
