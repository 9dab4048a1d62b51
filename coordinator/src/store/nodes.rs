//! What each node last said about its journal.

use std::collections::BTreeMap;

use sqlx::Row as _;
use tercet_policy::document::ContentHash;
use tercet_policy::party::NodeId;
use tercet_policy::time::UnixSeconds;

use super::{Store, StoreError, moment, optional_word, signed, word};

/// A node's last word: rows, head, moment.
pub type LastHead = (Option<u64>, Option<ContentHash>, UnixSeconds);

const PUT: &str = "INSERT INTO nodes (id, journal_rows, journal_head, last_heard_at)
     VALUES (?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET last_heard_at = excluded.last_heard_at,
         journal_rows = coalesce(excluded.journal_rows, nodes.journal_rows),
         journal_head = coalesce(excluded.journal_head, nodes.journal_head)";

impl Store {
    /// Remembers what nodes said: that they were heard, and their journals' heads where they said
    /// one.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn put_nodes(&self, heads: &BTreeMap<NodeId, LastHead>) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        for (node, (rows, hash, at)) in heads {
            sqlx::query(PUT)
                .bind(node.as_str())
                .bind(rows.map(|rows| rows.to_string()))
                .bind(hash.map(|hash| hash.to_string()))
                .bind(signed(at.0, "time")?)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Every node that was ever heard.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn nodes(&self) -> Result<BTreeMap<NodeId, LastHead>, StoreError> {
        let rows = sqlx::query("SELECT * FROM nodes").fetch_all(&self.readers).await?;
        rows.iter()
            .map(|row| {
                let journal_rows: Option<String> = row.try_get("journal_rows")?;
                let count = journal_rows.map(|text| text.parse()).transpose();
                let count = count.map_err(|_| StoreError::Unreadable { what: "journal_rows" })?;
                let head = optional_word(row, "journal_head")?;
                Ok((word(row, "id")?, (count, head, moment(row, "last_heard_at")?)))
            })
            .collect()
    }
}
