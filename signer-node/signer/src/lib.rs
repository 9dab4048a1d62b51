//! The only crate that can touch a key share.

pub mod channel;
pub mod gate;
pub mod home;
pub mod identity;
pub mod journal;
pub mod kek;
#[cfg(doctest)]
mod must_not_compile;
pub mod primes;
pub mod sealed;
pub mod session;
pub mod stock;
pub mod tss;
pub mod vault;
