//! Approvals given beforehand to agents that pay with wallets of their own: confirming them by the
//! chain, and ending them.
//!
//! ```text
//! open ── transaction named ──> claimed ── safe on chain ──> settled: what moved is spent
//!   │                              │ └─ refuted at a safe block ──> open again, or expired
//!   └── time is over ──> expired ──┴─ a late transfer, shown by the chain ──> settled all the same
//! ```
//!
//! Promises: what is named is checked where a chain is read here: payer, payee, token, and no more
//! than was approved, in a block that is not older than the approval; one transfer confirms one
//! approval; what expires by the clock was never named.
//!
//! Does not protect against: an agent that pays without asking, or that names nothing. There is no
//! share of its wallet here, so an approval that expires says only that its agent was silent. What
//! must be held to is paid from a wallet of the signer nodes.

use std::time::Duration;

use alloy_primitives::B256;
use tercet_policy::intent::IntentId;
use tercet_policy::time::UnixSeconds;
use tokio::time::sleep;

use crate::app::App;
use crate::clerk::{ClerkError, Moved, Movement, MovementWish};
use crate::store::{
    Claims, PreAuthorizationChange, PreAuthorizationFacts, PreAuthorizationRecord,
    PreAuthorizationState as State, Recorded, Settling, StoreError, TransferPlace,
};

/// How often what is open is looked at, in seconds.
const LOOK_SECONDS: u64 = 2;
/// Most transactions that one look asks the chains for.
const CLAIMS_PER_LOOK_MAX: usize = 32;
/// How often a change is tried that somebody else overtook.
const OVERTAKEN_MAX: u32 = 8;
/// How far clocks here may be ahead of the chain's, in seconds.
const CLOCK_MARGIN_SECONDS: u64 = 900;

/// Why a transfer was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum NotRecorded {
    /// The chain shows something else in that transaction.
    #[error("{0}")]
    Mismatch(String),
    /// The approval has ended, and the chain does not show the transfer.
    #[error("the approval ended at {0}, and the chain does not show the transfer")]
    Expired(UnixSeconds),
    /// Another transaction was recorded for it, or the transfer for another approval.
    #[error("{0}")]
    Used(&'static str),
    /// It changes too fast.
    #[error("the approval changes too fast")]
    Busy,
    /// The chain does not answer.
    #[error(transparent)]
    Chain(#[from] ClerkError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Ends the approvals whose time is over and for which nothing was named.
///
/// # Errors
/// [`StoreError`]
pub async fn expire_due(app: &App) -> Result<(), StoreError> {
    let now = app.clock().now();
    for hold in app.book().overdue_holds(now) {
        let Some(record) = app.store().pre_authorization(&hold.into()).await? else { continue };
        if record.state != State::Open {
            continue;
        }
        // The book's time may be ahead of ours.
        let at = now.max(record.facts.hold.expires_at);
        let facts = PreAuthorizationFacts { expired_at: Some(at), ..record.facts.clone() };
        match change(app, &record, State::Expired, facts, at).await {
            // Somebody named a transaction in time.
            Ok(_) | Err(StoreError::Changed) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Records the transaction that paid. The same again is the same answer.
///
/// # Errors
/// [`NotRecorded`]
pub async fn record(
    app: &App,
    mut record: PreAuthorizationRecord,
    transaction: B256,
) -> Result<PreAuthorizationRecord, NotRecorded> {
    for _ in 0..OVERTAKEN_MAX {
        match attempt(app, &record, transaction).await {
            Err(NotRecorded::Store(StoreError::Changed)) => {
                let newer = app.store().pre_authorization(&record.id()).await?;
                record = newer.ok_or(NotRecorded::Busy)?;
            }
            other => return other,
        }
    }
    Err(NotRecorded::Busy)
}

async fn attempt(
    app: &App,
    record: &PreAuthorizationRecord,
    transaction: B256,
) -> Result<PreAuthorizationRecord, NotRecorded> {
    let named = record.facts.recorded.map(|recorded| recorded.transaction);
    if matches!(record.state, State::Settled | State::Unchecked) {
        return match named == Some(transaction) {
            true => Ok(record.clone()),
            false => Err(NotRecorded::Used("another transaction is recorded for this approval")),
        };
    }
    let hold = &record.facts.hold;
    let in_time = record.state == State::Open && app.clock().now() < hold.expires_at;
    if !app.has_chain(hold.chain) {
        return if in_time { unchecked(app, record, transaction).await } else { Err(late(record)) };
    }
    match look(app, record, transaction).await {
        Ok(Movement::Shown { transfers, block, safe: true }) => {
            settle(app, record, transaction, block, transfers).await
        }
        Ok(Movement::Shown { transfers, block, safe: false }) => {
            let seen = Seen { transaction, amount: transfers.first().copied(), block: Some(block) };
            claim(app, record, seen).await
        }
        Ok(Movement::Other { reason, .. }) => Err(NotRecorded::Mismatch(reason)),
        // Known already; it is looked for.
        Ok(Movement::Missing) if named == Some(transaction) => Ok(record.clone()),
        Ok(Movement::Missing) if named.is_some() => {
            Err(NotRecorded::Used("another transaction is named, and the chain lacks this one"))
        }
        Ok(Movement::Missing) | Err(_) if in_time => {
            claim(app, record, Seen { transaction, amount: None, block: None }).await
        }
        Ok(Movement::Missing) => Err(late(record)),
        Err(error) => Err(error.into()),
    }
}

const fn late(record: &PreAuthorizationRecord) -> NotRecorded {
    NotRecorded::Expired(record.facts.hold.expires_at)
}

async fn look(
    app: &App,
    record: &PreAuthorizationRecord,
    transaction: B256,
) -> Result<Movement, ClerkError> {
    let hold = &record.facts.hold;
    let Some(to) = hold.recipient else {
        let reason = "nobody is to be paid".to_owned();
        return Ok(Movement::Other { reason, safe: true });
    };
    let wish = MovementWish {
        chain: hold.chain,
        token: hold.token,
        wallet: hold.wallet,
        to,
        at_most: hold.amount,
        transaction,
        since: hold.at.minus(CLOCK_MARGIN_SECONDS),
    };
    app.clerk().movement(&wish).await
}

/// What was seen of a named transaction so far.
struct Seen {
    transaction: B256,
    amount: Option<Moved>,
    block: Option<u64>,
}

async fn claim(
    app: &App,
    record: &PreAuthorizationRecord,
    seen: Seen,
) -> Result<PreAuthorizationRecord, NotRecorded> {
    let at = app.clock().now();
    let Seen { transaction, amount, block } = seen;
    let amount = amount.map_or(record.facts.hold.amount, |moved| moved.amount);
    let before = record.facts.recorded;
    let same = before.filter(|old| (old.transaction, old.block) == (transaction, block));
    if same.is_some() {
        return Ok(record.clone());
    }
    let recorded = Some(Recorded { transaction, amount, block, at });
    let facts = PreAuthorizationFacts { recorded, detail: None, ..record.facts.clone() };
    Ok(change(app, record, State::Claimed, facts, at).await?)
}

async fn settle(
    app: &App,
    record: &PreAuthorizationRecord,
    transaction: B256,
    block: u64,
    transfers: Vec<Moved>,
) -> Result<PreAuthorizationRecord, NotRecorded> {
    let place = |moved: Moved| {
        let Moved { log_index, amount } = moved;
        TransferPlace { log_index: Some(log_index), amount }
    };
    let places = transfers.into_iter().map(place).collect();
    settle_by(app, record, State::Settled, (transaction, Some(block)), places).await
}

/// Nobody here reads that chain, so the agent's word stands, and all of it is spent.
async fn unchecked(
    app: &App,
    record: &PreAuthorizationRecord,
    transaction: B256,
) -> Result<PreAuthorizationRecord, NotRecorded> {
    let places = vec![TransferPlace { log_index: None, amount: record.facts.hold.amount }];
    settle_by(app, record, State::Unchecked, (transaction, None), places).await
}

async fn settle_by(
    app: &App,
    record: &PreAuthorizationRecord,
    state: State,
    (transaction, block): (B256, Option<u64>),
    places: Vec<TransferPlace>,
) -> Result<PreAuthorizationRecord, NotRecorded> {
    let at = app.clock().now();
    let amount = record.facts.hold.amount;
    let recorded = Some(Recorded { transaction, amount, block, at });
    let facts = PreAuthorizationFacts { recorded, detail: None, ..record.facts.clone() };
    let claims = Claims { chain: record.facts.hold.chain, transaction, places };
    let change = PreAuthorizationChange { state, facts, at };
    match app.store().settle_pre_authorization(record, change, &claims).await? {
        Settling::Done(settled) => {
            app.book().follow_hold(record.state, &settled);
            Ok(*settled)
        }
        Settling::Taken => Err(NotRecorded::Used("the transfer is recorded for another approval")),
    }
}

async fn change(
    app: &App,
    record: &PreAuthorizationRecord,
    state: State,
    facts: PreAuthorizationFacts,
    at: UnixSeconds,
) -> Result<PreAuthorizationRecord, StoreError> {
    let change = PreAuthorizationChange { state, facts, at };
    let changed = app.store().change_pre_authorization(record, &change).await?;
    app.book().follow_hold(record.state, &changed);
    Ok(changed)
}

/// Ends what is due and looks for what was named, until the coordinator stops.
pub async fn tend(app: App) {
    let mut first = 0usize;
    loop {
        tokio::select! {
            () = app.stop().cancelled() => return,
            () = sleep(Duration::from_secs(LOOK_SECONDS)) => {}
        }
        let tended = async {
            expire_due(&app).await?;
            look_again(&app, &mut first).await
        };
        if let Err(error) = tended.await {
            tracing::error!(%error, "cannot tend to pre-authorizations");
        }
    }
}

/// Looks for some of the named transactions, each time for the next ones.
async fn look_again(app: &App, first: &mut usize) -> Result<(), StoreError> {
    let mut claimed = app.store().pre_authorizations_claimed().await?;
    if *first >= claimed.len() {
        *first = 0;
    }
    claimed.rotate_left(*first);
    *first = first.saturating_add(CLAIMS_PER_LOOK_MAX);
    for id in claimed.into_iter().take(CLAIMS_PER_LOOK_MAX) {
        if app.stop().is_cancelled() {
            break;
        }
        look_for(app, &id).await?;
    }
    Ok(())
}

async fn look_for(app: &App, id: &IntentId) -> Result<(), StoreError> {
    let Some(record) = app.store().pre_authorization(id).await? else { return Ok(()) };
    let Some(named) = record.facts.recorded.filter(|_| record.state == State::Claimed) else {
        return Ok(());
    };
    let transaction = named.transaction;
    let done = match look(app, &record, transaction).await {
        Ok(Movement::Shown { transfers, block, safe: true }) => {
            match settle(app, &record, transaction, block, transfers).await {
                Err(NotRecorded::Used(why)) => refute(app, &record, why.to_owned()).await,
                Err(NotRecorded::Store(error)) => Err(error),
                _ => Ok(()),
            }
        }
        Ok(Movement::Other { reason, safe: true }) => refute(app, &record, reason).await,
        Ok(_) => Ok(()),
        Err(error) => {
            tracing::warn!(pre_authorization = %id, %error, "cannot look for its transaction");
            Ok(())
        }
    };
    match done {
        Err(StoreError::Changed) => Ok(()),
        other => other,
    }
}

/// What was named is not it: the approval stands as before.
async fn refute(
    app: &App,
    record: &PreAuthorizationRecord,
    reason: String,
) -> Result<(), StoreError> {
    let expired = record.facts.expired_at.is_some();
    let state = if expired { State::Expired } else { State::Open };
    let facts =
        PreAuthorizationFacts { recorded: None, detail: Some(reason), ..record.facts.clone() };
    change(app, record, state, facts, app.clock().now()).await.map(drop)
}
