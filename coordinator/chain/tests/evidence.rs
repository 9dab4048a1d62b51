//! The evidence reader against a real chain: anvil, with the test USDC at the real address.
//!
//! The node and the keys are those of the system tests, included by path, so that this crate is
//! tested without building all the others.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that is wrong may stop"
)]

#[allow(dead_code, unreachable_pub, reason = "shared with the system tests, which use all of it")]
#[path = "../../../tests/src/chain.rs"]
mod chain;
#[allow(dead_code, unreachable_pub, reason = "shared with the system tests, which use all of it")]
#[path = "../../../tests/src/local_key.rs"]
mod local_key;

#[path = "evidence/authorizations.rs"]
mod authorizations;
#[path = "evidence/disagreement.rs"]
mod disagreement;
#[path = "evidence/fate.rs"]
mod fate;
#[path = "evidence/liar.rs"]
mod liar;
#[path = "evidence/reads.rs"]
mod reads;
#[path = "evidence/scene.rs"]
mod scene;
#[path = "evidence/token.rs"]
mod token;
#[path = "evidence/transfers.rs"]
mod transfers;
