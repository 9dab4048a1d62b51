//! The clerk before real endpoints.

use std::collections::BTreeMap;
use std::fmt;

use alloy_primitives::{Address, B256, Bytes};
use async_trait::async_trait;
use futures_util::future::join_all;
use tercet_api::resource::{ChainBalance, TokenBalance};
use tercet_chain::{
    AuthorizationOutcome, AuthorizationQuery, ChainError, ChainReader, Endpoints, Finality,
    TRANSFER_GAS_LIMIT, TransferOutcome, TransferQuery,
};
use tercet_policy::chain::Chain;
use tercet_policy::money::Amount;
use tercet_policy::mpp::ChannelId;
use tercet_policy::proposal::ChainTerms;

use super::{
    AuthorizationWish, Clerk, ClerkError, Movement, MovementWish, Sighting, TempoSighting,
    TempoWish, TransferWish, movement, tempo,
};
use crate::config::ChainConfig;

/// One reader per configured chain.
#[derive(Clone)]
pub struct Readers(BTreeMap<Chain, Reader>);

#[derive(Clone)]
struct Reader {
    reader: ChainReader,
    poll_seconds: u64,
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Readers {
    /// Readers for these chains. Connects to nothing yet.
    ///
    /// # Errors
    /// [`ClerkError`] for endpoints that cannot be used.
    pub fn new(chains: &[ChainConfig]) -> Result<Self, ClerkError> {
        let reader = |config: &ChainConfig| {
            let bad = |reason: String| ClerkError::Unavailable { chain: config.id, reason };
            let endpoints = Endpoints::new(config.id, config.rpc.clone(), config.quorum)
                .map_err(|error| bad(error.to_string()))?;
            let reader = ChainReader::new(&endpoints).map_err(|error| bad(error.to_string()))?;
            Ok((config.id, Reader { reader, poll_seconds: config.pace_seconds() }))
        };
        chains.iter().map(reader).collect::<Result<_, _>>().map(Self)
    }

    fn reader(&self, chain: Chain) -> Result<&ChainReader, ClerkError> {
        self.0.get(&chain).map(|r| &r.reader).ok_or(ClerkError::NotConfigured(chain))
    }
}

fn error(chain: Chain, error: &ChainError) -> ClerkError {
    let reason = error.to_string();
    match error {
        ChainError::BroadcastRefused { .. } | ChainError::TooMuch { .. } => {
            ClerkError::Rejected { chain, reason }
        }
        _ => ClerkError::Unavailable { chain, reason },
    }
}

#[async_trait]
impl Clerk for Readers {
    fn chains(&self) -> Vec<Chain> {
        self.0.keys().copied().collect()
    }

    fn poll_seconds(&self, chain: Chain) -> u64 {
        self.0.get(&chain).map_or(1, |reader| reader.poll_seconds.max(1))
    }

    async fn answering(&self) -> Vec<Chain> {
        let heads = self.0.values().map(|r| async { r.reader.head().await.is_ok() });
        let up = join_all(heads).await;
        self.0.keys().zip(up).filter(|(_, up)| *up).map(|(chain, _)| *chain).collect()
    }

    async fn balance(&self, chain: Chain, wallet: Address) -> Result<ChainBalance, ClerkError> {
        let held = self.reader(chain)?.holdings(wallet).await.map_err(|e| error(chain, &e))?;
        let tokens = held.tokens.into_iter().map(|(asset, amount)| TokenBalance::of(asset, amount));
        Ok(ChainBalance::of(chain, held.native, tokens.collect()))
    }

    async fn token_balance(
        &self,
        chain: Chain,
        token: Address,
        wallet: Address,
    ) -> Result<Amount, ClerkError> {
        let read = self.reader(chain)?.balances(wallet, token).await;
        read.map(|balances| balances.token).map_err(|e| error(chain, &e))
    }

    async fn next_nonce(&self, chain: Chain, wallet: Address) -> Result<u64, ClerkError> {
        self.reader(chain)?.next_nonce(wallet).await.map_err(|e| error(chain, &e))
    }

    async fn transfer_terms(&self, chain: Chain, nonce: u64) -> Result<ChainTerms, ClerkError> {
        let fees = self.reader(chain)?.fees().await.map_err(|e| error(chain, &e))?;
        Ok(ChainTerms::Eip1559 {
            nonce,
            gas_limit: TRANSFER_GAS_LIMIT,
            max_fee_per_gas: fees.max_fee_per_gas,
            max_priority_fee_per_gas: fees.max_priority_fee_per_gas,
        })
    }

    async fn broadcast(&self, chain: Chain, raw: &Bytes) -> Result<B256, ClerkError> {
        let sent = self.reader(chain)?.broadcast(raw.clone()).await;
        sent.map(tercet_chain::Broadcast::tx).map_err(|e| error(chain, &e))
    }

    async fn authorization(&self, wish: &AuthorizationWish) -> Result<Sighting, ClerkError> {
        let query = AuthorizationQuery {
            token: wish.token,
            from: wish.wallet,
            nonce: wish.nonce,
            to: wish.to,
            value: wish.amount,
            valid_before: wish.valid_before,
            since: wish.since,
        };
        let outcome = self.reader(wish.chain)?.authorization_outcome(&query).await;
        Ok(authorization_sighting(outcome.map_err(|e| error(wish.chain, &e))?))
    }

    async fn transfer(&self, wish: &TransferWish) -> Result<Sighting, ClerkError> {
        let query = TransferQuery {
            wallet: wish.wallet,
            account_nonce: wish.nonce,
            tx_hashes: wish.transaction.into_iter().collect(),
            token: wish.token,
            to: wish.to,
            value: wish.amount,
        };
        let outcome = self.reader(wish.chain)?.transfer_outcome(&query).await;
        Ok(transfer_sighting(outcome.map_err(|e| error(wish.chain, &e))?))
    }

    async fn tempo(&self, wish: &TempoWish) -> Result<TempoSighting, ClerkError> {
        let chain = wish.row.chain;
        tempo::look(self.reader(chain)?, wish).await.map_err(|e| error(chain, &e))
    }

    async fn is_channel_open(&self, chain: Chain, channel: ChannelId) -> Result<bool, ClerkError> {
        let state = self.reader(chain)?.channel_state(channel).await;
        state.map(|state| state.is_open()).map_err(|e| error(chain, &e))
    }

    async fn movement(&self, wish: &MovementWish) -> Result<Movement, ClerkError> {
        let looked = movement::look(self.reader(wish.chain)?, wish).await;
        looked.map_err(|e| error(wish.chain, &e))
    }
}

const NOTHING: Sighting = Sighting::Pending { seen: None, detail: None };

const fn seen(transaction: B256, block: u64) -> Sighting {
    Sighting::Pending { seen: Some((transaction, block)), detail: None }
}

fn authorization_sighting(outcome: AuthorizationOutcome) -> Sighting {
    match outcome {
        AuthorizationOutcome::Settled { proof, finality: Finality::Seen, .. } => {
            seen(proof.tx(), proof.block_number())
        }
        AuthorizationOutcome::Settled { proof, finality: Finality::Safe(_), .. } => {
            Sighting::Settled { transaction: proof.tx(), block: proof.block_number() }
        }
        AuthorizationOutcome::Cancelled { log, finality: Finality::Seen } => {
            seen(log.transaction, log.block)
        }
        AuthorizationOutcome::Cancelled { log, finality: Finality::Safe(_) } => {
            Sighting::Cancelled { transaction: log.transaction, block: log.block }
        }
        AuthorizationOutcome::Mismatched { tx, .. } => Sighting::Pending {
            seen: None,
            detail: Some(format!(
                "transaction {tx} used the nonce for something else; an operator must look"
            )),
        },
        AuthorizationOutcome::Dead { at } => Sighting::Void {
            reason: format!("unused when its time was over, at safe block {}", at.number),
            transaction: None,
        },
        AuthorizationOutcome::Live { .. } => NOTHING,
    }
}

fn transfer_sighting(outcome: TransferOutcome) -> Sighting {
    match outcome {
        TransferOutcome::Settled { proof, finality: Finality::Seen, .. } => {
            seen(proof.tx(), proof.block_number())
        }
        TransferOutcome::Settled { proof, finality: Finality::Safe(_), .. } => {
            Sighting::Settled { transaction: proof.tx(), block: proof.block_number() }
        }
        TransferOutcome::Failed { transaction, finality: Finality::Seen }
        | TransferOutcome::Taken { transaction, finality: Finality::Seen } => {
            seen(transaction.hash, transaction.block)
        }
        TransferOutcome::Failed { transaction, finality: Finality::Safe(_) } => Sighting::Void {
            reason: format!("transaction {} was mined and failed", transaction.hash),
            transaction: Some(transaction.hash),
        },
        TransferOutcome::Taken { transaction, finality: Finality::Safe(_) } => Sighting::Void {
            reason: format!("transaction {} took its account nonce", transaction.hash),
            transaction: Some(transaction.hash),
        },
        TransferOutcome::Pending { .. } => NOTHING,
    }
}
