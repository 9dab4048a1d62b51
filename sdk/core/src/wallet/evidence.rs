//! What this process's own endpoints say about its payments.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256};
use async_trait::async_trait;
use tercet_api::resource::{ChainBalance, TokenBalance};
use tercet_chain::{
    AuthorizationOutcome, AuthorizationQuery, ChainError, ChainReader, ExpectedSettlement,
    ExpectedTransfer, Finality as ChainFinality, SettlementProof, verify_settlement,
    verify_transfer,
};
use tercet_policy::chain::{Chain, Family};
use tercet_policy::intent::PaymentIntent;
use tercet_policy::mpp::ChannelId;

use super::{WalletConfig, not_ready};
use crate::error::Error;
use crate::seam::{
    Authorized, ChannelSeen, DepositFate, Evidence, EvidenceUnavailable, Fate, Finality, Settlement,
};

/// How far our clock may be ahead of the chain's for a use to be found all the same, in seconds.
const CLOCK_MARGIN_SECONDS: u64 = 900;

/// Readers over the endpoints that a wallet's configuration names.
#[derive(Clone)]
pub struct ChainEvidence {
    readers: BTreeMap<Chain, ChainReader>,
}

impl ChainEvidence {
    /// Readers for every chain of a configuration. Connects to nothing yet.
    ///
    /// # Errors
    /// [`Error::NotReady`] for bad endpoints, and for rules that name a chain without any: nobody
    /// could tell what became of a payment there.
    pub fn new(config: &WalletConfig) -> Result<Self, Error> {
        let mut readers = BTreeMap::new();
        for entry in &config.chains {
            let endpoints = entry.endpoints().map_err(not_ready)?;
            readers.insert(entry.chain, ChainReader::new(&endpoints).map_err(not_ready)?);
        }
        match config.rules.chains.iter().find(|chain| !readers.contains_key(chain)) {
            None => Ok(Self { readers }),
            Some(chain) => Err(Error::NotReady(format!(
                "the rules name {chain}, and [[chains]] has no endpoints for it"
            ))),
        }
    }

    pub(super) fn reader(&self, chain: Chain) -> Result<&ChainReader, EvidenceUnavailable> {
        let detail = || EvidenceUnavailable { detail: format!("no endpoints for {chain}") };
        self.readers.get(&chain).ok_or_else(detail)
    }

    /// What a wallet has on every chain.
    pub(super) async fn balances(&self, wallet: Address) -> Result<Vec<ChainBalance>, Error> {
        let mut balances = Vec::new();
        for (&chain, reader) in &self.readers {
            let held = reader.holdings(wallet).await.map_err(not_ready)?;
            let of = |(asset, amount)| TokenBalance::of(asset, amount);
            let tokens = held.tokens.into_iter().map(of).collect();
            balances.push(ChainBalance::of(chain, held.native, tokens));
        }
        Ok(balances)
    }

    /// A transfer inside a transaction, if it is there.
    pub(super) async fn transfer_in(
        &self,
        chain: Chain,
        transaction: B256,
        expected: &ExpectedTransfer,
    ) -> Result<Option<Settlement>, EvidenceUnavailable> {
        let receipt = self.reader(chain)?.receipt(transaction).await.map_err(unavailable)?;
        Ok(receipt.and_then(|found| verify_transfer(&found, expected).ok()).map(place))
    }
}

#[async_trait]
impl Evidence for ChainEvidence {
    async fn fate(&self, asked: &Authorized) -> Result<Fate, EvidenceUnavailable> {
        if asked.chain.family() == Family::Tempo {
            return self.charge_fate(asked).await;
        }
        let query = AuthorizationQuery {
            token: asked.token,
            from: asked.from,
            nonce: asked.nonce,
            to: asked.to,
            value: asked.value,
            valid_before: asked.valid_before,
            since: asked.since.minus(CLOCK_MARGIN_SECONDS),
        };
        let outcome = self.reader(asked.chain)?.authorization_outcome(&query).await;
        Ok(fate(outcome.map_err(unavailable)?))
    }

    async fn settlement_in(
        &self,
        transaction: B256,
        asked: &Authorized,
    ) -> Result<Option<Settlement>, EvidenceUnavailable> {
        if asked.chain.family() == Family::Tempo {
            // The memo finds it, whatever transaction the service names.
            return Ok(None);
        }
        let expected = ExpectedSettlement {
            token: asked.token,
            from: asked.from,
            to: asked.to,
            value: asked.value,
            nonce: asked.nonce,
        };
        let receipt = self.reader(asked.chain)?.receipt(transaction).await.map_err(unavailable)?;
        Ok(receipt.and_then(|found| verify_settlement(&found, &expected).ok()).map(place))
    }

    async fn deposit(&self, intent: &PaymentIntent) -> Result<DepositFate, EvidenceUnavailable> {
        self.deposit_fate(intent).await
    }

    async fn channel(
        &self,
        chain: Chain,
        channel: ChannelId,
    ) -> Result<ChannelSeen, EvidenceUnavailable> {
        self.channel_seen(chain, channel).await
    }
}

fn fate(outcome: AuthorizationOutcome) -> Fate {
    match outcome {
        AuthorizationOutcome::Settled { proof, finality, .. } => Fate::Settled {
            settlement: place(proof),
            finality: match finality {
                ChainFinality::Seen => Finality::Seen,
                ChainFinality::Safe(_) => Finality::Safe,
            },
        },
        AuthorizationOutcome::Mismatched { tx, .. } => {
            tracing::error!(%tx, "a nonce of ours was used for something that was not signed");
            Fate::Open
        }
        AuthorizationOutcome::Cancelled { log, finality: ChainFinality::Safe(_) } => {
            Fate::Void { cause: format!("cancelled by {}", log.transaction) }
        }
        AuthorizationOutcome::Dead { at } => {
            Fate::Void { cause: format!("unused and expired at safe block {}", at.number) }
        }
        AuthorizationOutcome::Cancelled { .. } | AuthorizationOutcome::Live { .. } => Fate::Open,
    }
}

const fn place(proof: SettlementProof) -> Settlement {
    Settlement {
        transaction: proof.tx(),
        block_number: proof.block_number(),
        block_hash: proof.block_hash(),
        log_index: proof.log_index(),
    }
}

pub(super) fn unavailable(error: ChainError) -> EvidenceUnavailable {
    EvidenceUnavailable { detail: error.to_string() }
}
