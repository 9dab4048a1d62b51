//! What this wallet began to pay for, on disk before anything is signed.
//!
//! Promises: one row per intent, durable (`WAL`, `synchronous=FULL`, both read back) before the
//! intent leaves this process, and its end durable before the caller learns of it; limits, payee
//! pin and row are one transaction; a state changes only from the state it was read in; rows are
//! never deleted. That a header is about to be sent is written without waiting for the disk: it
//! outlives this process at once, and the machine with the next row. Whoever takes a purchase up
//! looks at the chain first and goes on with the same intent, whichever of `chosen` and `sent` it
//! finds.
//!
//! Refuses: a file whose durability settings do not take, and a row that does not read.
//!
//! Holds no header and no signature: after a crash the same intent is signed again. Does not
//! protect against: a disk put back to an earlier day. The signer nodes' journals do, and the
//! chain, which settles an intent's nonce once.

mod begin;
mod claimant;
mod row;
mod sessions;

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::Row as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use tercet_policy::chain::Chain;
use tercet_policy::document::ContentHash;
use tercet_policy::intent::{IntentId, Service};
use tercet_policy::mpp::ChannelId;
use tercet_policy::time::UnixSeconds;

pub(crate) use self::claimant::Claimant;
pub use self::row::{BadRow, Purchase, RequestKey, State};
pub(crate) use self::sessions::Keeping;

use crate::error::Declined;
use crate::mpp::Drawing;
use crate::receipt::Receipt;

/// The journal's file inside a home.
pub const JOURNAL_FILE: &str = "purchases.sqlite";
/// How long to wait for the file's lock, in seconds.
const BUSY_SECONDS: u64 = 5;
/// Most purchases that one listing gives.
pub const LISTED_MAX: u32 = 1_000;

/// Why the journal cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The file cannot be made or opened.
    #[error("{path} cannot be opened: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite says no.
    #[error("the journal of purchases: {0}")]
    Store(#[from] sqlx::Error),
    /// The schema cannot be brought up to date.
    #[error("the journal of purchases: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// SQLite does not keep what it was told to keep.
    #[error("the journal of purchases has {pragma} = {found}, and needs {needed}")]
    NotDurable {
        /// The setting.
        pragma: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        needed: &'static str,
    },
    /// A row does not read.
    #[error("the journal of purchases holds a row that does not read: {0}")]
    Corrupt(#[from] BadRow),
    /// Somebody else changed the row meanwhile.
    #[error("intent {intent} is no longer {expected}")]
    Overtaken {
        /// The intent.
        intent: IntentId,
        /// The state it was read in.
        expected: State,
    },
    /// Somebody else changed the session meanwhile.
    #[error("the session of channel {channel} has changed meanwhile")]
    SessionOvertaken {
        /// The channel.
        channel: ChannelId,
    },
}

/// Why a purchase is not begun.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotBegun {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Declined(#[from] Declined),
}

impl From<sqlx::Error> for NotBegun {
    fn from(error: sqlx::Error) -> Self {
        Self::Journal(error.into())
    }
}

impl From<BadRow> for NotBegun {
    fn from(error: BadRow) -> Self {
        Self::Journal(error.into())
    }
}

/// The journal of purchases.
#[derive(Clone, Debug)]
pub struct Journal {
    pool: SqlitePool,
    /// Commits without waiting for the disk.
    quick: SqlitePool,
    /// Where the file is.
    folder: Arc<Path>,
}

impl Journal {
    /// Opens the journal in a folder, and makes it if there is none.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn open(home: &Path) -> Result<Self, JournalError> {
        let path = home.join(JOURNAL_FILE);
        let file = |source| JournalError::File { path: path.clone(), source };
        private_file(&path).map_err(file)?;
        // Wherever this process works later: a claimant that is looked for elsewhere seems gone.
        let folder = std::path::absolute(home).map_err(file)?.into();
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(BUSY_SECONDS));
        // One connection: begin, pin and limits are decided one after the other.
        let one = || SqlitePoolOptions::new().max_connections(1);
        let pool = one().connect_with(options.clone()).await?;
        let quick = options.synchronous(SqliteSynchronous::Normal).create_if_missing(false);
        let quick = one().connect_lazy_with(quick);
        let journal = Self { pool, quick, folder };
        journal.check_durable().await?;
        sqlx::migrate!("./migrations").run(&journal.pool).await?;
        Ok(journal)
    }

    async fn check_durable(&self) -> Result<(), JournalError> {
        let mode: String =
            sqlx::query("PRAGMA journal_mode").fetch_one(&self.pool).await?.try_get(0)?;
        if mode != "wal" {
            let (pragma, needed) = ("journal_mode", "wal");
            return Err(JournalError::NotDurable { pragma, found: mode, needed });
        }
        let level: i64 =
            sqlx::query("PRAGMA synchronous").fetch_one(&self.pool).await?.try_get(0)?;
        if level < 2 {
            let (pragma, needed) = ("synchronous", "2 (FULL)");
            return Err(JournalError::NotDurable { pragma, found: level.to_string(), needed });
        }
        Ok(())
    }

    /// One purchase.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn find(&self, intent: &IntentId) -> Result<Option<Purchase>, JournalError> {
        let row = sqlx::query("SELECT * FROM purchase WHERE intent = ?")
            .bind(intent.to_string())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| Purchase::read(&row)).transpose()?)
    }

    /// The purchases of a request that are not at their end, oldest first.
    pub(crate) async fn pending(&self, key: &RequestKey) -> Result<Vec<Purchase>, JournalError> {
        let rows = sqlx::query(
            "SELECT * FROM purchase WHERE request_key = ? AND \
             state IN ('chosen', 'sent', 'unknown', 'unverified', 'paid_not_delivered') \
             ORDER BY created_at, rowid",
        )
        .bind(key.to_string())
        .fetch_all(&self.pool)
        .await?;
        read_all(&rows)
    }

    /// Every purchase whose outcome the chain has still to show, oldest first.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn open_purchases(&self) -> Result<Vec<Purchase>, JournalError> {
        let rows = sqlx::query(
            "SELECT * FROM purchase WHERE state IN ('chosen', 'sent', 'unknown', 'unverified') \
             ORDER BY created_at, rowid",
        )
        .fetch_all(&self.pool)
        .await?;
        read_all(&rows)
    }

    /// The newest purchases, newest first.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn recent(&self, limit: u32) -> Result<Vec<Purchase>, JournalError> {
        let rows =
            sqlx::query("SELECT * FROM purchase ORDER BY created_at DESC, rowid DESC LIMIT ?")
                .bind(i64::from(limit.min(LISTED_MAX)))
                .fetch_all(&self.pool)
                .await?;
        read_all(&rows)
    }

    /// A header is about to be sent.
    pub(crate) async fn mark_sent(
        &self,
        purchase: &mut Purchase,
        header: ContentHash,
        now: UnixSeconds,
    ) -> Result<(), JournalError> {
        let changed = sqlx::query(
            "UPDATE purchase SET state = 'sent', header_sha256 = ?, updated_at = ? \
             WHERE intent = ? AND state = ?",
        )
        .bind(header.to_string())
        .bind(row::seconds(now))
        .bind(purchase.intent.id.to_string())
        .bind(purchase.state.word())
        .execute(&self.quick)
        .await?;
        purchase.overtaken_unless(changed.rows_affected())?;
        purchase.state = State::Sent;
        purchase.header_sha256 = Some(header);
        Ok(())
    }

    /// The purchase stands differently now.
    pub(crate) async fn mark(
        &self,
        purchase: &mut Purchase,
        state: State,
        receipt: Option<&Receipt>,
        now: UnixSeconds,
    ) -> Result<(), JournalError> {
        let status = receipt.and_then(|r| r.resource.as_ref()).and_then(|r| r.status);
        let receipt_json = receipt
            .map(serde_json::to_string)
            .transpose()
            .map_err(|_| BadRow { column: "receipt" })?;
        let changed = sqlx::query(
            "UPDATE purchase SET state = ?, receipt = coalesce(?, receipt), \
             status = coalesce(?, status), updated_at = ? WHERE intent = ? AND state = ?",
        )
        .bind(state.word())
        .bind(receipt_json)
        .bind(status.map(i64::from))
        .bind(row::seconds(now))
        .bind(purchase.intent.id.to_string())
        .bind(purchase.state.word())
        .execute(&self.pool)
        .await?;
        purchase.overtaken_unless(changed.rows_affected())?;
        purchase.state = state;
        if let Some(receipt) = receipt {
            purchase.receipt = Some(receipt.clone());
        }
        Ok(())
    }

    /// From now on this is the payee of that service, whoever it was before.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn pin_payee(
        &self,
        service: &Service,
        chain: Chain,
        payee: alloy_primitives::Address,
        now: UnixSeconds,
    ) -> Result<(), JournalError> {
        sqlx::query(
            "INSERT INTO payee_pin (service, chain, payee, pinned_at) VALUES (?, ?, ?, ?) \
             ON CONFLICT (service, chain) DO UPDATE SET payee = excluded.payee, \
             pinned_at = excluded.pinned_at",
        )
        .bind(service.as_str())
        .bind(chain.caip2())
        .bind(payee.to_string())
        .bind(row::seconds(now))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Enters this process among those that draw on sessions.
    pub(crate) fn claimant(&self) -> Claimant {
        Claimant::enter(&self.folder)
    }

    /// Whether the process that made a claim is gone for certain.
    pub(crate) fn is_gone(&self, claim: &Drawing) -> bool {
        claim.locked && claimant::is_gone(&self.folder, &claim.by)
    }

    /// Writes what is still in memory and lets go of the file.
    pub async fn close(&self) {
        self.quick.close().await;
        self.pool.close().await;
    }
}

fn read_all(rows: &[sqlx::sqlite::SqliteRow]) -> Result<Vec<Purchase>, JournalError> {
    Ok(rows.iter().map(Purchase::read).collect::<Result<_, _>>()?)
}

/// Makes the file with mode 0600 before SQLite would make it with another.
fn private_file(path: &Path) -> std::io::Result<()> {
    std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path)
        .map(|_| ())
}

#[cfg(test)]
mod tests;
