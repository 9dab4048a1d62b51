//! A plain local key: what Tercet is measured against, and the other payers of a test chain.
//!
//! Everything is derived here from the standards (EIP-712, EIP-3009, EIP-1559), apart from Tercet's own
//! code, so that a test compares two implementations.

#![allow(clippy::expect_used, reason = "a test that is wrong may stop")]

use alloy_consensus::{SignableTransaction, TxEip1559};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, b256, keccak256};
use alloy_sol_types::{SolCall, SolStruct, sol};
use k256::ecdsa::SigningKey;
use tercet_policy::chain::{Asset, Chain};

sol! {
    #[derive(Debug)]
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
    function transferWithAuthorization(
        address from, address to, uint256 value, uint256 validAfter, uint256 validBefore,
        bytes32 nonce, bytes signature
    );
    function cancelAuthorization(address authorizer, bytes32 nonce, bytes signature);
    function transfer(address to, uint256 value) returns (bool);
}

/// A secp256k1 key made from a name: the same in every run, and worth nothing.
pub struct LocalKey(SigningKey);

/// What an account needs to know for a transaction.
#[derive(Clone, Copy, Debug)]
pub struct TransactionTerms {
    /// Chain.
    pub chain: Chain,
    /// Account nonce.
    pub nonce: u64,
    /// Gas limit.
    pub gas_limit: u64,
    /// `maxFeePerGas` and `maxPriorityFeePerGas`, wei.
    pub fee_wei: u128,
}

impl LocalKey {
    /// The key of this name.
    ///
    /// # Panics
    /// For one name in 2^128.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let secret = keccak256(format!("tercet test key: {name}"));
        Self(SigningKey::from_slice(secret.as_slice()).expect("a hash is nearly always a key"))
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> Address {
        Address::from_public_key(self.0.verifying_key())
    }

    /// Signs a digest, with low `s`.
    ///
    /// # Panics
    /// For one digest in 2^128.
    #[must_use]
    pub fn sign(&self, digest: B256) -> Signature {
        let signed = self.0.sign_prehash_recoverable(digest.as_slice());
        Signature::from(signed.expect("a hash is nearly always signable"))
    }

    /// A call of `transferWithAuthorization` that anyone may send.
    #[must_use]
    pub fn pay(&self, asset: &Asset, authorization: &TransferWithAuthorization) -> Bytes {
        let digest = digest(asset, authorization);
        call_with(authorization, self.sign(digest).as_bytes().to_vec())
    }

    /// A call of `cancelAuthorization` that anyone may send.
    #[must_use]
    pub fn cancel(&self, asset: &Asset, nonce: B256) -> Bytes {
        let authorizer = self.address();
        let digest = digest(asset, &CancelAuthorization { authorizer, nonce });
        let signature = self.sign(digest).as_bytes().to_vec().into();
        cancelAuthorizationCall { authorizer, nonce, signature }.abi_encode().into()
    }

    /// A signed EIP-1559 transaction, ready to broadcast.
    #[must_use]
    pub fn transaction(&self, terms: TransactionTerms, to: Address, input: Bytes) -> Bytes {
        let transaction = TxEip1559 {
            chain_id: terms.chain.id(),
            nonce: terms.nonce,
            gas_limit: terms.gas_limit,
            max_fee_per_gas: terms.fee_wei,
            max_priority_fee_per_gas: terms.fee_wei,
            to: TxKind::Call(to),
            value: U256::ZERO,
            access_list: Default::default(),
            input,
        };
        let signature = self.sign(transaction.signature_hash());
        let mut raw = Vec::new();
        transaction.into_signed(signature).eip2718_encode(&mut raw);
        raw.into()
    }
}

/// A call of `transferWithAuthorization` with a signature that may be of any form.
#[must_use]
pub fn call_with(authorization: &TransferWithAuthorization, signature: Vec<u8>) -> Bytes {
    let a = authorization;
    transferWithAuthorizationCall {
        from: a.from,
        to: a.to,
        value: a.value,
        validAfter: a.validAfter,
        validBefore: a.validBefore,
        nonce: a.nonce,
        signature: signature.into(),
    }
    .abi_encode()
    .into()
}

/// The input of an ERC-20 transfer.
#[must_use]
pub fn transfer_input(to: Address, value: u128) -> Bytes {
    transferCall { to, value: U256::from(value) }.abi_encode().into()
}

/// The other signature of the same key over the same digest: `s` mirrored, parity flipped (EIP-2).
#[must_use]
pub fn with_high_s(signature: &Signature) -> Signature {
    let order = b256!("0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
    let mirrored = U256::from_be_bytes(order.0).wrapping_sub(signature.s());
    Signature::new(signature.r(), mirrored, !signature.v())
}

/// The EIP-712 digest of a struct under the asset's pinned domain.
#[must_use]
pub fn digest(asset: &Asset, content: &impl SolStruct) -> B256 {
    let mut preimage = vec![0x19, 0x01];
    let domain = asset.eip3009.as_ref().expect("a token with EIP-3009");
    preimage.extend_from_slice(domain.separator.as_slice());
    preimage.extend_from_slice(content.eip712_hash_struct().as_slice());
    keccak256(preimage)
}
