//! What a purchase needs from the rest of the house: somebody who signs, and somebody who has
//! seen the chain. The share may be housed in this process or beside it; tests put a payer that
//! counts and a chain they can set in these places.

use alloy_primitives::{Address, B256};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tercet_api::payment::{RefusalBy, SigningWay};
use tercet_policy::chain::Chain;
use tercet_policy::intent::{PaymentIntent, SignedIntent};
use tercet_policy::money::Amount;
use tercet_policy::mpp::ChannelId;
use tercet_policy::payload::FinishedPayment;
use tercet_policy::report::ReportKind;
use tercet_policy::time::UnixSeconds;

/// Signs intents as the agent, and gets them signed by the wallet's key.
#[async_trait]
pub trait Payer: Send + Sync {
    /// The agent's signature under an intent.
    ///
    /// # Errors
    /// [`PayError::Failed`] for an intent without canonical form, and where the node is away.
    async fn sign(&self, intent: PaymentIntent) -> Result<SignedIntent, PayError>;

    /// What the wallet signs for an intent: an authorization, a transaction or a proof. The same
    /// intent may be given again, after a crash for one, and yields the same under a new signature.
    ///
    /// # Errors
    /// [`PayError`].
    async fn authorize(&self, intent: SignedIntent) -> Result<Signed<FinishedPayment>, PayError>;

    /// Has an intent signed that the coordinator brings to the chain: a transfer, or a step of a
    /// forced exit. Nothing comes back, as the chain tells what becomes of it; the same intent may
    /// be given again.
    ///
    /// # Errors
    /// [`PayError`].
    async fn submit(&self, intent: SignedIntent) -> Result<(), PayError>;

    /// Tells the coordinator what became of a payment that no chain can tell. It lowers the trust
    /// in who was paid; the same report again changes nothing.
    ///
    /// # Errors
    /// [`PayError`]; the report was not taken.
    async fn report(&self, intent: PaymentIntent, outcome: ReportKind) -> Result<(), PayError>;
}

/// What was signed, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed<T> {
    /// Ready to use.
    pub payment: T,
    /// Whether it took one round trip or rounds between the nodes.
    pub by: SigningWay,
}

/// Why there is no signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayError {
    /// The policy, a node or the coordinator says no.
    #[error("refused{}", listed(.refusals))]
    Refused {
        /// Every reason, and whose.
        refusals: Vec<RefusalBy>,
    },
    /// People must approve it, and it ends before they could.
    #[error("people must approve it, and it ends at {ends}")]
    NeedsApproval {
        /// When it ends.
        ends: UnixSeconds,
    },
    /// Something did not work; the same intent may be tried again where `retryable`.
    #[error("{detail}")]
    Failed {
        /// Whether the same call can succeed later.
        retryable: bool,
        /// What happened, for people.
        detail: String,
    },
}

fn listed(refusals: &[RefusalBy]) -> String {
    refusals.iter().map(|r| format!("; {}: {}", r.by, r.refusal)).collect()
}

/// Answers questions about the chain.
#[async_trait]
pub trait Evidence: Send + Sync {
    /// What became of an authorization or a charge.
    ///
    /// # Errors
    /// [`EvidenceUnavailable`]; nothing may then be concluded.
    async fn fate(&self, authorized: &Authorized) -> Result<Fate, EvidenceUnavailable>;

    /// The settlement of exactly this authorization inside that transaction, if it is there.
    ///
    /// # Errors
    /// [`EvidenceUnavailable`]; nothing may then be concluded.
    async fn settlement_in(
        &self,
        transaction: B256,
        authorized: &Authorized,
    ) -> Result<Option<Settlement>, EvidenceUnavailable>;

    /// What became of a deposit: an intent that opens a channel or puts more into one.
    ///
    /// # Errors
    /// [`EvidenceUnavailable`]; nothing may then be concluded.
    async fn deposit(&self, intent: &PaymentIntent) -> Result<DepositFate, EvidenceUnavailable>;

    /// What the channel reserve keeps of a channel, in a block that a quorum holds to be safe.
    ///
    /// # Errors
    /// [`EvidenceUnavailable`]; nothing may then be concluded.
    async fn channel(
        &self,
        chain: Chain,
        channel: ChannelId,
    ) -> Result<ChannelSeen, EvidenceUnavailable>;
}

/// What became of a deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum DepositFate {
    /// It is in its channel.
    InChannel,
    /// The channel is over.
    Ended {
        /// Base units of this deposit that the payee got.
        share: Amount,
        /// Base units that the payee got of the channel in all.
        settled: Amount,
    },
    /// It was never mined, and never will be.
    Void,
    /// It may still be mined, or the block that shows it is not safe yet.
    Open,
}

/// What the chain shows of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelSeen {
    /// Base units that were put in; zero for a channel that is over or never was.
    pub deposit: Amount,
    /// Base units that the payee took out of it.
    pub settled: Amount,
    /// When its end was asked for by force.
    pub close_requested_at: Option<UnixSeconds>,
    /// The time of the block that shows this.
    pub at: UnixSeconds,
}

/// No endpoint answers, or they disagree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chain does not tell: {detail}")]
pub struct EvidenceUnavailable {
    /// Why, for people.
    pub detail: String,
}

/// An authorization, or a charge on Tempo, whose fate is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authorized {
    /// Chain.
    pub chain: Chain,
    /// Token contract.
    pub token: Address,
    /// The wallet.
    pub from: Address,
    /// The payee; of a charge with splits the primary one.
    pub to: Address,
    /// Base units, of a charge with splits those of the primary payee.
    pub value: Amount,
    /// What names it on its chain: an EIP-3009 nonce on Base, the memo of a transfer on Tempo.
    pub nonce: B256,
    /// First second in which it is no longer usable.
    pub valid_before: UnixSeconds,
    /// What its transaction says of its beginning, on Tempo; it tells like ones apart.
    pub valid_after: UnixSeconds,
    /// When its intent was made: it cannot have been used earlier, but for clocks that differ.
    pub since: UnixSeconds,
}

/// Where money moved as it was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlement {
    /// The transaction. It may carry other payments too.
    pub transaction: B256,
    /// Number of its block.
    pub block_number: u64,
    /// Hash of its block.
    pub block_hash: B256,
    /// Place of the transfer's log in the block.
    pub log_index: u64,
}

/// How firmly a block stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finality {
    /// An endpoint shows it; a reorganisation may undo it.
    Seen,
    /// A quorum holds it to be safe.
    Safe,
}

/// What became of an authorization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum Fate {
    /// It was used, and exactly what was signed moved.
    Settled {
        /// Where.
        settlement: Settlement,
        /// How firmly the block stands.
        finality: Finality,
    },
    /// It can never be used any more.
    Void {
        /// Why, for people.
        cause: String,
    },
    /// It can still be used, or the block that shows otherwise is not safe yet.
    Open,
}

/// Reads the time of day.
pub trait Clock: Send + Sync {
    /// Seconds since the Unix epoch.
    fn now(&self) -> UnixSeconds;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixSeconds {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        UnixSeconds(since.map_or(0, |d| d.as_secs()))
    }
}
