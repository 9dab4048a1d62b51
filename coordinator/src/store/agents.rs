//! Agents: the enrolment in force, the last freeze, the group's aux info.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use tercet_policy::document::{ContentHash, Enrolment, Freeze, Signed};
use tercet_policy::party::AgentId;
use tercet_policy::time::UnixSeconds;

use super::{Store, StoreError, document, from_json, optional_word, signed, to_json};

/// An agent as it is stored: documents that were opened before they were stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentRecord {
    /// The enrolment in force.
    pub enrolment: Signed<Enrolment>,
    /// The last freeze or unfreeze.
    pub freeze: Option<Signed<Freeze>>,
    /// Hash of the group's aux info, once made.
    pub aux: Option<ContentHash>,
}

const AGENTS: &str = "SELECT a.enrolment, a.aux, f.document AS freeze
     FROM agents a LEFT JOIN freezes f ON f.agent = a.id ORDER BY a.id";

fn agent(row: &SqliteRow) -> Result<AgentRecord, StoreError> {
    let freeze: Option<String> = row.try_get("freeze")?;
    Ok(AgentRecord {
        enrolment: document(row, "enrolment")?,
        freeze: freeze.map(|text| from_json(&text, "freeze")).transpose()?,
        aux: optional_word(row, "aux")?,
    })
}

impl Store {
    /// All agents.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn agents(&self) -> Result<Vec<AgentRecord>, StoreError> {
        let rows = sqlx::query(AGENTS).fetch_all(&self.readers).await?;
        rows.iter().map(agent).collect()
    }

    /// Stores an enrolment that rises above the stored one. Returns whether it did. Other keys
    /// make another group, so its aux info is forgotten.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn put_enrolment(
        &self,
        enrolment: &Signed<Enrolment>,
        now: UnixSeconds,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO agents (id, epoch, enrolment, aux, updated_at) VALUES (?, ?, ?, NULL, ?)
             ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, aux = NULL,
                 enrolment = excluded.enrolment, updated_at = excluded.updated_at
             WHERE excluded.epoch > agents.epoch",
        )
        .bind(enrolment.document.agent.as_str())
        .bind(signed(enrolment.document.epoch, "epoch")?)
        .bind(to_json(enrolment, "enrolment")?)
        .bind(signed(now.0, "time")?)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Stores a freeze or unfreeze that supersedes the stored one ([`Freeze::supersedes`]). Returns
    /// whether it did.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn put_freeze(
        &self,
        freeze: &Signed<Freeze>,
        now: UnixSeconds,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO freezes (agent, epoch, document, updated_at) VALUES (?, ?, ?, ?)
             ON CONFLICT (agent) DO UPDATE SET epoch = excluded.epoch,
                 document = excluded.document, updated_at = excluded.updated_at
             WHERE excluded.epoch > freezes.epoch OR (excluded.epoch = freezes.epoch
                 AND excluded.document ->> '$.document.frozen'
                 AND NOT freezes.document ->> '$.document.frozen')",
        )
        .bind(freeze.document.agent.as_str())
        .bind(signed(freeze.document.epoch, "epoch")?)
        .bind(to_json(freeze, "freeze")?)
        .bind(signed(now.0, "time")?)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Remembers the aux info that all three nodes named.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn put_aux(&self, agent: &AgentId, aux: ContentHash) -> Result<(), StoreError> {
        sqlx::query("UPDATE agents SET aux = ? WHERE id = ?")
            .bind(aux.to_string())
            .bind(agent.as_str())
            .execute(&self.writer)
            .await?;
        Ok(())
    }
}
