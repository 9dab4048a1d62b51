//! What each node last said about its journal.

use std::collections::BTreeMap;

use sqlx::Row as _;
use tercet_policy::document::ContentHash;
use tercet_policy::party::NodeId;
use tercet_policy::time::UnixSeconds;

use super::{Store, StoreError, moment, optional_word, signed, word};

/// A node's last word: rows, head, moment.
pub(crate) type LastHead = (Option<u64>, Option<ContentHash>, UnixSeconds);

impl Store {
    /// Remembers that a node was heard, and its journal's head where it said one.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn put_node(
        &self,
        node: &NodeId,
        head: Option<(u64, ContentHash)>,
        now: UnixSeconds,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO nodes (id, journal_rows, journal_head, last_heard_at) VALUES (?, ?, ?, ?)
             ON CONFLICT (id) DO UPDATE SET last_heard_at = excluded.last_heard_at,
                 journal_rows = coalesce(excluded.journal_rows, nodes.journal_rows),
                 journal_head = coalesce(excluded.journal_head, nodes.journal_head)",
        )
        .bind(node.as_str())
        .bind(head.map(|(rows, _)| rows.to_string()))
        .bind(head.map(|(_, hash)| hash.to_string()))
        .bind(signed(now.0, "time")?)
        .execute(&self.writer)
        .await?;
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
