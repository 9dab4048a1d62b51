//! The lines between the runner and a service, one JSON object each.
//!
//! ```text
//! service: {"service": "tercet", "wallet": "0x…"}                          once, when it is ready
//! runner:  {"id": 1, "chain_id": 8453, "token": "0x…", "to": "0x…",
//!           "value": "1000", "valid_before": 1790000000}
//! service: {"id": 1, "valid_after": 0, "nonce": "0x…", "signature": "0x…", "api_latency_ms": 3.9}
//!     or:  {"id": 1, "error": "…"}
//! ```
//! What is asked for is an x402 payment: an EIP-3009 `TransferWithAuthorization` of the token, as
//! EIP-712 typed data. The service chooses the nonce. Any service that signs typed data can answer.

use alloy_primitives::{Address, B256, Bytes};
use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// A service's first line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// Its name.
    pub(crate) service: String,
    /// The wallet that pays.
    pub(crate) wallet: Address,
}

/// One payment to sign.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// Names the request.
    pub(crate) id: u64,
    /// EIP-155.
    pub(crate) chain_id: u64,
    /// Token contract.
    pub(crate) token: Address,
    /// Payee.
    pub(crate) to: Address,
    /// Base units, decimal.
    pub(crate) value: String,
    /// Unix seconds.
    pub(crate) valid_before: u64,
}

/// A service's answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Answered {
    /// A signature.
    Signed(Box<Signed>),
    /// Why there is none.
    Failed {
        /// Which request.
        id: u64,
        /// For people.
        error: String,
    },
}

/// A signature, and what completes the text that was signed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Signed {
    /// Which request.
    pub(crate) id: u64,
    /// Unix seconds.
    pub(crate) valid_after: u64,
    /// The authorization's nonce.
    pub(crate) nonce: B256,
    /// `r`, `s` and `v`, 65 bytes.
    pub(crate) signature: Bytes,
    /// What the service itself measured around its call, in milliseconds; as SLATE's
    /// `apiLatencyMs`.
    pub(crate) api_latency_ms: f64,
}

/// Writes one line to standard output.
pub(crate) fn say(line: &impl Serialize) -> Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout();
    writeln!(out, "{}", serde_json::to_string(line)?)?;
    Ok(out.flush()?)
}

/// Reads the requests of standard input, until it ends.
pub(crate) fn asked() -> impl Iterator<Item = Result<Asked>> {
    std::io::stdin().lines().map(|line| {
        let asked: Asked = serde_json::from_str(&line?)?;
        ensure!(asked.value.bytes().all(|b| b.is_ascii_digit()), "value is a decimal number");
        Ok(asked)
    })
}
