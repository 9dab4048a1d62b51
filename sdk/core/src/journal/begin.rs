//! The beginning of a purchase: limits, payee and row in one transaction.

use std::collections::BTreeSet;

use alloy_primitives::Address;
use sqlx::{Row as _, Sqlite, Transaction};
use tercet_policy::chain::{Asset, Chain};
use tercet_policy::intent::{Payment, PaymentIntent, Service};
use tercet_policy::money::Amount;
use tercet_policy::time::UnixSeconds;

use super::row::{BadRow, seconds};
use super::{Journal, NotBegun, Purchase};
use crate::error::Declined;
use crate::rules::FetchRules;

const DAY_SECONDS: u64 = 86_400;
const MINUTE_SECONDS: u64 = 60;

/// A payment as the limits see it.
#[derive(Clone, Copy)]
pub(super) struct Counted<'a> {
    pub(super) service: &'a Service,
    pub(super) payment: &'a Payment,
}

impl Journal {
    /// Writes the row of a purchase, unless the rules' limits or the service's known payee say no, or
    /// somebody else began an equal one meanwhile.
    pub(crate) async fn begin(
        &self,
        purchase: &Purchase,
        rules: &FetchRules,
    ) -> Result<(), NotBegun> {
        // At once for writing: another journal over this file must not come between look and row.
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        check_alone(&mut tx, purchase).await?;
        check_rate(&mut tx, rules, purchase.created_at).await?;
        let payment = &purchase.intent.payment;
        check_day(&mut tx, rules, payment, purchase.created_at).await?;
        let counted = Counted { service: &purchase.service, payment };
        check_payee(&mut tx, rules, counted).await?;
        insert(&mut tx, purchase).await?;
        Ok(tx.commit().await?)
    }
}

/// The index over open purchases holds the same; here it is told plainly.
async fn check_alone(
    tx: &mut Transaction<'_, Sqlite>,
    purchase: &Purchase,
) -> Result<(), NotBegun> {
    let open = sqlx::query(
        "SELECT intent FROM purchase WHERE request_key = ? \
         AND state IN ('chosen', 'sent', 'unknown', 'paid_not_delivered') LIMIT 1",
    )
    .bind(purchase.request_key.to_string())
    .fetch_optional(&mut **tx)
    .await?;
    let Some(open) = open else { return Ok(()) };
    let intent: String = open.try_get(0)?;
    let intent = serde_json::from_value(intent.into()).map_err(|_| BadRow { column: "intent" })?;
    Err(Declined::AlreadyBegun { intent }.into())
}

pub(super) async fn check_rate(
    tx: &mut Transaction<'_, Sqlite>,
    rules: &FetchRules,
    now: UnixSeconds,
) -> Result<(), NotBegun> {
    let begun = "SELECT (SELECT count(*) FROM purchase WHERE created_at > ?1) \
                 + (SELECT count(*) FROM session WHERE opened_at > ?1)";
    let begun: i64 = sqlx::query(begun)
        .bind(seconds(now.minus(MINUTE_SECONDS)))
        .fetch_one(&mut **tx)
        .await?
        .try_get(0)?;
    let begun = u32::try_from(begun).unwrap_or(u32::MAX);
    let limit = rules.purchases_per_minute_max;
    if begun < limit { Ok(()) } else { Err(Declined::TooFast { begun, limit }.into()) }
}

/// What is not proved void or refused counts, settled or not.
pub(super) async fn check_day(
    tx: &mut Transaction<'_, Sqlite>,
    rules: &FetchRules,
    payment: &Payment,
    now: UnixSeconds,
) -> Result<(), NotBegun> {
    let Some(price) = &rules.max_per_day else {
        return Ok(());
    };
    let asset = Asset::find(payment.chain(), payment.token()).ok();
    let limit = asset.and_then(|a| price.in_units_of(a)).unwrap_or(Amount::ZERO);
    let rows = sqlx::query(
        "SELECT document FROM purchase WHERE created_at > ? AND state NOT IN ('void', 'refused')",
    )
    .bind(seconds(now.minus(DAY_SECONDS)))
    .fetch_all(&mut **tx)
    .await?;
    let mut spent = deposited(tx, now).await?;
    for row in rows {
        let document: String = row.try_get(0)?;
        let intent: PaymentIntent =
            serde_json::from_str(&document).map_err(|_| super::BadRow { column: "document" })?;
        spent = spent
            .checked_add(intent.payment.amount())
            .unwrap_or(Amount::from_base_units(u128::MAX));
    }
    let asked = payment.amount();
    match spent.checked_add(asked) {
        Some(total) if total <= limit => Ok(()),
        _ => Err(Declined::DailyLimit { limit, spent, asked }.into()),
    }
}

/// What was put into sessions within the last day. A row that was not touched since has nothing of
/// it.
async fn deposited(tx: &mut Transaction<'_, Sqlite>, now: UnixSeconds) -> Result<Amount, NotBegun> {
    let since = now.minus(DAY_SECONDS);
    let rows = sqlx::query("SELECT document FROM session WHERE updated_at > ? AND state <> 'void'")
        .bind(seconds(since))
        .fetch_all(&mut **tx)
        .await?;
    let mut sum = Amount::ZERO;
    for row in rows {
        let document: String = row.try_get(0)?;
        let session = serde_json::from_str(&document).map_err(|_| BadRow { column: "document" })?;
        let more = super::sessions::counted(&session, since);
        sum = sum.checked_add(more).unwrap_or(Amount::from_base_units(u128::MAX));
    }
    Ok(sum)
}

pub(super) async fn check_payee(
    tx: &mut Transaction<'_, Sqlite>,
    rules: &FetchRules,
    Counted { service, payment }: Counted<'_>,
) -> Result<(), NotBegun> {
    let chain = payment.chain();
    // A proof pays nobody, and makes nobody known.
    let Some(offered) = payment.payee() else { return Ok(()) };
    let expected: BTreeSet<Address> = match rules.payees.get(service) {
        Some(listed) => listed.clone(),
        None if rules.rotating_payees.contains(service) => return Ok(()),
        None => BTreeSet::from([known_payee(tx, service, chain).await?.unwrap_or(offered)]),
    };
    if expected.contains(&offered) {
        return Ok(());
    }
    let expected = expected.into_iter().collect();
    Err(Declined::PayeeChanged { service: service.clone(), chain, expected, offered }.into())
}

/// The payee that somebody named for this service; otherwise the one it was first paid at, by a
/// purchase or in a session. What was refused or void makes nobody known.
async fn known_payee(
    tx: &mut Transaction<'_, Sqlite>,
    service: &Service,
    chain: Chain,
) -> Result<Option<Address>, NotBegun> {
    let pin = sqlx::query("SELECT payee FROM payee_pin WHERE service = ? AND chain = ?")
        .bind(service.as_str())
        .bind(chain.caip2())
        .fetch_optional(&mut **tx)
        .await?;
    if let Some(pin) = pin {
        let payee: String = pin.try_get(0)?;
        return Ok(Some(payee.parse().map_err(|_| BadRow { column: "payee" })?));
    }
    let first = sqlx::query(
        "SELECT payee FROM ( \
             SELECT * FROM (SELECT payee, created_at AS at FROM purchase \
                 WHERE service = ?1 AND chain = ?2 AND payee <> ?3 \
                 AND state NOT IN ('void', 'refused') ORDER BY created_at, rowid LIMIT 1) \
             UNION ALL \
             SELECT * FROM (SELECT json_extract(document, '$.descriptor.payee') AS payee, \
                 opened_at AS at FROM session WHERE service = ?1 AND state <> 'void' \
                 AND json_extract(document, '$.chain') = ?2 ORDER BY opened_at, rowid LIMIT 1) \
         ) ORDER BY at LIMIT 1",
    )
    .bind(service.as_str())
    .bind(chain.caip2())
    .bind(Address::ZERO.to_string())
    .fetch_optional(&mut **tx)
    .await?;
    let payee: Option<String> = first.map(|row| row.try_get(0)).transpose()?;
    Ok(payee.map(|payee| payee.parse()).transpose().map_err(|_| BadRow { column: "payee" })?)
}

async fn insert(tx: &mut Transaction<'_, Sqlite>, p: &Purchase) -> Result<(), NotBegun> {
    let document = serde_json::to_string(&p.intent).map_err(|_| BadRow { column: "document" })?;
    sqlx::query(
        "INSERT INTO purchase (intent, request_key, method, url, body_sha256, service, chain, \
         payee, document, requirement, resource, nonce, state, created_at, updated_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(p.intent.id.to_string())
    .bind(p.request_key.to_string())
    .bind(&p.method)
    .bind(&p.url)
    .bind(p.body_sha256.to_string())
    .bind(p.service.as_str())
    .bind(p.intent.payment.chain().caip2())
    .bind(p.intent.payment.payee().unwrap_or(Address::ZERO).to_string())
    .bind(document)
    .bind(p.requirement.get())
    .bind(p.resource.as_ref().map(|r| r.get()))
    .bind(hex::encode(p.nonce))
    .bind(p.state.word())
    .bind(seconds(p.created_at))
    .bind(seconds(p.created_at))
    .execute(&mut **tx)
    .await?;
    Ok(())
}
