//! EIP-3009 authorizations under EIP-712: `keccak256(0x1901 ‖ domain separator ‖ struct hash)`.

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolStruct as _;
use serde::{Serialize, Serializer};

use crate::chain::{Asset, Chain, Eip3009Domain};
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

/// A token with its pinned domain.
#[derive(Clone, Copy)]
pub(super) struct Token {
    chain: Chain,
    address: Address,
    domain: &'static Eip3009Domain,
}

impl Token {
    /// Nothing for a token without EIP-3009.
    pub(super) fn of(asset: &'static Asset) -> Option<Self> {
        let domain = asset.eip3009.as_ref()?;
        Some(Self { chain: asset.chain, address: asset.token, domain })
    }
}

pub(super) struct Authorizing {
    pub(super) token: Token,
    pub(super) authorization: Authorization,
}

pub(super) struct Cancelling {
    pub(super) token: Token,
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
        typed_data(self.token.domain, typed.eip712_hash_struct())
    }

    pub(super) fn attach(self, signature: WalletSignature) -> Eip3009Payment {
        let Token { chain, address: token, .. } = self.token;
        Eip3009Payment { chain, token, signature, authorization: self.authorization }
    }
}

impl Cancelling {
    pub(super) fn preimage(&self) -> Vec<u8> {
        let CancelAuthorization { authorizer, nonce } = self.cancel;
        let typed = typed::CancelAuthorization { authorizer, nonce };
        typed_data(self.token.domain, typed.eip712_hash_struct())
    }

    pub(super) fn attach(self, signature: WalletSignature) -> Eip3009Cancel {
        let Token { chain, address: token, .. } = self.token;
        Eip3009Cancel { chain, token, signature, cancel: self.cancel }
    }
}

fn typed_data(domain: &Eip3009Domain, struct_hash: B256) -> Vec<u8> {
    let prefix: &[u8] = &[0x19, 0x01];
    [prefix, domain.separator.as_slice(), struct_hash.as_slice()].concat()
}

fn as_text<S: Serializer>(time: &UnixSeconds, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}
