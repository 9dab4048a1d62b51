//! The only crate that can touch a key share.

pub mod primes;
