//! Courier and clerk: takes signed intents in, carries documents and sealed frames between signer
//! nodes, follows the chain. Holds no share and cannot make a signature.
//!
//! Promises: one intent is one payment, whatever crashed or was sent twice; what may have been
//! signed is followed until the chain proves it settled or void; an agent sees its own things and
//! nobody else's.
//!
//! Refuses: documents that the authority did not sign, requests without a good signature, intents
//! that its copy of the policy refuses (a preview: the nodes decide for themselves).
//!
//! Does not protect against: itself. A coordinator that lies can delay, refuse and drop; the nodes
//! open every document again and sign nothing that the agent did not ask for.

pub mod app;
pub mod ceremony;
pub mod clerk;
pub mod clock;
pub mod config;
pub mod crash;
pub mod directory;
pub mod heads;
pub mod http;
pub mod payment;
pub mod pre_authorization;
pub mod relay;
pub mod replay;
pub mod restock;
pub mod server;
pub mod shelf;
pub mod store;

pub use server::{RunError, run};

#[cfg(test)]
mod tests;
