//! A policy that nobody signed admits nothing.
use tercet_policy::admission::{Book, admit};
use tercet_policy::proposal::Proposal;
use tercet_policy::rules::Policy;
use tercet_policy::time::UnixSeconds;

fn sign(policy: Policy, proposal: Proposal) {
    let _ = admit(&policy, None, proposal, UnixSeconds(0), &mut Book::new());
}

fn main() {}
