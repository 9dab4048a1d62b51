//! `PAYMENT-SIGNATURE`: a signed authorization on its way to the merchant. MPP's credentials travel
//! in the same type.
//!
//! Whoever holds it can settle it. It has no voice in `Debug`, is wiped on drop, and is never
//! written to disk: after a crash the same intent is signed again, and the chain settles its
//! nonce once. The HTTP library keeps its own copy, marked as sensitive, for the length of a
//! request.

use std::fmt;

use base64::Engine as _;
use reqwest::header::HeaderValue;
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use tercet_policy::document::ContentHash;
use tercet_policy::payload::Eip3009Payment;
use zeroize::Zeroizing;

use super::{BASE64, PAYMENT_SIGNATURE, X402_VERSION};

/// Room for a payment's JSON beside what the merchant wrote, in bytes: no growth, no copies.
const PAYLOAD_BYTES: usize = 1_024;

/// A header with its value.
pub struct PaymentHeader {
    name: &'static str,
    value: Zeroizing<String>,
}

#[derive(Serialize)]
struct PaymentPayload<'a> {
    #[serde(rename = "x402Version")]
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a RawValue>,
    accepted: &'a RawValue,
    payload: &'a Eip3009Payment,
}

impl PaymentHeader {
    /// Puts a payment together with the requirement it is for, as the merchant wrote it.
    ///
    /// # Errors
    /// Those of the JSON writer, which has no reason for any.
    pub fn new(
        accepted: &RawValue,
        resource: Option<&RawValue>,
        payment: &Eip3009Payment,
    ) -> Result<Self, serde_json::Error> {
        let told = accepted.get().len().saturating_add(resource.map_or(0, |r| r.get().len()));
        let mut json = Zeroizing::new(Vec::with_capacity(told.saturating_add(PAYLOAD_BYTES)));
        let payload =
            PaymentPayload { version: X402_VERSION, resource, accepted, payload: payment };
        serde_json::to_writer(&mut *json, &payload)?;
        Ok(Self::of(PAYMENT_SIGNATURE, Zeroizing::new(BASE64.encode(json.as_slice()))))
    }

    /// A header of another protocol.
    pub(crate) const fn of(name: &'static str, value: Zeroizing<String>) -> Self {
        Self { name, value }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The value for one request, marked so that no HTTP layer prints or indexes it. Nothing if
    /// it is not ASCII, which base64 always is.
    pub(crate) fn expose(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&self.value).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// SHA-256 of the value, which says nothing about it: for the journal.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        ContentHash(Sha256::digest(self.value.as_bytes()).into())
    }
}

impl fmt::Debug for PaymentHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PaymentHeader(..)")
    }
}
