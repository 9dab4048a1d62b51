//! The endpoints of one chain, asked together.

use std::fmt;
use std::sync::Arc;

use alloy_primitives::{Address, B256, U256};
use alloy_rpc_types_eth::{BlockId, BlockNumberOrTag};
use futures_util::future::join_all;
use tercet_policy::chain::{ASSETS, Asset, Chain};
use tercet_policy::evidence::SafeBlock;
use tercet_policy::money::Amount;
use tercet_policy::proposal::{MAX_FEE_PER_GAS_WEI_MAX, MAX_PRIORITY_FEE_PER_GAS_WEI_MAX};

use crate::endpoint::Endpoint;
use crate::endpoints::Endpoints;
use crate::error::{ChainError, FailureCause, Read};
use crate::evidence::{BlockRef, Measure};
use crate::quorum::{Answers, most_common, reached_by};
use crate::receipt::Receipt;
use crate::transport::http_client;
use crate::usdc::Usdc;

/// Gas limit of a USDC transfer: 45,000 to 60,000 are used (a first transfer to a payee costs most),
/// and what is left over is not paid for.
pub const TRANSFER_GAS_LIMIT: u64 = 100_000;
/// How often the base fee may double before the transaction waits: `maxFeePerGas` is this many
/// times the base fee, plus the tip. Base's fee at most doubles in about six blocks (EIP-1559).
const BASE_FEE_MULTIPLE: u128 = 2;

/// Reads one chain through its endpoints, and hands them signed transactions. Cheap to clone.
#[derive(Clone)]
pub struct ChainReader {
    chain: Chain,
    quorum: usize,
    endpoints: Vec<Arc<Endpoint>>,
}

/// What a wallet holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balances {
    /// Ether, in wei; zero on Tempo, which has no coin of its own.
    pub native: Amount,
    /// The token, in base units.
    pub token: Amount,
}

/// What a wallet holds of everything that is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holdings {
    /// Ether, in wei; zero on Tempo.
    pub native: Amount,
    /// The registered tokens that the chain has, in base units.
    pub tokens: Vec<(&'static Asset, Amount)>,
}

/// Fees for a transaction that is to be mined soon (EIP-1559), in wei per gas, held under the ceilings
/// that every signer checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeeQuote {
    /// `maxFeePerGas`.
    pub max_fee_per_gas: Amount,
    /// `maxPriorityFeePerGas`.
    pub max_priority_fee_per_gas: Amount,
}

impl ChainReader {
    /// A reader over these endpoints. Connects to nothing yet; an endpoint's chain id is checked when it
    /// is first asked.
    ///
    /// # Errors
    /// [`ChainError::NoHttpClient`] if the system's TLS settings are unusable.
    pub fn new(endpoints: &Endpoints) -> Result<Self, ChainError> {
        let (chain, client) = (endpoints.chain(), http_client()?);
        let each = |url: &url::Url| Arc::new(Endpoint::new(chain, client.clone(), url.clone()));
        let quorum = endpoints.quorum();
        Ok(Self { chain, quorum, endpoints: endpoints.urls().iter().map(each).collect() })
    }

    /// The chain it reads.
    #[must_use]
    pub const fn chain(&self) -> Chain {
        self.chain
    }

    /// What `wallet` holds at the newest block: the least that a quorum of answers says.
    ///
    /// # Errors
    /// [`ChainError`] when fewer than a quorum answer.
    pub async fn balances(&self, wallet: Address, token: Address) -> Result<Balances, ChainError> {
        let read = move |endpoint| balances_at(endpoint, wallet, token);
        let given = self.ask(Read::Balances, read).await?.of_a_quorum()?;
        let least = |of: fn(&Balances) -> Amount| given.iter().map(of).min().unwrap_or_default();
        Ok(Balances { native: least(|b| b.native), token: least(|b| b.token) })
    }

    /// What `wallet` holds of every registered token. A test chain may lack one: it is left out, as
    /// long as there is another.
    ///
    /// # Errors
    /// [`ChainError`] when fewer than a quorum answer about any.
    pub async fn holdings(&self, wallet: Address) -> Result<Holdings, ChainError> {
        let registered = ASSETS.iter().filter(|asset| asset.chain == self.chain);
        let asked = registered
            .map(|asset| async move { (asset, self.balances(wallet, asset.token).await) });
        let (mut native, mut tokens, mut missing) = (None, Vec::new(), None);
        for (asset, held) in join_all(asked).await {
            match held {
                Ok(held) => {
                    native = Some(held.native);
                    tokens.push((asset, held.token));
                }
                Err(error) => missing = Some(error),
            }
        }
        match (native, missing) {
            (Some(native), _) => Ok(Holdings { native, tokens }),
            (None, error) => Err(error.unwrap_or_else(|| self.no_quorum(Read::Balances))),
        }
    }

    /// Fees for a transaction now: the middle of the answers, so that one endpoint cannot set them.
    ///
    /// # Errors
    /// [`ChainError`] when fewer than a quorum answer.
    pub async fn fees(&self) -> Result<FeeQuote, ChainError> {
        let mut given = self.ask(Read::Fees, fees_at).await?.of_a_quorum()?;
        given.sort_unstable();
        let middle = given.len().saturating_sub(1).div_euclid(2);
        given.get(middle).copied().ok_or_else(|| self.no_quorum(Read::Fees))
    }

    /// The account nonce of the wallet's next transaction, with those that wait to be mined counted.
    /// It is a nonce that a quorum agrees on: endpoints differ for a moment after every broadcast,
    /// so ask again on [`ChainError::NoQuorum`].
    ///
    /// # Errors
    /// [`ChainError`] when no quorum agrees.
    pub async fn next_nonce(&self, wallet: Address) -> Result<u64, ChainError> {
        let read = move |endpoint: Arc<Endpoint>| async move {
            endpoint.account_nonce(wallet, BlockId::pending()).await
        };
        self.ask(Read::NextNonce, read).await?.agreed()
    }

    /// The newest block that a quorum has reached, as one of them has it. Good for telling time and for
    /// where to begin to look; it may yet be reorganised away.
    ///
    /// # Errors
    /// [`ChainError`] when fewer than a quorum answer.
    pub async fn head(&self) -> Result<BlockRef, ChainError> {
        let mut given = self.blocks(Read::Head, BlockNumberOrTag::Latest).await?.of_a_quorum()?;
        given.sort_unstable_by_key(|block| std::cmp::Reverse(block.number));
        let reached = given.get(self.quorum.saturating_sub(1)).copied();
        reached.ok_or_else(|| self.no_quorum(Read::Head))
    }

    /// The newest block that a quorum holds to be safe, and on whose hash and time it agrees.
    ///
    /// # Errors
    /// [`ChainError`] when no quorum agrees.
    pub async fn safe_block(&self) -> Result<SafeBlock, ChainError> {
        let given = self.blocks(Read::SafeBlock, BlockNumberOrTag::Safe).await?.of_a_quorum()?;
        let numbers: Vec<u64> = given.iter().map(|block| block.number).collect();
        let number =
            reached_by(&numbers, self.quorum).ok_or_else(|| self.no_quorum(Read::SafeBlock))?;
        let at_number: Vec<BlockRef> = given.into_iter().filter(|b| b.number == number).collect();
        let block = match most_common(&at_number) {
            Some((block, votes)) if votes >= self.quorum => *block,
            _ => {
                let read = move |endpoint| safe_block_at(endpoint, number);
                self.ask(Read::SafeBlock, read).await?.agreed()?
            }
        };
        let BlockRef { number, hash, timestamp } = block;
        Ok(SafeBlock { number, hash, timestamp })
    }

    /// How sightings made from now on are to be judged. Without a quorum on a safe block, nothing
    /// is more than seen.
    pub(crate) async fn measure(&self) -> Result<Measure, ChainError> {
        let safe_block = match self.safe_block().await {
            Ok(block) => Some(block),
            Err(ChainError::NoQuorum { .. }) => None,
            Err(other) => return Err(other),
        };
        Ok(Measure { quorum: self.quorum, safe_block })
    }

    /// A block by its height, as a quorum has it.
    ///
    /// # Errors
    /// [`ChainError`] when no quorum agrees.
    pub async fn block(&self, number: u64) -> Result<BlockRef, ChainError> {
        self.blocks(Read::Block, number.into()).await?.agreed()
    }

    /// A transaction's receipt as a quorum has it; nothing while a quorum does not have it.
    ///
    /// # Errors
    /// [`ChainError`] when no quorum agrees, as for a moment after it is mined.
    pub async fn receipt(&self, tx: B256) -> Result<Option<Receipt>, ChainError> {
        let read = move |endpoint: Arc<Endpoint>| async move { endpoint.receipt(tx).await };
        self.ask(Read::Receipt, read).await?.agreed()
    }

    async fn blocks(
        &self,
        read: Read,
        tag: BlockNumberOrTag,
    ) -> Result<Answers<BlockRef>, ChainError> {
        let block = move |endpoint: Arc<Endpoint>| async move { endpoint.block(tag).await };
        self.ask(read, block).await
    }

    /// Asks every endpoint at once.
    pub(crate) async fn ask<T, F, Answer>(
        &self,
        read: Read,
        question: F,
    ) -> Result<Answers<T>, ChainError>
    where
        F: Fn(Arc<Endpoint>) -> Answer,
        Answer: Future<Output = Result<T, FailureCause>>,
    {
        let asked = self.endpoints.iter().map(|endpoint| question(Arc::clone(endpoint)));
        Answers::sort(read, self.quorum, self.chain, join_all(asked).await)
    }

    const fn no_quorum(&self, read: Read) -> ChainError {
        ChainError::NoQuorum { read, agreeing: 0, needed: self.quorum, failures: Vec::new() }
    }
}

impl fmt::Debug for ChainReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChainReader")
            .field("chain", &self.chain)
            .field("endpoints", &self.endpoints.len())
            .field("quorum", &self.quorum)
            .finish()
    }
}

async fn balances_at(
    endpoint: Arc<Endpoint>,
    wallet: Address,
    token: Address,
) -> Result<Balances, FailureCause> {
    let call = Usdc::balanceOfCall { account: wallet };
    let units = endpoint.view(token, &call, BlockId::latest()).await?;
    let wei = endpoint.native_balance(wallet).await?;
    Ok(Balances { native: amount(wei)?, token: amount(units)? })
}

async fn fees_at(endpoint: Arc<Endpoint>) -> Result<FeeQuote, FailureCause> {
    let (base_fee, tip) = endpoint.fee_figures().await?;
    let tip = tip.min(MAX_PRIORITY_FEE_PER_GAS_WEI_MAX);
    let fee = u128::from(base_fee).saturating_mul(BASE_FEE_MULTIPLE).saturating_add(tip);
    let fee = fee.min(MAX_FEE_PER_GAS_WEI_MAX);
    Ok(FeeQuote {
        max_fee_per_gas: Amount::from_base_units(fee),
        max_priority_fee_per_gas: Amount::from_base_units(tip.min(fee)),
    })
}

/// A block at the height that became the agreed one; an endpoint votes only once it is safe there.
async fn safe_block_at(endpoint: Arc<Endpoint>, number: u64) -> Result<BlockRef, FailureCause> {
    let safe = endpoint.block(BlockNumberOrTag::Safe).await?;
    if safe.number < number {
        return Err(FailureCause::Missing { what: "the safe block of the others" });
    }
    endpoint.block(number.into()).await
}

fn amount(value: U256) -> Result<Amount, FailureCause> {
    let units = u128::try_from(value);
    units.map(Amount::from_base_units).map_err(|_| FailureCause::Nonsense { what: "a balance" })
}
