//! What can go wrong between us and the endpoints, grouped by what the caller does next.

use std::fmt;

use tercet_policy::chain::Chain;

/// Longest message of an endpoint that is kept, in characters. It is text of a stranger.
const MESSAGE_CHARS_MAX: usize = 200;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Too few endpoints gave the same answer. Ask again later; nothing may be concluded.
    #[error("{read}: {agreeing} endpoints agree, {needed} are needed{}", Listed(failures))]
    NoQuorum {
        /// What was asked.
        read: Read,
        /// The largest number of endpoints that gave one answer.
        agreeing: usize,
        /// The configured quorum.
        needed: usize,
        /// What the others said.
        failures: Vec<EndpointFailure>,
    },
    /// An endpoint serves another chain than it is configured for. An operator must look.
    #[error("endpoint {endpoint} serves chain id {found}, not {}", expected.id())]
    WrongChain {
        /// Its place in the configuration, counted from 0.
        endpoint: usize,
        /// The chain it is configured for.
        expected: Chain,
        /// The chain id it answers.
        found: u64,
    },
    /// No endpoint took the transaction, and this is what one of them said. The transaction, or the
    /// wallet's balance, is at fault; the same bytes will be refused again.
    #[error("the transaction is refused: {message}")]
    BroadcastRefused {
        /// The endpoint's words, cut.
        message: String,
    },
    /// More than the limit was asked for. A defect of the caller.
    #[error("{what} is {given}, the limit is {limit}")]
    TooMuch {
        /// What was too much.
        what: &'static str,
        /// How much was given.
        given: usize,
        /// The limit.
        limit: usize,
    },
    /// No HTTP client could be made from the system's TLS settings.
    #[error("no HTTP client: {reason}")]
    NoHttpClient {
        /// Why.
        reason: String,
    },
}

/// What was asked of the endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// The wallet's balances.
    Balances,
    /// Fee figures.
    Fees,
    /// The next account nonce.
    NextNonce,
    /// The newest block.
    Head,
    /// The newest safe block.
    SafeBlock,
    /// A block by its number.
    Block,
    /// A receipt.
    Receipt,
    /// The fate of an EIP-3009 authorization.
    Authorization,
    /// The fate of a transfer.
    Transfer,
    /// The fate of a transfer or charge on Tempo.
    Movement,
    /// The fate of a deposit into a channel.
    Deposit,
    /// The fate of an access key's authorization or revocation.
    Key,
    /// The state of a channel.
    Channel,
    /// Whether anybody took a transaction.
    Broadcast,
}

impl fmt::Display for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Balances => "balances",
            Self::Fees => "fees",
            Self::NextNonce => "next account nonce",
            Self::Head => "newest block",
            Self::SafeBlock => "safe block",
            Self::Block => "block",
            Self::Receipt => "receipt",
            Self::Authorization => "authorization outcome",
            Self::Transfer => "transfer outcome",
            Self::Movement => "outcome on Tempo",
            Self::Deposit => "outcome of a deposit",
            Self::Key => "access key outcome",
            Self::Channel => "channel state",
            Self::Broadcast => "broadcast",
        })
    }
}

/// One endpoint's failure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("endpoint {endpoint}: {cause}")]
pub struct EndpointFailure {
    /// Its place in the configuration, counted from 0.
    pub endpoint: usize,
    /// What happened.
    pub cause: FailureCause,
}

/// What happened at an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FailureCause {
    /// No connection, no answer in time, or an answer that is too long or no JSON-RPC.
    #[error("unreachable: {reason}")]
    Unreachable {
        /// Why, without the URL.
        reason: String,
    },
    /// A JSON-RPC error.
    #[error("answered error {code}: {message}")]
    Refused {
        /// JSON-RPC error code.
        code: i64,
        /// Its words, cut.
        message: String,
    },
    /// An answer that makes no sense, such as a receipt of another transaction.
    #[error("answered nonsense: {what}")]
    Nonsense {
        /// What makes no sense.
        what: &'static str,
    },
    /// It does not have what was asked for, such as logs or state that it has pruned.
    #[error("does not have {what}")]
    Missing {
        /// What it does not have.
        what: &'static str,
    },
    /// It serves another chain.
    #[error("serves chain id {found}")]
    WrongChain {
        /// The chain id it answers.
        found: u64,
    },
}

/// Cuts a stranger's text to a printable length.
pub(crate) fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MESSAGE_CHARS_MAX).collect()
}

struct Listed<'a>(&'a [EndpointFailure]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|failure| write!(f, "; {failure}"))
    }
}
