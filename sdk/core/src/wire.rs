//! x402 version 2 over HTTP: what is read from a merchant's headers and what is sent back.
//!
//! Promises: a challenge is read from the one `PAYMENT-REQUIRED` header and from nowhere else, in
//! strict JSON; the chosen requirement is sent back in `accepted` byte for byte as it came.
//!
//! Refuses: a second header, the URL-safe alphabet, more than [`HEADER_BYTES_MAX`] or
//! [`ACCEPTS_MAX`], a key given twice, another version. Version 1 is not spoken at all, because
//! its challenge is a body, and a body that may override a header is how a payer is led astray.
//! The body of a 402 is drained, up to a limit, and never looked at.
//!
//! Does not protect against: a merchant that asks for too much in good form; that is decided
//! afterwards, in [`crate::choose`].

mod challenge;
mod payment;
mod settlement;
mod strict;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};

pub use self::challenge::Challenge;
pub use self::payment::PaymentHeader;
pub use self::settlement::MerchantClaim;
pub(crate) use self::strict::check as check_strict;

/// Header of a challenge, server to client.
pub const PAYMENT_REQUIRED: &str = "payment-required";
/// Header of a payment, client to server.
pub const PAYMENT_SIGNATURE: &str = "payment-signature";
/// Header of a settlement's outcome, server to client.
pub const PAYMENT_RESPONSE: &str = "payment-response";
/// Header of a payment in version 1; never sent, and refused from callers.
pub const X_PAYMENT: &str = "x-payment";
/// The version spoken.
pub const X402_VERSION: u64 = 2;
/// Longest header that is read, in bytes of base64.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;
/// Most requirements in one challenge.
pub const ACCEPTS_MAX: usize = 32;

/// Standard alphabet, padded on the way out; missing padding is forgiven on the way in.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a header is not an x402 header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "snake_case")]
#[non_exhaustive]
pub enum BadHeader {
    /// The header is not there.
    #[error("there is no {header} header (version 1 and challenges in a body are not spoken)")]
    Missing {
        /// Its name.
        header: String,
    },
    /// The header is there more than once.
    #[error("the {header} header is there {count} times")]
    Repeated {
        /// Its name.
        header: String,
        /// How often.
        count: usize,
    },
    /// Too long.
    #[error("the {header} header has {bytes} bytes, the limit is {HEADER_BYTES_MAX}")]
    TooLong {
        /// Its name.
        header: String,
        /// Its length, in bytes.
        bytes: usize,
    },
    /// Not standard base64.
    #[error("the {header} header is not standard base64")]
    NotBase64 {
        /// Its name.
        header: String,
    },
    /// Not JSON, a key given twice, or a field of another type.
    #[error("the {header} header is not the JSON it should be: {what}")]
    NotJson {
        /// Its name.
        header: String,
        /// What is wrong.
        what: String,
    },
    /// Another version.
    #[error("x402 version {given} is not spoken here; version {X402_VERSION} is")]
    Version {
        /// What was given.
        given: u64,
    },
    /// More requirements than are looked at.
    #[error("the challenge offers {count} ways to pay, the limit is {ACCEPTS_MAX}")]
    TooManyAccepts {
        /// How many.
        count: usize,
    },
}

/// The JSON text inside the one header of that name.
fn decode(headers: &HeaderMap, header: &str) -> Result<String, BadHeader> {
    let name = || header.to_owned();
    let mut values = headers.get_all(header).iter();
    let value = values.next().ok_or_else(|| BadHeader::Missing { header: name() })?;
    let others = values.count();
    if others > 0 {
        return Err(BadHeader::Repeated { header: name(), count: others.saturating_add(1) });
    }
    let bytes = value.as_bytes();
    if bytes.len() > HEADER_BYTES_MAX {
        return Err(BadHeader::TooLong { header: name(), bytes: bytes.len() });
    }
    let json = BASE64.decode(bytes).map_err(|_| BadHeader::NotBase64 { header: name() })?;
    let json = String::from_utf8(json).map_err(|_| not_json(header, "not UTF-8"))?;
    strict::check(&json).map_err(|e| not_json(header, e))?;
    Ok(json)
}

fn not_json(header: &str, what: impl ToString) -> BadHeader {
    let what = what.to_string().chars().filter(|c| !c.is_control()).take(160).collect();
    BadHeader::NotJson { header: header.to_owned(), what }
}

#[cfg(test)]
mod tests;
