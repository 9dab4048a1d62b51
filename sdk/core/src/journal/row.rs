//! A row of the journal and its states.

use std::fmt;

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use tercet_policy::document::ContentHash;
use tercet_policy::intent::{Payment, PaymentIntent, Service};
use tercet_policy::proposal::{ChainTerms, tempo_terms_of};
use tercet_policy::time::UnixSeconds;

use super::JournalError;
use crate::receipt::Receipt;
use crate::seam::Authorized;

/// Where a purchase stands.
///
/// ```text
/// chosen -> sent -> delivered
///   |         |-> unverified -> delivered | void
///   |         |-> paid_not_delivered -> written_off
///   |         |-> unknown -> sent | paid_not_delivered | void
///   |-> refused
///   |-> void
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Decided, and perhaps signed; nothing was sent, unless the machine stopped in that very
    /// moment.
    Chosen,
    /// A header was about to be sent, or was sent.
    Sent,
    /// Sent, and it is not known whether it will settle.
    Unknown,
    /// The resource came; the chain does not show the payment yet.
    Unverified,
    /// The resource came, and the chain shows the payment. Terminal.
    Delivered,
    /// The chain shows the payment, and the resource did not come.
    PaidNotDelivered,
    /// Paid, not delivered, and somebody said to let it be. Terminal.
    WrittenOff,
    /// The chain proves that it never will settle. Terminal.
    Void,
    /// Refused before anything was signed. Terminal.
    Refused,
}

impl State {
    const ALL: [Self; 9] = [
        Self::Chosen,
        Self::Sent,
        Self::Unknown,
        Self::Unverified,
        Self::Delivered,
        Self::PaidNotDelivered,
        Self::WrittenOff,
        Self::Void,
        Self::Refused,
    ];

    /// The state as the journal and JSON write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Chosen => "chosen",
            Self::Sent => "sent",
            Self::Unknown => "unknown",
            Self::Unverified => "unverified",
            Self::Delivered => "delivered",
            Self::PaidNotDelivered => "paid_not_delivered",
            Self::WrittenOff => "written_off",
            Self::Void => "void",
            Self::Refused => "refused",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A column that does not read as what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}")]
pub struct BadRow {
    /// The column.
    pub column: &'static str,
}

/// Names a request: SHA-256 over method, URL and body. Two equal requests are one purchase as long
/// as its outcome is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestKey(pub(crate) [u8; 32]);

impl RequestKey {
    pub(crate) fn of(method: &str, url: &str, body_sha256: &[u8; 32]) -> Self {
        let mut hasher = Sha256::new();
        for part in [method.as_bytes(), url.as_bytes(), body_sha256] {
            hasher.update(part);
            hasher.update([0]);
        }
        Self(hasher.finalize().into())
    }
}

impl fmt::Display for RequestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A purchase as the journal has it.
#[derive(Clone, Debug)]
pub struct Purchase {
    /// What was asked of the signer nodes.
    pub intent: PaymentIntent,
    /// Names the request.
    pub request_key: RequestKey,
    /// Its method.
    pub method: String,
    /// Its URL.
    pub url: String,
    /// SHA-256 of its body.
    pub body_sha256: ContentHash,
    /// The service.
    pub service: Service,
    /// The requirement that was chosen, exactly as the merchant wrote it; the MPP challenge, as a
    /// credential echoes it.
    pub requirement: Box<RawValue>,
    /// The resource, exactly as the merchant wrote it.
    pub resource: Option<Box<RawValue>>,
    /// What names the payment on its chain: an EIP-3009 nonce, or the memo of a charge.
    pub nonce: B256,
    /// Where it stands.
    pub state: State,
    /// SHA-256 of the last header sent.
    pub header_sha256: Option<ContentHash>,
    /// HTTP status of the last answer to a payment.
    pub status: Option<u16>,
    /// The receipt, as far as there is one.
    pub receipt: Option<Receipt>,
    /// When it was begun.
    pub created_at: UnixSeconds,
}

impl Purchase {
    /// The authorization or charge it is about; nothing for a row that moves no money.
    #[must_use]
    pub fn authorized(&self) -> Option<Authorized> {
        let payment = &self.intent.payment;
        let (to, value) = match payment {
            Payment::X402Exact(x) => (x.to, x.amount),
            Payment::MppCharge(charge) => (charge.to, charge.primary_amount()?),
            _ => return None,
        };
        Some(Authorized {
            chain: payment.chain(),
            token: payment.token(),
            from: self.intent.wallet,
            to,
            value,
            nonce: self.nonce,
            valid_before: self.deadline(),
            valid_after: valid_after(&self.intent),
            since: self.intent.created_at,
        })
    }

    /// Whether it moves no money, so that there is nothing to settle: a proof.
    #[must_use]
    pub const fn moves_nothing(&self) -> bool {
        matches!(self.intent.payment, Payment::MppProof(_))
    }

    /// First second in which the authorization is no longer usable.
    #[must_use]
    pub fn deadline(&self) -> UnixSeconds {
        self.intent.payment.valid_before().unwrap_or(self.intent.expires_at)
    }

    pub(super) fn overtaken_unless(&self, changed: u64) -> Result<(), JournalError> {
        if changed == 1 {
            return Ok(());
        }
        Err(JournalError::Overtaken { intent: self.intent.id, expected: self.state })
    }

    pub(super) fn read(row: &SqliteRow) -> Result<Self, BadRow> {
        let requirement = RawValue::from_string(text(row, "requirement")?);
        let resource = optional_text(row, "resource")?.map(RawValue::from_string).transpose();
        let status: Option<i64> = row.try_get("status").map_err(|_| bad("status"))?;
        Ok(Self {
            intent: json(&text(row, "document")?, "document")?,
            request_key: RequestKey(hash(&text(row, "request_key")?, "request_key")?),
            method: text(row, "method")?,
            url: text(row, "url")?,
            body_sha256: ContentHash(hash(&text(row, "body_sha256")?, "body_sha256")?),
            service: serde_json::from_value(text(row, "service")?.into())
                .map_err(|_| bad("service"))?,
            requirement: requirement.map_err(|_| bad("requirement"))?,
            resource: resource.map_err(|_| bad("resource"))?,
            nonce: B256::from(hash(&text(row, "nonce")?, "nonce")?),
            state: State::parse(&text(row, "state")?).ok_or(bad("state"))?,
            header_sha256: optional_text(row, "header_sha256")?
                .map(|t| hash(&t, "header_sha256").map(ContentHash))
                .transpose()?,
            status: status.map(u16::try_from).transpose().map_err(|_| bad("status"))?,
            receipt: optional_text(row, "receipt")?.map(|t| json(&t, "receipt")).transpose()?,
            created_at: UnixSeconds(whole(row, "created_at")?),
        })
    }
}

fn valid_after(intent: &PaymentIntent) -> UnixSeconds {
    match tempo_terms_of(intent) {
        Some(ChainTerms::Tempo { valid_after, .. }) => valid_after,
        _ => UnixSeconds(0),
    }
}

/// SQLite's integers are signed; a time beyond them is held at the end.
pub(super) fn seconds(time: UnixSeconds) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

const fn bad(column: &'static str) -> BadRow {
    BadRow { column }
}

fn text(row: &SqliteRow, column: &'static str) -> Result<String, BadRow> {
    row.try_get(column).map_err(|_| bad(column))
}

fn optional_text(row: &SqliteRow, column: &'static str) -> Result<Option<String>, BadRow> {
    row.try_get(column).map_err(|_| bad(column))
}

fn whole(row: &SqliteRow, column: &'static str) -> Result<u64, BadRow> {
    let value: i64 = row.try_get(column).map_err(|_| bad(column))?;
    u64::try_from(value).map_err(|_| bad(column))
}

fn json<T: serde::de::DeserializeOwned>(text: &str, column: &'static str) -> Result<T, BadRow> {
    serde_json::from_str(text).map_err(|_| bad(column))
}

fn hash(text: &str, column: &'static str) -> Result<[u8; 32], BadRow> {
    let mut bytes = [0u8; 32];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| bad(column))?;
    Ok(bytes)
}
