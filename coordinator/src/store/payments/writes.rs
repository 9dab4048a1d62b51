//! What is written of payments, each write inside a transaction of its group.

use std::collections::HashMap;

use sqlx::sqlite::SqlitePool;
use sqlx::{Row as _, SqliteConnection};

use super::events::{self, Happened};
use super::{Change, NewPayment, PaymentRecord, RowRef, Taken, payment};
use crate::payment::state::{Kind, State};
use crate::store::ceremonies::word_of;
use crate::store::group::{Memory, Pending, Whose, Write, Written};
use crate::store::{Store, StoreError, signed, to_json, unsigned, word};

const INSERT: &str = "INSERT INTO payments (id, serial, agent, wallet, content_hash, envelope,
         status, version, row, created_at, updated_at)
     VALUES (?1, (SELECT coalesce(max(serial), 0) + 1 FROM payments), ?2, ?3, ?4, ?5, ?6, 1, ?7,
         ?8, ?8)
     ON CONFLICT (id) DO NOTHING RETURNING serial";
const CHANGE: &str = "UPDATE payments SET status = ?, row = ?, version = version + 1,
         updated_at = ? WHERE id = ? AND version = ? AND status = ?";
const OPEN_BY_AGENT: &str = "SELECT agent, count(*) AS open,
         json_extract(envelope, '$.document.payment.kind') IN ('mpp_open', 'mpp_top_up') AS deposits
     FROM payments WHERE status NOT IN ('refused', 'failed', 'settled', 'void')
     GROUP BY agent, deposits";

impl Store {
    /// Takes a payment in unless its id is known, in the state that it begins in.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn insert_payment(&self, new: NewPayment) -> Result<Taken, StoreError> {
        match self.group.write(Write::Insert(Box::new(new))).await? {
            Written::Taken(taken) => Ok(taken),
            Written::Nothing | Written::Changed(_) => Err(StoreError::Unreadable { what: "write" }),
        }
    }

    /// Has a change of a payment written in a moment. Until then every reader of this store sees
    /// the payment as it will be; a crash before that finds it as it was.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn change_payment_soon(
        &self,
        from: &PaymentRecord,
        change: Change,
    ) -> Result<(PaymentRecord, Pending), StoreError> {
        let then = changed(from, &change);
        let pending = self.group.change_soon(from.clone(), change, then.clone()).await?;
        Ok((then, pending))
    }

    /// Changes a payment from the version in `from`.
    ///
    /// # Errors
    /// [`StoreError::Changed`] if it is no longer at that version.
    pub async fn change_payment(
        &self,
        from: &PaymentRecord,
        change: Change,
    ) -> Result<PaymentRecord, StoreError> {
        match self.group.write(Write::Change(Box::new((from.clone(), change)))).await? {
            Written::Changed(record) => Ok(*record),
            Written::Nothing | Written::Taken(_) => Err(StoreError::Unreadable { what: "write" }),
        }
    }
}

/// How many payments of each agent are open, its deposits apart.
pub(in crate::store) async fn open_by_agent(
    pool: &SqlitePool,
) -> Result<HashMap<Whose, u64>, StoreError> {
    let rows = sqlx::query(OPEN_BY_AGENT).fetch_all(pool).await?;
    let counted = rows.iter().map(|row| {
        let deposits = unsigned(row, "deposits")? > 0;
        Ok((Whose { agent: word(row, "agent")?, deposits }, unsigned(row, "open")?))
    });
    counted.collect()
}

/// With whose a payment is counted.
fn whose(record: &PaymentRecord) -> Whose {
    let intent = &record.envelope.document;
    let deposits = Kind::of(&intent.payment) == Kind::Deposit;
    Whose { agent: intent.agent.clone(), deposits }
}

pub(in crate::store) async fn insert(
    connection: &mut SqliteConnection,
    memory: &mut Memory,
    new: &NewPayment,
) -> Result<Written, StoreError> {
    let mut record = new.record();
    let intent = &record.envelope.document;
    let id = intent.id.to_string();
    let full = !record.state.is_terminal()
        && (memory.open.all() >= new.open_max
            || memory.open.of(&whose(&record)) >= new.open_per_agent_max);
    if full {
        let known = known(connection, &id).await?;
        return Ok(Written::Taken(known.map_or(Taken::Full, Taken::Known)));
    }
    let row = RowRef { state: record.state, facts: &record.facts };
    let serial = sqlx::query(INSERT)
        .bind(&id)
        .bind(intent.agent.as_str())
        .bind(intent.wallet.to_string())
        .bind(record.content_hash.to_string())
        .bind(to_json(&record.envelope, "envelope")?)
        .bind(word_of(&record.state.status(), "status")?)
        .bind(to_json(&row, "payment")?)
        .bind(signed(record.created_at.0, "time")?)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(serial) = serial else {
        let known = known(connection, &id).await?;
        let known = known.ok_or(StoreError::Unreadable { what: "payment" })?;
        return Ok(Written::Taken(Taken::Known(known)));
    };
    record.serial = serial.try_get("serial")?;
    record.version = 1;
    let (id, at) = (record.id(), record.created_at);
    events::append(connection, memory, &id, &Happened::Taken, at).await?;
    if let Some(first) = &new.first {
        let (event, to) = (first.event, first.state);
        let moved = Happened::Moved { event, from: State::Received, to, facts: &record.facts };
        events::append(connection, memory, &id, &moved, at).await?;
    }
    if !record.state.is_terminal() {
        memory.open.opened(&whose(&record));
    }
    Ok(Written::Taken(Taken::Inserted(Box::new(record))))
}

async fn known(
    connection: &mut SqliteConnection,
    id: &str,
) -> Result<Option<Box<PaymentRecord>>, StoreError> {
    let row = sqlx::query("SELECT * FROM payments WHERE id = ?")
        .bind(id)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(payment).transpose().map(|known| known.map(Box::new))
}

pub(in crate::store) async fn change(
    connection: &mut SqliteConnection,
    memory: &mut Memory,
    from: &PaymentRecord,
    change: &Change,
) -> Result<Written, StoreError> {
    let row = RowRef { state: change.state, facts: &change.facts };
    let done = sqlx::query(CHANGE)
        .bind(word_of(&change.state.status(), "status")?)
        .bind(to_json(&row, "payment")?)
        .bind(signed(change.at.0, "time")?)
        .bind(from.id().to_string())
        .bind(from.version)
        .bind(word_of(&from.state.status(), "status")?)
        .execute(&mut *connection)
        .await?;
    if done.rows_affected() == 0 {
        return Err(StoreError::Changed);
    }
    let facts = &change.facts;
    let moved = Happened::Moved { event: change.event, from: from.state, to: change.state, facts };
    events::append(connection, memory, &from.id(), &moved, change.at).await?;
    match (from.state.is_terminal(), change.state.is_terminal()) {
        (false, true) => memory.open.closed(&whose(from)),
        (true, false) => memory.open.opened(&whose(from)),
        _ => {}
    }
    Ok(Written::Changed(Box::new(changed(from, change))))
}

fn changed(from: &PaymentRecord, change: &Change) -> PaymentRecord {
    PaymentRecord {
        state: change.state,
        facts: change.facts.clone(),
        version: from.version.saturating_add(1),
        updated_at: change.at,
        envelope: from.envelope.clone(),
        ..*from
    }
}
