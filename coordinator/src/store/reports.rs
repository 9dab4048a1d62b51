//! What agents report of their payments, and which agents a rule of their own stopped.

use std::collections::BTreeSet;

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use tercet_policy::intent::IntentId;
use tercet_policy::party::AgentId;
use tercet_policy::report::{ReportKind, ReportRow, SignedReport};
use tercet_policy::rows::TripRow;

use super::ceremonies::word_of;
use super::{Store, StoreError, document, signed, to_json};

/// A report as it is stored; it was opened before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRecord {
    /// What the agent signed.
    pub document: SignedReport,
    /// What follows from it.
    pub row: ReportRow,
}

fn report(row: &SqliteRow) -> Result<ReportRecord, StoreError> {
    Ok(ReportRecord { document: document(row, "document")?, row: document(row, "row")? })
}

impl Store {
    /// Stores a report unless one of its kind is stored for its payment. Returns whether it did.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn put_report(&self, report: &ReportRecord) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO reports (payment, kind, document, row, at) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (payment, kind) DO NOTHING",
        )
        .bind(report.row.intent().to_string())
        .bind(word_of(&report.row.kind(), "report")?)
        .bind(to_json(&report.document, "report")?)
        .bind(to_json(&report.row, "report")?)
        .bind(signed(report.row.at().0, "time")?)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The reports of one payment, or of all, oldest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn reports(&self, of: Option<&IntentId>) -> Result<Vec<ReportRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM reports WHERE ?1 IS NULL OR payment = ?1 ORDER BY at, rowid",
        )
        .bind(of.map(ToString::to_string))
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(report).collect()
    }

    /// The reports of these agents that the operator's node has not answered, oldest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn reports_not_taken(
        &self,
        agents: &BTreeSet<AgentId>,
    ) -> Result<Vec<ReportRecord>, StoreError> {
        let rows = sqlx::query("SELECT * FROM reports WHERE taken = 0 ORDER BY at, rowid")
            .fetch_all(&self.readers)
            .await?;
        let all: Vec<_> = rows.iter().map(report).collect::<Result<_, _>>()?;
        Ok(all.into_iter().filter(|report| agents.contains(report.row.agent())).collect())
    }

    /// Remembers that the operator's node has answered a report.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn report_taken(&self, of: &IntentId, kind: ReportKind) -> Result<(), StoreError> {
        sqlx::query("UPDATE reports SET taken = 1 WHERE payment = ? AND kind = ?")
            .bind(of.to_string())
            .bind(word_of(&kind, "report")?)
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// Remembers that a rule stopped an agent.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn put_trip(&self, trip: &TripRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO trips (agent, row, at) VALUES (?, ?, ?)
             ON CONFLICT (agent) DO UPDATE SET row = excluded.row, at = excluded.at
             WHERE excluded.at >= trips.at",
        )
        .bind(trip.agent.as_str())
        .bind(to_json(trip, "trip")?)
        .bind(signed(trip.at.0, "time")?)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// The last stop of every agent that was stopped.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn trips(&self) -> Result<Vec<TripRow>, StoreError> {
        let rows = sqlx::query("SELECT row FROM trips").fetch_all(&self.readers).await?;
        rows.iter().map(|row| super::from_json(&row.try_get::<String, _>("row")?, "trip")).collect()
    }
}
