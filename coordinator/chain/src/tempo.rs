//! What became of payments on Tempo, by the logs of TIP-20 tokens, of the channel reserve (TIP-1034)
//! and of the AccountKeychain (TIP-1011).
//!
//! Promises: a transfer is found by its sender and its memo, whoever was credited, and is settled
//! only where the log names the payee that was signed for. One that a receive policy took from its
//! payee (TIP-1028) succeeds and leaves no memo; it is found by its transaction. *Never mined* is
//! said only after every block in which the chain itself could take the transaction was looked
//! through by a quorum that has the last of them, and that shows the lane of its nonce unused or
//! still has the receipts of the first of them; and while no endpoint's state tells otherwise: a
//! nonce lane that was used, a channel that holds more than its logs explain. No clock but the
//! chain's is relied on. What a deposit paid in the end is its own place in the channel: money
//! leaves a channel in the order in which it came in. What the chain took as a fee is told from the
//! receipt that goes with an outcome.
//!
//! Refuses: windows of more than [`LOG_QUERIES_MAX`] queries, each of
//! [`LOG_SPAN_BLOCKS`](crate::LOG_SPAN_BLOCKS) blocks.
//!
//! Does not protect against: a quorum that keeps the receipts of a window's first transaction and
//! not those of a later one, where the state tells nothing either: charges with an expiring nonce,
//! and deposits with one in channels that have ended. This crate keeps nothing: who has seen a
//! deposit in its channel must remember that, as the journals of the nodes do.

mod blocked;
mod channel;
mod deposit;
mod escrow;
mod fee;
mod key;
mod lane;
mod movement;
mod served;
mod unseen;
mod window;

use alloy_primitives::{B256, U256};
use serde_json::Value;
use tercet_policy::evidence::{
    ChannelDeposit, ClosedChannel, KeyLog, NotSeen, SafeBlock, TokenMovement,
};
use tercet_policy::money::Amount;
use tercet_policy::proposal::ChainTerms;
use tercet_policy::rows::SpendRow;
use tercet_policy::tempo::EXPIRING_NONCE_KEY;
use tercet_policy::time::UnixSeconds;

use crate::error::ChainError;
use crate::evidence::Finality;
use crate::reader::ChainReader;

pub use channel::ChannelState;
pub use escrow::V1Channel;
pub use window::LOG_QUERIES_MAX;

alloy_sol_types::sol! {
    #[allow(missing_docs, reason = "the names are the contract's")]
    interface Tip20 {
        event Transfer(address indexed from, address indexed to, uint256 amount);
        event TransferWithMemo(
            address indexed from, address indexed to, uint256 amount, bytes32 indexed memo
        );
    }

    #[allow(missing_docs, clippy::too_many_arguments, reason = "the contract's names and events")]
    interface Reserve {
        event ChannelOpened(
            bytes32 indexed channelId, address indexed payer, address indexed payee,
            address operator, address token, address authorizedSigner, bytes32 salt,
            bytes32 expiringNonceHash, uint96 deposit
        );
        event TopUp(
            bytes32 indexed channelId, address indexed payer, address indexed payee,
            uint96 additionalDeposit, uint96 newDeposit
        );
        event ChannelClosed(
            bytes32 indexed channelId, address indexed payer, address indexed payee,
            uint96 settledToPayee, uint96 refundedToPayer
        );

        struct State { uint96 settled; uint96 deposit; uint64 closeRequestedAt; }

        function getChannelState(bytes32 channelId) external view returns (State memory);
    }

    #[allow(missing_docs, reason = "the names are the contract's")]
    interface Escrow {
        struct Channel {
            bool finalized; uint64 closeRequestedAt; address payer; address payee; address token;
            address authorizedSigner; uint128 deposit; uint128 settled;
        }

        function getChannel(bytes32 channelId) external view returns (Channel memory);
    }

    #[allow(missing_docs, reason = "the names are the contract's")]
    interface Keychain {
        event KeyAuthorized(
            address indexed account, address indexed publicKey, uint8 signatureType, uint64 expiry
        );
        event KeyRevoked(address indexed account, address indexed publicKey);
    }

    #[allow(missing_docs, reason = "the names are the contract's")]
    interface Nonces {
        function getNonce(address account, uint256 nonceKey) external view returns (uint64);
    }
}

/// What became of a payment on Tempo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TempoOutcome {
    /// A transfer or charge is in the logs, as it was signed.
    Moved {
        /// The log.
        movement: TokenMovement,
        /// How firm that is.
        finality: Finality,
    },
    /// Its memo is in the logs, with another payee or amount; or its transaction is, and moved the
    /// money without a memo. An operator must look, and the money counts as spent.
    Diverted {
        /// The log. The memo is zero where the log has none.
        movement: TokenMovement,
    },
    /// A deposit is in its channel.
    InChannel {
        /// How it was put there.
        deposit: ChannelDeposit,
        /// How firm that is.
        finality: Finality,
    },
    /// The channel of a deposit has ended.
    Ended {
        /// The end.
        closed: ClosedChannel,
        /// What the payee got of this deposit, in base units.
        share: Amount,
        /// The transaction that put it in.
        put: B256,
        /// How firm that is. Nothing may be released before it is safe.
        finality: Finality,
    },
    /// An access key was authorized or revoked.
    KeySet {
        /// The log.
        log: KeyLog,
        /// How firm that is.
        finality: Finality,
    },
    /// A quorum looked through every block in which it could have been mined: it is in none, or it
    /// was mined and failed, and so moved nothing.
    NeverMined {
        /// The blocks.
        unseen: NotSeen,
    },
    /// It may still happen. Also the answer while endpoints disagree, and for payments of other
    /// kinds.
    Pending {
        /// The safe block this was seen at, where a quorum agreed on one.
        safe_block: Option<SafeBlock>,
    },
}

impl ChainReader {
    /// Asks every endpoint what became of a transfer, a charge, a deposit or an access key, and
    /// concludes.
    ///
    /// # Errors
    /// [`ChainError::NoQuorum`] when nobody answers, [`ChainError::WrongChain`].
    pub async fn tempo_outcome(&self, row: &SpendRow) -> Result<TempoOutcome, ChainError> {
        let pending = |safe_block| TempoOutcome::Pending { safe_block };
        let Some(marks) = Marks::of(row).filter(|_| row.chain == self.chain()) else {
            return Ok(pending(None));
        };
        // Before the sightings: what they show at or below this block was already safe.
        let measure = self.measure().await?;
        let Some(safe) = measure.safe_block else { return Ok(pending(None)) };
        let begins = row.terms.first_minable().unwrap_or_default();
        let window = self.window(safe, begins, marks.valid_before).await?;
        if let Some(wanted) = movement::Wanted::of(row, marks) {
            return self.movement_outcome(wanted, window, measure).await;
        }
        if let Some(wanted) = key::Wanted::of(row, marks) {
            return self.key_outcome(wanted, window, measure).await;
        }
        match deposit::Wanted::of(row, marks) {
            Some(wanted) => self.deposit_outcome(wanted, window, measure).await,
            None => Ok(pending(Some(safe))),
        }
    }
}

/// What tells the transaction of one intent from that of another with like logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Marks {
    nonce_key: U256,
    valid_after: UnixSeconds,
    valid_before: UnixSeconds,
}

impl Marks {
    const fn of(row: &SpendRow) -> Option<Self> {
        match row.terms {
            ChainTerms::Tempo { nonce_key, valid_after, valid_before } => {
                Some(Self { nonce_key, valid_after, valid_before })
            }
            _ => None,
        }
    }

    /// The nonce lane that is its own, where it has one.
    fn lane(&self) -> Option<U256> {
        (self.nonce_key != EXPIRING_NONCE_KEY).then_some(self.nonce_key)
    }

    /// Whether a transaction may be the intent's own. One that the endpoint does not show, or not
    /// in full, may be.
    fn may_be(&self, transaction: &Value) -> bool {
        self.whose(transaction) != Whose::Another
    }

    fn whose(&self, transaction: &Value) -> Whose {
        let terms = [
            ("nonceKey", self.nonce_key),
            ("validAfter", U256::from(self.valid_after.0)),
            ("validBefore", U256::from(self.valid_before.0)),
        ];
        let same = terms
            .map(|(name, own)| transaction.get(name).and_then(quantity).map(|other| other == own));
        match same {
            [Some(true), Some(true), Some(true)] => Whose::Own,
            same if same.contains(&Some(false)) => Whose::Another,
            _ => Whose::Unknown,
        }
    }
}

/// Whose a transaction is, by its terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// The intent's own.
    Own,
    /// That of another.
    Another,
    /// The endpoint does not show it, or not in full.
    Unknown,
}

/// A field of an answer that is text.
fn parsed<T: std::str::FromStr>(answer: &Value, field: &str) -> Option<T> {
    answer.get(field)?.as_str()?.parse().ok()
}

/// A number as JSON-RPC servers write it.
fn quantity(value: &Value) -> Option<U256> {
    match value {
        Value::String(text) => U256::from_str_radix(text.strip_prefix("0x")?, 16).ok(),
        number => number.as_u64().map(U256::from),
    }
}

#[cfg(test)]
mod tests;
