//! An agent's wallet: intent in, receipt out, one share inside.

mod ask;
pub mod buyer;
pub mod choose;
pub mod client;
pub mod error;
pub mod journal;
mod net;
pub mod receipt;
pub mod rules;
pub mod seam;
pub mod wire;

#[cfg(test)]
mod fixture;
