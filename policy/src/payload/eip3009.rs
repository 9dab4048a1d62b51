//! EIP-3009 authorizations under EIP-712: `keccak256(0x1901 ‖ domain separator ‖ struct hash)`.

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolStruct as _;
use serde::{Serialize, Serializer};

use crate::chain::{Asset, Chain};
use crate::money::Amount;
use crate::payload::WalletSignature;
use crate::time::UnixSeconds;

mod typed {
    #![allow(missing_docs, reason = "generated from the names of EIP-3009")]

    alloy_sol_types::sol! {
        struct TransferWithAuthorization {
            address from;
            address to;
            uint256 value;
            uint256 validAfter;
            uint256 validBefore;
            bytes32 nonce;
        }

        struct CancelAuthorization {
            address authorizer;
            bytes32 nonce;
        }
    }
}

/// The fields of `TransferWithAuthorization`. In JSON they are what x402 wants: camel case, and
/// numbers as decimal strings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Authorization {
    /// The wallet.
    pub from: Address,
    /// The payee.
    pub to: Address,
    /// Base units.
    pub value: Amount,
    /// The chain's time must be later than this.
    #[serde(serialize_with = "as_text")]
    pub valid_after: UnixSeconds,
    /// The chain's time must be earlier than this.
    #[serde(serialize_with = "as_text")]
    pub valid_before: UnixSeconds,
    /// The EIP-3009 nonce.
    pub nonce: B256,
}

/// The fields of `CancelAuthorization`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CancelAuthorization {
    /// The wallet.
    pub authorizer: Address,
    /// The nonce taken back.
    pub nonce: B256,
}

/// A signed authorization. In JSON it is the `payload` of an x402 `PaymentPayload`; chain and
/// token are for whoever puts that together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Eip3009Payment {
    /// Chain.
    #[serde(skip)]
    pub chain: Chain,
    /// Token contract.
    #[serde(skip)]
    pub token: Address,
    /// `0x` and `r ‖ s ‖ v`.
    pub signature: WalletSignature,
    /// What was signed.
    pub authorization: Authorization,
}

/// A signed cancellation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Eip3009Cancel {
    /// Chain.
    pub chain: Chain,
    /// Token contract, which takes it as `cancelAuthorization`.
    pub token: Address,
    /// `0x` and `r ‖ s ‖ v`.
    pub signature: WalletSignature,
    /// What was signed.
    pub cancel: CancelAuthorization,
}

pub(super) struct Authorizing {
    pub(super) asset: &'static Asset,
    pub(super) authorization: Authorization,
}

pub(super) struct Cancelling {
    pub(super) asset: &'static Asset,
    pub(super) cancel: CancelAuthorization,
}

impl Authorizing {
    pub(super) fn preimage(&self) -> Vec<u8> {
        let a = &self.authorization;
        let typed = typed::TransferWithAuthorization {
            from: a.from,
            to: a.to,
            value: U256::from(a.value.base_units()),
            validAfter: U256::from(a.valid_after.0),
            validBefore: U256::from(a.valid_before.0),
            nonce: a.nonce,
        };
        typed_data(self.asset, typed.eip712_hash_struct())
    }

    pub(super) fn attach(self, signature: WalletSignature) -> Eip3009Payment {
        let (chain, token) = (self.asset.chain, self.asset.token);
        Eip3009Payment { chain, token, signature, authorization: self.authorization }
    }
}

impl Cancelling {
    pub(super) fn preimage(&self) -> Vec<u8> {
        let CancelAuthorization { authorizer, nonce } = self.cancel;
        let typed = typed::CancelAuthorization { authorizer, nonce };
        typed_data(self.asset, typed.eip712_hash_struct())
    }

    pub(super) fn attach(self, signature: WalletSignature) -> Eip3009Cancel {
        let (chain, token) = (self.asset.chain, self.asset.token);
        Eip3009Cancel { chain, token, signature, cancel: self.cancel }
    }
}

fn typed_data(asset: &Asset, struct_hash: B256) -> Vec<u8> {
    let prefix: &[u8] = &[0x19, 0x01];
    [prefix, asset.domain_separator.as_slice(), struct_hash.as_slice()].concat()
}

fn as_text<S: Serializer>(time: &UnixSeconds, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}
