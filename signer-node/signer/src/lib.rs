//! The only crate that can touch a key share.

pub mod channel;
pub mod home;
pub mod identity;
pub mod kek;
pub mod primes;
pub mod sealed;
pub mod tss;
