//! `PAYMENT-RESPONSE`: what a merchant says about settlement. It is a hint where to look, and
//! never evidence.

use alloy_primitives::B256;
use reqwest::header::HeaderMap;
use serde::{Deserialize, Serialize};

use super::{BadHeader, PAYMENT_RESPONSE, decode, not_json};

/// The reason that means: broadcast, and not seen mined yet.
const SETTLEMENT_PENDING: &str = "settlement_pending";
/// Longest reason that is kept, in characters.
const REASON_CHARS_MAX: usize = 96;

/// A merchant's word about the settlement of a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MerchantClaim {
    /// Whether it says that the payment settled.
    pub success: bool,
    /// The transaction it names, if that has the form of one.
    pub transaction: Option<B256>,
    /// Its reason code: lower-case letters, digits and underscores, or nothing. Free text is
    /// dropped, because it would end up before a language model.
    pub reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SettlementResponse {
    success: bool,
    #[serde(default)]
    error_reason: Option<String>,
    #[serde(default)]
    transaction: Option<String>,
}

impl MerchantClaim {
    /// Reads the one `PAYMENT-RESPONSE` header.
    ///
    /// # Errors
    /// [`BadHeader`]; a caller treats every one of them as silence.
    pub fn read(headers: &HeaderMap) -> Result<Self, BadHeader> {
        let json = decode(headers, PAYMENT_RESPONSE)?;
        let response: SettlementResponse =
            serde_json::from_str(&json).map_err(|e| not_json(PAYMENT_RESPONSE, e))?;
        Ok(Self {
            success: response.success,
            transaction: response.transaction.as_deref().and_then(transaction),
            reason: response.error_reason.filter(|reason| is_code(reason)),
        })
    }

    /// Whether it says that the payment was broadcast and is not seen yet.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        !self.success && self.reason.as_deref() == Some(SETTLEMENT_PENDING)
    }
}

fn transaction(text: &str) -> Option<B256> {
    let digits = text.strip_prefix("0x")?;
    let mut hash = [0u8; 32];
    hex::decode_to_slice(digits, &mut hash).ok()?;
    Some(B256::from(hash))
}

fn is_code(reason: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (1..=REASON_CHARS_MAX).contains(&reason.len()) && reason.bytes().all(plain)
}
