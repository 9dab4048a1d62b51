//! MPP sessions in the journal: limits, payee and row of an opening are one transaction, and a row
//! changes only from the version it was read in.

use alloy_primitives::Address;
use sqlx::sqlite::SqliteRow;
use sqlx::{Executor, Row as _, Sqlite, Transaction};
use tercet_policy::intent::{Payment, Service};
use tercet_policy::money::Amount;
use tercet_policy::mpp::ChannelId;
use tercet_policy::time::UnixSeconds;

use super::begin::{Counted, check_day, check_payee, check_rate};
use super::row::{BadRow, seconds};
use super::{Journal, JournalError, LISTED_MAX, NotBegun};
use crate::error::Declined;
use crate::mpp::{Session, SessionState};
use crate::rules::FetchRules;

/// States in which money is in a channel, or may be.
const LIVE: &str = "('opening', 'open', 'topping_up', 'closing', 'exiting')";

/// Whether a change waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// It does: what is released next opens, fills or ends a channel.
    OnDisk,
    /// It outlives this process at once, and the machine with the next row: the count of one unit.
    Quick,
}

impl Journal {
    /// Writes the row of a session that is to be opened, unless the rules' limits or the service's
    /// known payee say no, or somebody else opened a like one meanwhile.
    pub(crate) async fn begin_session(
        &self,
        session: &Session,
        rules: &FetchRules,
    ) -> Result<(), NotBegun> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let payment = &session.opened_by.payment;
        let now = session.opened_at;
        check_alone(&mut tx, session).await?;
        check_count(&mut tx, session.descriptor.payer, rules).await?;
        check_rate(&mut tx, rules, now).await?;
        check_day(&mut tx, rules, payment, now).await?;
        let counted = Counted { service: &session.service, payment };
        check_payee(&mut tx, rules, counted).await?;
        sqlx::query(
            "INSERT INTO session (channel, wallet, service, state, version, document, opened_at, \
             updated_at) VALUES (?, ?, ?, ?, 0, ?, ?, ?)",
        )
        .bind(session.channel.to_string())
        .bind(session.descriptor.payer.to_string())
        .bind(session.service.as_str())
        .bind(session.state.word())
        .bind(document(session)?)
        .bind(seconds(now))
        .bind(seconds(now))
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// Writes that more money is on its way into a session, unless the rules' limits say no: look
    /// and row are one transaction, so that another top-up does not come between them.
    pub(crate) async fn begin_top_up(
        &self,
        session: &mut Session,
        payment: &Payment,
        rules: &FetchRules,
        now: UnixSeconds,
    ) -> Result<(), NotBegun> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        check_day(&mut tx, rules, payment, now).await?;
        write(&mut *tx, session, now).await?;
        tx.commit().await?;
        session.version = session.version.saturating_add(1);
        Ok(())
    }

    /// Writes a session as it stands now.
    pub(crate) async fn save_session(
        &self,
        session: &mut Session,
        keeping: Keeping,
        now: UnixSeconds,
    ) -> Result<(), JournalError> {
        let pool = match keeping {
            Keeping::OnDisk => &self.pool,
            Keeping::Quick => &self.quick,
        };
        write(pool, session, now).await?;
        session.version = session.version.saturating_add(1);
        Ok(())
    }

    /// One session.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn session(&self, channel: &ChannelId) -> Result<Option<Session>, JournalError> {
        let row = sqlx::query("SELECT document, version FROM session WHERE channel = ?")
            .bind(channel.to_string())
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// A wallet's sessions with money in their channels, or perhaps; of one service, or all of them.
    /// Oldest first.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn live_sessions(
        &self,
        wallet: Address,
        service: Option<&Service>,
    ) -> Result<Vec<Session>, JournalError> {
        self.live(wallet, service).await?.iter().map(read).collect()
    }

    /// The same without those whose rows do not read: one of them keeps nobody from the others.
    pub(crate) async fn readable_sessions(
        &self,
        wallet: Address,
    ) -> Result<Vec<Session>, JournalError> {
        let mut readable = Vec::new();
        for row in self.live(wallet, None).await? {
            match read(&row) {
                Ok(session) => readable.push(session),
                Err(error) => {
                    let channel: String = row.try_get("channel")?;
                    tracing::error!(channel, %error, "a session is not looked after");
                }
            }
        }
        Ok(readable)
    }

    async fn live(
        &self,
        wallet: Address,
        service: Option<&Service>,
    ) -> Result<Vec<SqliteRow>, JournalError> {
        let live = format!(
            "SELECT channel, document, version FROM session WHERE wallet = ?1 \
             AND state IN {LIVE} AND (?2 IS NULL OR service = ?2) ORDER BY opened_at, rowid"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(live))
            .bind(wallet.to_string())
            .bind(service.map(Service::as_str))
            .fetch_all(&self.pool)
            .await?;
        Ok(rows)
    }

    /// The newest sessions, newest first.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn sessions(&self, limit: u32) -> Result<Vec<Session>, JournalError> {
        let newest =
            "SELECT document, version FROM session ORDER BY opened_at DESC, rowid DESC LIMIT ?";
        let rows = sqlx::query(newest)
            .bind(i64::from(limit.min(LISTED_MAX)))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(read).collect()
    }
}

/// Writes a session over the version that it was read in.
async fn write<'e>(
    to: impl Executor<'e, Database = Sqlite>,
    session: &Session,
    now: UnixSeconds,
) -> Result<(), JournalError> {
    let version = i64::try_from(session.version).unwrap_or(i64::MAX);
    let changed = sqlx::query(
        "UPDATE session SET state = ?, version = version + 1, document = ?, updated_at = ? \
         WHERE channel = ? AND version = ?",
    )
    .bind(session.state.word())
    .bind(document(session)?)
    .bind(seconds(now))
    .bind(session.channel.to_string())
    .bind(version)
    .execute(to)
    .await?;
    match changed.rows_affected() {
        1 => Ok(()),
        _ => Err(JournalError::SessionOvertaken { channel: session.channel }),
    }
}

/// Whoever opens a session has looked for one; here it is looked once more, with nobody between
/// look and row.
async fn check_alone(tx: &mut Transaction<'_, Sqlite>, session: &Session) -> Result<(), NotBegun> {
    let live = format!(
        "SELECT document, version FROM session WHERE wallet = ? AND service = ? \
         AND state IN {LIVE} ORDER BY opened_at, rowid"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(live))
        .bind(session.descriptor.payer.to_string())
        .bind(session.service.as_str())
        .fetch_all(&mut **tx)
        .await?;
    for row in &rows {
        let other = read(row)?;
        if other.is_like(session) {
            return Err(Declined::AlreadyOpened { channel: other.channel }.into());
        }
    }
    Ok(())
}

async fn check_count(
    tx: &mut Transaction<'_, Sqlite>,
    wallet: Address,
    rules: &FetchRules,
) -> Result<(), NotBegun> {
    let count = format!("SELECT count(*) FROM session WHERE wallet = ? AND state IN {LIVE}");
    let open: i64 = sqlx::query(sqlx::AssertSqlSafe(count))
        .bind(wallet.to_string())
        .fetch_one(&mut **tx)
        .await?
        .try_get(0)?;
    let open = u32::try_from(open).unwrap_or(u32::MAX);
    let limit = rules.mpp.sessions_max;
    if open < limit { Ok(()) } else { Err(Declined::TooManySessions { open, limit }.into()) }
}

fn document(session: &Session) -> Result<String, BadRow> {
    serde_json::to_string(session).map_err(|_| BadRow { column: "document" })
}

fn read(row: &SqliteRow) -> Result<Session, JournalError> {
    let text: String = row.try_get("document")?;
    let version: i64 = row.try_get("version")?;
    let mut session: Session =
        serde_json::from_str(&text).map_err(|_| BadRow { column: "document" })?;
    session.version = u64::try_from(version).map_err(|_| BadRow { column: "version" })?;
    Ok(session)
}

/// What of a session counts that was put in after `since`, on its way or there: all of it, until
/// the chain shows that the payee got less. Of several top-ups the last one's time holds for all. A
/// believed one is part of the deposit.
pub(super) fn counted(session: &Session, since: UnixSeconds) -> Amount {
    let within = |at: UnixSeconds, amount| if at > since { amount } else { Amount::ZERO };
    let first = session.opened_by.payment.amount();
    let later = session.meter.deposit.checked_sub(first).unwrap_or_default();
    let later = session.topped_up_at.map_or(Amount::ZERO, |at| within(at, later));
    let flight = session.flight.as_ref();
    let flight = flight.map_or(Amount::ZERO, |t| within(t.created_at, t.payment.amount()));
    let put_in = within(session.opened_at, first).checked_add(later);
    let put_in = put_in.and_then(|sum| sum.checked_add(flight));
    let put_in = put_in.unwrap_or(Amount::from_base_units(u128::MAX));
    match session.state {
        SessionState::Void => Amount::ZERO,
        SessionState::Closed => session.settled.map_or(put_in, |settled| settled.min(put_in)),
        _ => put_in,
    }
}
