//! Many agents at once, with presignatures of the INSECURE dealer.
//!
//! ```text
//! this process                         processes of their own
//! agent 0..63: node, share, journal --HTTP, WebSocket--> coordinator <--WebSocket-- operator's node
//! ```
//! Promises: what is measured is the product: the coordinator is the program that ships, every node
//! is the node that ships, each with an identity, home and durable journal of its own; every agent has
//! an enrolment and a wallet of its own, made by a real ceremony of three nodes; HTTP is HTTP.
//!
//! Two things are not real, both so that a run takes minutes and not hours, and neither is on the
//! path that is measured: the presignatures are dealt (`InsecureDeal`; used like real ones, and
//! checked like real ones), and all groups share the TEST-ONLY auxiliary data of the fixtures,
//! which only ceremonies and interactive signatures use.
//!
//! Does not show: a network between the parties, or what agents' machines do in parallel: all share
//! the cores of this machine.

pub mod agent;
pub mod fleet;
pub mod ledger;
pub mod operator;
pub mod runs;
