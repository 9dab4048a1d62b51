//! This node's own view of the chains, by the endpoints of its configuration.
//!
//! Promises: a balance is the least that a quorum of endpoints says; anything else is not known.
//! Does not protect against: endpoints that lie together.

use std::sync::Arc;

use alloy_primitives::Address;
use tercet_chain::{ChainError, ChainReader};
use tercet_policy::chain::Chain;
use tercet_policy::money::Amount;
use tercet_signer::gate::ReadBalance;

use crate::config::{ConfigError, NodeConfig};

/// Why the chain cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    /// The endpoints.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The reader.
    #[error(transparent)]
    Reader(#[from] ChainError),
}

/// A reader for each configured chain. Clones share them.
#[derive(Clone)]
pub(crate) struct Chains(Arc<[ChainReader]>);

impl Chains {
    /// Readers for the configured chains.
    pub(crate) fn new(config: &NodeConfig) -> Result<Self, Unreadable> {
        let mut readers = Vec::new();
        for chain in &config.chains {
            readers.push(ChainReader::new(&chain.endpoints()?)?);
        }
        Ok(Self(readers.into()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn reader(&self, chain: Chain) -> Option<&ChainReader> {
        self.0.iter().find(|reader| reader.chain() == chain)
    }
}

#[async_trait::async_trait]
impl ReadBalance for Chains {
    async fn balance(&self, chain: Chain, wallet: Address, token: Address) -> Option<Amount> {
        let reader = self.reader(chain)?;
        match reader.balances(wallet, token).await {
            Ok(balances) => Some(balances.token),
            Err(error) => {
                tracing::warn!(%wallet, %chain, %error, "the balance cannot be read");
                None
            }
        }
    }
}
