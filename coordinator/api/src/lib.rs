//! The words between agents, operators, nodes and the coordinator. No behaviour but encoding.
//!
//! Promises: one type per request, response, problem and relay frame, shared by both ends, with
//! unknown fields refused on the way in; request signatures as RFC 9421 has them; errors as
//! RFC 9457 problems with a closed list of codes.
//!
//! Does not protect against: anything. What arrives in these types is unchecked until the
//! policy crate has opened it.

pub mod auth;
pub mod payment;
pub mod policy;
pub mod pre_authorization;
pub mod problem;
pub mod registry;
pub mod relay;
pub mod resource;
