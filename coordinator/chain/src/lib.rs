//! Reads chain evidence; broadcasts what is already signed.
//!
//! Promises: what *permits* more (an authorization that is dead, an account nonce that is free, a
//! balance that is there) is said only when a quorum of the configured endpoints says it, and
//! death is said only at a block that the quorum holds to be safe ([`Finality::Safe`],
//! [`AuthorizationOutcome::Dead`]). What *forbids* more (a settlement, a use, a revert that may yet be undone) is believed
//! from one endpoint. No local clock is read: time is the timestamp of an agreed block.
//!
//! Refuses: an endpoint of another chain, an answer over [`RESPONSE_BYTES_MAX`], a call that takes
//! longer than [`CALL_SECONDS_MAX`], redirects.
//!
//! Does not protect against: a quorum of endpoints that lie together, or one lying endpoint that
//! delays (it can make a dead authorization look used, and so keep its reservation held). It holds no
//! key and signs nothing.

mod authorization;
mod broadcast;
mod endpoint;
mod endpoints;
mod error;
mod evidence;
mod quorum;
mod reader;
mod receipt;
mod tempo;
mod transfer;
mod transport;
mod usdc;

pub use authorization::{AuthorizationOutcome, AuthorizationQuery};
pub use broadcast::{Broadcast, RAW_TRANSACTION_BYTES_MAX};
pub use endpoint::LOG_SPAN_BLOCKS;
pub use endpoints::{BadEndpoints, ENDPOINTS_MAX, Endpoints};
pub use error::{ChainError, EndpointFailure, FailureCause, Read};
pub use evidence::{BlockRef, Fate, Finality};
pub use reader::{Balances, ChainReader, FeeQuote, Holdings, TRANSFER_GAS_LIMIT};
pub use receipt::{
    ExpectedSettlement, ExpectedTransfer, Receipt, ReceiptLog, SettlementProof, TransferSeen,
    Unproven, token_transfers, verify_settlement, verify_transfer,
};
pub use tempo::{ChannelState, LOG_QUERIES_MAX, TempoOutcome, V1Channel};
pub use transfer::{TRANSACTION_HASHES_MAX, TransferOutcome, TransferQuery};
pub use transport::{CALL_SECONDS_MAX, RESPONSE_BYTES_MAX};
