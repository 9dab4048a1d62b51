//! A payload is signed once.
use tercet_policy::payload::SigningPayload;

fn twice(payload: SigningPayload) -> (SigningPayload, SigningPayload) {
    (payload.clone(), payload)
}

fn main() {}
