//! The AccountKeychain (TIP-1011): the calls by which a wallet lets a key act for it, and takes
//! that back.
//!
//! Promises: exact ABI encodings of the interface that Tempo has since its hardfork T3. A key is
//! authorized for one token, with its limit enforced, and for what [`SCOPE`] names at the channel
//! reserve: no other contract, no other selector, no other token.
//!
//! Refuses: nothing. Whether a wallet may do this is for the policy.
//!
//! Does not protect against: a chain before T3, which takes neither periods nor scopes and refuses
//! the call.

use alloy_primitives::{Address, FixedBytes, U256, address};

use super::calls::{PAYER_CALLS, call};
use super::{CHANNEL_RESERVE, Call};
use crate::intent::KeyLimits;

/// The AccountKeychain: the same address on every Tempo chain.
pub const ACCOUNT_KEYCHAIN: Address = address!("0xaAAAaaAA00000000000000000000000000000000");
/// What a key may call at the channel reserve: `open` and `topUp`, which its limit bounds, and
/// `requestClose` and `withdraw`, which only bring money back to the wallet. Without those nobody
/// could get a deposit out of a channel that the key opened and whose payee is silent.
pub const SCOPE: [[u8; 4]; 4] = PAYER_CALLS;

/// The kind of key that is authorized (`SignatureType` of the interface).
const SECP256K1: u8 = 0;

mod abi {
    #![allow(missing_docs, reason = "generated from the names of IAccountKeychain")]

    alloy_sol_types::sol! {
        struct TokenLimit {
            address token;
            uint256 amount;
            uint64 period;
        }

        struct SelectorRule {
            bytes4 selector;
            address[] recipients;
        }

        struct CallScope {
            address target;
            SelectorRule[] selectorRules;
        }

        struct KeyRestrictions {
            uint64 expiry;
            bool enforceLimits;
            TokenLimit[] limits;
            bool allowAnyCalls;
            CallScope[] allowedCalls;
        }

        function authorizeKey(
            address keyId,
            uint8 signatureType,
            KeyRestrictions config
        ) external;
        function revokeKey(address keyId) external;
    }
}

/// Lets a key take so much of one token, at the channel reserve alone.
#[must_use]
pub fn authorize_key(key: Address, token: Address, limits: &KeyLimits) -> Call {
    let limit = abi::TokenLimit {
        token,
        amount: U256::from(limits.limit.base_units()),
        period: limits.period_seconds,
    };
    let rule = |selector: [u8; 4]| abi::SelectorRule {
        selector: FixedBytes::from(selector),
        recipients: Vec::new(),
    };
    let scope = abi::CallScope {
        target: CHANNEL_RESERVE,
        selectorRules: SCOPE.into_iter().map(rule).collect(),
    };
    let config = abi::KeyRestrictions {
        expiry: limits.expires_at.0,
        enforceLimits: true,
        limits: vec![limit],
        allowAnyCalls: false,
        allowedCalls: vec![scope],
    };
    let authorize = abi::authorizeKeyCall { keyId: key, signatureType: SECP256K1, config };
    call(ACCOUNT_KEYCHAIN, &authorize)
}

/// Takes from a key, for good, what it was let take.
#[must_use]
pub fn revoke_key(key: Address) -> Call {
    call(ACCOUNT_KEYCHAIN, &abi::revokeKeyCall { keyId: key })
}

#[cfg(test)]
mod tests;
