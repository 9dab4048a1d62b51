//! What may be signed, and exactly which bytes that is.
//!
//! Promises: everything that leads from a signed intent to the bytes of a signature is decided
//! here, by pure functions of their arguments. Each step yields a value that the next one needs,
//! and none of those values can be made in another way:
//!
//! ```text
//! SignedIntent --open--> AuthenticIntent --assemble--> Proposal --admit--> Reserved --> SigningPayload
//! ```
//!
//! Refuses: whatever it does not understand. An empty policy, an unknown rule, a claim that
//! differs from the intent, an unreadable ledger: all of them mean no.
//!
//! Does not protect against: an agent that asks for something foolish which the policy allows,
//! or a merchant that is paid and does not deliver.

pub mod access_key;
pub mod admission;
pub mod approval;
pub mod ask;
pub mod catalogue;
pub mod chain;
pub mod channel;
pub mod compare;
pub mod compile;
pub mod condition;
pub mod context;
pub mod decision;
pub mod declared;
pub mod document;
pub mod evidence;
#[cfg(test)]
mod fixture;
pub mod intent;
pub mod ledger;
pub mod lint;
pub mod money;
pub mod mpp;
#[cfg(doctest)]
mod must_not_compile;
pub mod party;
pub mod payload;
pub mod proposal;
pub mod refusal;
pub mod registry;
pub mod report;
pub mod rows;
pub mod rules;
pub mod subject;
pub mod tempo;
pub mod time;
pub mod window;
mod yaml;
