//! Approvals given beforehand to agents that pay with wallets of their own: each a hold, with what
//! became of it.
//!
//! Promises: one changes only from the version that was read; a transfer is recorded for one of
//! them at most.

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, Sqlite, Transaction};
use tercet_policy::chain::Chain;
use tercet_policy::decision::Decision;
use tercet_policy::document::ContentHash;
use tercet_policy::intent::{IntentId, SignedIntent};
use tercet_policy::money::Amount;
use tercet_policy::party::AgentId;
use tercet_policy::rows::HoldRow;
use tercet_policy::time::UnixSeconds;

use super::ceremonies::word_of;
use super::{Store, StoreError, document, moment, signed, to_json, word};

/// The place that stands for a whole transaction.
const WHOLE_TRANSACTION: i64 = -1;

/// Where one stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PreAuthorizationState {
    /// Nothing was recorded for it; its time runs.
    Open,
    /// A transaction was named; the chain does not show it at a safe block yet.
    Claimed,
    /// The chain shows the transfer at a safe block.
    Settled,
    /// A transaction was named on a chain that nobody reads here.
    Unchecked,
    /// Its time was over before anything was recorded; what it held is free.
    Expired,
}

/// One, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreAuthorizationRecord {
    /// What the agent signed; it was opened before it was stored.
    pub envelope: SignedIntent,
    /// Hash of what the agent signed.
    pub content_hash: ContentHash,
    /// Rises with every change.
    pub version: i64,
    /// Where it stands.
    pub state: PreAuthorizationState,
    /// What is known about it.
    pub facts: PreAuthorizationFacts,
    /// When it last changed.
    pub updated_at: UnixSeconds,
}

impl PreAuthorizationRecord {
    /// The intent's id, which is the hold's name.
    #[must_use]
    pub const fn id(&self) -> IntentId {
        self.envelope.document.id
    }
}

/// What is known about one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreAuthorizationFacts {
    /// What is set aside.
    pub hold: HoldRow,
    /// What every rule said.
    pub decision: Decision,
    /// The transfer that was named, once one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Recorded>,
    /// When it expired unrecorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired_at: Option<UnixSeconds>,
    /// What was wrong last, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A transfer that was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// The transaction.
    pub transaction: B256,
    /// Base units that it moved; as much as is held, until the chain shows how much.
    pub amount: Amount,
    /// The block it was seen in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<u64>,
    /// When it was recorded.
    pub at: UnixSeconds,
}

/// One to store.
#[derive(Clone, Debug)]
pub struct NewPreAuthorization<'a> {
    /// What the agent signed.
    pub envelope: &'a SignedIntent,
    /// Its hash.
    pub content_hash: ContentHash,
    /// What is known about it.
    pub facts: &'a PreAuthorizationFacts,
}

/// A change from the version that was read.
#[derive(Clone, Debug)]
pub struct PreAuthorizationChange {
    /// The state it leads to.
    pub state: PreAuthorizationState,
    /// What is known then.
    pub facts: PreAuthorizationFacts,
    /// When.
    pub at: UnixSeconds,
}

/// A transfer in a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransferPlace {
    /// Place of its log in the block; none for the whole transaction.
    pub log_index: Option<u64>,
    /// Base units.
    pub amount: Amount,
}

/// The transfers of which one is to be this one's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// On this chain.
    pub chain: Chain,
    /// In this transaction.
    pub transaction: B256,
    /// Any of these that is nobody's yet, the first one first.
    pub places: Vec<TransferPlace>,
}

/// What settling came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settling {
    /// It is settled by the transfer of this amount.
    Done(Box<PreAuthorizationRecord>),
    /// Every one of the transfers is another approval's.
    Taken,
}

fn record(row: &SqliteRow) -> Result<PreAuthorizationRecord, StoreError> {
    Ok(PreAuthorizationRecord {
        envelope: document(row, "envelope")?,
        content_hash: word(row, "content_hash")?,
        version: row.try_get("version")?,
        state: word(row, "state")?,
        facts: document(row, "facts")?,
        updated_at: moment(row, "updated_at")?,
    })
}

impl Store {
    /// Stores a new one.
    ///
    /// # Errors
    /// [`StoreError`]; also where its id is stored already.
    pub async fn insert_pre_authorization(
        &self,
        new: &NewPreAuthorization<'_>,
    ) -> Result<PreAuthorizationRecord, StoreError> {
        let intent = &new.envelope.document;
        let row = sqlx::query(
            "INSERT INTO pre_authorizations (id, serial, agent, content_hash, envelope, state,
                 version, facts, held_at, updated_at)
             VALUES (?1, (SELECT coalesce(max(serial), 0) + 1 FROM pre_authorizations), ?2, ?3,
                 ?4, 'open', 1, ?5, ?6, ?6) RETURNING *",
        )
        .bind(intent.id.to_string())
        .bind(intent.agent.as_str())
        .bind(new.content_hash.to_string())
        .bind(to_json(new.envelope, "envelope")?)
        .bind(to_json(new.facts, "pre-authorization")?)
        .bind(signed(new.facts.hold.at.0, "time")?)
        .fetch_one(&self.writer)
        .await?;
        record(&row)
    }

    /// Changes one from the version in `from`.
    ///
    /// # Errors
    /// [`StoreError::Changed`] if it is no longer at that version.
    pub async fn change_pre_authorization(
        &self,
        from: &PreAuthorizationRecord,
        change: &PreAuthorizationChange,
    ) -> Result<PreAuthorizationRecord, StoreError> {
        let mut transaction = self.begin().await?;
        let changed = update(&mut transaction, from, change).await?;
        transaction.commit().await?;
        Ok(changed)
    }

    /// Changes one from the version in `from`, and makes one of the transfers its own: how much
    /// that one moved is noted.
    ///
    /// # Errors
    /// [`StoreError::Changed`] if it is no longer at that version.
    pub async fn settle_pre_authorization(
        &self,
        from: &PreAuthorizationRecord,
        change: PreAuthorizationChange,
        claims: &Claims,
    ) -> Result<Settling, StoreError> {
        let mut transaction = self.begin().await?;
        let Some(amount) = claim(&mut transaction, &from.id(), claims).await? else {
            return Ok(Settling::Taken);
        };
        let mut change = change;
        if let Some(recorded) = &mut change.facts.recorded {
            recorded.amount = amount;
        }
        let changed = update(&mut transaction, from, &change).await?;
        transaction.commit().await?;
        Ok(Settling::Done(Box::new(changed)))
    }

    /// One of them.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn pre_authorization(
        &self,
        id: &IntentId,
    ) -> Result<Option<PreAuthorizationRecord>, StoreError> {
        let row = sqlx::query("SELECT * FROM pre_authorizations WHERE id = ?")
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(record).transpose()
    }

    /// How many of an agent's still hold something.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn pre_authorizations_open(&self, agent: &AgentId) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pre_authorizations
             WHERE state IN ('open', 'claimed') AND agent = ?",
        )
        .bind(agent.as_str())
        .fetch_one(&self.readers)
        .await?;
        u64::try_from(count).map_err(|_| StoreError::Unreadable { what: "count" })
    }

    /// Ids of those whose transaction the chain has not shown at a safe block, the one that was
    /// looked at longest ago first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn pre_authorizations_claimed(&self) -> Result<Vec<IntentId>, StoreError> {
        let rows = sqlx::query(
            "SELECT id FROM pre_authorizations WHERE state = 'claimed' ORDER BY serial",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|row| word(row, "id")).collect()
    }

    /// All that were held since `since`, or that still hold something, in the order in which they
    /// were held: what the preview's book is built from at start.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn pre_authorizations_since(
        &self,
        since: UnixSeconds,
    ) -> Result<Vec<PreAuthorizationRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM pre_authorizations
             WHERE held_at >= ? OR state IN ('open', 'claimed') ORDER BY held_at, serial",
        )
        .bind(signed(since.0, "time")?)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(record).collect()
    }
}

async fn update(
    transaction: &mut Transaction<'static, Sqlite>,
    from: &PreAuthorizationRecord,
    change: &PreAuthorizationChange,
) -> Result<PreAuthorizationRecord, StoreError> {
    let row = sqlx::query(
        "UPDATE pre_authorizations SET state = ?, facts = ?, version = version + 1, updated_at = ?
         WHERE id = ? AND version = ? RETURNING *",
    )
    .bind(word_of(&change.state, "state")?)
    .bind(to_json(&change.facts, "pre-authorization")?)
    .bind(signed(change.at.0, "time")?)
    .bind(from.id().to_string())
    .bind(from.version)
    .fetch_optional(&mut **transaction)
    .await?;
    record(&row.ok_or(StoreError::Changed)?)
}

/// Makes the first transfer that is nobody's this one's; how much it moved.
async fn claim(
    transaction: &mut Transaction<'static, Sqlite>,
    id: &IntentId,
    claims: &Claims,
) -> Result<Option<Amount>, StoreError> {
    for place in &claims.places {
        let index = place.log_index.map(|index| signed(index, "log index")).transpose()?;
        let done = sqlx::query(
            "INSERT INTO recorded_transfers
                 (chain, transaction_hash, log_index, pre_authorization)
             SELECT ?1, ?2, ?3, ?4
             WHERE NOT EXISTS (SELECT 1 FROM recorded_transfers WHERE chain = ?1
                 AND transaction_hash = ?2 AND (log_index = ?3 OR log_index = ?5 OR ?3 = ?5))",
        )
        .bind(claims.chain.to_string())
        .bind(claims.transaction.to_string())
        .bind(index.unwrap_or(WHOLE_TRANSACTION))
        .bind(id.to_string())
        .bind(WHOLE_TRANSACTION)
        .execute(&mut **transaction)
        .await?;
        if done.rows_affected() == 1 {
            return Ok(Some(place.amount));
        }
    }
    Ok(None)
}
