//! A proposal that was not admitted has no payload.
use tercet_policy::payload::SigningPayload;
use tercet_policy::proposal::Proposal;

fn sign(proposal: &Proposal) {
    let _ = SigningPayload::of(proposal);
}

fn main() {}
