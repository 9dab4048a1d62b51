//! What became of an EIP-3009 authorization (`EIP3009.sol`: `authorizationState` is true once it
//! is used *or* cancelled, and the event tells which).

use std::sync::Arc;

use alloy_primitives::{Address, B256, U256};
use alloy_rpc_types_eth::{BlockId, BlockNumberOrTag, Filter, Log};
use alloy_sol_types::SolEvent as _;
use tercet_policy::evidence::{CancelledAuthorization, SafeBlock, UsedAuthorization};
use tercet_policy::money::Amount;
use tercet_policy::time::UnixSeconds;

use crate::endpoint::{Endpoint, LOG_SPAN_BLOCKS};
use crate::error::{ChainError, FailureCause, Read};
use crate::evidence::{Finality, Measure, firmest};
use crate::reader::ChainReader;
use crate::receipt::{
    ExpectedSettlement, Receipt, SettlementProof, TransferSeen, Unproven, verify_settlement,
};
use crate::usdc::Usdc::{AuthorizationCanceled, AuthorizationUsed, authorizationStateCall};

/// Most log queries for one authorization: at two seconds a block, over a day of Base.
const LOG_QUERIES_MAX: usize = 32;
/// Doublings that reach the first block of any chain.
const DOUBLINGS_MAX: u32 = 63;

/// The authorization that is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthorizationQuery {
    /// Token contract.
    pub token: Address,
    /// Payer.
    pub from: Address,
    /// EIP-3009 nonce.
    pub nonce: B256,
    /// Payee that was signed.
    pub to: Address,
    /// Base units that were signed.
    pub value: Amount,
    /// `validBefore` that was signed.
    pub valid_before: UnixSeconds,
    /// A time, by the chain, at which it was not yet signed: its log is not looked for earlier.
    pub since: UnixSeconds,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorizationOutcome {
    /// It was used, and what moved is what was signed.
    Settled {
        /// The payment.
        used: UsedAuthorization,
        /// Its place on chain.
        proof: SettlementProof,
        /// How firm that is.
        finality: Finality,
    },
    /// It was used, and something else moved. With one digest per slot this cannot happen; where it does,
    /// an operator must look, and the money counts as spent.
    Mismatched {
        /// The transaction.
        tx: B256,
        /// What moved instead, if anything.
        found: Option<TransferSeen>,
        /// How firm that is.
        finality: Finality,
    },
    /// It was cancelled. Nothing may be released before that is safe.
    Cancelled {
        /// The cancellation.
        log: CancelledAuthorization,
        /// How firm that is.
        finality: Finality,
    },
    /// A quorum says that it was unused at this safe block, whose time is `validBefore` or later: it
    /// can never be used any more.
    Dead {
        /// The block.
        at: SafeBlock,
    },
    /// It may still be used. Also the answer while endpoints disagree about its death.
    Live {
        /// The safe block this was seen at, where a quorum agreed on one.
        safe_block: Option<SafeBlock>,
    },
}

/// What one endpoint shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sighting {
    Settled(SettlementProof),
    Mismatched {
        tx: B256,
        block: u64,
        found: Option<TransferSeen>,
    },
    Cancelled {
        tx: B256,
        block: u64,
    },
    /// Unused at the agreed safe block, whose time has reached `validBefore`.
    Dead,
    Live,
}

impl ChainReader {
    /// Asks every endpoint what became of an authorization, and concludes.
    ///
    /// # Errors
    /// [`ChainError::NoQuorum`] when nobody answers, [`ChainError::WrongChain`].
    pub async fn authorization_outcome(
        &self,
        query: &AuthorizationQuery,
    ) -> Result<AuthorizationOutcome, ChainError> {
        // Before the sightings: what they show at or below this block was already safe.
        let measure = self.measure().await?;
        let query = *query;
        let look = move |endpoint| look(endpoint, query, measure.safe_block);
        let sightings = self.ask(Read::Authorization, look).await?.of_anybody()?;
        Ok(conclude(&query, measure, &sightings))
    }
}

/// One endpoint's sighting of a use outweighs every other's denial; a death needs a quorum.
fn conclude(
    query: &AuthorizationQuery,
    measure: Measure,
    sightings: &[Sighting],
) -> AuthorizationOutcome {
    if let Some(used) = conclude_used(query, measure, sightings) {
        return used;
    }
    let cancelled = firmest(sightings, |seen| match seen {
        Sighting::Cancelled { tx, block } => Some((*tx, *block)),
        _ => None,
    });
    if let Some(((transaction, block), votes)) = cancelled {
        let (token, authorizer, nonce) = (query.token, query.from, query.nonce);
        let log = CancelledAuthorization { token, authorizer, nonce, transaction, block };
        return AuthorizationOutcome::Cancelled { log, finality: measure.finality(votes, block) };
    }
    let dead = sightings.iter().filter(|seen| **seen == Sighting::Dead).count();
    match measure.safe_block {
        Some(at) if dead >= measure.quorum => AuthorizationOutcome::Dead { at },
        safe_block => AuthorizationOutcome::Live { safe_block },
    }
}

fn conclude_used(
    query: &AuthorizationQuery,
    measure: Measure,
    sightings: &[Sighting],
) -> Option<AuthorizationOutcome> {
    let (seen, votes) = firmest(sightings, |seen| match seen {
        Sighting::Settled(_) | Sighting::Mismatched { .. } => Some(*seen),
        _ => None,
    })?;
    match seen {
        Sighting::Settled(proof) => Some(AuthorizationOutcome::Settled {
            used: UsedAuthorization {
                token: query.token,
                from: query.from,
                to: query.to,
                value: query.value,
                nonce: query.nonce,
                transaction: proof.tx(),
                block: proof.block_number(),
            },
            proof,
            finality: measure.finality(votes, proof.block_number()),
        }),
        Sighting::Mismatched { tx, block, found } => {
            let finality = measure.finality(votes, block);
            Some(AuthorizationOutcome::Mismatched { tx, found, finality })
        }
        _ => None,
    }
}

async fn look(
    endpoint: Arc<Endpoint>,
    query: AuthorizationQuery,
    safe_block: Option<SafeBlock>,
) -> Result<Sighting, FailureCause> {
    let state = authorizationStateCall { authorizer: query.from, nonce: query.nonce };
    if endpoint.view(query.token, &state, BlockId::latest()).await? {
        return find_use(&endpoint, &query).await;
    }
    let Some(block) = safe_block.filter(|block| block.timestamp >= query.valid_before) else {
        return Ok(Sighting::Live);
    };
    // By hash, so that the answer is about the agreed block and no other.
    let used = endpoint.view(query.token, &state, BlockId::hash(block.hash)).await?;
    Ok(if used { Sighting::Live } else { Sighting::Dead })
}

async fn find_use(
    endpoint: &Endpoint,
    query: &AuthorizationQuery,
) -> Result<Sighting, FailureCause> {
    let log = find_log(endpoint, query).await?;
    let (tx, block) = log
        .transaction_hash
        .zip(log.block_number)
        .ok_or(FailureCause::Nonsense { what: "a log without its transaction" })?;
    if log.topic0() == Some(&AuthorizationCanceled::SIGNATURE_HASH) {
        return Ok(Sighting::Cancelled { tx, block });
    }
    let receipt = endpoint.receipt(tx).await?;
    let receipt = receipt.ok_or(FailureCause::Missing { what: "the receipt of a use" })?;
    judge(&receipt, query)
}

fn judge(receipt: &Receipt, query: &AuthorizationQuery) -> Result<Sighting, FailureCause> {
    let AuthorizationQuery { token, from, nonce, to, value, .. } = *query;
    let expected = ExpectedSettlement { token, from, to, value, nonce };
    match verify_settlement(receipt, &expected) {
        Ok(proof) => Ok(Sighting::Settled(proof)),
        Err(Unproven::OtherTransfer { found }) => {
            Ok(Sighting::Mismatched { tx: receipt.tx, block: receipt.block_number, found })
        }
        Err(Unproven::Reverted | Unproven::NotUsed | Unproven::NoTransfer) => {
            Err(FailureCause::Nonsense { what: "a receipt that contradicts its own logs" })
        }
    }
}

/// The log of the use or the cancellation.
async fn find_log(endpoint: &Endpoint, query: &AuthorizationQuery) -> Result<Log, FailureCause> {
    let events = vec![AuthorizationUsed::SIGNATURE_HASH, AuthorizationCanceled::SIGNATURE_HASH];
    let filter = Filter::new()
        .address(query.token)
        .event_signature(events)
        .topic1(U256::from_be_slice(query.from.as_slice()))
        .topic2(query.nonce);
    let head = endpoint.block(BlockNumberOrTag::Latest).await?.number;
    let mut first = block_before(endpoint, head, query.since).await?;
    for _ in 0..LOG_QUERIES_MAX {
        let last = first.saturating_add(LOG_SPAN_BLOCKS).min(head);
        let found = endpoint.logs(&filter.clone().from_block(first).to_block(last)).await?;
        if let Some(log) = found.into_iter().find(|log| is_about(log, query)) {
            return Ok(log);
        }
        if last >= head {
            break;
        }
        first = last.saturating_add(1);
    }
    // Used, and yet no log: pruned, reorganised meanwhile, or further on than we look. Nothing follows.
    Err(FailureCause::Missing { what: "the log of a used authorization" })
}

/// A block not later than `since`, by steps back from the head that double: few for what is recent.
async fn block_before(
    endpoint: &Endpoint,
    head: u64,
    since: UnixSeconds,
) -> Result<u64, FailureCause> {
    for doubling in 0..DOUBLINGS_MAX {
        let number = head.saturating_sub(1 << doubling);
        if number == 0 || endpoint.block(number.into()).await?.timestamp <= since {
            return Ok(number);
        }
    }
    Ok(0)
}

/// Servers are not trusted to filter.
fn is_about(log: &Log, query: &AuthorizationQuery) -> bool {
    let topics = log.topics();
    !log.removed
        && log.address() == query.token
        && topics.get(1) == Some(&query.from.into_word())
        && topics.get(2) == Some(&query.nonce)
}

#[cfg(test)]
mod tests;
