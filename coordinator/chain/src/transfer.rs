//! What became of a transfer that the wallet sent itself.

use std::sync::Arc;

use alloy_primitives::{Address, B256};
use alloy_rpc_types_eth::BlockId;
use tercet_policy::evidence::{MinedTransaction, SafeBlock};
use tercet_policy::money::Amount;

use crate::endpoint::Endpoint;
use crate::error::{ChainError, FailureCause, Read};
use crate::evidence::{Finality, Measure};
use crate::quorum::most_common;
use crate::reader::ChainReader;
use crate::receipt::{ExpectedTransfer, SettlementProof, verify_transfer};

/// Most transactions that one transfer may have been signed as (the first, and fee bumps).
pub const TRANSACTION_HASHES_MAX: usize = 16;
/// Steps that find one block among 2^63: doublings back, then halvings.
const STEPS_MAX: u32 = 63;

/// The transfer that is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferQuery {
    /// The wallet.
    pub wallet: Address,
    /// Its account nonce.
    pub account_nonce: u64,
    /// Transactions that were signed for it: at most [`TRANSACTION_HASHES_MAX`]. One that is left out is
    /// found all the same once it is safe, with more questions.
    pub tx_hashes: Vec<B256>,
    /// Token contract.
    pub token: Address,
    /// Payee.
    pub to: Address,
    /// Base units.
    pub value: Amount,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransferOutcome {
    /// A transaction with its account nonce was mined, and what moved is what was signed.
    Settled {
        /// The transaction.
        transaction: MinedTransaction,
        /// Its place on chain.
        proof: SettlementProof,
        /// How firm that is.
        finality: Finality,
    },
    /// A transaction with its account nonce was mined, and failed. Nothing may be released before that
    /// is safe.
    Failed {
        /// The transaction.
        transaction: MinedTransaction,
        /// How firm that is.
        finality: Finality,
    },
    /// A transaction with its account nonce was mined with success, and the transfer is not in it. Nothing
    /// may be released before that is safe.
    Taken {
        /// The transaction.
        transaction: MinedTransaction,
        /// How firm that is.
        finality: Finality,
    },
    /// It may still be mined. Also the answer while endpoints disagree.
    Pending {
        /// The safe block this was seen at, where a quorum agreed on one.
        safe_block: Option<SafeBlock>,
    },
}

/// What one endpoint shows of a transaction with the transfer's account nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mined {
    transaction: MinedTransaction,
    block_hash: B256,
    /// The transfer itself, where the receipt shows it.
    shown: Option<SettlementProof>,
}

impl ChainReader {
    /// Asks every endpoint what became of a transfer, and concludes.
    ///
    /// # Errors
    /// [`ChainError::NoQuorum`] when nobody answers, [`ChainError::WrongChain`],
    /// [`ChainError::TooMuch`] for too many transaction hashes.
    pub async fn transfer_outcome(
        &self,
        query: &TransferQuery,
    ) -> Result<TransferOutcome, ChainError> {
        if query.tx_hashes.len() > TRANSACTION_HASHES_MAX {
            return Err(ChainError::TooMuch {
                what: "the number of transactions of one transfer",
                given: query.tx_hashes.len(),
                limit: TRANSACTION_HASHES_MAX,
            });
        }
        // Before the sightings: what they show at or below this block was already safe.
        let measure = self.measure().await?;
        let shared = Arc::new(query.clone());
        let look = |endpoint| look(endpoint, Arc::clone(&shared), measure.safe_block);
        let sightings = self.ask(Read::Transfer, look).await?.of_anybody()?;
        Ok(conclude(measure, sightings))
    }
}

/// One endpoint's sighting of a success outweighs every other's word; then the most common counts.
fn conclude(measure: Measure, sightings: Vec<Option<Mined>>) -> TransferOutcome {
    let mut mined: Vec<Mined> = sightings.into_iter().flatten().collect();
    if mined.iter().any(|seen| seen.shown.is_some()) {
        mined.retain(|seen| seen.shown.is_some());
    }
    let Some((Mined { transaction, shown, .. }, votes)) = most_common(&mined) else {
        return TransferOutcome::Pending { safe_block: measure.safe_block };
    };
    let finality = measure.finality(votes, transaction.block);
    let transaction = transaction.clone();
    match shown {
        Some(proof) => TransferOutcome::Settled { transaction, proof: *proof, finality },
        None if transaction.succeeded => TransferOutcome::Taken { transaction, finality },
        None => TransferOutcome::Failed { transaction, finality },
    }
}

async fn look(
    endpoint: Arc<Endpoint>,
    query: Arc<TransferQuery>,
    safe_block: Option<SafeBlock>,
) -> Result<Option<Mined>, FailureCause> {
    for tx in &query.tx_hashes {
        if let Some(seen) = mined(&endpoint, &query, *tx).await? {
            return Ok(Some(seen));
        }
    }
    let Some(safe_block) = safe_block else { return Ok(None) };
    let at_safe = BlockId::hash(safe_block.hash);
    if endpoint.account_nonce(query.wallet, at_safe).await? <= query.account_nonce {
        return Ok(None);
    }
    // A receipt that is not there proves nothing: servers prune. The transaction that took the nonce does.
    let taker = find_taker(&endpoint, &query, safe_block.number).await?;
    let missing = FailureCause::Missing { what: "the receipt of a mined transaction" };
    mined(&endpoint, &query, taker).await?.ok_or(missing).map(Some)
}

/// A transaction with its receipt, where it is mined.
async fn mined(
    endpoint: &Endpoint,
    query: &TransferQuery,
    tx: B256,
) -> Result<Option<Mined>, FailureCause> {
    let Some(receipt) = endpoint.receipt(tx).await? else { return Ok(None) };
    let transaction = endpoint
        .transaction(&receipt)
        .await?
        .filter(|mined| (mined.from, mined.nonce) == (query.wallet, query.account_nonce))
        .ok_or(FailureCause::Nonsense { what: "a transaction of another sender or nonce" })?;
    let TransferQuery { wallet: from, token, to, value, .. } = *query;
    let shown = verify_transfer(&receipt, &ExpectedTransfer { token, from, to, value }).ok();
    Ok(Some(Mined { transaction, block_hash: receipt.block_hash, shown }))
}

/// The transaction that spent the account nonce. The nonce only rises, so its block is found by steps back
/// from the safe block that double, and then by halving.
async fn find_taker(
    endpoint: &Endpoint,
    query: &TransferQuery,
    safe_number: u64,
) -> Result<B256, FailureCause> {
    let (mut unspent, mut spent) = (0, safe_number);
    for doubling in 0..STEPS_MAX {
        let number = safe_number.saturating_sub(1 << doubling);
        if number == 0 {
            break;
        }
        if endpoint.account_nonce(query.wallet, number.into()).await? <= query.account_nonce {
            unspent = number;
            break;
        }
        spent = number;
    }
    for _ in 0..STEPS_MAX {
        if spent.saturating_sub(unspent) <= 1 {
            break;
        }
        let middle = unspent.midpoint(spent);
        let nonce = endpoint.account_nonce(query.wallet, middle.into()).await?;
        if nonce > query.account_nonce { spent = middle } else { unspent = middle }
    }
    let found = endpoint.transaction_in(spent, query.wallet, query.account_nonce).await?;
    found.ok_or(FailureCause::Missing { what: "the transaction that took the nonce" })
}

#[cfg(test)]
mod tests;
