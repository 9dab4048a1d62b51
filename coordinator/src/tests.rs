//! A whole coordinator over real sockets, with nodes and a chain of the tests' own.

mod agents;
mod approvals;
mod auth;
mod bodies;
mod budgets;
mod ceremonies;
mod decide;
mod fixture;
mod measure;
mod node;
mod openapi;
mod overload;
mod payments;
mod policies;
mod pre_authorize;
mod presigned;
pub(crate) mod records;
mod registry;
mod reports;
mod restock;
mod resume;
pub(crate) mod tempo;
mod transfers;
