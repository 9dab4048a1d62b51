//! Hands signed transactions to every endpoint.

use std::sync::Arc;

use alloy_primitives::{B256, Bytes, keccak256};

use crate::endpoint::Endpoint;
use crate::error::{ChainError, FailureCause, Read};
use crate::reader::ChainReader;

/// Longest signed transaction that is passed on, in bytes. An ERC-20 transfer is about 180.
pub const RAW_TRANSACTION_BYTES_MAX: usize = 4 * 1024;

/// What became of a broadcast. None of these is a settlement: only the chain tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broadcast {
    /// At least one endpoint took it.
    Accepted {
        /// Its hash, computed here.
        tx: B256,
    },
    /// It was there already: a repeated broadcast.
    AlreadyKnown {
        /// Its hash.
        tx: B256,
    },
    /// The account nonce is behind: this or another transaction with that nonce was mined.
    NonceTooLow {
        /// Its hash.
        tx: B256,
    },
    /// Another transaction with that nonce waits, and this one does not pay enough more than it.
    Underpriced {
        /// Its hash.
        tx: B256,
    },
}

impl Broadcast {
    /// The transaction's hash.
    #[must_use]
    pub const fn tx(self) -> B256 {
        match self {
            Self::Accepted { tx }
            | Self::AlreadyKnown { tx }
            | Self::NonceTooLow { tx }
            | Self::Underpriced { tx } => tx,
        }
    }
}

/// One endpoint's word, the most welcome first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    Accepted,
    AlreadyKnown,
    NonceTooLow,
    Underpriced,
    Refused(String),
}

impl ChainReader {
    /// Hands `raw`, a signed transaction in its EIP-2718 form, to all endpoints at once. Safe to
    /// repeat: the bytes are the same, and so is their effect. On Tempo an endpoint that can
    /// (`eth_sendRawTransactionSync`) answers when it is mined.
    ///
    /// # Errors
    /// [`ChainError::BroadcastRefused`] when all that answered refuse it, [`ChainError::NoQuorum`] when
    /// nobody could be reached, [`ChainError::TooMuch`] for bytes that are no transfer of ours.
    pub async fn broadcast(&self, raw: Bytes) -> Result<Broadcast, ChainError> {
        if raw.len() > RAW_TRANSACTION_BYTES_MAX {
            return Err(ChainError::TooMuch {
                what: "the length of a signed transaction in bytes",
                given: raw.len(),
                limit: RAW_TRANSACTION_BYTES_MAX,
            });
        }
        let tx = keccak256(&raw);
        let send = |endpoint| hand_over(endpoint, raw.clone());
        let words = self.ask(Read::Broadcast, send).await?.of_anybody()?;
        match words.into_iter().min() {
            Some(Word::AlreadyKnown) => Ok(Broadcast::AlreadyKnown { tx }),
            Some(Word::NonceTooLow) => Ok(Broadcast::NonceTooLow { tx }),
            Some(Word::Underpriced) => Ok(Broadcast::Underpriced { tx }),
            Some(Word::Refused(message)) => Err(ChainError::BroadcastRefused { message }),
            Some(Word::Accepted) | None => Ok(Broadcast::Accepted { tx }),
        }
    }
}

async fn hand_over(endpoint: Arc<Endpoint>, raw: Bytes) -> Result<Word, FailureCause> {
    match endpoint.send(&raw).await {
        Ok(()) => Ok(Word::Accepted),
        Err(FailureCause::Refused { message, .. }) => Ok(word(message)),
        Err(unreachable) => Err(unreachable),
    }
}

/// Nodes share no code for these, only words (geth, reth, nethermind, anvil).
fn word(message: String) -> Word {
    let lower = message.to_lowercase();
    let says = |texts: &[&str]| texts.iter().any(|text| lower.contains(text));
    if says(&["already known", "alreadyknown", "already imported", "known transaction"]) {
        Word::AlreadyKnown
    } else if says(&["nonce too low", "oldnonce", "nonce is too low"]) {
        Word::NonceTooLow
    } else if says(&["underpriced", "replacement not allowed"]) {
        Word::Underpriced
    } else {
        Word::Refused(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_several_nodes_are_understood() {
        for (message, meant) in [
            ("already known", Word::AlreadyKnown),
            ("AlreadyKnown", Word::AlreadyKnown),
            ("transaction already imported", Word::AlreadyKnown),
            ("nonce too low: next nonce 5, tx nonce 4", Word::NonceTooLow),
            ("OldNonce, Current nonce: 5", Word::NonceTooLow),
            ("replacement transaction underpriced", Word::Underpriced),
        ] {
            assert_eq!(word(message.to_owned()), meant, "{message}");
        }
        let other = "insufficient funds for gas * price + value";
        assert_eq!(word(other.to_owned()), Word::Refused(other.to_owned()));
    }
}
