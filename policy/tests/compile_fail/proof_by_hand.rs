//! A reservation is not given back without evidence.
use tercet_policy::evidence::{SafeBlock, VoidProof, VoidReason};
use tercet_policy::rows::SpendRow;

fn release(row: &SpendRow, at: SafeBlock) {
    let _ = VoidProof::new(row, VoidReason::AuthorizationExpired, at);
}

fn main() {}
