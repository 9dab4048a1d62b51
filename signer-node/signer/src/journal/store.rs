//! The journal's SQLite file.
//!
//! Promises: write-ahead log and full synchronisation, both read back at open; a batch of rows
//! is there whole or not at all; rows are only ever added (triggers refuse anything else).
//! Does not protect against: whoever can write the file. The hash chain shows a changed row, the
//! peers' memory of our head shows missing ones.

use std::path::Path;

use futures_util::TryStreamExt as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, Row as _, SqliteConnection};
use tercet_policy::document::ContentHash;
use tercet_policy::intent::IntentId;
use tercet_policy::party::NodeId;
use tercet_policy::rows::SpendRow;

use super::error::{JournalError, StoreFault};
use super::event::Event;
use super::head::{Head, Tip};

const FORMAT: i64 = 2;

/// The application id is "TRCT", so that `file` and people know it.
const SCHEMA: &str = "
CREATE TABLE rows (
    seq       INTEGER PRIMARY KEY CHECK (seq > 0),
    claim     TEXT UNIQUE,
    body      TEXT NOT NULL,
    prev_hash BLOB NOT NULL CHECK (length(prev_hash) = 32),
    row_hash  BLOB NOT NULL UNIQUE CHECK (length(row_hash) = 32)
) STRICT;
CREATE TABLE executions (id BLOB PRIMARY KEY CHECK (length(id) = 32)) STRICT, WITHOUT ROWID;
CREATE TABLE peer_heads (
    node TEXT PRIMARY KEY,
    rows INTEGER NOT NULL CHECK (rows >= 0),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    tag  BLOB NOT NULL CHECK (length(tag) = 32)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER rows_stay BEFORE UPDATE ON rows
    BEGIN SELECT RAISE(ABORT, 'rows are only added'); END;
CREATE TRIGGER rows_are_kept BEFORE DELETE ON rows
    BEGIN SELECT RAISE(ABORT, 'rows are only added'); END;
CREATE TRIGGER rows_follow BEFORE INSERT ON rows
    WHEN NEW.seq <> 1 + coalesce((SELECT max(seq) FROM rows), 0)
    BEGIN SELECT RAISE(ABORT, 'a row is missing'); END;
CREATE TRIGGER executions_stay BEFORE DELETE ON executions
    BEGIN SELECT RAISE(ABORT, 'execution ids are only added'); END;
CREATE TRIGGER peer_heads_rise BEFORE UPDATE ON peer_heads
    WHEN NEW.rows < OLD.rows
    BEGIN SELECT RAISE(ABORT, 'a peer''s journal does not go back'); END;
PRAGMA application_id = 1414677332;
PRAGMA user_version = 2;
";

/// Finds a payment's rows by its intent, on disk: in memory each payment ever made would take its
/// place for good. No part of the format: it is built where it is missing.
const INDEX: &str = "CREATE INDEX IF NOT EXISTS rows_of_payments ON rows (body ->> '$.is.intent')
    WHERE claim GLOB 'slot/*'";

const FIRST_SPEND: &str = "SELECT seq, body FROM rows
    WHERE claim GLOB 'slot/*' AND body ->> '$.is.intent' = ? ORDER BY seq LIMIT 1";

/// What one transaction adds.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) rows: Vec<NewRow>,
    pub(super) peer_heads: Vec<(NodeId, Head)>,
    pub(super) executions: Vec<[u8; 32]>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.peer_heads.is_empty() && self.executions.is_empty()
    }
}

/// A row to be written.
#[derive(Debug)]
pub(super) struct NewRow {
    pub(super) claim: Option<String>,
    pub(super) body: String,
    pub(super) before: Tip,
    pub(super) after: Tip,
}

/// An open file.
pub(super) struct Store {
    connection: SqliteConnection,
}

impl Store {
    /// Opens the file at `path`, which exists (it may be empty), and reads the durability back.
    /// `pages_max` limits its size.
    pub(super) async fn open(path: &Path, pages_max: u32) -> Result<Self, JournalError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .locking_mode(SqliteLockingMode::Exclusive)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .pragma("trusted_schema", "OFF")
            .pragma("cell_size_check", "ON")
            .pragma("max_page_count", pages_max.to_string())
            .disable_statement_logging();
        let mut store = Self { connection: options.connect().await? };
        store.check_durability().await?;
        Ok(store)
    }

    /// Whether the file has no tables yet.
    pub(super) async fn is_blank(&mut self) -> Result<bool, JournalError> {
        match self.number("PRAGMA user_version").await? {
            FORMAT => Ok(false),
            0 if self.number("SELECT count(*) FROM sqlite_schema").await? == 0 => Ok(true),
            found => Err(JournalError::UnknownFormat { found, known: FORMAT }),
        }
    }

    /// Makes the tables, all or none.
    pub(super) async fn create_tables(&mut self) -> Result<(), JournalError> {
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// Makes the indices that are missing.
    pub(super) async fn create_indices(&mut self) -> Result<(), JournalError> {
        sqlx::raw_sql(INDEX).execute(&mut self.connection).await?;
        Ok(())
    }

    /// Reads every row in order, checks the chain, and gives each event to `take`.
    pub(super) async fn replay(
        &mut self,
        mut take: impl FnMut(Event, Tip) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let query = "SELECT seq, claim, body, prev_hash, row_hash FROM rows ORDER BY seq";
        let mut rows = sqlx::query(query).fetch(&mut self.connection);
        let mut tip = Tip::EMPTY;
        while let Some(row) = rows.try_next().await? {
            let (event, next) = checked(&row, tip)?;
            take(event, next)?;
            tip = next;
        }
        Ok(())
    }

    /// The first row of a payment, as it was checked at open or written since; none for a
    /// cancellation.
    pub(super) async fn first_spend(
        &mut self,
        intent: &IntentId,
    ) -> Result<Option<SpendRow>, JournalError> {
        let query = sqlx::query(FIRST_SPEND).bind(intent.to_string());
        let Some(row) = query.fetch_optional(&mut self.connection).await? else { return Ok(None) };
        let number = u64::try_from(row.try_get::<i64, _>("seq")?).unwrap_or_default();
        let damaged = JournalError::Tampered { row: number, what: "it is not the payment's" };
        match serde_json::from_str(row.try_get("body")?) {
            Ok(Event::Spend(row)) if row.intent == *intent => Ok(row.kind.pays().then_some(*row)),
            _ => Err(damaged),
        }
    }

    /// The latest head of every peer.
    pub(super) async fn peer_heads(&mut self) -> Result<Vec<(NodeId, Head)>, JournalError> {
        let rows = sqlx::query("SELECT node, rows, hash, tag FROM peer_heads")
            .fetch_all(&mut self.connection)
            .await?;
        let damaged = JournalError::Tampered { row: 0, what: "a peer's head cannot be read" };
        let heads = rows.iter().map(|row| {
            let node = NodeId::new(row.try_get("node").ok()?).ok()?;
            let rows = u64::try_from(row.try_get::<i64, _>("rows").ok()?).ok()?;
            let (hash, tag) = (hash_of(row, "hash")?, hash_of(row, "tag")?);
            Some((node, Head { rows, hash, tag }))
        });
        heads.collect::<Option<_>>().ok_or(damaged)
    }

    /// The hash of one of our rows.
    pub(super) async fn hash_at(&mut self, row: u64) -> Result<Option<ContentHash>, JournalError> {
        let found = sqlx::query("SELECT row_hash FROM rows WHERE seq = ?")
            .bind(i64::try_from(row).unwrap_or(i64::MAX))
            .fetch_optional(&mut self.connection)
            .await?;
        Ok(found.and_then(|row| hash_of(&row, "row_hash")))
    }

    /// Writes a batch durably, all or nothing; after an error it is unknown which. Says of each
    /// execution id whether it is new.
    pub(super) async fn commit(&mut self, batch: &Batch) -> Result<Vec<bool>, StoreFault> {
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        for row in &batch.rows {
            sqlx::query("INSERT INTO rows VALUES (?, ?, ?, ?, ?)")
                .bind(i64::try_from(row.after.rows).unwrap_or(i64::MAX))
                .bind(row.claim.as_deref())
                .bind(&row.body)
                .bind(row.before.hash.0.as_slice())
                .bind(row.after.hash.0.as_slice())
                .execute(&mut *transaction)
                .await?;
        }
        for (node, head) in &batch.peer_heads {
            let upsert = "INSERT INTO peer_heads VALUES (?, ?, ?, ?) ON CONFLICT (node) \
                 DO UPDATE SET rows = excluded.rows, hash = excluded.hash, tag = excluded.tag";
            sqlx::query(upsert)
                .bind(node.as_str())
                .bind(i64::try_from(head.rows).unwrap_or(i64::MAX))
                .bind(head.hash.0.as_slice())
                .bind(head.tag.0.as_slice())
                .execute(&mut *transaction)
                .await?;
        }
        let mut new_executions = Vec::with_capacity(batch.executions.len());
        for id in &batch.executions {
            let insert = "INSERT INTO executions VALUES (?) ON CONFLICT DO NOTHING";
            let done = sqlx::query(insert).bind(id.as_slice()).execute(&mut *transaction).await?;
            new_executions.push(done.rows_affected() == 1);
        }
        transaction.commit().await?;
        Ok(new_executions)
    }

    /// Closes the file, folding the log into it.
    pub(super) async fn close(self) -> Result<(), StoreFault> {
        Ok(self.connection.close().await?)
    }

    async fn check_durability(&mut self) -> Result<(), JournalError> {
        let expect = |setting, found: String, needed: &'static str| {
            if found.eq_ignore_ascii_case(needed) {
                Ok(())
            } else {
                Err(JournalError::NotDurableHere { setting, found, needed })
            }
        };
        let mode: String =
            sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut self.connection).await?;
        expect("journal_mode", mode, "wal")?;
        // 2 is FULL (sqlite.org/pragma.html#pragma_synchronous).
        let synchronous = self.number("PRAGMA synchronous").await?;
        expect("synchronous", synchronous.to_string(), "2")
    }

    async fn number(&mut self, query: &'static str) -> Result<i64, JournalError> {
        Ok(sqlx::query_scalar(query).fetch_one(&mut self.connection).await?)
    }
}

/// A row that follows `tip`, and the tip it makes.
fn checked(row: &SqliteRow, tip: Tip) -> Result<(Event, Tip), JournalError> {
    let number = tip.rows.saturating_add(1);
    let tampered = |what| JournalError::Tampered { row: number, what };
    let seq: i64 = row.try_get("seq")?;
    if u64::try_from(seq) != Ok(number) {
        return Err(tampered("it is missing"));
    }
    if hash_of(row, "prev_hash") != Some(tip.hash) {
        return Err(tampered("it does not follow the row before"));
    }
    let body: &str = row.try_get("body")?;
    let next = tip.follow(body);
    if hash_of(row, "row_hash") != Some(next.hash) {
        return Err(tampered("its hash differs"));
    }
    let event: Event =
        serde_json::from_str(body).map_err(|_| tampered("its content cannot be read"))?;
    let claim: Option<String> = row.try_get("claim")?;
    if claim != event.claim() {
        return Err(tampered("its claim is not that of its content"));
    }
    Ok((event, next))
}

fn hash_of(row: &SqliteRow, column: &str) -> Option<ContentHash> {
    let bytes: &[u8] = row.try_get(column).ok()?;
    bytes.try_into().ok().map(ContentHash)
}

#[cfg(test)]
mod tests {
    use sqlx::AssertSqlSafe;

    use super::*;

    /// An in-memory database has no write-ahead log, whatever one asks for.
    #[tokio::test]
    async fn a_place_that_cannot_be_durable_is_refused() {
        let opened = Store::open(Path::new(":memory:"), 100).await;
        let refused = opened.map(drop).unwrap_err();
        let right = matches!(refused, JournalError::NotDurableHere { setting: "journal_mode", .. });
        assert!(right, "{refused}");
    }

    /// A look through all rows would be as long as the journal.
    #[tokio::test]
    async fn a_payment_is_found_by_the_index() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("journal.sqlite");
        std::fs::write(&path, b"").unwrap();
        let mut store = Store::open(&path, 100).await.unwrap();
        store.create_tables().await.unwrap();
        store.create_indices().await.unwrap();
        store.create_indices().await.unwrap();
        let plan = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {FIRST_SPEND}")))
            .bind("ab")
            .fetch_all(&mut store.connection)
            .await
            .unwrap();
        let steps: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
        assert_eq!(steps, ["SEARCH rows USING INDEX rows_of_payments (<expr>=?)"]);
    }

    #[test]
    fn the_schema_names_its_format_and_application() {
        assert!(SCHEMA.contains(&format!("user_version = {FORMAT};")));
        let application = u32::from_be_bytes(*b"TRCT");
        assert!(SCHEMA.contains(&format!("application_id = {application};")));
    }
}
