//! A digest is not a payload.
use tercet_policy::payload::SigningPayload;

fn main() {
    let _ = SigningPayload::from([0u8; 32]);
}
