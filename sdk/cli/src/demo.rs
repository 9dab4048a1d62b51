//! The whole house on one machine, for `tercet demo` and for the system tests.

pub mod house;
pub mod liar;
pub mod process;
pub mod testbed;
