//! The whole house on one machine, for `tercet demo` and for the system tests.

pub mod liar;
pub mod process;
