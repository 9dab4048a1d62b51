//! Payments, each with a version for compare-and-set, and the hash chain of what happened to them.

mod events;

use alloy_primitives::{Address, B256, Bytes};
use futures_util::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use tercet_api::payment::{PaymentStatus, RefusalBy};
use tercet_policy::approval::SignedApproval;
use tercet_policy::decision::Decision;
use tercet_policy::document::ContentHash;
use tercet_policy::intent::{IntentId, SignedIntent};
use tercet_policy::party::AgentId;
use tercet_policy::proposal::ProposalClaim;
use tercet_policy::registry::Category;
use tercet_policy::rows::PolicyEpochs;
use tercet_policy::time::UnixSeconds;

use super::ceremonies::word_of;
use super::{Store, StoreError, document, moment, signed, to_json, word};
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
    /// The signed transaction of a transfer.
    pub raw: Option<Bytes>,
    /// The transaction that carries or settled it.
    pub transaction: Option<B256>,
    /// The block it was seen in.
    pub block: Option<u64>,
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
    /// What the agent signed.
    pub envelope: SignedIntent,
    /// Its hash.
    pub content_hash: ContentHash,
    /// Now.
    pub at: UnixSeconds,
    /// Most open payments of all agents.
    pub open_max: u64,
    /// Most open payments of this agent.
    pub open_per_agent_max: u64,
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

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    state: State,
    facts: Facts,
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
const OPEN_OF_AGENT: &str = "SELECT count(*) FROM payments
    WHERE status NOT IN ('refused', 'failed', 'settled', 'void') AND agent = ?";

impl Store {
    /// Takes a payment in unless its id is known.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn insert_payment(&self, new: &NewPayment) -> Result<Taken, StoreError> {
        let intent = &new.envelope.document;
        let mut transaction = self.begin().await?;
        let known = sqlx::query("SELECT * FROM payments WHERE id = ?")
            .bind(intent.id.to_string())
            .fetch_optional(&mut *transaction)
            .await?;
        if let Some(row) = known {
            return Ok(Taken::Known(Box::new(payment(&row)?)));
        }
        let open: i64 = sqlx::query_scalar(OPEN).fetch_one(&mut *transaction).await?;
        let open_of_agent: i64 = sqlx::query_scalar(OPEN_OF_AGENT)
            .bind(intent.agent.as_str())
            .fetch_one(&mut *transaction)
            .await?;
        if open >= signed(new.open_max, "limit")?
            || open_of_agent >= signed(new.open_per_agent_max, "limit")?
        {
            return Ok(Taken::Full);
        }
        let row = Row { state: State::Received, facts: Facts::default() };
        let inserted = sqlx::query(
            "INSERT INTO payments (id, serial, agent, wallet, content_hash, envelope, status,
                 version, row, created_at, updated_at)
             VALUES (?1, (SELECT coalesce(max(serial), 0) + 1 FROM payments), ?2, ?3, ?4, ?5,
                 'received', 1, ?6, ?7, ?7) RETURNING *",
        )
        .bind(intent.id.to_string())
        .bind(intent.agent.as_str())
        .bind(intent.wallet.to_string())
        .bind(new.content_hash.to_string())
        .bind(to_json(&new.envelope, "envelope")?)
        .bind(to_json(&row, "payment")?)
        .bind(signed(new.at.0, "time")?)
        .fetch_one(&mut *transaction)
        .await?;
        let record = payment(&inserted)?;
        events::append(&mut transaction, &intent.id, &events::Happened::Taken, new.at).await?;
        transaction.commit().await?;
        Ok(Taken::Inserted(Box::new(record)))
    }

    /// Changes a payment from the version in `from`.
    ///
    /// # Errors
    /// [`StoreError::Changed`] if it is no longer at that version.
    pub async fn change_payment(
        &self,
        from: &PaymentRecord,
        change: Change,
    ) -> Result<PaymentRecord, StoreError> {
        let mut transaction = self.begin().await?;
        let row = Row { state: change.state, facts: change.facts };
        let done = sqlx::query(
            "UPDATE payments SET status = ?, row = ?, version = version + 1, updated_at = ?
             WHERE id = ? AND version = ? RETURNING *",
        )
        .bind(word_of(&change.state.status(), "status")?)
        .bind(to_json(&row, "payment")?)
        .bind(signed(change.at.0, "time")?)
        .bind(from.id().to_string())
        .bind(from.version)
        .fetch_optional(&mut *transaction)
        .await?;
        let changed = payment(&done.ok_or(StoreError::Changed)?)?;
        let happened = events::Happened::Moved {
            event: change.event,
            from: from.state,
            to: change.state,
            facts: &row.facts,
        };
        events::append(&mut transaction, &from.id(), &happened, change.at).await?;
        transaction.commit().await?;
        Ok(changed)
    }

    /// One payment.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn payment(&self, id: &IntentId) -> Result<Option<PaymentRecord>, StoreError> {
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
