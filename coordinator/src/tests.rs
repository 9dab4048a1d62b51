//! A whole coordinator over real sockets, with nodes and a chain of the tests' own.

mod agents;
mod auth;
mod bodies;
mod ceremonies;
mod fixture;
mod node;
mod openapi;
mod payments;
mod resume;
mod transfers;
