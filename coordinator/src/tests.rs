//! A whole coordinator over real sockets, with nodes and a chain of the tests' own.

mod agents;
mod approvals;
mod auth;
mod bodies;
mod budgets;
mod ceremonies;
mod decide;
mod fixture;
mod node;
mod openapi;
mod payments;
mod policies;
mod pre_authorize;
mod registry;
mod reports;
mod resume;
mod transfers;
