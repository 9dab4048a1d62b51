//! The coordinator's durable state: one SQLite file.
//!
//! Promises: one writer, which makes what payments side by side write durable with one flush; a change that was acknowledged survives a power cut (WAL with
//! `synchronous=FULL`, both read back at start); a payment changes only from the version that was
//! read (compare-and-set); payment events are append-only and hash-chained.
//!
//! Does not protect against: a disk that lies about flushing, or somebody who rewrites the whole
//! file. The nodes' journals are what counts.

mod agents;
mod ceremonies;
mod group;
mod nodes;
mod nonces;
mod payments;
mod policies;
mod pre_authorizations;
mod reports;
mod wallets;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Row as _, Sqlite, Transaction};
use tercet_policy::time::UnixSeconds;

pub use agents::AgentRecord;
pub use ceremonies::{CeremonyRecord, NewCeremony};
pub use group::Pending;
pub use nodes::LastHead;
pub use nonces::{Allocated, NonceWish};
pub use payments::{Asked, Change, Facts, Move, NewPayment, PageWish, PaymentRecord, Taken};
pub use policies::{PlacedPolicy, PolicyRecord, PolicyWish, RegistryRecord};
pub use pre_authorizations::{
    Claims, NewPreAuthorization, PreAuthorizationChange, PreAuthorizationFacts,
    PreAuthorizationRecord, PreAuthorizationState, Recorded, Settling, TransferPlace,
};
pub use reports::ReportRecord;
pub use wallets::WalletRecord;

/// Connections that only read.
const READERS_MAX: u32 = 4;
/// How long a statement waits for the file, in seconds.
const BUSY_SECONDS_MAX: u64 = 10;

/// The store.
#[derive(Clone, Debug)]
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
    group: group::Group,
    wallets: wallets::Known,
}

/// What can go wrong with the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened or brought to this version's shape.
    #[error("cannot open the store {}: {reason}", path.display())]
    CannotOpen {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file system does not give the durability that is needed.
    #[error("the store runs with {setting} = {found}; {needed} is needed")]
    NotDurable {
        /// The pragma.
        setting: &'static str,
        /// Its value.
        found: String,
        /// The value needed.
        needed: &'static str,
    },
    /// SQLite said no: full disk, unreadable file.
    #[error("the store failed: {0}")]
    Sql(#[from] sqlx::Error),
    /// A stored value that this version cannot read.
    #[error("the store holds an unreadable {what}")]
    Unreadable {
        /// What it is.
        what: &'static str,
    },
    /// Somebody else changed the row since it was read.
    #[error("the row was changed by somebody else")]
    Changed,
}

impl Store {
    /// Opens the file, brings it to this version's shape and reads its durability back.
    ///
    /// # Errors
    /// [`StoreError`]; a store that is not durable is refused.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let cannot = |reason: String| StoreError::CannotOpen { path: path.to_owned(), reason };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(BUSY_SECONDS_MAX));
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .map_err(|e| cannot(e.to_string()))?;
        read_back(&writer, "journal_mode", &["wal"], "wal").await?;
        read_back(&writer, "synchronous", &["2", "3"], "FULL (2)").await?;
        sqlx::migrate!("./migrations").run(&writer).await.map_err(|e| cannot(e.to_string()))?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .connect_with(options.pragma("query_only", "1"))
            .await
            .map_err(|e| cannot(e.to_string()))?;
        let group = group::Group::start(writer.clone()).await?;
        Ok(Self { writer, readers, group, wallets: wallets::Known::default() })
    }

    /// Whether the store answers.
    pub async fn answers(&self) -> bool {
        sqlx::query("SELECT 1").execute(&self.readers).await.is_ok()
    }

    /// Closes all connections; the file is checkpointed.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        begin(&self.writer).await
    }
}

async fn begin(writer: &SqlitePool) -> Result<Transaction<'static, Sqlite>, StoreError> {
    Ok(writer.begin_with("BEGIN IMMEDIATE").await?)
}

async fn read_back(
    pool: &SqlitePool,
    setting: &'static str,
    good: &[&str],
    needed: &'static str,
) -> Result<(), StoreError> {
    let query = match setting {
        "journal_mode" => "SELECT CAST(journal_mode AS TEXT) FROM pragma_journal_mode",
        _ => "SELECT CAST(synchronous AS TEXT) FROM pragma_synchronous",
    };
    let found: String = sqlx::query_scalar(query).fetch_one(pool).await?;
    if good.contains(&found.as_str()) {
        return Ok(());
    }
    Err(StoreError::NotDurable { setting, found, needed })
}

fn to_json<T: Serialize>(value: &T, what: &'static str) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Unreadable { what })
}

fn from_json<T: DeserializeOwned>(text: &str, what: &'static str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::Unreadable { what })
}

/// Reads a column whose type has the JSON form of a string.
fn word<T: DeserializeOwned>(row: &SqliteRow, column: &'static str) -> Result<T, StoreError> {
    let text: String = row.try_get(column)?;
    serde_json::from_value(serde_json::Value::String(text))
        .map_err(|_| StoreError::Unreadable { what: column })
}

fn optional_word<T: DeserializeOwned>(
    row: &SqliteRow,
    column: &'static str,
) -> Result<Option<T>, StoreError> {
    let text: Option<String> = row.try_get(column)?;
    text.map(serde_json::Value::String)
        .map(serde_json::from_value)
        .transpose()
        .map_err(|_| StoreError::Unreadable { what: column })
}

fn document<T: DeserializeOwned>(row: &SqliteRow, column: &'static str) -> Result<T, StoreError> {
    from_json(&row.try_get::<String, _>(column)?, column)
}

fn unsigned(row: &SqliteRow, column: &'static str) -> Result<u64, StoreError> {
    u64::try_from(row.try_get::<i64, _>(column)?)
        .map_err(|_| StoreError::Unreadable { what: column })
}

fn moment(row: &SqliteRow, column: &'static str) -> Result<UnixSeconds, StoreError> {
    unsigned(row, column).map(UnixSeconds)
}

fn signed(value: u64, what: &'static str) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Unreadable { what })
}

#[cfg(test)]
mod tests;
