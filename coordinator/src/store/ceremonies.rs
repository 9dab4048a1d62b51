//! Wallets in the making.

use serde::Serialize;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use tercet_api::resource::CeremonyStatus;
use tercet_policy::document::{ContentHash, RequestId, Signed, WalletRequest};
use tercet_policy::time::UnixSeconds;

use super::{
    Store, StoreError, WalletRecord, document, moment, optional_word, signed, to_json, word,
};

/// A ceremony as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CeremonyRecord {
    /// The agent's request.
    pub request: Signed<WalletRequest>,
    /// Hash of what the agent signed.
    pub content_hash: ContentHash,
    /// Where it stands.
    pub status: CeremonyStatus,
    /// The wallet, once made.
    pub wallet: Option<alloy_primitives::Address>,
    /// What went wrong, if it failed.
    pub detail: Option<String>,
    /// When it was asked for.
    pub created_at: UnixSeconds,
}

/// What became of asking for a ceremony.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewCeremony {
    /// It is new.
    Inserted,
    /// It was asked for before.
    Known(Box<CeremonyRecord>),
}

fn ceremony(row: &SqliteRow) -> Result<CeremonyRecord, StoreError> {
    Ok(CeremonyRecord {
        request: document(row, "document")?,
        content_hash: word(row, "content_hash")?,
        status: word(row, "status")?,
        wallet: optional_word(row, "wallet")?,
        detail: row.try_get("detail")?,
        created_at: moment(row, "created_at")?,
    })
}

/// The JSON word of a plain enum.
pub(super) fn word_of<T: Serialize>(value: &T, what: &'static str) -> Result<String, StoreError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        _ => Err(StoreError::Unreadable { what }),
    }
}

impl Store {
    /// Stores a request for a wallet unless its id is known.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn insert_ceremony(
        &self,
        request: &Signed<WalletRequest>,
        content_hash: ContentHash,
        now: UnixSeconds,
    ) -> Result<NewCeremony, StoreError> {
        let done = sqlx::query(
            "INSERT INTO ceremonies
             (request, agent, content_hash, document, status, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) ON CONFLICT (request) DO NOTHING",
        )
        .bind(request.document.request.to_string())
        .bind(request.document.agent.as_str())
        .bind(content_hash.to_string())
        .bind(to_json(request, "wallet request")?)
        .bind(word_of(&CeremonyStatus::WaitingForNodes, "status")?)
        .bind(signed(now.0, "time")?)
        .execute(&self.writer)
        .await?;
        if done.rows_affected() == 1 {
            return Ok(NewCeremony::Inserted);
        }
        let known = self.ceremony(&request.document.request).await?.ok_or(StoreError::Changed)?;
        Ok(NewCeremony::Known(Box::new(known)))
    }

    /// One ceremony.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn ceremony(
        &self,
        request: &RequestId,
    ) -> Result<Option<CeremonyRecord>, StoreError> {
        let row = sqlx::query("SELECT * FROM ceremonies WHERE request = ?")
            .bind(request.to_string())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(ceremony).transpose()
    }

    /// Moves a ceremony on; one that is over does not move.
    ///
    /// # Errors
    /// [`StoreError::Changed`] if it is over.
    pub async fn set_ceremony(
        &self,
        request: &RequestId,
        status: CeremonyStatus,
        detail: Option<&str>,
        now: UnixSeconds,
    ) -> Result<(), StoreError> {
        let done = sqlx::query(
            "UPDATE ceremonies SET status = ?, detail = ?, updated_at = ?
             WHERE request = ? AND status NOT IN ('done', 'failed')",
        )
        .bind(word_of(&status, "status")?)
        .bind(detail)
        .bind(signed(now.0, "time")?)
        .bind(request.to_string())
        .execute(&self.writer)
        .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Changed) }
    }

    /// Stores the wallet and ends its ceremony, both or neither.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn finish_ceremony(&self, wallet: &WalletRecord) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let now = signed(wallet.created_at.0, "time")?;
        sqlx::query(
            "INSERT INTO wallets (address, agent, label, request, transcript, created_at)
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(wallet.address.to_string())
        .bind(wallet.agent.as_str())
        .bind(&wallet.label)
        .bind(wallet.request.to_string())
        .bind(wallet.transcript.to_string())
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        let done = sqlx::query(
            "UPDATE ceremonies SET status = 'done', wallet = ?, updated_at = ?
             WHERE request = ? AND status NOT IN ('done', 'failed')",
        )
        .bind(wallet.address.to_string())
        .bind(now)
        .bind(wallet.request.to_string())
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() != 1 {
            return Err(StoreError::Changed);
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Ends what a stop of the process left unfinished. Returns how many.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn fail_open_ceremonies(&self, now: UnixSeconds) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "UPDATE ceremonies SET status = 'failed', updated_at = ?,
                 detail = 'the coordinator was restarted; ask again with a new request'
             WHERE status NOT IN ('done', 'failed')",
        )
        .bind(signed(now.0, "time")?)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected())
    }
}
