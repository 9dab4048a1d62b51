//! What a transaction of somebody else's shows of a transfer.

use tercet_chain::{ChainError, ChainReader, Receipt, TransferSeen, token_transfers};
use tercet_policy::money::Amount;

use super::{Moved, Movement, MovementWish};

pub(super) async fn look(
    reader: &ChainReader,
    wish: &MovementWish,
) -> Result<Movement, ChainError> {
    let Some(receipt) = reader.receipt(wish.transaction).await? else {
        return Ok(Movement::Missing);
    };
    let mined = reader.block(receipt.block_number).await?;
    if mined.hash != receipt.block_hash {
        // Its block was undone between the two answers.
        return Ok(Movement::Missing);
    }
    let safe = match reader.safe_block().await {
        Ok(block) => receipt.block_number <= block.number,
        // Nobody agrees on a safe block, so this one is not.
        Err(ChainError::NoQuorum { .. }) => false,
        Err(other) => return Err(other),
    };
    if mined.timestamp < wish.since {
        let reason = format!("the transaction was mined at {}, before this", mined.timestamp);
        return Ok(Movement::Other { reason, safe });
    }
    Ok(shown(&receipt, wish, safe))
}

fn shown(receipt: &Receipt, wish: &MovementWish, safe: bool) -> Movement {
    let all = token_transfers(receipt, wish.token);
    let transfers: Vec<_> = all.iter().filter_map(|(at, seen)| fitting(*at, seen, wish)).collect();
    if transfers.is_empty() {
        return Movement::Other { reason: instead(receipt, &all), safe };
    }
    Movement::Shown { transfers, block: receipt.block_number, safe }
}

fn fitting(log_index: u64, seen: &TransferSeen, wish: &MovementWish) -> Option<Moved> {
    let units = u128::try_from(seen.value).ok()?;
    let amount = Amount::from_base_units(units);
    let fits = (seen.from, seen.to) == (wish.wallet, wish.to)
        && amount <= wish.at_most
        && amount > Amount::ZERO;
    fits.then_some(Moved { log_index, amount })
}

fn instead(receipt: &Receipt, all: &[(u64, TransferSeen)]) -> String {
    match all.first() {
        _ if !receipt.succeeded => "the transaction failed".to_owned(),
        None => "the transaction moves none of the token".to_owned(),
        Some((_, TransferSeen { from, to, value })) => {
            format!("the transaction moves {value} base units from {from} to {to}")
        }
    }
}

#[cfg(test)]
mod tests;
