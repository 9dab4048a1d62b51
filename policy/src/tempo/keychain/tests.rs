//! Against the vectors that viem and ox wrote: intents about access keys, and what is signed for them.

use alloy_primitives::{B256, Bytes};
use serde::Deserialize;

use super::*;
use crate::fixture::{authentic, with_terms};
use crate::intent::{KeyStep, Payment, PaymentIntent};
use crate::payload::SigningPayload;
use crate::proposal::terms_without_chain;

#[derive(Deserialize)]
struct Table {
    selectors: [FixedBytes<4>; 4],
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    intent: PaymentIntent,
    data: Bytes,
    preimage: Bytes,
    digest: B256,
}

fn table() -> Table {
    serde_json::from_str(include_str!("../../../../tests/vectors/keychain.json")).unwrap()
}

#[test]
fn a_key_may_call_what_the_payer_of_a_channel_calls_and_nothing_else() {
    assert_eq!(table().selectors.map(|selector| selector.0), SCOPE);
}

#[test]
fn access_keys_are_authorized_and_revoked_with_the_bytes_of_viem_and_ox() {
    let cases = table().cases;
    let (mut revoked, mut periodic) = (0, 0);
    for case in cases {
        let Payment::TempoAccessKey(k) = &case.intent.payment else { panic!("{:?}", case.intent) };
        let call = match &k.step {
            KeyStep::Authorize(limits) => {
                periodic += usize::from(limits.period_seconds > 0);
                authorize_key(k.key, k.token, limits)
            }
            KeyStep::Revoke => {
                revoked += 1;
                revoke_key(k.key)
            }
        };
        assert_eq!((call.to, call.input), (ACCOUNT_KEYCHAIN, case.data));
        let intent = authentic(case.intent);
        let terms = terms_without_chain(&intent).unwrap();
        let payload = SigningPayload::of(&with_terms(intent, terms)).unwrap();
        assert_eq!(payload.digest(), case.digest);
        assert_eq!(alloy_primitives::keccak256(&case.preimage), case.digest);
    }
    assert!(revoked > 4 && periodic > 4, "{revoked} {periodic}");
}
