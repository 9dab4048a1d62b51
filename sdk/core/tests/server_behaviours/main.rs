//! The fifteen things a merchant may do to a payer (and then some), each with the outcome that
//! must follow: a hostile server on loopback, a payer that counts what it signs, and a chain whose
//! state the test sets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that cannot go on fails there"
)]

mod support;

mod absurd_validity;
mod asset_and_domain_swap;
mod bait_and_ordering;
mod breaks_after_the_payment;
mod extension_tricks;
mod good_merchant;
mod lies_in_the_receipt;
mod malformed_transport;
mod micro_drain;
mod mpp_charges;
mod mpp_session_ends;
mod mpp_session_limits;
mod mpp_sessions;
mod mpp_streams;
mod mpp_wallet_vouchers;
mod other_methods_and_schemes;
mod payment_flows;
mod redirection;
mod replayed_challenge;
mod reverted_hash;
mod settlement_pending;
mod unit_confusion;
