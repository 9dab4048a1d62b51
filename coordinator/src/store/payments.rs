//! Payments, each with a version for compare-and-set, and the hash chain of what happened to them.

mod events;
pub(super) mod writes;

use alloy_primitives::{Address, B256, Bytes};
use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use tercet_api::payment::{PaymentStatus, RefusalBy, SigningWay};
use tercet_policy::approval::SignedApproval;
use tercet_policy::decision::Decision;
use tercet_policy::document::ContentHash;
use tercet_policy::intent::{IntentId, SignedIntent};
use tercet_policy::money::Amount;
use tercet_policy::party::AgentId;
use tercet_policy::proposal::ProposalClaim;
use tercet_policy::registry::Category;
use tercet_policy::rows::PolicyEpochs;
use tercet_policy::time::UnixSeconds;

use super::ceremonies::word_of;
use super::{Store, StoreError, document, moment, word};
use crate::payment::state::{Event, State};

/// A payment as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaymentRecord {
    /// What the agent signed; it was opened before it was stored.
    pub envelope: SignedIntent,
    /// Hash of what the agent signed.
    pub content_hash: ContentHash,
    /// Its place among all payments.
    pub serial: i64,
    /// Rises with every change.
    pub version: i64,
    /// Where it stands.
    pub state: State,
    /// What is known about it.
    pub facts: Facts,
    /// When it was taken in.
    pub created_at: UnixSeconds,
    /// When it last changed.
    pub updated_at: UnixSeconds,
}

impl PaymentRecord {
    /// The intent's id.
    #[must_use]
    pub const fn id(&self) -> IntentId {
        self.envelope.document.id
    }
}

/// What becomes known of a payment on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// What was or will be claimed to the nodes; fixed once, so that every session asks for the
    /// same digest.
    pub claim: Option<ProposalClaim>,
    /// Every refusal, and whose.
    pub refusals: Vec<RefusalBy>,
    /// The slot it fills, once signed.
    pub slot: Option<String>,
    /// What was signed.
    pub digest: Option<B256>,
    /// What the nodes were or will be asked for; none before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks: Option<B256>,
    /// How it was signed the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<SigningWay>,
    /// The signed transaction of a transfer.
    pub raw: Option<Bytes>,
    /// The transaction that carries or settled it.
    pub transaction: Option<B256>,
    /// The block it was seen in.
    pub block: Option<u64>,
    /// What the payee got of a deposit, once its channel has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_amount: Option<Amount>,
    /// What the chain took as the fee in the payment's token, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<Amount>,
    /// When an unknown outcome will be known.
    pub deadline: Option<UnixSeconds>,
    /// What went wrong last, for people.
    pub detail: Option<String>,
    /// What people are or were asked, once a policy asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// What people said, each with its signature.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<SignedApproval>,
    /// When the preview let it through: from then on it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_at: Option<UnixSeconds>,
    /// What the registry called the payee's trade then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
}

/// What people are asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// What every rule said when it was asked.
    pub decision: Decision,
    /// Epochs of the policies that ask.
    pub policies: PolicyEpochs,
    /// When the question ends.
    pub until: UnixSeconds,
}

/// A payment to take in.
#[derive(Clone, Debug)]
pub struct NewPayment {
    /// As it is before anything is known of it. Its serial and version are the store's to give.
    pub draft: PaymentRecord,
    /// What it was found to be before it was stored.
    pub first: Option<Move>,
    /// Most open payments of all agents.
    pub open_max: u64,
    /// Most open payments of this agent, of those that are counted with this one: deposits are
    /// counted apart from all others.
    pub open_per_agent_max: u64,
}

impl NewPayment {
    /// As it will be stored, but for its serial and version.
    #[must_use]
    pub fn record(&self) -> PaymentRecord {
        let mut record = self.draft.clone();
        if let Some(first) = &self.first {
            (record.state, record.facts) = (first.state, first.facts.clone());
        }
        record
    }
}

/// What happened to a payment, and what it is then.
#[derive(Clone, Debug)]
pub struct Move {
    /// What happened.
    pub event: Event,
    /// The state it leads to.
    pub state: State,
    /// What is known then.
    pub facts: Facts,
}

/// What became of taking a payment in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is new.
    Inserted(Box<PaymentRecord>),
    /// It was taken in before.
    Known(Box<PaymentRecord>),
    /// Too many payments are open.
    Full,
}

/// A change of one payment from the version that was read.
#[derive(Clone, Debug)]
pub struct Change {
    /// What happened.
    pub event: Event,
    /// The state it leads to.
    pub state: State,
    /// What is known then.
    pub facts: Facts,
    /// When.
    pub at: UnixSeconds,
}

/// Which page of payments.
#[derive(Clone, Debug, Default)]
pub struct PageWish {
    /// Of this agent.
    pub agent: Option<AgentId>,
    /// Of this wallet.
    pub wallet: Option<Address>,
    /// In this status.
    pub status: Option<PaymentStatus>,
    /// Older than this serial.
    pub before: Option<i64>,
    /// So many.
    pub limit: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    state: State,
    facts: Facts,
}

#[derive(Serialize)]
struct RowRef<'a> {
    state: State,
    facts: &'a Facts,
}

fn payment(row: &SqliteRow) -> Result<PaymentRecord, StoreError> {
    let Row { state, facts } = document(row, "row")?;
    Ok(PaymentRecord {
        envelope: document(row, "envelope")?,
        content_hash: word(row, "content_hash")?,
        serial: row.try_get("serial")?,
        version: row.try_get("version")?,
        state,
        facts,
        created_at: moment(row, "created_at")?,
        updated_at: moment(row, "updated_at")?,
    })
}

const OPEN: &str = "SELECT count(*) FROM payments
    WHERE status NOT IN ('refused', 'failed', 'settled', 'void')";
impl Store {
    /// One payment.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn payment(&self, id: &IntentId) -> Result<Option<PaymentRecord>, StoreError> {
        if let Some(ahead) = self.group.ahead_of(id) {
            return Ok(Some(ahead));
        }
        let row = sqlx::query("SELECT * FROM payments WHERE id = ?")
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(payment).transpose()
    }

    /// One page of payments, newest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn payments(&self, wish: &PageWish) -> Result<Vec<PaymentRecord>, StoreError> {
        self.group.catch_up().await?;
        let status = wish.status.map(|status| word_of(&status, "status")).transpose()?;
        let rows = sqlx::query(
            "SELECT * FROM payments
             WHERE (?1 IS NULL OR agent = ?1) AND (?2 IS NULL OR wallet = ?2)
               AND (?3 IS NULL OR status = ?3) AND (?4 IS NULL OR serial < ?4)
             ORDER BY serial DESC LIMIT ?5",
        )
        .bind(wish.agent.as_ref().map(AgentId::as_str))
        .bind(wish.wallet.map(|wallet| wallet.to_string()))
        .bind(status)
        .bind(wish.before)
        .bind(wish.limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(payment).collect()
    }

    /// Ids of all payments that are not terminal, oldest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn open_payments(&self) -> Result<Vec<IntentId>, StoreError> {
        let rows = sqlx::query(
            "SELECT id FROM payments
             WHERE status NOT IN ('refused', 'failed', 'settled', 'void') ORDER BY serial",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|row| word(row, "id")).collect()
    }

    /// Payments that are not terminal.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn open_payments_count(&self) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar(OPEN).fetch_one(&self.readers).await?;
        u64::try_from(count).map_err(|_| StoreError::Unreadable { what: "count" })
    }

    /// Every payment that counts or did, in the order in which the preview let them through, each
    /// given to `each`: what the preview's book is built from at start.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn replay_counting(
        &self,
        mut each: impl FnMut(PaymentRecord),
    ) -> Result<(), StoreError> {
        let mut rows = sqlx::query(
            "SELECT * FROM payments
             WHERE status IN ('signing', 'signed', 'submitted', 'unknown', 'settled', 'void')
             ORDER BY coalesce(json_extract(row, '$.facts.reserved_at'), created_at), serial",
        )
        .fetch(&self.readers);
        while let Some(row) = rows.try_next().await? {
            each(payment(&row)?);
        }
        Ok(())
    }
}
