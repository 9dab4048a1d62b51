//! Credentials: the answer to a challenge, which is echoed as it came.

use alloy_primitives::Address;
use mpp::{ChallengeEcho, PAYMENT_AUTHORIZATION_HEADER, PaymentChallenge, PaymentCredential};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tercet_policy::chain::Chain;
use tercet_policy::payload::{FinishedPayment, MppSignature, SignedTempoTransaction};
use zeroize::Zeroizing;

use crate::wire::PaymentHeader;

/// Header of a credential where the challenge names none.
const AUTHORIZATION: &str = "authorization";
/// The other header that a challenge may name.
const PAYMENT_AUTHORIZATION: &str = "payment-authorization";

/// Whether the credential goes into `Authorization`.
pub(crate) fn wants_authorization(challenge: &PaymentChallenge) -> bool {
    header_of(challenge.header.as_deref()) == AUTHORIZATION
}

fn header_of(named: Option<&str>) -> &'static str {
    match named {
        Some(name) if name.eq_ignore_ascii_case(PAYMENT_AUTHORIZATION_HEADER) => {
            PAYMENT_AUTHORIZATION
        }
        _ => AUTHORIZATION,
    }
}

/// The challenge as the journal keeps it: what a credential echoes.
pub(crate) fn accepted(challenge: &PaymentChallenge) -> Result<Box<RawValue>, serde_json::Error> {
    RawValue::from_string(serde_json::to_string(&challenge.to_echo())?)
}

/// The credential of a finished charge or proof; nothing for other payments, and for a challenge
/// that is none.
pub(crate) fn charge_header(
    accepted: &RawValue,
    wallet: Address,
    payment: &FinishedPayment,
) -> Option<PaymentHeader> {
    let (chain, payload) = match payment {
        FinishedPayment::Tempo(SignedTempoTransaction { chain, raw, .. }) => {
            (*chain, json!({ "type": "transaction", "signature": raw }))
        }
        FinishedPayment::Mpp(MppSignature { chain, signature, .. }) => {
            (*chain, json!({ "type": "proof", "signature": signature }))
        }
        _ => return None,
    };
    header(accepted, chain, wallet, payload)
}

/// The credential with this payload.
pub(crate) fn header(
    accepted: &RawValue,
    chain: Chain,
    wallet: Address,
    payload: Value,
) -> Option<PaymentHeader> {
    let challenge: ChallengeEcho = serde_json::from_str(accepted.get()).ok()?;
    let name = header_of(challenge.header.as_deref());
    let source = Some(format!("did:pkh:{}:{wallet}", chain.caip2()));
    let credential = PaymentCredential { challenge, source, payload };
    let value = Zeroizing::new(mpp::format_authorization(&credential).ok()?);
    Some(PaymentHeader::of(name, value))
}
