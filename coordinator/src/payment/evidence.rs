//! The chain's word on a payment: hand over what is signed, look until it is settled or void.

use std::time::Duration;

use alloy_primitives::B256;
use tercet_policy::intent::{Payment, X402Exact};
use tercet_policy::proposal::{ChainTerms, eip3009_nonce};
use tokio::time::{Instant, sleep};

use super::book;
use super::driver::Next;
use super::lookout::{is_in_channel, pause};
use super::state::{Event, Kind, State};
use crate::app::App;
use crate::clerk::{
    AuthorizationWish, ClerkError, Sighting, TempoSighting, TempoWish, TransferWish,
};
use crate::crash::CrashPoint;
use crate::store::{Facts, PaymentRecord};

/// What is said of a deposit that the chain showed and shows no longer.
const LOST_LOGS: &str = "its channel has ended, and the endpoints have no logs of its deposit any \
                         more; an operator must look";
/// Time between two broadcasts of a transaction that is not mined, over the configured pace.
const PACES_PER_BROADCAST: u64 = 15;

/// Hands the signed transaction to the chain, as often as it takes.
pub(super) async fn broadcast(app: &App, record: &PaymentRecord) -> Next {
    let chain = record.envelope.document.payment.chain();
    let Some(raw) = &record.facts.raw else {
        return Next::noted(record, "the signed transaction is missing");
    };
    loop {
        let error = match app.clerk().broadcast(chain, raw).await {
            Ok(transaction) => {
                app.crash().reach(CrashPoint::AfterBroadcast);
                let transaction = Some(transaction);
                let facts = Facts { transaction, detail: None, ..record.facts.clone() };
                return Next::new(Event::Broadcast, facts);
            }
            Err(error) => error.to_string(),
        };
        // Whoever holds the bytes may have sent them; the chain may have decided already.
        if let Ok(sighting) = look(app, record).await
            && let Some(next) = verdict(record, sighting)
        {
            return next;
        }
        sleep(Duration::from_secs(app.clerk().poll_seconds(chain))).await;
        if record.facts.detail.as_ref() != Some(&error) {
            return Next::noted(record, error);
        }
    }
}

/// Looks at the chain until it says something.
pub(super) async fn watch(app: &App, record: &PaymentRecord) -> Next {
    let chain = record.envelope.document.payment.chain();
    let pace = app.clerk().poll_seconds(chain);
    let _watched = app.lookout().watch(record);
    // Nobody can have brought it there yet.
    if app.clock().now() < record.updated_at.plus(pace) {
        sleep(pause(app, record)).await;
    }
    let mut sent = Instant::now();
    loop {
        let detail = match look(app, record).await {
            Ok(sighting) => match verdict(record, sighting) {
                Some(next) => return next,
                None => None,
            },
            Err(error) => Some(error.to_string()),
        };
        if let Some(next) = overdue(app, record) {
            return next;
        }
        if detail.is_some() && detail != record.facts.detail {
            return Next::new(Event::Noted, Facts { detail, ..record.facts.clone() });
        }
        let due = Duration::from_secs(pace.saturating_mul(PACES_PER_BROADCAST));
        if record.state == State::Submitted && sent.elapsed() >= due {
            if let Some(next) = rebroadcast(app, record).await {
                return next;
            }
            sent = Instant::now();
        }
        sleep(pause(app, record)).await;
    }
}

/// A transaction that waits may have been forgotten by the endpoints, or undone with its block; one
/// that is refused now was dropped.
async fn rebroadcast(app: &App, record: &PaymentRecord) -> Option<Next> {
    let chain = record.envelope.document.payment.chain();
    match app.clerk().broadcast(chain, record.facts.raw.as_ref()?).await {
        Err(error @ ClerkError::Rejected { .. }) => {
            let detail = Some(error.to_string());
            Some(Next::new(Event::Dropped, Facts { detail, ..record.facts.clone() }))
        }
        Err(error) => {
            tracing::warn!(payment = %record.id(), %error, "cannot broadcast it again");
            None
        }
        Ok(_) => None,
    }
}

fn overdue(app: &App, record: &PaymentRecord) -> Option<Next> {
    let deadline = record.facts.deadline?;
    let news = match (record.state, Kind::of(&record.envelope.document.payment)) {
        // A transaction of ours is broadcast until the chain decides.
        (State::Signed, kind) => kind != Kind::Transfer,
        (State::Unknown, kind) => kind == Kind::Statement,
        _ => false,
    };
    let late = app.clock().now() >= deadline;
    (late && news).then(|| Next::new(Event::Overdue, record.facts.clone()))
}

/// What a sighting means for this payment; none if it says nothing new.
fn verdict(record: &PaymentRecord, seen: TempoSighting) -> Option<Next> {
    let TempoSighting { sighting, fee } = seen;
    let cancels = matches!(record.envelope.document.payment, Payment::X402Cancel(_));
    let mut facts = record.facts.clone();
    facts.fee = fee.or(facts.fee);
    let event = match sighting {
        Sighting::Pending { seen, detail } => {
            // A block that was undone is forgotten again.
            facts.block = seen.map(|(_, block)| block);
            facts.transaction =
                seen.map(|(transaction, _)| transaction).or(own_transaction(record));
            facts.detail = detail;
            if facts == record.facts {
                return None;
            }
            Event::Noted
        }
        Sighting::Settled { transaction, block } => {
            (facts.transaction, facts.block) = (Some(transaction), Some(block));
            facts.detail = cancels.then(|| "it was settled before it was cancelled".to_owned());
            if cancels { Event::ChainVoid } else { Event::ChainSettled }
        }
        Sighting::Cancelled { transaction, block } => {
            (facts.transaction, facts.block) = (Some(transaction), Some(block));
            facts.detail = (!cancels).then(|| "it was cancelled on chain".to_owned());
            if cancels { Event::ChainSettled } else { Event::ChainVoid }
        }
        Sighting::Deposited { transaction, block } => {
            (facts.transaction, facts.block) = (Some(transaction), Some(block));
            facts.detail = None;
            match record.state {
                State::Submitted if facts == record.facts => return None,
                State::Submitted => Event::Noted,
                _ => Event::Broadcast,
            }
        }
        Sighting::Ended { transaction, block, settled } => {
            (facts.transaction, facts.block) = (Some(transaction), Some(block));
            (facts.settled_amount, facts.detail) = (Some(settled), None);
            Event::ChainSettled
        }
        Sighting::Void { reason, transaction } => {
            facts.transaction = transaction.or(facts.transaction);
            facts.detail = Some(reason);
            Event::ChainVoid
        }
    };
    Some(Next::new(event, facts))
}

/// The hash of the transaction that we hold, if we hold one.
fn own_transaction(record: &PaymentRecord) -> Option<B256> {
    record.facts.raw.as_ref().map(alloy_primitives::keccak256)
}

async fn look(app: &App, record: &PaymentRecord) -> Result<TempoSighting, ClerkError> {
    let _place = app.lookout().place().await;
    match &record.envelope.document.payment {
        Payment::TempoTransfer(_)
        | Payment::MppCharge(_)
        | Payment::MppOpen(_)
        | Payment::MppTopUp(_)
        | Payment::MppExit(_)
        | Payment::TempoAccessKey(_) => match tempo_wish(record) {
            Some(wish) if is_in_channel(record) => in_channel(app, record, &wish).await,
            Some(wish) => app.clerk().tempo(&wish).await,
            None => Ok(nothing().into()),
        },
        other => look_elsewhere(app, record, other).await.map(TempoSighting::from),
    }
}

/// What has become of what has no fee in its token.
async fn look_elsewhere(
    app: &App,
    record: &PaymentRecord,
    payment: &Payment,
) -> Result<Sighting, ClerkError> {
    match payment {
        Payment::Transfer(_) => match transfer_wish(record) {
            Some(wish) => app.clerk().transfer(&wish).await,
            None => Ok(nothing()),
        },
        Payment::X402Exact(x) => app.clerk().authorization(&wish_of(record, x)).await,
        Payment::X402Cancel(cancel) => {
            let original = app.store().payment(&cancel.cancels).await.ok().flatten();
            match original.as_ref().map(|o| (o, &o.envelope.document.payment)) {
                Some((original, Payment::X402Exact(x))) => {
                    app.clerk().authorization(&wish_of(original, x)).await
                }
                _ => Ok(nothing()),
            }
        }
        // A signature that moves nothing: the chain has nothing to say.
        _ => Ok(nothing()),
    }
}

/// A deposit that was in its channel at a safe block is there for as long as the channel is open:
/// one question, where its logs take many and may be pruned by now.
async fn in_channel(
    app: &App,
    record: &PaymentRecord,
    wish: &TempoWish,
) -> Result<TempoSighting, ClerkError> {
    let (chain, place) = (wish.row.chain, record.facts.transaction.zip(record.facts.block));
    if let (Some((transaction, block)), Some(act)) = (place, &wish.row.channel)
        && app.clerk().is_channel_open(chain, act.channel(chain)).await?
    {
        return Ok(Sighting::Deposited { transaction, block }.into());
    }
    let seen = app.clerk().tempo(wish).await?;
    Ok(match seen.sighting {
        // It was there: whoever shows nothing now has lost its logs.
        Sighting::Void { .. } => {
            Sighting::Pending { seen: place, detail: Some(LOST_LOGS.to_owned()) }.into()
        }
        _ => seen,
    })
}

fn tempo_wish(record: &PaymentRecord) -> Option<TempoWish> {
    Some(TempoWish { row: book::row(record)?, transaction: own_transaction(record) })
}

const fn nothing() -> Sighting {
    Sighting::Pending { seen: None, detail: None }
}

fn wish_of(record: &PaymentRecord, x: &X402Exact) -> AuthorizationWish {
    let intent = &record.envelope.document;
    AuthorizationWish {
        chain: x.chain,
        token: x.token,
        wallet: intent.wallet,
        to: x.to,
        amount: x.amount,
        nonce: eip3009_nonce(x.chain, x.token, intent.wallet, &intent.id),
        valid_before: x.valid_before,
        since: intent.created_at.min(record.created_at),
    }
}

fn transfer_wish(record: &PaymentRecord) -> Option<TransferWish> {
    let intent = &record.envelope.document;
    let Payment::Transfer(t) = &intent.payment else { return None };
    let ChainTerms::Eip1559 { nonce, .. } = record.facts.claim.as_ref()?.terms else {
        return None;
    };
    Some(TransferWish {
        chain: t.chain,
        token: t.token,
        wallet: intent.wallet,
        to: t.to,
        amount: t.amount,
        nonce,
        transaction: own_transaction(record),
    })
}
