//! System tests: real processes, real chains, the official peers.
//!
//! They need the programs (`cargo build --workspace --bins`) and the peers (`make setup`);
//! `make test` sees to both.

pub mod access_key;
pub mod chain;
pub mod cluster;
pub mod cost;
pub mod escrow;
pub mod invariants;
#[cfg(feature = "insecure-dealer")]
pub mod load;
pub mod local_key;
pub mod mpp_peers;
pub mod mpp_shop;
pub mod peers;
pub mod tempo;
