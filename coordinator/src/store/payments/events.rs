//! What happened to payments: append-only rows, each over the hash of the one before.

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use sqlx::{Row as _, SqliteConnection};
use tercet_policy::document::ContentHash;
use tercet_policy::intent::IntentId;
use tercet_policy::time::UnixSeconds;

use super::Facts;
use crate::payment::state::{Event, State};
use crate::store::group::Memory;
use crate::store::{Store, StoreError, moment, signed, to_json, word};

/// One thing that happened.
#[derive(Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(super) enum Happened<'a> {
    /// The payment was taken in.
    Taken,
    /// It moved.
    Moved {
        /// Why.
        event: Event,
        /// From here.
        from: State,
        /// To there.
        to: State,
        /// What is known then.
        facts: &'a Facts,
    },
}

pub(super) async fn append(
    connection: &mut SqliteConnection,
    memory: &mut Memory,
    payment: &IntentId,
    happened: &Happened<'_>,
    at: UnixSeconds,
) -> Result<(), StoreError> {
    let previous = match memory.tail.take() {
        Some(tail) => tail,
        None => last(connection).await?,
    };
    let event = to_json(happened, "event")?;
    let hash = hash(&previous, payment, at, &event).to_string();
    sqlx::query(
        "INSERT INTO payment_events (payment, at, event, previous, hash) VALUES (?, ?, ?, ?, ?)",
    )
    .bind(payment.to_string())
    .bind(signed(at.0, "time")?)
    .bind(&event)
    .bind(&previous)
    .bind(&hash)
    .execute(connection)
    .await?;
    memory.tail = Some(hash);
    Ok(())
}

async fn last(connection: &mut SqliteConnection) -> Result<String, StoreError> {
    let last = sqlx::query_scalar("SELECT hash FROM payment_events ORDER BY serial DESC LIMIT 1")
        .fetch_optional(connection)
        .await?;
    Ok(last.unwrap_or_else(|| ContentHash([0; 32]).to_string()))
}

fn hash(previous: &str, payment: &IntentId, at: UnixSeconds, event: &str) -> ContentHash {
    let mut hasher = Sha256::new();
    hasher.update(format!("tercet/payment-event/v1\0{previous}\0{payment}\0{at}\0{event}"));
    ContentHash(hasher.finalize().into())
}

impl Store {
    /// Checks the chain of all payment events from the first. Returns how many there are.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] where a row was changed, removed or put in between.
    pub async fn check_payment_events(&self) -> Result<u64, StoreError> {
        self.group.catch_up().await?;
        let mut previous = ContentHash([0; 32]).to_string();
        let (mut count, mut after) = (0u64, 0i64);
        loop {
            let rows = sqlx::query(
                "SELECT * FROM payment_events WHERE serial > ? ORDER BY serial LIMIT 1000",
            )
            .bind(after)
            .fetch_all(&self.readers)
            .await?;
            if rows.is_empty() {
                return Ok(count);
            }
            for row in &rows {
                let event: String = row.try_get("event")?;
                let found: ContentHash = word(row, "hash")?;
                let (payment, at) = (word(row, "payment")?, moment(row, "at")?);
                if row.try_get::<String, _>("previous")? != previous
                    || hash(&previous, &payment, at, &event) != found
                {
                    return Err(StoreError::Unreadable { what: "chain of payment events" });
                }
                previous = found.to_string();
                count = count.saturating_add(1);
                after = row.try_get("serial")?;
            }
        }
    }
}
