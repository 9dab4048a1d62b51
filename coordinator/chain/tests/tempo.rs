//! The readers for Tempo against endpoints that a test scripts: blocks twice a second, logs,
//! channel states, and endpoints that lag, lie or lack a method. `tempo_node.rs` asks a real node.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that is wrong may stop"
)]

#[path = "tempo/deposits.rs"]
mod deposits;
#[path = "tempo/fees.rs"]
mod fees;
#[path = "tempo/hand_over.rs"]
mod hand_over;
#[path = "tempo/keys.rs"]
mod keys;
#[path = "tempo/movements.rs"]
mod movements;
#[path = "tempo/rows.rs"]
mod rows;
#[path = "tempo/world.rs"]
mod world;
