//! Policies by whom they judge, the one in force for each subject and those before it; and the
//! counterparty registry.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use tercet_policy::party::AgentId;
use tercet_policy::registry::SignedRegistry;
use tercet_policy::rules::SignedPolicy;
use tercet_policy::subject::Subject;
use tercet_policy::time::UnixSeconds;

use super::{Store, StoreError, document, moment, optional_word, signed, to_json, unsigned};

/// A policy as it is stored; it was opened before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRecord {
    /// Whose payments it judges.
    pub subject: Subject,
    /// The agent whose nodes hold it; none for an organisation's.
    pub agent: Option<AgentId>,
    /// Its name.
    pub name: String,
    /// Its epoch.
    pub epoch: u64,
    /// Text and signatures.
    pub document: SignedPolicy,
    /// When it was taken.
    pub installed_at: UnixSeconds,
}

/// A policy and its place among all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedPolicy {
    /// The policy.
    pub record: PolicyRecord,
    /// Its place: rises with every policy that is taken.
    pub serial: i64,
    /// Whether no higher epoch of its subject is stored.
    pub in_force: bool,
}

/// Which page of policies.
#[derive(Clone, Debug, Default)]
pub struct PolicyWish {
    /// Of this subject.
    pub subject: Option<Subject>,
    /// Of this name.
    pub name: Option<String>,
    /// Of this agent, and of organisations.
    pub seen_by: Option<AgentId>,
    /// Only those in force.
    pub in_force: bool,
    /// Older than this serial.
    pub before: Option<i64>,
    /// So many.
    pub limit: i64,
}

/// A counterparty registry as it is stored; it was opened before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryRecord {
    /// Its epoch.
    pub epoch: u64,
    /// Text and signatures.
    pub document: SignedRegistry,
    /// When it was taken.
    pub installed_at: UnixSeconds,
}

fn subject(row: &SqliteRow) -> Result<Subject, StoreError> {
    let text: String = row.try_get("subject")?;
    let unreadable = || StoreError::Unreadable { what: "subject" };
    match text.split_once('/') {
        None if text == "organisation" => Ok(Subject::Organisation),
        Some(("agent", name)) => AgentId::new(name).map(Subject::Agent).map_err(|_| unreadable()),
        Some(("wallet", address)) => address.parse().map(Subject::Wallet).map_err(|_| unreadable()),
        _ => Err(unreadable()),
    }
}

fn policy(row: &SqliteRow) -> Result<PlacedPolicy, StoreError> {
    let record = PolicyRecord {
        subject: subject(row)?,
        agent: optional_word(row, "agent")?,
        name: row.try_get("name")?,
        epoch: unsigned(row, "epoch")?,
        document: document(row, "document")?,
        installed_at: moment(row, "installed_at")?,
    };
    Ok(PlacedPolicy {
        record,
        serial: row.try_get("serial")?,
        in_force: row.try_get::<i64, _>("in_force")? == 1,
    })
}

const POLICIES: &str = "SELECT * FROM (
        SELECT p.*, p.epoch = (SELECT max(q.epoch) FROM policies q WHERE q.subject = p.subject)
            AS in_force
        FROM policies p
    )
    WHERE (?1 IS NULL OR subject = ?1) AND (?2 IS NULL OR name = ?2)
      AND (?3 IS NULL OR agent = ?3 OR agent IS NULL)
      AND (NOT ?4 OR in_force) AND (?5 IS NULL OR serial < ?5)
    ORDER BY serial DESC LIMIT ?6";

impl Store {
    /// Stores a policy that rises above all stored ones of its subject. Returns whether it did.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn put_policy(&self, policy: &PolicyRecord) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO policies (subject, epoch, name, agent, document, installed_at, serial)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, (SELECT coalesce(max(serial), 0) + 1 FROM policies)
             WHERE NOT EXISTS (SELECT 1 FROM policies WHERE subject = ?1 AND epoch >= ?2)",
        )
        .bind(policy.subject.to_string())
        .bind(signed(policy.epoch, "epoch")?)
        .bind(&policy.name)
        .bind(policy.agent.as_ref().map(AgentId::as_str))
        .bind(to_json(&policy.document, "policy")?)
        .bind(signed(policy.installed_at.0, "time")?)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// One page of policies, newest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn policies(&self, wish: &PolicyWish) -> Result<Vec<PlacedPolicy>, StoreError> {
        let rows = sqlx::query(POLICIES)
            .bind(wish.subject.as_ref().map(ToString::to_string))
            .bind(wish.name.as_deref())
            .bind(wish.seen_by.as_ref().map(AgentId::as_str))
            .bind(wish.in_force)
            .bind(wish.before)
            .bind(wish.limit)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(policy).collect()
    }

    /// The policy in force for a subject.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn policy(&self, of: &Subject) -> Result<Option<PolicyRecord>, StoreError> {
        let subject = Some(of.clone());
        let wish = PolicyWish { subject, in_force: true, limit: 1, ..PolicyWish::default() };
        Ok(self.policies(&wish).await?.pop().map(|placed| placed.record))
    }

    /// All policies in force, for the start: one for each subject.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn policies_in_force(&self) -> Result<Vec<PolicyRecord>, StoreError> {
        let wish = PolicyWish { in_force: true, limit: i64::MAX, ..PolicyWish::default() };
        Ok(self.policies(&wish).await?.into_iter().map(|placed| placed.record).collect())
    }

    /// Stores a registry that rises above all stored ones. Returns whether it did.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn put_registry(&self, registry: &RegistryRecord) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO registries (epoch, document, installed_at) SELECT ?1, ?2, ?3
             WHERE NOT EXISTS (SELECT 1 FROM registries WHERE epoch >= ?1)",
        )
        .bind(signed(registry.epoch, "epoch")?)
        .bind(to_json(&registry.document, "registry")?)
        .bind(signed(registry.installed_at.0, "time")?)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The registry in force.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn registry(&self) -> Result<Option<RegistryRecord>, StoreError> {
        let row = sqlx::query("SELECT * FROM registries ORDER BY epoch DESC LIMIT 1")
            .fetch_optional(&self.readers)
            .await?;
        let registry = |row: &SqliteRow| {
            Ok(RegistryRecord {
                epoch: unsigned(row, "epoch")?,
                document: document(row, "document")?,
                installed_at: moment(row, "installed_at")?,
            })
        };
        row.as_ref().map(registry).transpose()
    }
}
