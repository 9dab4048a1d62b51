//! A reservation gives one payload.
use tercet_policy::admission::Reserved;
use tercet_policy::payload::SigningPayload;

fn twice(reserved: Reserved) -> (SigningPayload, SigningPayload) {
    (reserved.into_payload(), reserved.into_payload())
}

fn cloned(reserved: &Reserved) -> Reserved {
    Reserved::clone(reserved)
}

fn main() {}
