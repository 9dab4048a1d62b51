//! Policies, the one in force and those before it.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use tercet_policy::party::AgentId;
use tercet_policy::time::UnixSeconds;

use super::{Store, StoreError, document, moment, signed, to_json, unsigned, word};
use tercet_policy::rules::SignedPolicy;

/// Most policies of one agent that one answer lists, newest first.
const POLICIES_LISTED_MAX: i64 = 200;

/// A policy as it is stored; it was opened before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRecord {
    /// Whose payments it judges.
    pub agent: AgentId,
    /// Its name.
    pub name: String,
    /// Its epoch.
    pub epoch: u64,
    /// Text and signatures.
    pub document: SignedPolicy,
    /// When it was taken.
    pub installed_at: UnixSeconds,
}

fn policy(row: &SqliteRow) -> Result<PolicyRecord, StoreError> {
    Ok(PolicyRecord {
        agent: word(row, "agent")?,
        name: row.try_get("name")?,
        epoch: unsigned(row, "epoch")?,
        document: document(row, "document")?,
        installed_at: moment(row, "installed_at")?,
    })
}

impl Store {
    /// Stores a policy that rises above all stored ones of its agent. Returns whether it did.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn put_policy(&self, policy: &PolicyRecord) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO policies (agent, epoch, name, document, installed_at)
             SELECT ?1, ?2, ?3, ?4, ?5
             WHERE NOT EXISTS (SELECT 1 FROM policies WHERE agent = ?1 AND epoch >= ?2)",
        )
        .bind(policy.agent.as_str())
        .bind(signed(policy.epoch, "epoch")?)
        .bind(&policy.name)
        .bind(to_json(&policy.document, "policy")?)
        .bind(signed(policy.installed_at.0, "time")?)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// An agent's policies, newest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn policies(&self, of: &AgentId) -> Result<Vec<PolicyRecord>, StoreError> {
        self.policies_up_to(of, POLICIES_LISTED_MAX).await
    }

    /// An agent's policy in force.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn policy(&self, of: &AgentId) -> Result<Option<PolicyRecord>, StoreError> {
        Ok(self.policies_up_to(of, 1).await?.pop())
    }

    async fn policies_up_to(
        &self,
        of: &AgentId,
        limit: i64,
    ) -> Result<Vec<PolicyRecord>, StoreError> {
        let rows =
            sqlx::query("SELECT * FROM policies WHERE agent = ? ORDER BY epoch DESC LIMIT ?")
                .bind(of.as_str())
                .bind(limit)
                .fetch_all(&self.readers)
                .await?;
        rows.iter().map(policy).collect()
    }
}
