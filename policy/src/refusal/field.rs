//! What of a proposal or an intent a refusal is about.

use serde::{Deserialize, Serialize};

/// What is wrong with an access key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyFault {
    /// It is the wallet itself, or an address that is known to be nobody's key.
    Key,
    /// Its period is neither none nor a day or more.
    Period,
    /// What it could take in all is no amount.
    Sum,
    /// Its transaction has no lane of its own, or its fee is somebody else's to pay.
    Terms,
}

impl std::fmt::Display for KeyFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Key => "its address is nobody's key",
            Self::Period => "its period is shorter than a day",
            Self::Sum => "what it could take in all is no amount",
            Self::Terms => "its transaction needs a lane of its own and pays its own fee",
        })
    }
}

/// A field that a courier restates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the field of that name")]
pub enum ClaimField {
    Wallet,
    Chain,
    Token,
    Payee,
    Amount,
    Nonce,
    ValidAfter,
    ValidBefore,
    TermsKind,
    PolicyEpoch,
}

/// A fee figure with a ceiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the field of that name")]
pub enum FeeField {
    GasLimit,
    MaxFeePerGas,
    MaxPriorityFeePerGas,
    Nonce,
    Fee,
}

impl std::fmt::Display for ClaimField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Wallet => "wallet",
            Self::Chain => "chain",
            Self::Token => "token",
            Self::Payee => "payee",
            Self::Amount => "amount",
            Self::Nonce => "nonce",
            Self::ValidAfter => "validAfter",
            Self::ValidBefore => "validBefore",
            Self::TermsKind => "kind of terms",
            Self::PolicyEpoch => "policy epoch",
        })
    }
}

impl std::fmt::Display for FeeField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::GasLimit => "gas limit",
            Self::MaxFeePerGas => "maxFeePerGas",
            Self::MaxPriorityFeePerGas => "maxPriorityFeePerGas",
            Self::Nonce => "account nonce",
            Self::Fee => "fee",
        })
    }
}
