//! What has become of a payment on Tempo.

use alloy_primitives::B256;
use tercet_chain::{ChainError, ChainReader, Finality, TempoOutcome};
use tercet_policy::proposal::ChainTerms;
use tercet_policy::rows::{PaymentKind, SpendRow};

use super::{Sighting, TempoSighting, TempoWish};

pub(super) async fn look(
    reader: &ChainReader,
    wish: &TempoWish,
) -> Result<TempoSighting, ChainError> {
    let row = &wish.row;
    let (sighting, fee) = if row.kind == PaymentKind::MppExit {
        let sighting = exit(reader, row, wish.transaction).await?;
        let over = matches!(sighting, Sighting::Settled { .. } | Sighting::Void { .. });
        (sighting, if over { reader.tempo_step_fee(row).await } else { None })
    } else {
        let outcome = reader.tempo_outcome(row).await?;
        let fee = reader.tempo_fee(row, &outcome).await;
        (sighting(outcome), fee)
    };
    Ok(TempoSighting { sighting, fee: fee.map(|fee| fee.units()) })
}

/// A step of leaving a channel moves nothing that is counted, and is known by its transaction. One
/// that nobody here has the transaction of is over with its time.
async fn exit(
    reader: &ChainReader,
    row: &SpendRow,
    transaction: Option<B256>,
) -> Result<Sighting, ChainError> {
    // Before the receipt: what is not there by now was not mined up to this block.
    let safe = reader.safe_block().await?;
    let receipt = match transaction {
        Some(transaction) => reader.receipt(transaction).await?,
        None => None,
    };
    let over = match row.terms {
        ChainTerms::Tempo { valid_before, .. } => safe.timestamp >= valid_before,
        _ => false,
    };
    Ok(match receipt {
        Some(seen) if seen.block_number > safe.number => {
            Sighting::Pending { seen: Some((seen.tx, seen.block_number)), detail: None }
        }
        Some(mined) if mined.succeeded => {
            Sighting::Settled { transaction: mined.tx, block: mined.block_number }
        }
        Some(failed) => Sighting::Void {
            reason: format!("transaction {} was mined and failed", failed.tx),
            transaction: Some(failed.tx),
        },
        None if over => Sighting::Void {
            reason: format!("its time was over at safe block {}, unmined", safe.number),
            transaction: None,
        },
        None => Sighting::Pending { seen: None, detail: None },
    })
}

fn sighting(outcome: TempoOutcome) -> Sighting {
    let seen =
        |transaction, block| Sighting::Pending { seen: Some((transaction, block)), detail: None };
    match outcome {
        TempoOutcome::Moved { movement, finality: Finality::Seen } => {
            seen(movement.transaction, movement.block)
        }
        TempoOutcome::Moved { movement, finality: Finality::Safe(_) } => {
            Sighting::Settled { transaction: movement.transaction, block: movement.block }
        }
        TempoOutcome::Diverted { movement } => Sighting::Pending {
            seen: None,
            detail: Some(format!(
                "transaction {} moved {} base units to {} instead; an operator must look",
                movement.transaction, movement.amount, movement.to
            )),
        },
        TempoOutcome::InChannel { deposit, finality: Finality::Seen } => {
            seen(deposit.transaction, deposit.block)
        }
        TempoOutcome::InChannel { deposit, finality: Finality::Safe(_) } => {
            Sighting::Deposited { transaction: deposit.transaction, block: deposit.block }
        }
        TempoOutcome::Ended { closed, finality: Finality::Seen, .. } => {
            seen(closed.transaction, closed.block)
        }
        TempoOutcome::Ended { closed, share, finality: Finality::Safe(_), .. } => {
            Sighting::Ended { transaction: closed.transaction, block: closed.block, settled: share }
        }
        TempoOutcome::KeySet { log, finality: Finality::Seen } => seen(log.transaction, log.block),
        TempoOutcome::KeySet { log, finality: Finality::Safe(_) } => {
            Sighting::Settled { transaction: log.transaction, block: log.block }
        }
        TempoOutcome::NeverMined { unseen } => Sighting::Void {
            reason: format!(
                "in no block from {} to {}, where its time was over",
                unseen.from.number, unseen.to.number
            ),
            transaction: None,
        },
        TempoOutcome::Pending { .. } => Sighting::Pending { seen: None, detail: None },
    }
}

#[cfg(test)]
mod tests;
