//! The clerk: what the coordinator asks of a chain, and no more.
//!
//! Behind the trait are the readers of `tercet-chain`, which ask a quorum; tests put a chain of
//! their own in their place.

mod movement;
mod readers;
mod tempo;

use std::fmt::Debug;

use alloy_primitives::{Address, B256, Bytes};
use async_trait::async_trait;
use tercet_api::resource::ChainBalance;
use tercet_policy::chain::Chain;
use tercet_policy::money::Amount;
use tercet_policy::mpp::ChannelId;
use tercet_policy::proposal::ChainTerms;
use tercet_policy::rows::SpendRow;
use tercet_policy::time::UnixSeconds;

pub use readers::Readers;

/// Why the clerk has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClerkError {
    /// No endpoints are configured for the chain.
    #[error("chain {0} is not configured here")]
    NotConfigured(Chain),
    /// The endpoints do not answer or disagree. Ask again.
    #[error("chain {chain} does not answer: {reason}")]
    Unavailable {
        /// The chain.
        chain: Chain,
        /// Why.
        reason: String,
    },
    /// The endpoints refuse the transaction.
    #[error("chain {chain} refuses the transaction: {reason}")]
    Rejected {
        /// The chain.
        chain: Chain,
        /// An endpoint's words.
        reason: String,
    },
}

/// What has become of a payment on chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// Nothing is decided.
    Pending {
        /// The transaction and block in which it was seen, where that is not yet safe.
        seen: Option<(B256, u64)>,
        /// For people.
        detail: Option<String>,
    },
    /// It is in the chain at a safe block.
    Settled {
        /// The transaction.
        transaction: B256,
        /// Its block.
        block: u64,
    },
    /// An authorization was taken back at a safe block.
    Cancelled {
        /// The transaction.
        transaction: B256,
        /// Its block.
        block: u64,
    },
    /// A deposit is in its channel at a safe block; the channel is open as far as is known.
    Deposited {
        /// The transaction.
        transaction: B256,
        /// Its block.
        block: u64,
    },
    /// The channel of a deposit ended at a safe block.
    Ended {
        /// The transaction.
        transaction: B256,
        /// Its block.
        block: u64,
        /// Base units of the deposit that the payee got.
        settled: Amount,
    },
    /// It can never happen any more, by evidence at a safe block.
    Void {
        /// Why, for people.
        reason: String,
        /// The transaction that makes it so, where there is one.
        transaction: Option<B256>,
    },
}

/// What has become of a payment on Tempo, and what the chain took for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TempoSighting {
    /// What has become of it.
    pub sighting: Sighting,
    /// What the chain took as the fee, in base units of the payment's token, where that is proven and
    /// the payment is over.
    pub fee: Option<Amount>,
}

impl From<Sighting> for TempoSighting {
    fn from(sighting: Sighting) -> Self {
        Self { sighting, fee: None }
    }
}

/// An authorization that is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationWish {
    /// Chain.
    pub chain: Chain,
    /// Token.
    pub token: Address,
    /// Payer.
    pub wallet: Address,
    /// Payee.
    pub to: Address,
    /// Base units.
    pub amount: Amount,
    /// EIP-3009 nonce.
    pub nonce: B256,
    /// End of its validity.
    pub valid_before: UnixSeconds,
    /// When its intent was made: it cannot have been used before.
    pub since: UnixSeconds,
}

/// A transfer that is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferWish {
    /// Chain.
    pub chain: Chain,
    /// Token.
    pub token: Address,
    /// Payer.
    pub wallet: Address,
    /// Payee.
    pub to: Address,
    /// Base units.
    pub amount: Amount,
    /// Account nonce.
    pub nonce: u64,
    /// The transaction we broadcast, where we have one.
    pub transaction: Option<B256>,
}

/// A payment on Tempo that is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TempoWish {
    /// The row that it was let in with.
    pub row: SpendRow,
    /// Its transaction, where we have one.
    pub transaction: Option<B256>,
}

/// A transfer from a wallet that is not ours, which somebody says a transaction shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovementWish {
    /// Chain.
    pub chain: Chain,
    /// Token.
    pub token: Address,
    /// Payer.
    pub wallet: Address,
    /// Payee.
    pub to: Address,
    /// Most that may have moved, in base units.
    pub at_most: Amount,
    /// The transaction.
    pub transaction: B256,
    /// It must not be in an older block.
    pub since: UnixSeconds,
}

/// One transfer in a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Place of its log in the block.
    pub log_index: u64,
    /// Base units.
    pub amount: Amount,
}

/// What a transaction shows of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Movement {
    /// A quorum does not have the transaction yet, or not any more.
    Missing,
    /// It shows transfers that fit, in the order of their logs.
    Shown {
        /// Those transfers; at least one.
        transfers: Vec<Moved>,
        /// Its block.
        block: u64,
        /// Whether that block is safe.
        safe: bool,
    },
    /// It is mined and shows none that fits.
    Other {
        /// What it shows instead, for people.
        reason: String,
        /// Whether its block is safe.
        safe: bool,
    },
}

/// A chain's clerk.
#[async_trait]
pub trait Clerk: Debug + Send + Sync {
    /// The chains that are configured.
    fn chains(&self) -> Vec<Chain>;

    /// How long to wait between looks, in seconds.
    fn poll_seconds(&self, chain: Chain) -> u64;

    /// The configured chains that answer now.
    async fn answering(&self) -> Vec<Chain>;

    /// What a wallet has.
    async fn balance(&self, chain: Chain, wallet: Address) -> Result<ChainBalance, ClerkError>;

    /// What a wallet has of one token, in base units.
    async fn token_balance(
        &self,
        chain: Chain,
        token: Address,
        wallet: Address,
    ) -> Result<Amount, ClerkError>;

    /// The account's next nonce, by a quorum.
    async fn next_nonce(&self, chain: Chain, wallet: Address) -> Result<u64, ClerkError>;

    /// Terms for a token transfer with this nonce, fees as the chain stands now.
    async fn transfer_terms(&self, chain: Chain, nonce: u64) -> Result<ChainTerms, ClerkError>;

    /// Hands a signed transaction to the chain; one it has already is no error.
    async fn broadcast(&self, chain: Chain, raw: &Bytes) -> Result<B256, ClerkError>;

    /// What has become of an authorization.
    async fn authorization(&self, wish: &AuthorizationWish) -> Result<Sighting, ClerkError>;

    /// What has become of a transfer.
    async fn transfer(&self, wish: &TransferWish) -> Result<Sighting, ClerkError>;

    /// What has become of a payment on Tempo.
    async fn tempo(&self, wish: &TempoWish) -> Result<TempoSighting, ClerkError>;

    /// Whether a channel on Tempo holds money at the newest safe block.
    async fn is_channel_open(&self, chain: Chain, channel: ChannelId) -> Result<bool, ClerkError>;

    /// What a transaction shows of a transfer that was not ours to sign.
    async fn movement(&self, wish: &MovementWish) -> Result<Movement, ClerkError>;
}
